//! What can go wrong.

use kedge_machinery::Status;

/// Errors of the proxy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The kernel refused something, or its netlink socket failed.
    #[error("{0}")]
    Kernel(#[from] kedge_nftables::Error),
    /// The feed of Services and EndpointSlices ended.
    #[error("the API's feed of Services has ended: {0}")]
    Feed(Box<Status>),
    /// The thread that speaks netlink could not be started.
    #[error("cannot start the proxy's netlink thread: {0}")]
    Thread(std::io::Error),
    /// The thread that speaks netlink ended before its time.
    #[error("the proxy's netlink thread has ended unexpectedly; restart kedge")]
    ThreadEnded,
}
