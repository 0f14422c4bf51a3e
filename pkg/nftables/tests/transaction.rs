//! What the kernel accepts and refuses, and who is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::design::Design;
use common::in_namespace;
use kedge_nftables::expr::{Lookup, Payload};
use kedge_nftables::{
    Action, Batch, Chain, DataType, Element, Error, Failure, Family, ObjectKind, Reg, Rule, Set,
    Socket, Table, Value, Verdict,
};
use rstest::rstest;

const SET: &str = "s";

/// A kind of set, and two elements of it that have the same key.
struct Kind {
    set: Set,
    one: Vec<Element>,
    other: Vec<Element>,
}

fn hashed_set() -> Kind {
    let one = vec![Element::new(Value::host(1))];
    let set = Set::set(SET, DataType::Mark);
    Kind {
        set,
        other: one.clone(),
        one,
    }
}

fn data_map() -> Kind {
    let pair = [DataType::Ipv4Addr, DataType::InetService];
    let key = Value::concat([&[10, 0, 0, 1][..], &[0, 80]]);
    Kind {
        set: Set::map(SET, pair, DataType::Mark),
        one: vec![Element::value(key.clone(), Value::host(1))],
        other: vec![Element::value(key, Value::host(2))],
    }
}

fn verdict_map() -> Kind {
    Kind {
        set: Set::verdict_map(SET, DataType::Mark),
        one: vec![Element::verdict(Value::host(1), Verdict::Drop)],
        other: vec![Element::verdict(Value::host(1), Verdict::goto("c"))],
    }
}

fn tree() -> Kind {
    let key = DataType::InetService;
    let one: Vec<_> = Element::interval(Value::port(10), Some(Value::port(20))).collect();
    let set = Set::set(SET, key).with_intervals(key);
    Kind {
        set,
        other: one.clone(),
        one,
    }
}

fn concatenated_ranges() -> Kind {
    let key = [DataType::Mark, DataType::Ipv4Addr];
    let from = Value::concat([&Value::host(1)[..], &[10, 0, 0, 1]]);
    let to = Value::concat([&Value::host(1)[..], &[10, 0, 0, 9]]);
    let one = vec![Element::range(from, to)];
    let set = Set::set(SET, key).with_intervals(key);
    Kind {
        set,
        other: one.clone(),
        one,
    }
}

fn prepared(kind: &Kind) -> (Socket, Table) {
    let table = Table::new(Family::Ip, "t");
    let mut batch = Batch::new();
    batch.add_table(&table);
    batch.add_chain(&table, &Chain::new("c"));
    batch.add_set(&table, &kind.set);
    batch.add_elements(&table, SET, &kind.one);
    let mut socket = Socket::open().unwrap();
    socket.commit(&batch).unwrap();
    (socket, table)
}

fn sorted(mut elements: Vec<Element>) -> Vec<Element> {
    elements.sort_by(|a, b| a.key.cmp(&b.key).then(b.interval_end.cmp(&a.interval_end)));
    elements
}

fn failures(result: Result<u32, Error>) -> Vec<Failure> {
    match result {
        Err(Error::Rejected(failures)) => failures,
        other => panic!("expected a rejection, got {other:?}"),
    }
}

#[rstest]
#[case(hashed_set())]
#[case(data_map())]
#[case(verdict_map())]
#[case(tree())]
#[case(concatenated_ranges())]
fn delete_then_add_replaces_an_element(#[case] kind: Kind) {
    in_namespace(move || {
        let (mut socket, table) = prepared(&kind);
        let mut batch = Batch::new();
        batch.delete_elements(&table, SET, &kind.one);
        batch.add_elements(&table, SET, &kind.other);
        socket.commit(&batch).unwrap();
        let listed: Vec<_> = socket
            .elements(&table, SET)
            .unwrap()
            .into_iter()
            // A tree begins with the end of the range that nothing is in.
            .filter(|element| !(element.interval_end && element.key.iter().all(|b| *b == 0)))
            .collect();
        assert_eq!(sorted(listed), sorted(kind.other));
    });
}

#[rstest]
#[case(data_map())]
#[case(verdict_map())]
fn other_data_for_a_key_in_place_is_refused(#[case] kind: Kind) {
    in_namespace(move || {
        let (mut socket, table) = prepared(&kind);
        let mut batch = Batch::new();
        batch.add_elements(&table, SET, &kind.other);
        let failures = failures(socket.commit(&batch));
        assert_eq!(failures[0].errno, libc::EEXIST);
        assert_eq!(socket.elements(&table, SET).unwrap(), kind.one);
    });
}

#[rstest]
#[case(data_map())]
#[case(verdict_map())]
fn add_then_delete_is_refused(#[case] kind: Kind) {
    in_namespace(move || {
        let (mut socket, table) = prepared(&kind);
        let mut batch = Batch::new();
        batch.add_elements(&table, SET, &kind.other);
        batch.delete_elements(&table, SET, &kind.one);
        let failures = failures(socket.commit(&batch));
        assert_eq!((failures[0].index, failures[0].errno), (0, libc::EEXIST));
    });
}

#[rstest]
#[case(hashed_set())]
#[case(data_map())]
#[case(verdict_map())]
fn the_same_element_may_be_added_again(#[case] kind: Kind) {
    in_namespace(move || {
        let (mut socket, table) = prepared(&kind);
        let mut batch = Batch::new();
        batch.add_elements(&table, SET, &kind.one);
        socket.commit(&batch).unwrap();
        assert_eq!(socket.elements(&table, SET).unwrap(), kind.one);
    });
}

#[test]
fn deleting_what_is_absent_aborts_and_names_the_element() {
    in_namespace(|| {
        let kind = data_map();
        let (mut socket, table) = prepared(&kind);
        let absent = Element::new(Value::concat([&[10, 9, 9, 9][..], &[0, 80]]));
        let mut batch = Batch::new();
        batch.delete_elements(&table, SET, [&kind.one[0], &absent]);
        let failures = failures(socket.commit(&batch));
        assert_eq!(failures.len(), 1);
        assert_eq!(failures[0].errno, libc::ENOENT);
        assert_eq!(failures[0].operation.object, ObjectKind::Elements);
        assert_eq!(failures[0].operation.action, Action::Delete);
        // Older kernels do not say which element it was; they never name another.
        assert!(
            failures[0]
                .element
                .as_ref()
                .is_none_or(|element| element.key == absent.key)
        );
        assert_eq!(socket.elements(&table, SET).unwrap(), kind.one);
    });
}

#[test]
fn destroying_what_is_absent_is_no_error() {
    in_namespace(|| {
        let kind = verdict_map();
        let (mut socket, table) = prepared(&kind);
        let absent = Element::new(Value::host(77));
        let mut batch = Batch::new();
        batch.destroy_elements(&table, SET, [&kind.one[0], &absent]);
        batch.destroy_chain(&table, "none");
        batch.destroy_set(&table, "none");
        batch.destroy_table(&Table::new(Family::Ip, "none"));
        match socket.commit(&batch) {
            Ok(_) => assert!(socket.elements(&table, SET).unwrap().is_empty()),
            // Before 6.3.
            Err(error) => assert_eq!(error.errno(), Some(libc::EINVAL)),
        }
    });
}

#[test]
fn a_set_is_emptied_by_a_flush() {
    in_namespace(|| {
        let kind = data_map();
        let (mut socket, table) = prepared(&kind);
        let mut batch = Batch::new();
        batch.flush_set(&table, SET);
        batch.add_elements(&table, SET, &kind.other);
        socket.commit(&batch).unwrap();
        assert_eq!(socket.elements(&table, SET).unwrap(), kind.other);
    });
}

#[test]
fn each_failure_is_of_its_own_operation() {
    in_namespace(|| {
        let table = Table::new(Family::Ip, "t");
        let nowhere = Table::new(Family::Ip, "nowhere");
        let mut batch = Batch::new();
        batch.add_table(&table);
        batch.add_chain(&table, &Chain::new("c"));
        batch.add_rule(
            &table,
            "c",
            &Rule::default().with(Lookup::found(Reg::R0, "missing")),
        );
        batch.add_chain(&nowhere, &Chain::new("x"));
        batch.add_chain(&table, &Chain::new("d"));
        batch.add_rule(&table, "c", &Rule::default().with(Verdict::goto("missing")));
        let mut socket = Socket::open().unwrap();
        let error = socket.commit(&batch).unwrap_err();
        let text = error.to_string();
        let failures = failures(Err(error));
        let seen: Vec<(usize, i32)> = failures.iter().map(|f| (f.index, f.errno)).collect();
        // A rule that reads a register which was never written is EINVAL too on kernels that track
        // that.
        assert_eq!(seen.len(), 3, "{failures:?}");
        assert_eq!([seen[0].0, seen[1].0, seen[2].0], [2, 3, 5]);
        assert_eq!(seen[1].1, libc::ENOENT);
        assert_eq!(failures[1].operation.to_string(), "add chain ip nowhere x");
        assert!(
            text.starts_with("nf_tables: transaction refused: add rule in chain ip t c: "),
            "{text}"
        );
        assert!(text.ends_with("(and 2 more failures)"), "{text}");
        assert!(socket.tables().unwrap().is_empty());
    });
}

#[test]
fn a_check_judges_and_changes_nothing() {
    in_namespace(|| {
        let design = Design::new(Family::Ip6);
        let mut socket = Socket::open().unwrap();
        let before = socket.generation().unwrap().id;
        socket.check(&design.batch()).unwrap();
        let mut wrong = design.batch();
        let rule = Rule::default()
            .with(Payload::ip6_daddr(Reg::R0))
            .with(Lookup::found(Reg::R0, "missing"));
        wrong.add_rule(&design.table, "services", &rule);
        let error = socket.check(&wrong).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOENT), "{error}");
        assert!(socket.tables().unwrap().is_empty());
        assert_eq!(socket.generation().unwrap().id, before);
    });
}

#[test]
fn a_commit_knows_the_generation_that_it_made() {
    in_namespace(|| {
        let mut socket = Socket::open().unwrap();
        let before = socket.generation().unwrap().id;
        let mut batch = Batch::new();
        batch.add_table(&Table::new(Family::Ip, "a"));
        let committed = socket.commit(&batch).unwrap();
        assert_eq!(committed, before.wrapping_add(1));
        // What changes nothing makes no generation.
        assert_eq!(socket.commit(&batch).unwrap(), committed);
        assert_eq!(socket.commit(&Batch::new()).unwrap(), committed);
    });
}

#[test]
fn a_transaction_for_another_generation_is_refused_and_made_anew() {
    in_namespace(|| {
        let mut socket = Socket::open().unwrap();
        let generation = socket.generation().unwrap().id;
        let mut batch = Batch::new();
        batch.add_table(&Table::new(Family::Ip, "a"));
        batch.at_generation(generation);
        socket.commit(&batch).unwrap();
        let error = socket.commit(&batch).unwrap_err();
        assert!(matches!(error, Error::GenerationChanged(g) if g == generation));

        let mut other = Socket::open().unwrap();
        let mut made = 0;
        let mut make = |_: &mut Socket| {
            made += 1;
            if made < 3 {
                let mut batch = Batch::new();
                batch.add_table(&Table::new(Family::Ip, format!("other-{made}")));
                other.commit(&batch)?;
            }
            let mut batch = Batch::new();
            batch.add_table(&Table::new(Family::Ip, "mine"));
            Ok(batch)
        };
        let error = socket.transact(2, &mut make).unwrap_err();
        assert!(matches!(error, Error::GenerationChanged(_)));
        socket.transact(2, &mut make).unwrap();
        assert_eq!(made, 3);
        let names: Vec<_> = socket
            .tables()
            .unwrap()
            .into_iter()
            .map(|t| t.name)
            .collect();
        assert_eq!(names, ["a", "other-1", "other-2", "mine"]);
    });
}

#[test]
fn an_attribute_that_is_too_long_is_refused_before_it_is_sent() {
    in_namespace(|| {
        let table = Table::new(Family::Ip, "t");
        let mut batch = Batch::new();
        batch.add_table(&table);
        let many = (0..2000).map(|_| Verdict::Continue.into());
        batch.add_rule(&table, "c", &Rule::new(many));
        batch.add_chain(&table, &Chain::new("after"));
        let mut socket = Socket::open().unwrap();
        let error = socket.commit(&batch).unwrap_err();
        let Error::Oversized { operation, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!(operation, "add rule in chain ip t c");
    });
}

#[test]
fn a_hundred_failures_are_all_reported() {
    in_namespace(|| {
        let nowhere = Table::new(Family::Ip, "nowhere");
        let mut batch = Batch::new();
        for n in 0..100 {
            batch.add_chain(&nowhere, &Chain::new(format!("c{n}")));
        }
        let mut socket = Socket::open().unwrap();
        let failures = failures(socket.commit(&batch));
        assert_eq!(failures.len(), 100);
        assert_eq!(failures[99].operation.name.as_deref(), Some("c99"));
    });
}
