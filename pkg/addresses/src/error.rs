use std::io;
use std::path::PathBuf;

/// What can go wrong between kedge and the kernel's network configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot open a route netlink socket: {0}")]
    Open(#[source] io::Error),

    /// The kernel refused a request; `code` is its errno, positive.
    #[error("cannot {what}: {}", io::Error::from_raw_os_error(*code))]
    Refused { what: String, code: i32 },

    /// The netlink connection ended under a request.
    #[error("cannot {what}: the route netlink connection is gone ({why})")]
    Connection { what: String, why: String },

    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },

    #[error("cannot write {value} to {}: {source}; is /proc/sys writable, and is this root or CAP_NET_ADMIN?", path.display())]
    Write {
        path: PathBuf,
        value: &'static str,
        source: io::Error,
    },

    #[error(
        "cannot listen on link {link} for others who have its addresses: {source}; this needs CAP_NET_RAW"
    )]
    Listen { link: String, source: io::Error },

    #[error("cannot announce addresses on link {link}: {source}; this needs CAP_NET_RAW")]
    Announce { link: String, source: io::Error },
}

impl Error {
    /// True when the kernel's answer was this errno.
    pub(crate) fn is(&self, errno: i32) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == errno)
    }
}
