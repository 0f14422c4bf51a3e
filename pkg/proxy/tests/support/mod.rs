//! A lab of network namespaces: a node, a client on its LAN, and pods behind it; and an API
//! server's feed in memory.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

pub mod api;
pub mod family;
pub mod host;
pub mod http;
pub mod lab;
pub mod sctp;
pub mod segment;
pub mod talk;
