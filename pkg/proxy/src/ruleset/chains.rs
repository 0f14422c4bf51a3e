//! Definitions of the chains and their rules.

use std::time::Duration;

use ipnet::IpNet;
use kedge_nftables::expr::{
    Bitwise, Byteorder, Cmp, CmpOp, Ct, CtDirection, CtKey, Dynset, Lookup, Masquerade, Meta,
    MetaKey, Nat, Numgen, Payload, Reject,
};
use kedge_nftables::{Chain, ChainType, Hook, Reg, Rule, Value, Verdict};

use super::name::{self, SetName, class_chain, draw_chain, learn_chain};
use super::packet::{Side, in_range, l4proto, local, mark, with_all};
use crate::config::{ProxyConfig, of_family};
use crate::family::{Family, Protocol};
use crate::layout::{Class, Dispatch, Flags, Mark};

/// `IPS_DST_NAT` of `linux/netfilter/nf_conntrack_common.h`: the destination is rewritten.
const IPS_DST_NAT: u32 = 0x20;
/// Index of the link `lo`, the first in every network namespace (`LOOPBACK_IFINDEX` of
/// `net/flow.h`).
const LOOPBACK: u32 = 1;
/// Priorities that `nft` calls `dstnat` and `srcnat`.
const DSTNAT: i32 = -100;
const SRCNAT: i32 = 100;
/// The priority that `nft` calls `filter`.
const FILTER: i32 = 0;
/// `NF_CT_STATE_INVALID_BIT` of `linux/netfilter/nf_conntrack_common.h`.
const CT_INVALID: u32 = 1;
/// How often an empty slot is drawn before one of the first slots is taken: the chance of that is
/// below 1 in 10,000.
const DRAWS: usize = 6;

/// A chain with its rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRules {
    pub chain: Chain,
    pub rules: Vec<Rule>,
}

impl ChainRules {
    fn new(name: impl Into<String>, rules: Vec<Rule>) -> Self {
        Self {
            chain: Chain::new(name),
            rules,
        }
    }

    fn base(name: &str, hook: Hook, priority: i32, rules: Vec<Rule>) -> Self {
        Self {
            chain: Chain::base(name, ChainType::Nat, hook, priority),
            rules,
        }
    }
}

/// Every chain of one family's table but those of [`learn`], each after those that it leads to.
/// `drops_invalid`: a kernel that translates packets beyond a connection's window needs no look at every packet.
pub fn chains(family: Family, config: &ProxyConfig, drops_invalid: bool) -> Vec<ChainRules> {
    let inside: Vec<IpNet> = of_family(&config.cluster_cidrs, family)
        .map(|cidr| cidr.trunc())
        .collect();
    let mut chains: Vec<ChainRules> = Class::counts()
        .flat_map(|class| count(class, family))
        .collect();
    chains.extend([
        closed(family),
        ChainRules::new(
            class_chain(Class::DENY),
            vec![Rule::default().with(Verdict::Drop)],
        ),
        sticky(family),
        by_source(&inside),
        source_ranges(family),
        services(family, config),
        node_source(),
        masquerade(&inside),
        ChainRules::base(
            name::PREROUTING,
            Hook::Prerouting,
            DSTNAT,
            vec![jump(name::SERVICES)],
        ),
        ChainRules::base(
            name::OUTPUT,
            Hook::Output,
            DSTNAT,
            vec![jump(name::SERVICES)],
        ),
        ChainRules::base(
            name::INPUT,
            Hook::Input,
            SRCNAT,
            vec![learns(dnat(CmpOp::Neq))],
        ),
        postrouting(family, &inside),
    ]);
    if drops_invalid {
        chains.push(invalid(family, &inside));
        chains.push(ChainRules {
            chain: Chain::base(name::FORWARD, ChainType::Filter, Hook::Forward, FILTER),
            rules: vec![is_invalid().with(Verdict::goto(name::INVALID))],
        });
    }
    chains
}

/// The chain that remembers a client's endpoint. Reached in postrouting, or in input when the
/// endpoint is this machine. A packet whose endpoint has gone since it was chosen must not bring back what
/// is forgotten.
pub fn learn(family: Family, seconds: u32) -> ChainRules {
    // Key and data must not overlap: a group and an address fill five registers.
    let (port_in_key, port) = match family {
        Family::V4 => (Reg::R2, Reg::R9),
        Family::V6 => (Reg::R5, Reg::R12),
    };
    let timeout = Duration::from_secs(seconds.into());
    let rule = with_all(Rule::default(), mark(Mark::GROUP_MASK, Reg::R0))
        .with(family.daddr(Reg::R1))
        .with(Payload::th_dport(port_in_key))
        .with(Lookup::found(Reg::R0, SetName::Live.as_str()));
    let rule = with_all(rule, mark(Mark::GROUP_MASK, Reg::R0))
        .with(family.saddr(Reg::R1))
        .with(family.daddr(Reg::R8))
        .with(Payload::th_dport(port))
        .with(Dynset::update(
            name::AFFINITY,
            Reg::R0,
            Some(Reg::R8),
            Some(timeout),
        ));
    ChainRules::new(learn_chain(seconds), vec![rule])
}

/// Draws one of so many slots; goes on if it is empty.
fn draw(slots: u32, family: Family) -> Rule {
    let (port, _) = family.after_address();
    with_all(Rule::default(), mark(Mark::GROUP_MASK, Reg::R0))
        .with(Numgen::random(slots, Reg::R1))
        .with(Lookup::data(Reg::R0, SetName::Slots.as_str(), Reg::R0))
        .with(Nat::dnat(family.table(), Reg::R0, port))
}

/// The chains of a counting class. A drawn slot of an exact class is empty only if somebody meddled; the
/// first one is the last resort.
fn count(class: Class, family: Family) -> Vec<ChainRules> {
    let one = draw(class.modulus(), family);
    if class.is_exact() {
        let rest = match class {
            Class::ONE => Rule::default().with(Verdict::Drop),
            _ => goto(&class_chain(Class::ONE)),
        };
        return vec![ChainRules::new(class_chain(class), vec![one, rest])];
    }
    // One rule names the map however often it is run.
    let draw_chain = draw_chain(class);
    let mut rules = vec![jump(&draw_chain); DRAWS];
    rules.push(goto(&class_chain(Class::GREATEST_EXACT)));
    vec![
        ChainRules::new(draw_chain, vec![one]),
        ChainRules::new(class_chain(class), rules),
    ]
}

/// Says that the port is closed.
fn closed(family: Family) -> ChainRules {
    let unreachable = match family {
        Family::V4 => Reject::ICMP_PORT_UNREACHABLE,
        Family::V6 => Reject::ICMPV6_PORT_UNREACHABLE,
    };
    let tcp = Rule::default()
        .with(l4proto(Reg::R0))
        .with(Cmp::eq(Reg::R0, Value::byte(Protocol::Tcp.code())))
        .with(Reject::TcpReset);
    ChainRules::new(name::CLOSED, vec![tcp, Rule::default().with(unreachable)])
}

/// The endpoint that this client had before; if there is none, any.
fn sticky(family: Family) -> ChainRules {
    let (port, _) = family.after_address();
    let next = with_all(Rule::default(), mark(Mark::STICKY_MASK, Reg::R0))
        .with(Lookup::data(Reg::R0, SetName::Sticky.as_str(), Reg::R0))
        .with(Ct::set(CtKey::Mark, Reg::R0));
    let known = with_all(Rule::default(), mark(Mark::GROUP_MASK, Reg::R0))
        .with(family.saddr(Reg::R1))
        .with(Lookup::data(Reg::R0, name::AFFINITY, Reg::R0))
        .with(Nat::dnat(family.table(), Reg::R0, port));
    ChainRules::new(
        class_chain(Class::STICKY),
        vec![next, known, dispatch(Rule::default(), Dispatch::Sticky)],
    )
}

/// Clients in the cluster and on this node get any endpoint, others a local one.
fn by_source(inside: &[IpNet]) -> ChainRules {
    let next = |rule: Rule, set: SetName| {
        let rule = with_all(rule, mark(Mark::GROUP_MASK, Reg::R0))
            .with(Lookup::data(Reg::R0, set.as_str(), Reg::R0))
            .with(Ct::set(CtKey::Mark, Reg::R0));
        dispatch(rule, Dispatch::BySource)
    };
    let mut rules: Vec<Rule> = inside
        .iter()
        .map(|cidr| {
            next(
                in_range(Rule::default(), Side::Source, CmpOp::Eq, *cidr),
                SetName::FromInside,
            )
        })
        .collect();
    let on_node = with_all(Rule::default(), local(Side::Source, CmpOp::Eq));
    rules.push(next(on_node, SetName::FromInside));
    rules.push(next(Rule::default(), SetName::FromOutside));
    ChainRules::new(class_chain(Class::BY_SOURCE), rules)
}

/// Only sources in the Service's ranges go on.
fn source_ranges(family: Family) -> ChainRules {
    let denied = with_all(Rule::default(), mark(Mark::GROUP_MASK, Reg::R0))
        .with(Byteorder::hton(Reg::R0))
        .with(family.saddr(Reg::R1))
        .with(Lookup::not_found(Reg::R0, SetName::SourceRanges.as_str()))
        .with(Verdict::Drop);
    let next = with_all(Rule::default(), mark(Mark::GROUP_MASK, Reg::R0))
        .with(Lookup::data(
            Reg::R0,
            SetName::AfterRanges.as_str(),
            Reg::R0,
        ))
        .with(Ct::set(CtKey::Mark, Reg::R0));
    let rules = vec![denied, dispatch(next, Dispatch::SourceRanges)];
    ChainRules::new(class_chain(Class::SOURCE_RANGES), rules)
}

/// Every new connection comes here.
fn services(family: Family, config: &ProxyConfig) -> ChainRules {
    let (protocol, port) = family.after_address();
    let known = Rule::default()
        .with(family.daddr(Reg::R0))
        .with(l4proto(protocol))
        .with(Payload::th_dport(port))
        .with(Lookup::data(Reg::R0, SetName::Services.as_str(), Reg::R0))
        .with(Ct::set(CtKey::Mark, Reg::R0));
    let other_port = Rule::default()
        .with(family.daddr(Reg::R0))
        .with(Lookup::found(Reg::R0, SetName::ClusterIps.as_str()))
        .with(Verdict::goto(name::CLOSED));
    let mut rules = vec![dispatch(known, Dispatch::Services), other_port];
    rules.extend(of_family(&config.service_cidrs, family).map(|cidr| {
        // An address that the node itself has, as that of its DNS server, is served by the node.
        let unclaimed = in_range(Rule::default(), Side::Destination, CmpOp::Eq, cidr.trunc());
        with_all(unclaimed, local(Side::Destination, CmpOp::Neq)).with(Verdict::Drop)
    }));
    ChainRules::new(name::SERVICES, rules)
}

fn postrouting(family: Family, inside: &[IpNet]) -> ChainRules {
    let (second, third) = family.after_address();
    let hairpin = Rule::default()
        .with(family.saddr(Reg::R0))
        .with(family.daddr(second))
        .with(Lookup::found(Reg::R0, SetName::Hairpins.as_str()))
        .with(Verdict::goto(name::NODE_SOURCE));
    // Others rewrite destinations too, and have marks of their own: only what was asked at a
    // Service's address is ours.
    let ours = Rule::default()
        .with(family.original_daddr(Reg::R0))
        .with(l4proto(second))
        .with(Ct::load_of(CtKey::ProtoDst, CtDirection::Original, third))
        .with(Lookup::data(Reg::R0, SetName::Services.as_str(), Reg::R0))
        .with(Verdict::goto(name::MASQUERADE));
    // From this machine to itself, which finds back by itself: another source would only confuse a
    // server that looks at it.
    let on_node = Rule::default()
        .with(Meta::load(MetaKey::Oif, Reg::R0))
        .with(Cmp::eq(Reg::R0, Value::host(LOOPBACK)))
        .with(Verdict::Return);
    let mut rules = vec![
        dnat(CmpOp::Eq).with(Verdict::Return),
        learns(Rule::default()),
        on_node,
        hairpin,
    ];
    // Most flows are those of Pods, and keep their source: nothing needs to be looked up for them.
    rules.extend(inside.iter().map(|cidr| {
        let from_inside = in_range(Rule::default(), Side::Source, CmpOp::Eq, *cidr);
        with_all(from_inside, mark(Flags::MASQUERADE.bits(), Reg::R0))
            .with(Cmp::eq(Reg::R0, Value::host(0)))
            .with(Verdict::Return)
    }));
    rules.push(ours);
    ChainRules::base(name::POSTROUTING, Hook::Postrouting, SRCNAT, rules)
}

/// `ct state invalid`: the one thing that is asked of every packet.
fn is_invalid() -> Rule {
    Rule::default()
        .with(Ct::load(CtKey::State, Reg::R0))
        .with(Bitwise::and(Reg::R0, CT_INVALID))
        .with(Cmp::new(Reg::R0, CmpOp::Neq, Value::host(0)))
}

/// A packet that fits no connection is not translated back: a client that got an endpoint's reply from the
/// endpoint's own address would reset the connection (kubernetes#74839). Other machines' packets are not ours to judge.
fn invalid(family: Family, inside: &[IpNet]) -> ChainRules {
    let (second, _) = family.after_address();
    let from = |cidr: &IpNet| in_range(Rule::default(), Side::Source, CmpOp::Eq, *cidr);
    let mut rules: Vec<Rule> = inside
        .iter()
        .map(|cidr| from(cidr).with(Verdict::Drop))
        .collect();
    // Endpoints of this node that are in no cluster range.
    let endpoint = Rule::default()
        .with(family.saddr(Reg::R0))
        .with(family.saddr(second))
        .with(Lookup::found(Reg::R0, SetName::Hairpins.as_str()));
    rules.push(endpoint.with(Verdict::Drop));
    ChainRules::new(name::INVALID, rules)
}

fn masquerade(inside: &[IpNet]) -> ChainRules {
    let always = flagged(Rule::default(), Flags::MASQUERADE);
    let mut rules = vec![always.with(Verdict::goto(name::NODE_SOURCE))];
    if !inside.is_empty() {
        let rule = flagged(Rule::default(), Flags::MASQUERADE_OFF_CLUSTER);
        let outside = |rule, cidr: &IpNet| in_range(rule, Side::Source, CmpOp::Neq, *cidr);
        let off_cluster = inside.iter().fold(rule, outside);
        rules.push(off_cluster.with(Verdict::goto(name::NODE_SOURCE)));
    }
    ChainRules::new(name::MASQUERADE, rules)
}

/// The source becomes an address of the node.
///
/// Over TCP it keeps its port where that is free. An endpoint that closes first holds the port for a minute, in TIME-WAIT; the
/// SYN of the client that had it is newer by its time stamp, one of another of the client's ports may look older and be
/// refused, as time stamps may count from another time for each connection.
/// Elsewhere it gets any port: kept ones lie close together, and among many flows the kernel soon finds none that is free.
fn node_source() -> ChainRules {
    let tcp = Rule::default()
        .with(l4proto(Reg::R0))
        .with(Cmp::eq(Reg::R0, Value::byte(Protocol::Tcp.code())))
        .with(Masquerade::default());
    let others = Rule::default().with(Masquerade::fully_random());
    ChainRules::new(name::NODE_SOURCE, vec![tcp, others])
}

/// Adds `ct status and dnat OP 0`.
fn dnat(op: CmpOp) -> Rule {
    Rule::default()
        .with(Ct::load(CtKey::Status, Reg::R0))
        .with(Bitwise::and(Reg::R0, IPS_DST_NAT))
        .with(Cmp::new(Reg::R0, op, Value::host(0)))
}

/// Adds `ct mark and FLAG == FLAG`.
fn flagged(rule: Rule, flag: Flags) -> Rule {
    with_all(rule, mark(flag.bits(), Reg::R0)).with(Cmp::eq(Reg::R0, Value::host(flag.bits())))
}

/// Adds the way to a group's [`learn`] chain.
fn learns(rule: Rule) -> Rule {
    with_all(flagged(rule, Flags::LEARN), mark(Mark::GROUP_MASK, Reg::R0))
        .with(Lookup::verdict(Reg::R0, SetName::Learn.as_str()))
}

/// Adds the way to the chain of the mark's class.
fn dispatch(rule: Rule, place: Dispatch) -> Rule {
    let set = SetName::Dispatch(place).as_str();
    with_all(rule, mark(Mark::CLASS_MASK, Reg::R0)).with(Lookup::verdict(Reg::R0, set))
}

fn jump(chain: &str) -> Rule {
    Rule::default().with(Verdict::jump(chain))
}

fn goto(chain: &str) -> Rule {
    Rule::default().with(Verdict::goto(chain))
}
