//! The real kernel, over netlink.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;
use kedge_nftables::{Batch, Element as RawElement, Error, Set, Socket};

use super::flows::Sweeper;
use super::transaction::{Repair, Transaction};
use super::{Contents, Kernel, Snapshot};
use crate::config::ProxyConfig;
use crate::family::{Endpoint, Family};
use crate::layout::{Element, Group, Key, Value};
use crate::metrics::Metrics;
use crate::ruleset::{
    AFFINITY, ChainRules, Encoded, SetName, chains, decode, decode_affinity, learn, learn_chain,
    learn_seconds, sets, table,
};
use crate::state::Stale;

/// Elements that are encoded at a time: what fits in one message.
const CHUNK: usize = 512;
/// Bytes that an element takes in a batch, about.
const ELEMENT_BYTES: usize = 64;
/// How often clients are looked up again when one expired before it could be forgotten.
const FORGET_ATTEMPTS: u32 = 5;

/// A socket of the network namespace of the thread that opened it.
#[derive(Debug)]
pub struct Netlink {
    socket: Socket,
    flows: Sweeper,
    metrics: Metrics,
    plan: Plan,
}

/// What the chains depend on.
#[derive(Debug)]
struct Plan {
    config: ProxyConfig,
    /// See [`chains`].
    drops_invalid: bool,
}

impl Plan {
    fn chains(&self, family: Family) -> Vec<ChainRules> {
        chains(family, &self.config, self.drops_invalid)
    }
}

/// True if the kernel takes TCP segments beyond the window for a part of their connection, and translates them. It says
/// so for the network namespace of who reads.
fn tcp_is_liberal() -> bool {
    let path = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
    std::fs::read_to_string(path).is_ok_and(|value| value.trim() != "0")
}

impl Netlink {
    /// Opens the socket in the calling thread's network namespace.
    pub fn open(config: ProxyConfig, metrics: Metrics) -> Result<Self, Error> {
        Ok(Self {
            socket: Socket::open()?,
            flows: Sweeper::default(),
            metrics,
            plan: Plan {
                config,
                drops_invalid: !tcp_is_liberal(),
            },
        })
    }

    /// What events of own transactions carry.
    pub fn port(&self) -> u32 {
        self.socket.port()
    }
}

impl Kernel for Netlink {
    fn read(&mut self) -> Result<Snapshot, Error> {
        let Self { socket, plan, .. } = self;
        let (generation, tables) = socket.consistent(|socket| {
            let present = socket.tables()?;
            let read = |family: Family, socket: &mut Socket| match present
                .iter()
                .find(|t| t.family == family.table() && t.name == table(family).name)
            {
                None => Ok(absent()),
                Some(found) if *found != table(family) => Ok(Contents {
                    repair: Repair::Replace("it is of another layout"),
                    ..Contents::default()
                }),
                Some(_) => contents(socket, family, plan),
            };
            Ok([read(Family::V4, socket)?, read(Family::V6, socket)?])
        })?;
        Ok(Snapshot { tables, generation })
    }

    fn generation(&mut self) -> Result<u32, Error> {
        self.socket.generation().map(|generation| generation.id)
    }

    fn commit(&mut self, transaction: &Transaction) -> Result<u32, Error> {
        let mut batch = Batch::with_capacity((transaction.len() + 16) * ELEMENT_BYTES);
        encode(transaction, &self.plan, &mut batch);
        if let Some(generation) = transaction.generation {
            batch.at_generation(generation);
        }
        self.socket.commit(&batch)
    }

    fn set_service_cidrs(&mut self, cidrs: &[IpNet]) {
        self.plan.config.service_cidrs = cidrs.to_vec();
    }

    fn forget_flows(&mut self, stale: &Stale) {
        self.flows.sweep(stale, &self.metrics);
    }

    fn amend_flows(&mut self, amend: &mut dyn FnMut(&mut Stale)) {
        self.flows.amend(amend);
    }

    fn forget_clients(
        &mut self,
        learnt: &HashMap<Group, HashSet<Endpoint>>,
    ) -> Result<usize, Error> {
        let mut forgotten = 0;
        for family in Family::ALL {
            let of_family = |group: &Group| group.family == family;
            if !learnt.keys().any(of_family) {
                continue;
            }
            let mut attempt = 1;
            loop {
                match forget_clients(&mut self.socket, family, learnt) {
                    // A client's time was over before it could be forgotten.
                    Err(error)
                        if error.errno() == Some(libc::ENOENT) && attempt < FORGET_ATTEMPTS =>
                    {
                        attempt += 1
                    }
                    result => {
                        forgotten += result?;
                        break;
                    }
                }
            }
        }
        Ok(forgotten)
    }
}

/// Deletes both tables with all that is in them, if they are there. Connections go on by their
/// conntrack entries.
///
/// # Errors
/// [`crate::Error::Kernel`]: no permission, or no nf_tables.
pub fn cleanup() -> Result<(), crate::Error> {
    let mut socket = Socket::open()?;
    let mut batch = Batch::new();
    for found in socket.tables()? {
        if Family::ALL
            .iter()
            .any(|f| found.family == f.table() && found.name == table(*f).name)
        {
            batch.delete_table(&found);
        }
    }
    socket.commit(&batch)?;
    Ok(())
}

fn absent() -> Contents {
    Contents {
        repair: Repair::Make,
        ..Contents::default()
    }
}

/// Reads a table and compares its sets, chains and rules with what they should be.
fn contents(socket: &mut Socket, family: Family, plan: &Plan) -> Result<Contents, Error> {
    let table = table(family);
    let mut out = Contents::default();
    let there = socket.sets(&table)?;
    let mut replace = None;
    let is_there = |set: &Set| there.iter().any(|found| same_set(found, set));
    if !sets(family).iter().all(is_there) {
        replace = Some("a set is missing or is not what it should be");
    }
    let mut rules: HashMap<String, Vec<kedge_nftables::Rule>> = HashMap::new();
    for listed in socket.rules(&table)? {
        rules.entry(listed.chain).or_default().push(listed.rule);
    }
    let there = socket.chains(&table)?;
    out.learn = there
        .iter()
        .filter_map(|chain| learn_seconds(&chain.name))
        .collect();
    let mut wrong = Vec::new();
    let learning = out.learn.iter().map(|seconds| learn(family, *seconds));
    let expected: Vec<ChainRules> = plan.chains(family).into_iter().chain(learning).collect();
    let is_expected = |name: &str| expected.iter().any(|chain| chain.chain.name == name);
    if !there.iter().all(|chain| is_expected(&chain.name)) {
        replace = Some("it has a chain too many");
    }
    for expected in expected {
        if !there.contains(&expected.chain) {
            replace = Some("a chain is missing or is not what it should be");
        }
        let found = rules.remove(&expected.chain.name).unwrap_or_default();
        if found != expected.rules {
            wrong.push(expected.chain.name);
        }
    }
    for set in SetName::ALL {
        if !read_elements(socket, family, set, &mut out.elements)? {
            replace = Some("a set has elements that mean nothing");
        }
    }
    out.repair = match replace {
        Some(why) => Repair::Replace(why),
        None if wrong.is_empty() => Repair::None,
        None => Repair::Rules(wrong),
    };
    Ok(out)
}

/// Whether two sets work alike; how `nft` prints them does not count.
fn same_set(a: &Set, b: &Set) -> bool {
    a.name == b.name && a.flags == b.flags && a.key_len == b.key_len && a.data == b.data
}

/// Reads a set; false if it has elements that the proxy cannot have written. A set that is missing
/// has none.
fn read_elements(
    socket: &mut Socket,
    family: Family,
    set: SetName,
    out: &mut HashMap<Key, Value>,
) -> Result<bool, Error> {
    let mut known = true;
    let read = socket.each_element(&table(family), set.as_str(), |element| {
        match decode(family, set, &element) {
            Some((key, value)) => {
                out.insert(key, value);
            }
            None => known = false,
        }
    });
    match read {
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(true),
        read => read.map(|()| known),
    }
}

fn encode(transaction: &Transaction, plan: &Plan, batch: &mut Batch) {
    for (family, repair) in Family::ALL.into_iter().zip(&transaction.repair) {
        let table = table(family);
        match repair {
            Repair::None => {}
            Repair::Make => make(family, plan, batch),
            Repair::Replace(_) => {
                batch.delete_table(&table);
                make(family, plan, batch);
            }
            Repair::Rules(names) => {
                let learning = names
                    .iter()
                    .filter_map(|name| learn_seconds(name))
                    .map(|s| learn(family, s));
                for expected in plan.chains(family).into_iter().chain(learning) {
                    if names.contains(&expected.chain.name) {
                        batch.flush_chain(&table, &expected.chain.name);
                        add_rules(family, &expected, batch);
                    }
                }
            }
        }
    }
    for (family, seconds) in &transaction.learn {
        let chain = learn(*family, *seconds);
        batch.add_chain(&table(*family), &chain.chain);
        add_rules(*family, &chain, batch);
    }
    in_chunks(&transaction.remove, |family, set, elements| {
        batch.delete_elements(&table(family), set.as_str(), elements);
    });
    in_chunks(&transaction.add, |family, set, elements| {
        batch.add_elements(&table(family), set.as_str(), elements);
    });
    for (family, seconds) in &transaction.unlearn {
        let name = learn_chain(*seconds);
        batch.flush_chain(&table(*family), &name);
        batch.delete_chain(&table(*family), &name);
    }
}

/// A whole table but for its elements. Its rules come while its maps are empty: a rule that names a
/// filled map walks it.
fn make(family: Family, plan: &Plan, batch: &mut Batch) {
    let table = table(family);
    batch.add_table(&table);
    for set in sets(family) {
        batch.add_set(&table, &set);
    }
    for chain in plan.chains(family) {
        batch.add_chain(&table, &chain.chain);
        add_rules(family, &chain, batch);
    }
}

fn add_rules(family: Family, chain: &ChainRules, batch: &mut Batch) {
    for rule in &chain.rules {
        batch.add_rule(&table(family), &chain.chain.name, rule);
    }
}

/// Hands elements over by table and set, encoded, some at a time.
fn in_chunks(elements: &[Element], mut each: impl FnMut(Family, SetName, &[Encoded])) {
    let mut by_set: HashMap<(Family, SetName), Vec<&Element>> = HashMap::new();
    for element in elements {
        let place = (element.0.family(), SetName::of(&element.0));
        by_set.entry(place).or_default().push(element);
    }
    for ((family, set), elements) in by_set {
        for chunk in elements.chunks(CHUNK) {
            let encoded: Vec<Encoded> = chunk.iter().map(|element| Encoded::new(element)).collect();
            each(family, set, &encoded);
        }
    }
}

fn forget_clients(
    socket: &mut Socket,
    family: Family,
    learnt: &HashMap<Group, HashSet<Endpoint>>,
) -> Result<usize, Error> {
    let mut stale: Vec<RawElement> = Vec::new();
    for element in socket.elements(&table(family), AFFINITY)? {
        let known = decode_affinity(family, &element.as_ref());
        let keep = known.is_some_and(|(group, endpoint)| {
            learnt
                .get(&group)
                .is_none_or(|endpoints| endpoints.contains(&endpoint))
        });
        if !keep {
            stale.push(element);
        }
    }
    let mut batch = Batch::new();
    batch.delete_elements(&table(family), AFFINITY, &stale);
    socket.commit(&batch)?;
    Ok(stale.len())
}
