//! The kernel's own names and numbers, one module a header.

pub mod nf_conntrack;
pub mod nf_tables;
pub mod nfnetlink;
