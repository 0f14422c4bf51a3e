//! Events as they come from the kernel.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use common::design::Design;
use common::in_namespace;
use kedge_nftables::{
    Action, Batch, Chain, DataType, Element, Event, Family, Monitor, NewGeneration, ObjectKind,
    Set, Socket, Table, Value,
};

/// Runs an asynchronous test in a namespace of its own.
fn run<F: Future<Output = ()>>(test: impl FnOnce() -> F + Send + 'static) {
    in_namespace(|| {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(test());
    });
}

/// The next event; a test that waits for one in vain fails.
async fn next(monitor: &mut Monitor) -> Event {
    tokio::time::timeout(Duration::from_secs(5), monitor.next())
        .await
        .expect("no event came")
        .unwrap()
}

/// The events up to the end of the transaction, and that end.
async fn transaction(monitor: &mut Monitor) -> (Vec<kedge_nftables::Change>, NewGeneration) {
    let mut changes = Vec::new();
    loop {
        match next(monitor).await {
            Event::Change(change) => changes.push(change),
            Event::Generation(generation) => return (changes, generation),
            Event::Lost => panic!("events were lost"),
        }
    }
}

fn small() -> (Table, Batch) {
    let table = Table::new(Family::Ip6, "small");
    let mut batch = Batch::new();
    batch.add_table(&table);
    batch.add_chain(&table, &Chain::new("c"));
    batch.add_set(&table, &Set::set("s", DataType::Mark));
    let elements = [1, 2].map(|n| Element::new(Value::host(n)));
    batch.add_elements(&table, "s", &elements);
    batch.add_rule(&table, "c", &kedge_nftables::Rule::default());
    (table, batch)
}

#[test]
fn a_transaction_arrives_object_by_object() {
    run(|| async {
        let mut monitor = Monitor::open(&[]).unwrap();
        let mut socket = Socket::open().unwrap();
        let (_, batch) = small();
        let committed = socket.commit(&batch).unwrap();
        let (changes, end) = transaction(&mut monitor).await;
        let seen: Vec<(ObjectKind, Option<&str>)> = changes
            .iter()
            .map(|c| (c.operation.object, c.operation.name.as_deref()))
            .collect();
        assert_eq!(
            seen,
            [
                (ObjectKind::Table, None),
                (ObjectKind::Chain, Some("c")),
                (ObjectKind::Set, Some("s")),
                (ObjectKind::Elements, Some("s")),
                (ObjectKind::Elements, Some("s")),
                (ObjectKind::Rule, Some("c")),
            ]
        );
        for change in &changes {
            assert_eq!(change.port, socket.port());
            assert_eq!(change.operation.action, Action::New);
            assert_eq!(change.operation.family, Family::Ip6);
            assert_eq!(change.operation.table, "small");
        }
        assert_eq!(end.port, socket.port());
        assert_eq!(end.generation.id, committed);
        let thread = rustix::thread::gettid().as_raw_nonzero().get();
        assert_eq!(end.generation.pid, u32::try_from(thread).ok());
        assert!(end.generation.process.is_some());
    });
}

#[test]
fn what_another_socket_flushes_is_seen_and_what_we_do_is_not() {
    run(|| async {
        let mut socket = Socket::open().unwrap();
        let mut monitor = Monitor::open(&[1, socket.port(), 2]).unwrap();
        let design = Design::new(Family::Ip);
        socket.commit(&design.batch()).unwrap();
        let (_, batch) = small();
        let ours = socket.commit(&batch).unwrap();

        let mut other = Socket::open().unwrap();
        let mut flush = Batch::new();
        flush.delete_table(&design.table);
        other.commit(&flush).unwrap();

        // The first event of all is the other's: none of ours came.
        let (changes, end) = transaction(&mut monitor).await;
        assert!(changes.iter().all(|c| c.port == other.port()));
        assert!(changes.iter().all(|c| c.operation.table == "kedge"));
        assert!(changes.iter().any(|c| {
            c.operation.object == ObjectKind::Table && c.operation.action == Action::Delete
        }));
        assert_eq!(end.generation.id, ours.wrapping_add(1));
    });
}

#[test]
fn overflow_is_said_and_the_monitor_goes_on() {
    run(|| async {
        let mut monitor = Monitor::open(&[]).unwrap();
        let mut socket = Socket::open().unwrap();
        let (table, batch) = small();
        socket.commit(&batch).unwrap();
        transaction(&mut monitor).await;

        let elements: Vec<_> = (10..200_000)
            .map(|n| Element::new(Value::host(n)))
            .collect();
        let mut batch = Batch::new();
        batch.add_elements(&table, "s", &elements);
        socket.commit(&batch).unwrap();
        // The kernel says so ahead of what it kept.
        assert_eq!(next(&mut monitor).await, Event::Lost);

        let mut batch = Batch::new();
        batch.delete_table(&table);
        let last = socket.commit(&batch).unwrap();
        let (changes, end) = transaction(&mut monitor).await;
        assert_eq!(end.generation.id, last);
        assert!(changes.iter().all(|c| c.operation.action == Action::Delete));
    });
}
