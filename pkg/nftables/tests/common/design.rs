//! A whole ruleset of the kind that a Service proxy needs, for one family: concatenated keys,
//! verdict maps, data maps that feed `dnat`, a map that packets write, sets of ranges.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use kedge_nftables::expr::{
    Bitwise, Byteorder, Cmp, Ct, CtKey, Dynset, Lookup, Masquerade, Meta, MetaKey, Nat, Numgen,
    Payload, Reject,
};
use kedge_nftables::{
    Batch, Chain, ChainType, DataType, Element, Expr, Family, Hook, Reg, Rule, Set, SetFlags,
    SetRef, Table, Typeof, Value, Verdict,
};

const IPS_DST_NAT: u32 = 0x20;
const ID: u32 = 0xffff_f000;
const CLASS: u32 = 0xff;
const AFFINITY: Duration = Duration::from_secs(3 * 3600);

/// The ruleset's parts, in the order in which they are loaded.
pub struct Design {
    pub table: Table,
    pub sets: Vec<Set>,
    pub chains: Vec<Chain>,
    /// Rules by chain. Their anonymous sets are called [`PROTOCOLS`] here.
    pub rules: Vec<(&'static str, Rule)>,
    pub elements: Vec<(&'static str, Vec<Element>)>,
}

impl Design {
    pub fn new(family: Family) -> Self {
        let f = Fields(family);
        Self {
            table: Table::new(family, "kedge").with_comment("a test"),
            sets: sets(&f),
            chains: chains(),
            rules: rules(&f),
            elements: elements(&f),
        }
    }

    pub fn batch(&self) -> Batch {
        let mut batch = Batch::new();
        batch.add_table(&self.table);
        for set in &self.sets {
            batch.add_set(&self.table, set);
        }
        for chain in &self.chains {
            batch.add_chain(&self.table, chain);
        }
        for (chain, rule) in &self.rules {
            let mut rule = rule.clone();
            for lookup in rule.expressions.iter_mut().filter_map(protocols) {
                lookup.set = batch.add_set(&self.table, &Set::anonymous(DataType::InetProto));
                let elements = [6, 17, 132].map(|p| Element::new(Value::byte(p)));
                batch.add_elements(&self.table, &lookup.set, &elements);
            }
            batch.add_rule(&self.table, chain, &rule);
        }
        for (set, elements) in &self.elements {
            batch.add_elements(&self.table, *set, elements);
        }
        batch
    }
}

/// Stands for an anonymous set of every transport protocol that has ports.
const PROTOCOLS: &str = "{ tcp, udp, sctp }";

/// The lookup in [`PROTOCOLS`] that an expression is, under this name or the one that the kernel
/// gave it.
fn protocols(expression: &mut Expr) -> Option<&mut Lookup> {
    match expression {
        Expr::Lookup(lookup) => match &lookup.set {
            SetRef::Named(name) if name == PROTOCOLS || name.starts_with("__set") => Some(lookup),
            _ => None,
        },
        _ => None,
    }
}

/// A rule from the kernel, to compare: with the name that its anonymous set has here.
pub fn canonical(mut rule: Rule) -> Rule {
    for lookup in rule.expressions.iter_mut().filter_map(protocols) {
        lookup.set = PROTOCOLS.into();
    }
    rule
}

/// What differs between the families.
struct Fields(Family);

impl Fields {
    fn v6(&self) -> bool {
        self.0 == Family::Ip6
    }

    fn addr(&self) -> DataType {
        if self.v6() {
            DataType::Ipv6Addr
        } else {
            DataType::Ipv4Addr
        }
    }

    fn saddr(&self, reg: Reg) -> Expr {
        if self.v6() {
            Payload::ip6_saddr(reg)
        } else {
            Payload::ip_saddr(reg)
        }
        .into()
    }

    fn daddr(&self, reg: Reg) -> Expr {
        if self.v6() {
            Payload::ip6_daddr(reg)
        } else {
            Payload::ip_daddr(reg)
        }
        .into()
    }

    fn typeof_saddr(&self) -> Typeof {
        if self.v6() {
            Typeof::Ip6Saddr
        } else {
            Typeof::IpSaddr
        }
    }

    fn typeof_daddr(&self) -> Typeof {
        if self.v6() {
            Typeof::Ip6Daddr
        } else {
            Typeof::IpDaddr
        }
    }

    /// The register after an address that starts at `reg`.
    fn after(&self, reg: Reg) -> Reg {
        reg.after(if self.v6() { 16 } else { 4 }).unwrap()
    }

    fn unreachable(&self) -> Reject {
        if self.v6() {
            Reject::ICMPV6_PORT_UNREACHABLE
        } else {
            Reject::ICMP_PORT_UNREACHABLE
        }
    }

    fn host(&self, n: u8) -> IpAddr {
        if self.v6() {
            Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, u16::from(n)).into()
        } else {
            Ipv4Addr::new(10, 43, 0, n).into()
        }
    }

    fn inside(&self) -> Value {
        // The first 16 bits of 10.42.0.0/16 or fd42::/16.
        if self.v6() {
            Value::new(&[0xfd, 0x42])
        } else {
            Value::new(&[10, 42])
        }
    }
}

fn sets(f: &Fields) -> Vec<Set> {
    let service = [f.addr(), DataType::InetProto, DataType::InetService];
    let slot = [Typeof::CtMark, Typeof::NumgenRandom(65_536)];
    let endpoint = [f.typeof_daddr(), Typeof::ThDport];
    let source = [DataType::Mark, f.addr()];
    vec![
        Set::map("svc", service, DataType::Mark),
        Set::map("svc-int", service, DataType::Mark),
        Set::map("svc-ext", service, DataType::Mark).with_comment("externalTrafficPolicy: Local"),
        Set::verdict_map("class", DataType::Mark),
        Set::verdict_map("pick", DataType::Mark),
        Set::map("lbclass", DataType::Mark, DataType::Mark),
        Set::map("eps", slot, endpoint),
        Set::map("aff-6", f.typeof_saddr(), endpoint)
            .with_flags(SetFlags::EVAL)
            .with_timeout(AFFINITY)
            .with_size(65_535),
        Set::set("hairpin", [f.addr(), f.addr()]),
        Set::set("cluster-ips", f.addr()),
        Set::set("src", source).with_intervals(source),
        Set::set("ranges", f.addr()).with_intervals(f.addr()),
    ]
}

fn chains() -> Vec<Chain> {
    let mut chains: Vec<Chain> = [
        "n1",
        "n3",
        "rej",
        "srcrange",
        "aff-6",
        "aff-learn",
        "services",
    ]
    .into_iter()
    .map(Chain::new)
    .collect();
    chains.push(Chain::base("pre", ChainType::Nat, Hook::Prerouting, -100));
    chains.push(Chain::base("out", ChainType::Nat, Hook::Output, -100));
    chains.push(Chain::base("post", ChainType::Nat, Hook::Postrouting, 100));
    chains
}

/// `ct mark` masked, in a register.
fn masked_mark(reg: Reg, mask: u32) -> [Expr; 2] {
    [
        Ct::load(CtKey::Mark, reg).into(),
        Bitwise::and(reg, mask).into(),
    ]
}

/// `meta l4proto { tcp, udp, sctp }`
fn any_transport() -> [Expr; 2] {
    [
        Meta::load(MetaKey::L4proto, Reg::R0).into(),
        Lookup::found(Reg::R0, PROTOCOLS).into(),
    ]
}

/// `meta l4proto { tcp, udp, sctp } dnat to ct mark and ID . numgen random mod n map @eps`
fn pick(f: &Fields, n: u32) -> Rule {
    Rule::new(any_transport().into_iter().chain(masked_mark(Reg::R0, ID)))
        .with(Numgen::random(n, Reg::R1))
        .with(Lookup::data(Reg::R0, "eps", Reg::R0))
        .with(Nat::dnat(f.0, Reg::R0, f.after(Reg::R0)))
}

/// `ct mark set daddr . l4proto . dport map @services ct mark and CLASS vmap @class`
fn classify(f: &Fields, services: &str) -> Rule {
    let proto = f.after(Reg::R0);
    Rule::new([
        f.daddr(Reg::R0),
        Meta::load(MetaKey::L4proto, proto).into(),
        Payload::th_dport(proto.after(1).unwrap()).into(),
        Lookup::data(Reg::R0, services, Reg::R0).into(),
        Ct::set(CtKey::Mark, Reg::R0).into(),
    ])
    .with(Ct::load(CtKey::Mark, Reg::R0))
    .with(Bitwise::and(Reg::R0, CLASS))
    .with(Lookup::verdict(Reg::R0, "class"))
}

fn when_mark(mask: u32, value: u32) -> Rule {
    Rule::new(masked_mark(Reg::R0, mask)).with(Cmp::eq(Reg::R0, Value::host(value)))
}

fn rules(f: &Fields) -> Vec<(&'static str, Rule)> {
    let verdict = |v: Verdict| Rule::default().with(v);
    let inside = |mut rule: Rule, op: fn(Reg, Value) -> Cmp| {
        rule.expressions.push(match f.0 {
            Family::Ip6 => Payload::network(8, 2, Reg::R0).into(),
            _ => Payload::network(12, 2, Reg::R0).into(),
        });
        rule.with(op(Reg::R0, f.inside()))
    };
    let mut local = inside(Rule::default(), Cmp::eq);
    local.expressions.extend(classify(f, "svc-int").expressions);
    vec![
        ("n1", pick(f, 1)),
        ("n1", verdict(Verdict::Drop)),
        ("n3", pick(f, 3)),
        ("n3", verdict(Verdict::goto("n1"))),
        (
            "rej",
            Rule::default()
                .with(Meta::load(MetaKey::L4proto, Reg::R0))
                .with(Cmp::eq(Reg::R0, Value::byte(6)))
                .with(Reject::TcpReset),
        ),
        ("rej", Rule::default().with(f.unreachable())),
        (
            "srcrange",
            // A set of ranges compares byte by byte: numbers in it are in network order.
            Rule::new(masked_mark(Reg::R0, ID))
                .with(Byteorder::hton(Reg::R0))
                .with(f.saddr(Reg::R1))
                .with(Lookup::not_found(Reg::R0, "src"))
                .with(Verdict::Drop),
        ),
        (
            "srcrange",
            Rule::new(masked_mark(Reg::R0, ID))
                .with(Lookup::data(Reg::R0, "lbclass", Reg::R0))
                .with(Ct::set(CtKey::Mark, Reg::R0))
                .with(Ct::load(CtKey::Mark, Reg::R0))
                .with(Bitwise::and(Reg::R0, CLASS))
                .with(Lookup::verdict(Reg::R0, "pick")),
        ),
        (
            "aff-6",
            Rule::new(any_transport())
                .with(f.saddr(Reg::R0))
                .with(Lookup::data(Reg::R0, "aff-6", Reg::R0))
                .with(Nat::dnat(f.0, Reg::R0, f.after(Reg::R0))),
        ),
        ("aff-6", verdict(Verdict::goto("n3"))),
        ("aff-learn", learn(f)),
        ("services", classify(f, "svc")),
        ("services", local),
        (
            "services",
            classify(f, "svc-ext").with_comment("from outside"),
        ),
        (
            "services",
            Rule::new([f.daddr(Reg::R0)])
                .with(Lookup::found(Reg::R0, "cluster-ips"))
                .with(Verdict::goto("rej")),
        ),
        ("pre", verdict(Verdict::jump("services"))),
        ("out", verdict(Verdict::jump("services"))),
        (
            "post",
            Rule::default()
                .with(Ct::load(CtKey::Status, Reg::R0))
                .with(Bitwise::and(Reg::R0, IPS_DST_NAT))
                .with(Cmp::eq(Reg::R0, Value::host(0)))
                .with(Verdict::Return),
        ),
        (
            "post",
            when_mark(CLASS, 0xe1).with(Verdict::jump("aff-learn")),
        ),
        (
            "post",
            Rule::new([f.saddr(Reg::R0), f.daddr(f.after(Reg::R0))])
                .with(Lookup::found(Reg::R0, "hairpin"))
                .with(Masquerade::fully_random()),
        ),
        (
            "post",
            when_mark(0x100, 0x100).with(Masquerade::fully_random()),
        ),
        (
            "post",
            inside(when_mark(0x200, 0x200), Cmp::neq).with(Masquerade::fully_random()),
        ),
    ]
}

/// `update @aff-6 { saddr timeout 3h : daddr . th dport }`
fn learn(f: &Fields) -> Rule {
    let data = Reg::R4;
    Rule::new([f.saddr(Reg::R0), f.daddr(data)])
        .with(Payload::th_dport(f.after(data)))
        .with(Dynset::update("aff-6", Reg::R0, Some(data), Some(AFFINITY)))
}

fn elements(f: &Fields) -> Vec<(&'static str, Vec<Element>)> {
    let octets = |address: IpAddr| Value::from(address);
    let mark = |id: u32, class: u32| Value::host((id << 12) | class);
    let service =
        |n: u8, port: u16| Value::concat([&octets(f.host(n))[..], &[6], &port.to_be_bytes()]);
    let slot = |id: u32, slot: u32| Value::concat([&mark(id, 0)[..], &slot.to_ne_bytes()]);
    let endpoint = |n: u8| Value::concat([&octets(f.host(n))[..], &8080u16.to_be_bytes()]);
    let source =
        |id: u32, n: u8| Value::concat([&(id << 12).to_be_bytes()[..], &octets(f.host(n))[..]]);
    let class = |n: u32, chain: &str| Element::verdict(Value::host(n), Verdict::goto(chain));
    vec![
        (
            "class",
            vec![class(1, "n1"), class(3, "n3"), class(0xe0, "rej")],
        ),
        (
            "pick",
            vec![
                class(1, "n1"),
                Element::verdict(Value::host(9), Verdict::Drop),
            ],
        ),
        (
            "svc",
            vec![
                Element::value(service(1, 80), mark(1, 3)),
                Element::value(service(2, 443), mark(2, 1)),
            ],
        ),
        (
            "eps",
            (0..3)
                .map(|i| Element::value(slot(1, i), endpoint(10 + i as u8)))
                .collect(),
        ),
        (
            "hairpin",
            vec![Element::new(Value::concat([
                &octets(f.host(10))[..],
                &octets(f.host(10))[..],
            ]))],
        ),
        (
            "cluster-ips",
            (1..20).map(|n| Element::new(f.host(n))).collect(),
        ),
        ("src", vec![Element::range(source(2, 4), source(2, 9))]),
        (
            "ranges",
            Element::interval(f.host(4), Some(octets(f.host(8)))).collect(),
        ),
    ]
}
