//! Random transactions against a plain map, on both engines, reopened at random points.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kedge_store::{
    CommitError, Condition, Encoded, EngineKind, Event, EventKind, Options, Store, Transaction,
    Watch, Write,
};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;
use serde_json::json;

const WINDOW: usize = 12;
const KEYS: [&str; 7] = [
    "/r/a/1", "/r/a/2", "/r/a/3", "/r/ab/1", "/r/b/1", "/r/b/2", "/r/c",
];
const PREFIXES: [&str; 5] = ["/r/a/", "/r/a", "/r/b/", "/r/", "/r/c"];
/// Sizes on both sides of a row of the sled engine, of several rows, and of nothing.
const SIZES: [usize; 6] = [0, 1, 300, 8_100, 8_192, 40_000];

#[derive(Debug, Clone)]
enum Step {
    Commit {
        conditions: Vec<(usize, bool)>,
        writes: Vec<(usize, Option<usize>)>,
    },
    Reopen {
        close: bool,
    },
    Watch {
        prefix: usize,
        back: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = 0..KEYS.len();
    let commit = (
        proptest::collection::vec((key.clone(), proptest::bool::weighted(0.85)), 0..3),
        proptest::collection::vec((key, proptest::option::weighted(0.7, 0..SIZES.len())), 0..5),
    )
        .prop_map(|(conditions, writes)| Step::Commit { conditions, writes });
    let step = prop_oneof![
        12 => commit,
        1 => any::<bool>().prop_map(|close| Step::Reopen { close }),
        3 => (0..PREFIXES.len(), 0..25u64).prop_map(|(prefix, back)| Step::Watch { prefix, back }),
    ];
    proptest::collection::vec(step, 1..60)
}

/// Revision, key, whether it is a put, value, revision of what stood before.
type Told = (u64, String, bool, Vec<u8>, Option<u64>);

/// What the store should hold and have told.
#[derive(Default)]
struct Model {
    revision: u64,
    entries: BTreeMap<&'static str, (u64, Vec<u8>)>,
    events: Vec<Told>,
}

impl Model {
    fn holds(&self, key: &'static str, expected: Option<u64>) -> bool {
        self.entries.get(key).map(|(revision, _)| *revision) == expected
    }

    fn write(&mut self, writes: &[(&'static str, Option<Encoded>)]) {
        let before: BTreeMap<_, _> = writes
            .iter()
            .map(|(key, _)| (*key, self.entries.get(key).cloned()))
            .collect();
        let next = self.revision + 1;
        let mut last = BTreeMap::new();
        for (key, value) in writes {
            match value {
                Some(value) => {
                    self.entries.insert(key, (next, value.at(next)));
                    last.insert(*key, Some(value.at(next)));
                }
                None => {
                    if self.entries.remove(key).is_some() {
                        last.insert(*key, None);
                    }
                }
            }
        }
        let mut changed = false;
        for (key, value) in last {
            let previous = before[key].as_ref().map(|(revision, _)| *revision);
            match value {
                None if previous.is_none() => {}
                None => {
                    changed = true;
                    self.events
                        .push((next, key.to_owned(), false, gone(key).at(next), previous));
                }
                Some(bytes) => {
                    changed = true;
                    self.events
                        .push((next, key.to_owned(), true, bytes, previous));
                }
            }
        }
        if changed {
            self.revision = next;
        }
    }

    /// Events under a prefix, those of one revision in order of key.
    fn after(&self, prefix: &str, after: u64) -> Vec<Told> {
        let wanted = |event: &&Told| event.0 > after && event.1.starts_with(prefix);
        let mut events: Vec<Told> = self.events.iter().filter(wanted).cloned().collect();
        events.sort();
        events
    }
}

fn object(key: &str, size: usize) -> Encoded {
    match size {
        1 => Encoded::plain(b"x".to_vec()),
        size => Encoded::object(
            &json!({"metadata": {"name": key, "labels": {"k": key}}, "pad": "p".repeat(size)}),
        ),
    }
}

fn gone(key: &str) -> Encoded {
    Encoded::object(&json!({"metadata": {"name": key}, "gone": true}))
}

fn plain(event: &Event) -> Told {
    let (entry, put) = match &event.kind {
        EventKind::Put(entry) => (entry, true),
        EventKind::Delete(entry) => (entry, false),
    };
    assert_eq!(entry.revision, event.revision);
    let previous = event.previous.as_ref().map(|previous| previous.revision);
    (
        event.revision,
        entry.key.to_string(),
        put,
        entry.value().to_vec(),
        previous,
    )
}

fn drain(watch: &mut Watch) -> Vec<Told> {
    let mut events = Vec::new();
    while let Some(event) = watch.try_next().unwrap() {
        events.push(plain(&event));
    }
    events.sort();
    events
}

fn open(path: &Path, engine: EngineKind) -> Store {
    let options = Options {
        path: path.to_owned(),
        engine,
        window: WINDOW,
    };
    let (store, recovery) = Store::open(&options).unwrap();
    assert!(recovery.damaged.is_none(), "{recovery:?}");
    assert!(recovery.lost.is_empty(), "{recovery:?}");
    store
}

fn same(store: &Store, model: &Model) {
    let snapshot = store.snapshot();
    assert_eq!(snapshot.revision(), model.revision);
    let found: Vec<_> = snapshot
        .range("", None)
        .map(|e| (e.key.to_string(), (e.revision, e.value().to_vec())))
        .collect();
    let expected: Vec<_> = model
        .entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    assert_eq!(found, expected);
    for prefix in PREFIXES {
        let found: Vec<_> = snapshot
            .range(prefix, Some("/r/a/2"))
            .map(|entry| entry.key.to_string())
            .collect();
        let keys = model
            .entries
            .keys()
            .filter(|key| key.starts_with(prefix) && **key > "/r/a/2");
        assert_eq!(
            found,
            keys.map(|key| (*key).to_owned()).collect::<Vec<_>>(),
            "{prefix}"
        );
    }
}

fn run(steps: &[Step], engine: EngineKind) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path(), engine);
    let mut model = Model {
        revision: 1,
        ..Model::default()
    };
    let (_, mut live) = store.snapshot_and_watch("/r/a/");
    let mut live_from = 1;
    for step in steps {
        match step {
            Step::Commit { conditions, writes } => {
                let right =
                    |key: usize| model.entries.get(KEYS[key]).map(|(revision, _)| *revision);
                let expected: Vec<(&'static str, Option<u64>)> = conditions
                    .iter()
                    .map(|(key, good)| {
                        (
                            KEYS[*key],
                            if *good {
                                right(*key)
                            } else {
                                Some(right(*key).map_or(3, |r| r + 1))
                            },
                        )
                    })
                    .collect();
                let writes: Vec<(&'static str, Option<Encoded>)> = writes
                    .iter()
                    .map(|(key, size)| {
                        (KEYS[*key], size.map(|size| object(KEYS[*key], SIZES[size])))
                    })
                    .collect();
                let transaction = Transaction {
                    conditions: expected
                        .iter()
                        .map(|(key, revision)| match revision {
                            None => Condition::Absent { key: (*key).into() },
                            Some(revision) => Condition::Revision {
                                key: (*key).into(),
                                revision: *revision,
                            },
                        })
                        .collect(),
                    writes: writes
                        .iter()
                        .map(|(key, value)| match value {
                            Some(value) => Write::Put {
                                key: (*key).into(),
                                value: value.clone(),
                            },
                            None => Write::Delete {
                                key: (*key).into(),
                                last: gone(key),
                            },
                        })
                        .collect(),
                };
                let fails = expected
                    .iter()
                    .position(|(key, revision)| !model.holds(key, *revision));
                match (runtime.block_on(store.commit(transaction)), fails) {
                    (Ok(committed), None) => {
                        model.write(&writes);
                        assert_eq!(committed.revision, model.revision);
                        assert!(
                            committed
                                .entries
                                .iter()
                                .all(|entry| entry.revision == model.revision)
                        );
                    }
                    (Err(CommitError::Condition { index, found }), Some(fails)) => {
                        assert_eq!(index, fails);
                        let stands = model
                            .entries
                            .get(expected[fails].0)
                            .map(|(revision, _)| *revision);
                        assert_eq!(found.map(|entry| entry.revision), stands);
                    }
                    (answer, fails) => panic!("{answer:?} but condition {fails:?}"),
                }
            }
            Step::Reopen { close } => {
                assert_eq!(drain(&mut live), model.after("/r/a/", live_from));
                if *close {
                    runtime.block_on(store.close());
                    assert!(runtime.block_on(live.next()).unwrap().is_none());
                    let refused = runtime.block_on(store.commit(Transaction::default()));
                    assert!(matches!(refused, Err(CommitError::Closed)));
                }
                drop(store);
                store = open(folder.path(), engine);
                live = store.snapshot_and_watch("/r/a/").1;
                live_from = model.revision;
                same(&store, &model);
            }
            Step::Watch { prefix, back } => {
                let prefix = PREFIXES[*prefix];
                let after = model.revision.saturating_sub(*back);
                match store.watch(prefix, after) {
                    Ok(mut watch) => {
                        assert_eq!(drain(&mut watch), model.after(prefix, after));
                        assert_eq!(watch.revision(), model.revision);
                    }
                    Err(compacted) => {
                        assert_eq!(compacted.asked, after);
                        assert!(compacted.oldest > after);
                        let kept = model.after("", after).len();
                        assert!(kept > WINDOW, "only {kept} events and refused");
                    }
                }
            }
        }
        same(&store, &model);
    }
    assert_eq!(drain(&mut live), model.after("/r/a/", live_from));
}

#[rstest]
fn random_transactions(#[values(EngineKind::Sled, EngineKind::Redb)] engine: EngineKind) {
    let config = Config {
        cases: 24,
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let steps = Arc::new(steps());
    TestRunner::new(config)
        .run(&steps, |steps| {
            run(&steps, engine);
            Ok(())
        })
        .unwrap();
}
