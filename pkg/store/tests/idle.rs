//! A store in which nothing happens costs nothing.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use kedge_store::{Encoded, EngineKind, Options, Store, Transaction, Write};
use serde_json::json;

/// Until the journal is durable and whatever opening began has ended.
const SETTLE: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(3);

fn field(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap();
    text.split_once(name)
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

/// Bytes written, and wake-ups of all threads but this one.
fn costs() -> (u64, u64) {
    let this = std::fs::read_link("/proc/thread-self").unwrap();
    let tasks = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .map(|task| task.unwrap());
    let others = tasks.filter(|task| Some(&*task.file_name()) != this.file_name());
    let switches = others.map(|task| {
        field(
            task.path().join("status").to_str().unwrap(),
            "\nvoluntary_ctxt_switches:",
        )
    });
    (field("/proc/self/io", "write_bytes:"), switches.sum())
}

/// One test for both engines: what it measures is the whole process.
#[test]
fn nothing_is_written_and_nobody_wakes() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let stores = [EngineKind::Sled, EngineKind::Redb].map(|engine| {
        let options = Options {
            path: folder.path().join(format!("{engine:?}")),
            engine,
            window: 100,
        };
        let (store, _) = Store::open(&options).unwrap();
        for number in 0..100 {
            let key = format!("/registry/services/default/s{number}");
            let value =
                Encoded::object(&json!({"metadata": {"name": key}, "pad": "x".repeat(1200)}));
            let writes = vec![Write::Put { key, value }];
            runtime
                .block_on(store.commit(Transaction {
                    conditions: Vec::new(),
                    writes,
                }))
                .unwrap();
        }
        store
    });
    std::thread::sleep(SETTLE);
    let before = costs();
    std::thread::sleep(WATCHED);
    let after = costs();
    assert_eq!(after.0 - before.0, 0, "bytes written while idle");
    // Of sled's seven threads, each woke once a second if its timers were not told to be late.
    assert!(
        after.1 - before.1 <= 3,
        "{} wake-ups in {WATCHED:?}",
        after.1 - before.1
    );
    assert_eq!(stores.map(|store| store.revision()), [101, 101]);
}
