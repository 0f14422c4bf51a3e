//! What this kernel can do, found out without changing anything.
//!
//! Every feature is tried in a transaction that is not carried out ([`Socket::check`]), so that
//! nothing of it is ever in force. The kernel loads the modules that it has for them.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::batch::Batch;
use crate::chain::{Chain, ChainType, Hook};
use crate::conntrack::{self, Ports, Tuple};
use crate::datatype::DataType;
use crate::element::Element;
use crate::error::Error;
use crate::expr::{
    Bitwise, Byteorder, Cmp, Ct, CtKey, Dynset, Expr, Fib, Lookup, Masquerade, Meta, MetaKey, Nat,
    Numgen, Payload, Reject,
};
use crate::family::Family;
use crate::register::Reg;
use crate::rule::Rule;
use crate::set::{Set, SetFlags};
use crate::socket::Socket;
use crate::table::Table;
use crate::value::Value;
use crate::verdict::Verdict;

/// Something that a kernel may lack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// nf_tables itself.
    NfTables,
    /// Tables of a family.
    Table(Family),
    /// Base chains of type nat, in a family.
    NatChain(Family),
    /// `meta`, `payload`, `cmp`, `bitwise`, `byteorder`, `lookup`, `immediate`.
    Basics,
    /// `ct`
    Ct,
    /// `numgen`
    Numgen,
    /// `dnat`, in a family.
    Dnat(Family),
    /// `masquerade`
    Masquerade,
    /// `reject`, in a family.
    Reject(Family),
    /// `update`: sets that packets write.
    Dynset,
    /// `fib`
    Fib,
    /// Verdict maps.
    VerdictMap,
    /// Maps of concatenated keys.
    ConcatenatedMap,
    /// Sets of ranges.
    Intervals,
    /// Sets of concatenated ranges (`pipapo`).
    ConcatenatedIntervals,
    /// `destroy`: deletions of what need not be there. Kernel 6.3.
    Destroy,
    /// Connection tracking over netlink.
    Conntrack,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NfTables => "nf_tables",
            Self::Table(family) => return write!(f, "tables of family {family}"),
            Self::NatChain(family) => return write!(f, "nat chains in family {family}"),
            Self::Basics => "payload, cmp, bitwise and lookup expressions",
            Self::Ct => "ct expressions",
            Self::Numgen => "numgen expressions",
            Self::Dnat(family) => return write!(f, "dnat in family {family}"),
            Self::Masquerade => "masquerade",
            Self::Reject(family) => return write!(f, "reject in family {family}"),
            Self::Dynset => "sets updated by rules",
            Self::Fib => "fib expressions",
            Self::VerdictMap => "verdict maps",
            Self::ConcatenatedMap => "maps of concatenated keys",
            Self::Intervals => "sets of ranges",
            Self::ConcatenatedIntervals => "sets of concatenated ranges",
            Self::Destroy => "destroy operations",
            Self::Conntrack => "connection tracking over netlink",
        })
    }
}

/// A feature that this kernel lacks, and what it said.
#[derive(Debug)]
pub struct Missing {
    /// The feature.
    pub feature: Feature,
    /// The kernel's errno.
    pub source: io::Error,
}

/// Every feature that this module knows how to try.
pub const FEATURES: [Feature; 21] = [
    Feature::NfTables,
    Feature::Table(Family::Ip),
    Feature::Table(Family::Ip6),
    Feature::NatChain(Family::Ip),
    Feature::NatChain(Family::Ip6),
    Feature::Basics,
    Feature::Ct,
    Feature::Numgen,
    Feature::Dnat(Family::Ip),
    Feature::Dnat(Family::Ip6),
    Feature::Masquerade,
    Feature::Reject(Family::Ip),
    Feature::Reject(Family::Ip6),
    Feature::Dynset,
    Feature::Fib,
    Feature::VerdictMap,
    Feature::ConcatenatedMap,
    Feature::Intervals,
    Feature::ConcatenatedIntervals,
    Feature::Destroy,
    Feature::Conntrack,
];

/// Tries features one by one, in the network namespace of the calling thread. Returns those that
/// are missing.
///
/// # Errors
/// What has nothing to do with features: no permission (`EPERM`), no descriptors, no memory.
pub fn missing(features: &[Feature]) -> Result<Vec<Missing>, Error> {
    let mut socket = match Socket::open() {
        Ok(socket) => socket,
        // A kernel without netfilter's netlink has none of it.
        Err(Error::Socket { source, .. })
            if source.raw_os_error() == Some(libc::EPROTONOSUPPORT) =>
        {
            return Ok(features
                .iter()
                .map(|f| lacks(*f, libc::EPROTONOSUPPORT))
                .collect());
        }
        Err(error) => return Err(error),
    };
    let mut out = Vec::new();
    for feature in features {
        let result = match feature {
            Feature::NfTables => socket.generation().map(|_| ()),
            Feature::Conntrack => try_conntrack(),
            feature => socket.check(&trial(*feature)),
        };
        match result {
            Ok(()) => {}
            Err(error) => match error.errno() {
                Some(errno) if !unrelated(errno) => out.push(lacks(*feature, errno)),
                _ => return Err(error),
            },
        }
    }
    Ok(out)
}

fn lacks(feature: Feature, errno: i32) -> Missing {
    Missing {
        feature,
        source: io::Error::from_raw_os_error(errno),
    }
}

fn unrelated(errno: i32) -> bool {
    matches!(
        errno,
        libc::EPERM | libc::ENOMEM | libc::ENOBUFS | libc::EMFILE | libc::ENFILE
    )
}

/// A transaction that needs the feature, and little else.
fn trial(feature: Feature) -> Batch {
    let family = match feature {
        Feature::Table(f) | Feature::NatChain(f) | Feature::Dnat(f) | Feature::Reject(f) => f,
        _ => Family::Ip,
    };
    // A name that no table of others has, since a check of a table that is there would depend on
    // it.
    let table = Table::new(family, format!("probe-{}", std::process::id()));
    let mut batch = Batch::new();
    batch.add_table(&table);
    let key = DataType::Mark;
    let pair = [DataType::Ipv4Addr, DataType::InetService];
    match feature {
        Feature::NfTables | Feature::Table(_) | Feature::Conntrack => {}
        Feature::NatChain(_) => {
            // A priority that nobody uses: after everything else.
            let last = i32::MAX - 1;
            batch.add_chain(
                &table,
                &Chain::base("c", ChainType::Nat, Hook::Prerouting, last),
            );
        }
        Feature::VerdictMap => {
            batch.add_set(&table, &Set::verdict_map("s", key));
            batch.add_elements(
                &table,
                "s",
                &[Element::verdict(Value::host(1), Verdict::Drop)],
            );
        }
        Feature::ConcatenatedMap => {
            batch.add_set(&table, &Set::map("s", pair, pair));
        }
        Feature::Intervals => {
            let set = Set::set("s", DataType::Ipv4Addr).with_intervals(DataType::Ipv4Addr);
            batch.add_set(&table, &set);
        }
        Feature::ConcatenatedIntervals => {
            batch.add_set(&table, &Set::set("s", pair).with_intervals(pair));
        }
        Feature::Destroy => batch.destroy_chain(&table, "c"),
        Feature::Dynset => {
            let set = Set::set("s", DataType::Ipv4Addr)
                .with_flags(SetFlags::EVAL)
                .with_timeout(Duration::from_secs(1))
                .with_size(1);
            batch.add_set(&table, &set);
        }
        Feature::Basics => {
            batch.add_set(&table, &Set::set("s", DataType::Ipv4Addr));
        }
        _ => {}
    }
    let expressions = expressions(feature, family);
    if !expressions.is_empty() {
        batch.add_chain(&table, &Chain::new("r"));
        batch.add_rule(&table, "r", &Rule::new(expressions));
    }
    batch
}

/// The expressions that a feature stands for.
fn expressions(feature: Feature, family: Family) -> Vec<Expr> {
    let address = || match family {
        Family::Ip6 => Payload::ip6_daddr(Reg::R0),
        _ => Payload::ip_daddr(Reg::R0),
    };
    let tcp: [Expr; 2] = [
        Meta::load(MetaKey::L4proto, Reg::R0).into(),
        Cmp::eq(Reg::R0, Value::byte(libc::IPPROTO_TCP as u8)).into(),
    ];
    match feature {
        Feature::Basics => vec![
            address().into(),
            Bitwise::and_bytes(Reg::R0, Ipv4Addr::BROADCAST).into(),
            Byteorder::hton(Reg::R0).into(),
            Lookup::found(Reg::R0, "s").into(),
            Verdict::Drop.into(),
        ],
        Feature::Ct => vec![
            Ct::load(CtKey::Mark, Reg::R0).into(),
            Ct::set(CtKey::Mark, Reg::R0).into(),
        ],
        Feature::Numgen => vec![Numgen::random(3, Reg::R0).into()],
        Feature::Dnat(_) => {
            let dnat = Nat::dnat(family, Reg::R0, Reg::R8);
            let [meta, cmp] = tcp;
            vec![
                meta,
                cmp,
                address().into(),
                Payload::th_dport(Reg::R8).into(),
                dnat.into(),
            ]
        }
        Feature::Masquerade => vec![Masquerade::fully_random().into()],
        Feature::Reject(_) => {
            let [meta, cmp] = tcp;
            vec![meta, cmp, Reject::TcpReset.into()]
        }
        Feature::Dynset => vec![
            address().into(),
            Dynset::update("s", Reg::R0, None, None).into(),
        ],
        Feature::Fib => vec![Fib::daddr_type(Reg::R0).into()],
        _ => Vec::new(),
    }
}

/// Asks for a connection that cannot be: from and to nowhere.
fn try_conntrack() -> Result<(), Error> {
    let nowhere = Tuple {
        source: Ipv4Addr::UNSPECIFIED.into(),
        destination: Ipv4Addr::UNSPECIFIED.into(),
        protocol: libc::IPPROTO_UDP as u8,
        ports: Ports::Ports {
            source: 0,
            destination: 0,
        },
    };
    conntrack::Socket::open()?.find(&nowhere).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_trial_is_a_transaction_of_its_own_table() {
        for feature in FEATURES {
            let batch = trial(feature);
            let operations: Vec<_> = batch.operations().collect::<Result<_, _>>().unwrap();
            assert!(!operations.is_empty(), "{feature}");
            assert!(operations.iter().all(|o| o.table.starts_with("probe-")));
        }
    }
}
