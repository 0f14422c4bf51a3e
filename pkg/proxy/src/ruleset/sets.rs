//! Definitions of the sets and maps.

use std::time::Duration;

use kedge_nftables::{DataType, Set, SetFlags, Typeof};

use super::name::{AFFINITY, SetName};
use crate::family::Family;

/// Most clients that are remembered: 10 MB of kernel memory. When it is full, new clients are
/// served but not remembered.
const AFFINITY_SIZE: u32 = 65_536;

/// Every set and map of one family's table.
pub fn sets(family: Family) -> Vec<Set> {
    let mut sets: Vec<Set> = SetName::ALL
        .into_iter()
        .map(|name| set(name, family))
        .collect();
    sets.push(affinity(family));
    sets
}

fn set(name: SetName, family: Family) -> Set {
    let (address, saddr, daddr) = types(family);
    let id = name.as_str();
    let mark = DataType::Mark;
    match name {
        SetName::Services => Set::map(
            id,
            [address, DataType::InetProto, DataType::InetService],
            mark,
        ),
        SetName::ClusterIps => Set::set(id, address),
        SetName::Slots => {
            let key = [Typeof::CtMark, Typeof::NumgenRandom(65_536)];
            Set::map(id, key, [daddr, Typeof::ThDport])
        }
        SetName::Hairpins => Set::set(id, [address, address]),
        SetName::SourceRanges => {
            let key = [Typeof::CtMark, saddr];
            Set::set(id, key).with_intervals(key)
        }
        SetName::AfterRanges | SetName::FromInside | SetName::FromOutside | SetName::Sticky => {
            Set::map(id, mark, mark)
        }
        SetName::Live => Set::set(id, [Typeof::CtMark, daddr, Typeof::ThDport]),
        SetName::Learn | SetName::Dispatch(_) => Set::verdict_map(id, mark),
    }
}

/// The one map that packets write: which endpoint a client of a group had.
fn affinity(family: Family) -> Set {
    let (_, saddr, daddr) = types(family);
    Set::map(AFFINITY, [Typeof::CtMark, saddr], [daddr, Typeof::ThDport])
        .with_flags(SetFlags::EVAL)
        .with_timeout(Duration::ZERO)
        .with_size(AFFINITY_SIZE)
}

fn types(family: Family) -> (DataType, Typeof, Typeof) {
    match family {
        Family::V4 => (DataType::Ipv4Addr, Typeof::IpSaddr, Typeof::IpDaddr),
        Family::V6 => (DataType::Ipv6Addr, Typeof::Ip6Saddr, Typeof::Ip6Daddr),
    }
}
