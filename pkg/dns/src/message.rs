//! DNS messages (RFC 1035, EDNS RFC 6891): a question read, an answer written.

mod answer;
mod answered;
mod asked;
mod query;

pub use answer::{Chain, Reply, Scratch, answer_alias, relay, respond};
pub use answered::Answered;
pub use asked::Asked;
pub use query::{Query, Transport, Unanswerable};

/// Largest UDP answer: what passes unfragmented everywhere (DNS flag day 2020). Also what is said to others.
pub const MAX_UDP: usize = 1232;
/// Largest UDP answer to one who says nothing of sizes (RFC 1035, 4.2.1).
pub const PLAIN_UDP: usize = 512;
