//! SIGKILL in the middle of concurrent writes: what was acknowledged is there, and nothing by halves.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use kedge_store::{Encoded, EngineKind, EventKind, Options, Store, Transaction, Write};
use rstest::rstest;
use serde_json::{Value, json};

const ROUNDS: u64 = 50;
const WRITERS: u64 = 8;
/// Set in the process that writes and is killed, to the folder of its store.
const FOLDER: &str = "KEDGE_STORE_CRASH_TEST";

fn options(path: &Path, engine: EngineKind) -> Options {
    Options {
        path: path.to_owned(),
        engine,
        window: 100,
    }
}

fn key(writer: u64, half: char) -> String {
    format!("/registry/pairs/{writer}/{half}")
}

/// Writes pairs of objects until it is killed; says `ack WRITER NUMBER REVISION` of each.
fn write(path: &Path, engine: EngineKind) {
    let (store, recovery) = Store::open(&options(path, engine)).unwrap();
    assert!(
        recovery.damaged.is_none() && recovery.lost.is_empty(),
        "{recovery:?}"
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let writers = (0..WRITERS).map(|writer| {
        let store = store.clone();
        async move {
            let mut number = store
                .get(&key(writer, 'a'))
                .map_or(0, |entry| number_of(&entry.value()));
            loop {
                number += 1;
                let pad = "x".repeat(
                    (number * 7919 + writer) as usize
                        % if number % 16 == 0 { 12_000 } else { 2_000 },
                );
                let value = Encoded::object(&json!({"number": number, "pad": pad}));
                let writes = ['a', 'b'].map(|half| Write::Put {
                    key: key(writer, half),
                    value: value.clone(),
                });
                let committed = store
                    .commit(Transaction {
                        conditions: Vec::new(),
                        writes: writes.into(),
                    })
                    .await
                    .unwrap();
                println!("ack {writer} {number} {}", committed.revision);
            }
        }
    });
    runtime.block_on(async {
        let tasks: Vec<_> = writers.collect();
        let mut set = tokio::task::JoinSet::new();
        for task in tasks {
            set.spawn(task);
        }
        while let Some(ended) = set.join_next().await {
            let () = ended.unwrap();
        }
    });
}

fn number_of(value: &[u8]) -> u64 {
    serde_json::from_slice::<Value>(value).unwrap()["number"]
        .as_u64()
        .unwrap()
}

/// Runs this very test in another process, kills it after a while, and returns what it acknowledged: number
/// and revision by writer.
fn killed(test: &str, path: &Path, after: Duration) -> BTreeMap<u64, (u64, u64)> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(FOLDER, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut acknowledged = BTreeMap::new();
    let mut line = String::new();
    let mut note = |line: &str| {
        // A line that the kill cut short tells nothing.
        let Some(numbers) = line
            .strip_suffix('\n')
            .and_then(|line| line.strip_prefix("ack "))
        else {
            return false;
        };
        let numbers: Vec<u64> = numbers
            .split(' ')
            .map(|number| number.parse().unwrap())
            .collect();
        acknowledged.insert(numbers[0], (numbers[1], numbers[2]));
        true
    };
    while lines.read_line(&mut line).unwrap() > 0 && !note(&line) {
        line.clear();
    }
    let killer = std::thread::spawn(move || {
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap()
    });
    line.clear();
    while lines.read_line(&mut line).unwrap() > 0 {
        note(&line);
        line.clear();
    }
    let ended = killer.join().unwrap();
    assert_eq!(ended.signal(), Some(9), "it ended by itself: {ended}");
    acknowledged
}

#[rstest]
#[case::sled(EngineKind::Sled, "acknowledged_writes_survive::case_1_sled")]
#[case::redb(EngineKind::Redb, "acknowledged_writes_survive::case_2_redb")]
fn acknowledged_writes_survive(#[case] engine: EngineKind, #[case] name: &str) {
    if let Some(path) = std::env::var_os(FOLDER) {
        return write(path.as_ref(), engine);
    }
    let folder = common::scratch();
    let path = folder.path().join("store");
    let mut acknowledged: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    let mut total = 0;
    for round in 0..ROUNDS {
        acknowledged.extend(killed(
            name,
            &path,
            Duration::from_micros(1_000 + round * 7_919_000 % 150_000),
        ));
        let (store, recovery) = Store::open(&options(&path, engine)).unwrap();
        assert!(
            recovery.damaged.is_none() && recovery.lost.is_empty(),
            "round {round}: {recovery:?}"
        );
        for writer in 0..WRITERS {
            let halves = ['a', 'b'].map(|half| store.get(&key(writer, half)));
            let [Some(a), Some(b)] = halves else {
                assert!(
                    halves.iter().all(Option::is_none),
                    "round {round}: half a pair of writer {writer}"
                );
                assert!(
                    !acknowledged.contains_key(&writer),
                    "round {round}: writer {writer} lost"
                );
                continue;
            };
            assert_eq!(
                (a.revision, number_of(&a.value())),
                (b.revision, number_of(&b.value())),
                "round {round}: half a pair"
            );
            let Some((number, revision)) = acknowledged.get(&writer) else {
                continue;
            };
            assert!(
                number_of(&a.value()) >= *number && a.revision >= *revision,
                "round {round}: writer {writer} lost"
            );
        }
        // The window holds whole transactions, one for each revision.
        let oldest = store
            .watch("/", 0)
            .err()
            .map_or(1, |compacted| compacted.oldest);
        let mut watch = store.watch("/", oldest).unwrap();
        let mut expected = oldest;
        while let Some(first) = watch.try_next().unwrap() {
            let second = watch.try_next().unwrap().expect("half a transaction");
            expected += 1;
            assert_eq!(
                [first.revision, second.revision],
                [expected, expected],
                "round {round}"
            );
            assert!(matches!(
                (&first.kind, &second.kind),
                (EventKind::Put(_), EventKind::Put(_))
            ));
        }
        assert_eq!(expected, store.revision(), "round {round}");
        total = store.revision();
    }
    println!("{engine:?}: {total} revisions over {ROUNDS} kills");
    assert!(total > 10 * ROUNDS, "too few writes for a test: {total}");
}
