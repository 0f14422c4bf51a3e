//! Names in the kernel, as `nft list table ip kedge` shows them.

use std::borrow::Cow;

use crate::layout::{Class, Dispatch, Key};

pub const TABLE: &str = "kedge";
/// The tables' comment: what made them, and to which plan. A table with another one is replaced.
pub const COMMENT: &str = "kedge services, layout 1";

pub const AFFINITY: &str = "affinity";

pub const SERVICES: &str = "services";
pub const CLOSED: &str = "closed";
pub const MASQUERADE: &str = "masquerade";
pub const NODE_SOURCE: &str = "node-source";
pub const PREROUTING: &str = "prerouting";
pub const INPUT: &str = "input";
pub const OUTPUT: &str = "output";
pub const POSTROUTING: &str = "postrouting";
pub const FORWARD: &str = "forward";
pub const INVALID: &str = "invalid";

/// Sets and maps whose elements the proxy writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SetName {
    Services,
    ClusterIps,
    Slots,
    Hairpins,
    SourceRanges,
    AfterRanges,
    FromInside,
    FromOutside,
    Sticky,
    Learn,
    Live,
    Dispatch(Dispatch),
}

impl SetName {
    pub const ALL: [Self; 15] = [
        Self::Services,
        Self::ClusterIps,
        Self::Slots,
        Self::Hairpins,
        Self::SourceRanges,
        Self::AfterRanges,
        Self::FromInside,
        Self::FromOutside,
        Self::Sticky,
        Self::Learn,
        Self::Live,
        Self::Dispatch(Dispatch::Services),
        Self::Dispatch(Dispatch::SourceRanges),
        Self::Dispatch(Dispatch::BySource),
        Self::Dispatch(Dispatch::Sticky),
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Services => "svc",
            Self::ClusterIps => "cluster-ips",
            Self::Slots => "eps",
            Self::Hairpins => "hairpin",
            Self::SourceRanges => "source-ranges",
            Self::AfterRanges => "after-ranges",
            Self::FromInside => "from-inside",
            Self::FromOutside => "from-outside",
            Self::Sticky => "sticky",
            Self::Learn => "learn",
            Self::Live => "live",
            Self::Dispatch(Dispatch::Services) => "class",
            Self::Dispatch(Dispatch::SourceRanges) => "class-after-ranges",
            Self::Dispatch(Dispatch::BySource) => "class-by-source",
            Self::Dispatch(Dispatch::Sticky) => "class-sticky",
        }
    }

    /// The set that an element belongs to.
    pub fn of(key: &Key) -> Self {
        match key {
            Key::Service(_) => Self::Services,
            Key::ClusterIp(_) => Self::ClusterIps,
            Key::Slot(..) => Self::Slots,
            Key::Hairpin(_) => Self::Hairpins,
            Key::SourceRange(..) => Self::SourceRanges,
            Key::AfterRanges(_) => Self::AfterRanges,
            Key::FromInside(_) => Self::FromInside,
            Key::FromOutside(_) => Self::FromOutside,
            Key::Sticky(..) => Self::Sticky,
            Key::Learn(_) => Self::Learn,
            Key::Live(..) => Self::Live,
            Key::Dispatch(_, dispatch, _) => Self::Dispatch(*dispatch),
        }
    }
}

/// The chain that a class leads to.
pub fn class_chain(class: Class) -> Cow<'static, str> {
    match class {
        Class::REJECT => CLOSED.into(),
        Class::DENY => "dropped".into(),
        Class::SOURCE_RANGES => "source-ranges".into(),
        Class::BY_SOURCE => "by-source".into(),
        Class::STICKY => "sticky".into(),
        count => format!("n{}", count.modulus()).into(),
    }
}

/// The chain that draws once for a class whose slots are not all filled.
pub fn draw_chain(class: Class) -> String {
    format!("draw-{}", class.modulus())
}

/// The chain that remembers clients for so many seconds.
pub fn learn_chain(seconds: u32) -> String {
    format!("learn-{seconds}")
}

/// The reverse of [`learn_chain`].
pub fn learn_seconds(chain: &str) -> Option<u32> {
    let seconds = chain.strip_prefix("learn-")?.parse().ok()?;
    (learn_chain(seconds) == chain).then_some(seconds)
}
