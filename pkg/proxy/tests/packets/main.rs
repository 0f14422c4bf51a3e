//! Packets through a real kernel: every way to ask a Service, from every place, in both families.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../support/mod.rs"]
mod support;

mod cluster_ip;
mod conntrack;
mod endpoints;
mod health_check;
mod load_balancer;
mod masquerade;
mod neighbours;
mod node_port;
mod session_affinity;
mod ten_thousand;
mod traffic_policy;
