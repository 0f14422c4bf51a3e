//! What can go wrong, one variant a cause.

use std::io;

use crate::operation::Failure;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A system call on the socket failed.
    #[error("netlink socket: {call}: {source}")]
    Socket {
        /// The call.
        call: &'static str,
        /// Its error.
        source: io::Error,
    },

    /// The kernel refused a request that is not part of a transaction: a dump, a query, a conntrack
    /// change.
    #[error("netlink: {request}: {}", explain(source, message.as_deref()))]
    Refused {
        /// What was asked for.
        request: &'static str,
        /// The kernel's errno.
        source: io::Error,
        /// The kernel's own words, where it has any.
        message: Option<String>,
    },

    /// Operations of a transaction failed, so that nothing of it was done. There is at least one;
    /// the first is the cause in nearly all cases, since the kernel goes on to try the rest.
    #[error("nf_tables: transaction refused: {}", summary(.0))]
    Rejected(Vec<Failure>),

    /// The ruleset is no longer of the generation that the transaction was made for (`ERESTART`):
    /// read it again, make the transaction anew.
    #[error("nf_tables: the ruleset has changed since generation {0}; read it again and retry")]
    GenerationChanged(u32),

    /// The transaction as a whole failed, not one operation of it: no permission, no memory, no
    /// nf_tables.
    #[error("nf_tables: transaction failed as a whole: {}", explain(source, message.as_deref()))]
    Transaction {
        /// The kernel's errno.
        source: io::Error,
        /// The kernel's own words, where it has any.
        message: Option<String>,
    },

    /// The kernel's answer to a transaction was lost: whether it was carried out must be found out
    /// by reading.
    #[error(
        "nf_tables: the answer to a transaction was lost; read the ruleset to learn whether it was carried out"
    )]
    AnswerLost,

    /// What is dumped changed while it was dumped, as often as was tried.
    #[error("netlink: {0} changed while being read, in every attempt")]
    Interrupted(&'static str),

    /// An attribute is longer than its 16-bit length can say.
    #[error("netlink: attribute {attribute} of \"{operation}\" is longer than 65535 bytes")]
    Oversized {
        /// The attribute's number.
        attribute: u16,
        /// The operation that it belongs to.
        operation: String,
    },

    /// A message from the kernel ends in the middle of something.
    #[error("netlink: message cut short in {0}")]
    Truncated(&'static str),

    /// A message from the kernel lacks something that it must have.
    #[error("netlink: message without {0}")]
    Missing(&'static str),

    /// An attribute from the kernel is not what it must be.
    #[error("netlink: attribute {attribute}: {why}")]
    Malformed {
        /// The attribute's number.
        attribute: u16,
        /// What is wrong.
        why: &'static str,
    },
}

impl Error {
    pub(crate) fn socket(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Socket { call, source }
    }

    /// The errno that the kernel answered with: of the first failed operation, or of the whole.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Rejected(failures) => failures.first().map(|failure| failure.errno),
            Self::GenerationChanged(_) => Some(libc::ERESTART),
            Self::Socket { source, .. }
            | Self::Refused { source, .. }
            | Self::Transaction { source, .. } => source.raw_os_error(),
            _ => None,
        }
    }
}

fn summary(failures: &[Failure]) -> String {
    match failures {
        [] => "no operation named".to_owned(),
        [one] => one.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more failures)", rest.len()),
    }
}

/// The kernel's error in its own words, and what is to be done where that is known.
fn explain(source: &io::Error, message: Option<&str>) -> String {
    let advice = match source.raw_os_error() {
        Some(libc::EPERM) => "; run as root or with CAP_NET_ADMIN",
        Some(libc::EOPNOTSUPP) => "; this kernel lacks what was asked for",
        _ => "",
    };
    match message {
        Some(message) => format!("{source} ({message}){advice}"),
        None => format!("{source}{advice}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_why_and_what_to_do() {
        let error = Error::Refused {
            request: "list tables",
            source: io::Error::from_raw_os_error(libc::EPERM),
            message: Some("why".to_owned()),
        };
        let want = "netlink: list tables: Operation not permitted (os error 1) (why); \
                    run as root or with CAP_NET_ADMIN";
        assert_eq!(error.to_string(), want);
        assert_eq!(error.errno(), Some(libc::EPERM));
    }

    #[test]
    fn a_changed_generation_has_its_errno() {
        let error = Error::GenerationChanged(7);
        assert_eq!(error.errno(), Some(libc::ERESTART));
        assert!(error.to_string().contains("generation 7"));
    }
}
