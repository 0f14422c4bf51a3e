//! What the thread that speaks netlink is asked.

use std::net::IpAddr;
use std::sync::{Arc, mpsc};

use ipnet::IpNet;
use kedge_client::Change;
use tokio::sync::oneshot;

use super::question::{Answer, Question};

/// What the thread is asked to do.
#[derive(Debug)]
pub enum Work {
    Apply(Vec<Change>),
    NodeAddresses(Arc<[IpAddr]>),
    /// All ranges of cluster IPs.
    ServiceCidrs(Vec<IpNet>),
    /// Compare with the kernel and put right what differs.
    Heal,
    /// The same, if anybody has changed the ruleset since.
    Verify,
    /// All packets have passed that were on their way when [`Outcome::settle`] was true.
    Settle,
}

/// What became of some work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Whether the kernel is in step.
    pub in_step: bool,
    /// Whether [`Work::Settle`] is to follow once the packets have passed that are on their way.
    pub settle: bool,
}

/// What the thread gets, and where the outcome goes.
#[derive(Debug)]
pub enum Job {
    Work(Work, oneshot::Sender<Outcome>),
    Question(Question, mpsc::Sender<Answer>),
}
