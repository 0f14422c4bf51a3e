//! What a Service gets, or why it does not.

use std::fmt;
use std::net::IpAddr;

use super::request::Transport;

/// A Service, by namespace and name.
pub(super) type Name = (String, String);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// In the order of its families.
    pub addresses: Vec<IpAddr>,
    /// Why it did not get all that it asked for.
    pub waiting: Option<Waiting>,
}

/// Why a Service waits. `Display` is for the Event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Waiting {
    Mistake(String),
    /// No address of this family (IPv6?) is free.
    Exhausted {
        ipv6: bool,
        pools: Vec<String>,
    },
    NotInPool(IpAddr),
    WrongFamily(IpAddr),
    /// By a Service that is served here, or by one that is not.
    Taken {
        ip: IpAddr,
        by: Option<Name>,
    },
    /// By a Service, or by the machine itself.
    PortTaken {
        transport: Transport,
        port: u16,
        by: Option<Name>,
    },
    NoNodeAddress {
        ipv6: bool,
    },
    NotNodeAddress(IpAddr),
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = |ipv6: bool| if ipv6 { "IPv6" } else { "IPv4" };
        match self {
            Self::Mistake(text) => f.write_str(text),
            Self::Exhausted { ipv6, pools } if pools.is_empty() => {
                write!(
                    f,
                    "no address pool has {} addresses (--lb-pool)",
                    family(*ipv6)
                )
            }
            Self::Exhausted { ipv6, pools } => {
                write!(
                    f,
                    "no {} address is free in {}",
                    family(*ipv6),
                    pools.join(", ")
                )
            }
            Self::NotInPool(ip) => write!(f, "{ip} is in no address pool (--lb-pool)"),
            Self::WrongFamily(ip) => write!(
                f,
                "{ip} is of no family in spec.ipFamilies, or the second of one"
            ),
            Self::Taken {
                ip,
                by: Some((namespace, name)),
            } => {
                write!(f, "{ip} belongs to Service {namespace}/{name}")
            }
            Self::Taken { ip, by: None } => {
                write!(f, "{ip} belongs to a Service of another load balancer")
            }
            Self::PortTaken {
                transport,
                port,
                by: Some((namespace, name)),
            } => write!(
                f,
                "port {port}/{transport} of the node's addresses belongs to Service {namespace}/{name}; \
                 with an address pool (--lb-pool) each would have its own address"
            ),
            Self::PortTaken {
                transport,
                port,
                by: None,
            } => {
                write!(
                    f,
                    "port {port}/{transport} of the node's addresses is in use by this machine"
                )
            }
            Self::NoNodeAddress { ipv6 } => {
                write!(f, "this node has no {} address yet", family(*ipv6))
            }
            Self::NotNodeAddress(ip) => {
                write!(
                    f,
                    "{ip} is not an address of this node, and there is no address pool (--lb-pool)"
                )
            }
        }
    }
}
