//! Rulesets through the kernel and back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

use common::design::{Design, canonical};
use common::in_namespace;
use kedge_nftables::expr::{Counter, Lookup, Meta, MetaKey};
use kedge_nftables::{
    Batch, Chain, DataType, Element, Error, Family, Reg, Rule, Set, SetFlags, SetRef, Socket,
    Table, Value, Verdict,
};
use rstest::rstest;

/// Loads the ruleset, reads it back part by part.
#[rstest]
#[case(Family::Ip)]
#[case(Family::Ip6)]
fn what_is_dumped_equals_what_was_sent(#[case] family: Family) {
    in_namespace(move || {
        let design = Design::new(family);
        let mut socket = Socket::open().unwrap();
        socket.commit(&design.batch()).unwrap();

        assert_eq!(
            socket.tables().unwrap(),
            std::slice::from_ref(&design.table)
        );
        assert_eq!(socket.chains(&design.table).unwrap(), design.chains);
        let mut sets = socket.sets(&design.table).unwrap();
        sets.retain(|set| !set.flags.contains(SetFlags::ANONYMOUS));
        assert_eq!(sets, design.sets);
        for chain in &design.chains {
            let listed = socket.chain_rules(&design.table, &chain.name).unwrap();
            let listed: Vec<Rule> = listed
                .into_iter()
                .map(|listed| canonical(listed.rule))
                .collect();
            let sent: Vec<Rule> = design
                .rules
                .iter()
                .filter(|(name, _)| *name == chain.name)
                .map(|(_, rule)| rule.clone())
                .collect();
            assert_eq!(listed, sent, "chain {}", chain.name);
        }
        for (set, sent) in &design.elements {
            let listed: HashSet<Element> = socket
                .elements(&design.table, set)
                .unwrap()
                .into_iter()
                .collect();
            assert_eq!(listed, sent.iter().cloned().collect(), "set {set}");
        }
    });
}

#[test]
fn the_rules_of_a_table_are_listed_with_chains_and_handles() {
    in_namespace(|| {
        let design = Design::new(Family::Ip);
        let mut socket = Socket::open().unwrap();
        socket.commit(&design.batch()).unwrap();
        let rules = socket.rules(&design.table).unwrap();
        assert_eq!(rules.len(), design.rules.len());
        let handles: BTreeSet<u64> = rules.iter().map(|rule| rule.handle).collect();
        assert_eq!(handles.len(), rules.len());

        let table = &design.table;
        let pre = rules.iter().find(|rule| rule.chain == "pre").unwrap();
        let (first, second, third) = (
            Rule::default().with(Counter::default()),
            Rule::default().with(Verdict::Return),
            Rule::default().with(Verdict::Accept),
        );
        let mut batch = Batch::new();
        batch.insert_rule_before(table, "pre", pre.handle, &first);
        batch.add_rule_after(table, "pre", pre.handle, &second);
        batch.replace_rule(table, "pre", pre.handle, &third);
        socket.commit(&batch).unwrap();
        let listed: Vec<Rule> = socket
            .chain_rules(table, "pre")
            .unwrap()
            .into_iter()
            .map(|listed| listed.rule.without_state())
            .collect();
        assert_eq!(listed, [first, third, second]);

        let mut batch = Batch::new();
        for rule in socket.chain_rules(table, "pre").unwrap() {
            batch.delete_rule(table, "pre", rule.handle);
        }
        socket.commit(&batch).unwrap();
        assert!(socket.chain_rules(table, "pre").unwrap().is_empty());
        assert!(!socket.chain_rules(table, "out").unwrap().is_empty());

        let mut batch = Batch::new();
        batch.flush_table(table);
        socket.commit(&batch).unwrap();
        assert!(socket.rules(table).unwrap().is_empty());
        assert_eq!(socket.sets(table).unwrap().len(), design.sets.len());
    });
}

#[test]
fn an_anonymous_set_lives_with_its_rule() {
    in_namespace(|| {
        let table = Table::new(Family::Inet, "t");
        let mut batch = Batch::new();
        batch.add_table(&table);
        batch.add_chain(&table, &Chain::new("c"));
        let protocols = batch.add_set(&table, &Set::anonymous(DataType::InetProto));
        assert!(matches!(protocols, SetRef::Anonymous(_)));
        let elements = [6, 17].map(|p| Element::new(Value::byte(p)));
        batch.add_elements(&table, &protocols, &elements);
        let rule = Rule::default()
            .with(Meta::load(MetaKey::L4proto, Reg::R0))
            .with(Lookup::found(Reg::R0, &protocols))
            .with(Verdict::Drop);
        batch.add_rule(&table, "c", &rule);
        let mut socket = Socket::open().unwrap();
        socket.commit(&batch).unwrap();
        let sets = socket.sets(&table).unwrap();
        assert_eq!(sets.len(), 1);
        assert!(sets[0].flags.contains(SetFlags::ANONYMOUS));
        assert_eq!(socket.elements(&table, &sets[0].name).unwrap().len(), 2);

        let mut batch = Batch::new();
        batch.flush_chain(&table, "c");
        socket.commit(&batch).unwrap();
        assert!(socket.sets(&table).unwrap().is_empty());
    });
}

#[test]
fn a_table_is_removed_whether_it_is_there_or_not() {
    in_namespace(|| {
        let mut socket = Socket::open().unwrap();
        let design = Design::new(Family::Ip);
        let mut remove = Batch::new();
        remove.remove_table(&design.table);
        socket.commit(&remove).unwrap();
        socket.commit(&design.batch()).unwrap();
        socket.commit(&remove).unwrap();
        assert!(socket.tables().unwrap().is_empty());
        let absent = socket.elements(&design.table, "svc").unwrap_err();
        assert_eq!(absent.errno(), Some(libc::ENOENT));
    });
}

#[test]
fn a_dump_that_belongs_to_no_generation_is_read_again() {
    in_namespace(|| {
        let design = Design::new(Family::Ip);
        let mut socket = Socket::open().unwrap();
        let made = socket.commit(&design.batch()).unwrap();
        let mut other = Socket::open().unwrap();
        let mut rounds = 0;
        let (generation, chains) = socket
            .consistent(|socket| {
                rounds += 1;
                if rounds < 3 {
                    let mut batch = Batch::new();
                    batch.add_chain(&design.table, &Chain::new(format!("x{rounds}")));
                    other.commit(&batch)?;
                }
                socket.chains(&design.table)
            })
            .unwrap();
        assert_eq!(rounds, 3);
        assert_eq!(generation, made.wrapping_add(2));
        assert_eq!(chains.len(), design.chains.len() + 2);

        socket.set_dump_attempts(2);
        let never = socket.consistent(|_| {
            rounds += 1;
            let mut batch = Batch::new();
            batch.add_chain(&design.table, &Chain::new(format!("x{rounds}")));
            other.commit(&batch)
        });
        assert!(matches!(never, Err(Error::Interrupted(_))));
    });
}

/// Loads and reads a map as large as 30,000 Services make it, in one transaction of many messages.
#[test]
fn thirty_thousand_elements_go_in_and_come_out() {
    const COUNT: u32 = 30_000;
    in_namespace(|| {
        let table = Table::new(Family::Ip, "large");
        let key = [
            DataType::Ipv4Addr,
            DataType::InetProto,
            DataType::InetService,
        ];
        let elements: Vec<Element> = (0..COUNT)
            .map(|n| {
                let address = (0x0a2b_0000 + n).to_be_bytes();
                let key = Value::concat([&address[..], &[6], &80u16.to_be_bytes()]);
                Element::value(key, Value::host(n << 12))
            })
            .collect();
        let mut socket = Socket::open().unwrap();

        let start = Instant::now();
        let mut batch = Batch::with_capacity(COUNT as usize * 56);
        batch.add_table(&table);
        batch.add_set(&table, &Set::map("svc", key, DataType::Mark));
        batch.add_elements(&table, "svc", &elements);
        let encoded = start.elapsed();
        let (messages, bytes) = (batch.len(), batch.byte_len());
        let start = Instant::now();
        socket.commit(&batch).unwrap();
        let committed = start.elapsed();
        let start = Instant::now();
        let mut count = 0;
        socket.each_element(&table, "svc", |_| count += 1).unwrap();
        let read = start.elapsed();
        let start = Instant::now();
        let listed: HashSet<Element> = socket
            .elements(&table, "svc")
            .unwrap()
            .into_iter()
            .collect();
        let listed_in = start.elapsed();
        println!(
            "{COUNT} elements: {messages} messages of {bytes} bytes encoded in {encoded:?}, committed in {committed:?}, \
             read in {read:?}, read into a set in {listed_in:?}"
        );
        assert_eq!(count, COUNT);
        assert_eq!(listed, elements.into_iter().collect());

        let mut batch = Batch::new();
        batch.delete_elements(&table, "svc", &listed);
        socket.commit(&batch).unwrap();
        assert!(socket.elements(&table, "svc").unwrap().is_empty());
    });
}
