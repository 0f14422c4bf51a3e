//! What a Service gets, or why it does not.

use std::fmt;
use std::net::IpAddr;

use super::request::{Port, Transport};

/// A Service, by namespace and name.
pub(super) type Name = (String, String);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// In the order of its families.
    pub addresses: Vec<IpAddr>,
    /// Why it did not get all that it asked for.
    pub waiting: Option<Waiting>,
}

impl Outcome {
    /// All that was asked for.
    pub(super) fn served(addresses: Vec<IpAddr>) -> Self {
        Self {
            addresses,
            waiting: None,
        }
    }
}

/// Who else may have an address of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    /// A Service that is not served here has it.
    OtherBalancer,
    /// It is this machine's own: whoever logs in by it is not to meet a Service.
    Machine,
    /// Another host on the LAN has it.
    Neighbour,
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
    /// Both families are required of one pool, and of these none has both.
    NotTogether(Vec<String>),
    /// Of these pools none gives of itself to this Service.
    NoPool(Vec<String>),
    UnknownPool(String),
    /// The pool that is asked for is for others.
    ClosedPool(String),
    NotInPool(IpAddr),
    NotInThatPool {
        ip: IpAddr,
        pool: String,
    },
    WrongFamily(IpAddr),
    /// An address of one family is asked for, and both are required.
    OneFamily,
    /// The address is shared under another key.
    OtherKey {
        ip: IpAddr,
        by: Name,
        key: String,
    },
    /// The address is shared by Services with other endpoints.
    OtherBackend {
        ip: IpAddr,
        by: Name,
    },
    /// The address is shared, and this port of it is taken.
    PortOfAddressTaken {
        ip: IpAddr,
        port: Port,
        by: Name,
    },
    /// By a Service that is served here.
    Taken {
        ip: IpAddr,
        by: Name,
    },
    /// By somebody else.
    Held {
        ip: IpAddr,
        by: Holder,
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
        match self {
            Self::Mistake(text) => f.write_str(text),
            Self::Exhausted { ipv6, pools } if pools.is_empty() => {
                write!(f, "no address pool has {} addresses", family(*ipv6))
            }
            Self::Exhausted { ipv6, pools } => {
                let (family, pools) = (family(*ipv6), pools.join(", "));
                write!(f, "no {family} address is free in {pools}")
            }
            Self::NotTogether(pools) => write!(
                f,
                "spec.ipFamilyPolicy is RequireDualStack, and no pool has a free address of both families: {}",
                pools.join(", ")
            ),
            Self::NoPool(pools) => write!(
                f,
                "no address pool gives to this Service of itself: look at autoAssign and serviceAllocation of {}",
                pools.join(", ")
            ),
            Self::UnknownPool(pool) => write!(f, "there is no address pool {pool}"),
            Self::ClosedPool(pool) => write!(
                f,
                "the address pool {pool} is not compatible: its serviceAllocation is for other namespaces or Services"
            ),
            Self::NotInPool(ip) => write!(f, "{ip} is in no address pool"),
            Self::NotInThatPool { ip, pool } => {
                write!(f, "{ip} is not in the address pool {pool}, which is asked for too")
            }
            Self::WrongFamily(ip) => write!(
                f,
                "{ip} is of no family in spec.ipFamilies, or the second of one"
            ),
            Self::OneFamily => f.write_str(
                "spec.ipFamilyPolicy is RequireDualStack, and an address of one family alone is asked for",
            ),
            Self::Taken { ip, by } => write!(f, "{ip} belongs to Service {}", path(by)),
            Self::Held {
                ip,
                by: Holder::OtherBalancer,
            } => write!(f, "{ip} belongs to a Service of another load balancer"),
            Self::Held {
                ip,
                by: Holder::Machine,
            } => write!(f, "{ip} is this machine's own address"),
            Self::Held {
                ip,
                by: Holder::Neighbour,
            } => write!(f, "another host on the LAN has {ip}"),
            Self::OtherKey { ip, by, key } => write!(
                f,
                "{ip} belongs to Service {}, which shares it with the key {key:?}",
                path(by)
            ),
            Self::OtherBackend { ip, by } => write!(
                f,
                "{ip} is shared by Service {}, whose externalTrafficPolicy or selector is another",
                path(by)
            ),
            Self::PortOfAddressTaken { ip, port, by } => write!(
                f,
                "port {}/{} of {ip} belongs to Service {}",
                port.1,
                port.0,
                path(by)
            ),
            Self::PortTaken {
                transport,
                port,
                by: Some(by),
            } => write!(
                f,
                "port {port}/{transport} of the node's addresses belongs to Service {}; \
                 with an address pool each would have its own address",
                path(by)
            ),
            Self::PortTaken {
                transport,
                port,
                by: None,
            } => write!(
                f,
                "port {port}/{transport} of the node's addresses is in use by this machine"
            ),
            Self::NoNodeAddress { ipv6 } => {
                write!(f, "this node has no {} address yet", family(*ipv6))
            }
            Self::NotNodeAddress(ip) => write!(
                f,
                "{ip} is not an address of this node, and there is no address pool"
            ),
        }
    }
}

fn family(ipv6: bool) -> &'static str {
    if ipv6 { "IPv6" } else { "IPv4" }
}

fn path((namespace, name): &Name) -> String {
    format!("{namespace}/{name}")
}
