//! Watches: every event once and in order, bounded, bookmarked, gone when dropped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use kedge_store::{
    CommitError, Condition, Encoded, EngineKind, Options, Store, Transaction, Watch, Write,
};
use serde_json::json;
use tempfile::TempDir;

fn store(window: usize) -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        path: folder.path().join("store"),
        engine: EngineKind::Sled,
        window,
    };
    let (store, _) = Store::open(&options).unwrap();
    (folder, store)
}

fn put(key: &str, value: u64) -> Transaction {
    let value = Encoded::object(&json!({"metadata": {"name": key}, "value": value}));
    Transaction {
        conditions: Vec::new(),
        writes: vec![Write::Put {
            key: key.into(),
            value,
        }],
    }
}

#[tokio::test]
async fn a_watch_waits_and_wakes() {
    let (_folder, store) = store(10);
    let (snapshot, mut watch) = store.snapshot_and_watch("/a/");
    assert_eq!(watch.revision(), snapshot.revision());
    let waiting = tokio::spawn(async move { watch.next().await.map(|event| (event, watch)) });
    tokio::task::yield_now().await;
    store.commit(put("/b/1", 1)).await.unwrap();
    let committed = store.commit(put("/a/1", 1)).await.unwrap();
    let (event, mut watch) = waiting.await.unwrap().unwrap();
    let event = event.unwrap();
    assert_eq!(event.revision, committed.revision);
    assert!(
        Arc::ptr_eq(event.entry(), &committed.entries[0]),
        "the bytes are shared"
    );
    // What is under other prefixes moves the bookmark on.
    let elsewhere = store.commit(put("/b/1", 2)).await.unwrap();
    assert!(watch.try_next().unwrap().is_none());
    assert_eq!(watch.revision(), elsewhere.revision);
}

#[tokio::test]
async fn several_are_waited_for_at_once() {
    let (_folder, store) = store(10);
    let mut watches = ["/a/", "/b/"].map(|prefix| store.snapshot_and_watch(prefix).1);
    let waiting = tokio::spawn(async move {
        let mut told = Vec::new();
        while told.len() < 3 {
            let (place, event) = poll_fn(|context| Watch::poll_first(&mut watches, context)).await;
            told.push((place, event.unwrap().unwrap().entry().key.to_string()));
        }
        told
    });
    // Each is waited for anew once another was told of.
    for key in ["/b/1", "/a/1", "/b/2"] {
        tokio::task::yield_now().await;
        store.commit(put(key, 1)).await.unwrap();
    }
    let expected = [(1, "/b/1"), (0, "/a/1"), (1, "/b/2")];
    let told = waiting.await.unwrap();
    assert_eq!(told, expected.map(|(place, key)| (place, key.to_string())));
}

#[tokio::test]
async fn a_bookmark_never_passes_what_waits() {
    let (_folder, store) = store(10);
    let (_, mut watch) = store.snapshot_and_watch("/a/");
    let first = store.commit(put("/a/1", 1)).await.unwrap().revision;
    store.commit(put("/a/1", 2)).await.unwrap();
    assert_eq!(watch.revision(), first - 1);
    watch.next().await.unwrap();
    assert_eq!(watch.revision(), first);
    watch.next().await.unwrap();
    assert_eq!(watch.revision(), first + 1);
}

#[tokio::test]
async fn a_watch_of_the_future_waits_for_it() {
    let (_folder, store) = store(10);
    let now = store.revision();
    let mut watch = store.watch("/a/", now + 2).unwrap();
    for value in 0..3 {
        store.commit(put("/a/1", value)).await.unwrap();
    }
    assert_eq!(watch.next().await.unwrap().unwrap().revision, now + 3);
}

#[tokio::test]
async fn a_slow_watch_is_cut_off_and_others_are_not() {
    let (_folder, store) = store(10);
    let (_, mut slow) = store.snapshot_and_watch("/a/");
    let (_, mut other) = store.snapshot_and_watch("/a/");
    let (_, mut elsewhere) = store.snapshot_and_watch("/b/");
    let start = slow.revision();
    for value in 0..1100 {
        store.commit(put("/a/1", value)).await.unwrap();
        assert_eq!(
            other.next().await.unwrap().unwrap().revision,
            start + 1 + value
        );
    }
    let lagged = slow.next().await.unwrap_err();
    assert!(lagged.0 > 1000, "{lagged}");
    assert_eq!(slow.next().await.unwrap_err(), lagged, "for good");
    assert_eq!(slow.revision(), start, "nothing was handed out");
    assert!(elsewhere.try_next().unwrap().is_none());
}

#[tokio::test]
async fn large_objects_do_not_pile_up() {
    let (_folder, store) = store(1000);
    let (_, mut slow) = store.snapshot_and_watch("/a/");
    let large = Encoded::plain(vec![7; 3 << 20]);
    for _ in 0..8 {
        let writes = vec![Write::Put {
            key: "/a/1".into(),
            value: large.clone(),
        }];
        store
            .commit(Transaction {
                conditions: Vec::new(),
                writes,
            })
            .await
            .unwrap();
    }
    assert!(slow.next().await.is_err(), "24 MiB wait for it");
    // Nor does the window keep them all.
    assert!(store.watch("/a/", store.revision() - 7).is_err());
    assert!(store.watch("/a/", store.revision() - 1).is_ok());
}

#[tokio::test]
async fn closing_ends_watches_after_what_waits() {
    let (_folder, store) = store(10);
    let (_, mut watch) = store.snapshot_and_watch("/a/");
    store.commit(put("/a/1", 1)).await.unwrap();
    store.close().await;
    assert!(watch.next().await.unwrap().is_some());
    assert!(watch.next().await.unwrap().is_none());
    let (_, mut late) = store.snapshot_and_watch("/a/");
    assert!(late.next().await.unwrap().is_none());
    assert!(matches!(
        store.commit(put("/a/1", 2)).await,
        Err(CommitError::Closed)
    ));
    // Reading goes on.
    assert!(store.get("/a/1").is_some());
    store.close().await;
}

/// Writers that race for the same objects; each watcher sees one history, without a gap, that ends in the state.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_and_watchers_agree() {
    const WRITERS: u64 = 16;
    const INCREMENTS: u64 = 20;
    let (_folder, store) = store(100);
    let watchers: Vec<_> = (0..50)
        .map(|_| {
            let (snapshot, mut watch) = store.snapshot_and_watch("/counter/");
            tokio::spawn(async move {
                let (mut last, mut seen) = (snapshot.revision(), 0);
                while seen < WRITERS * INCREMENTS {
                    let event = watch.next().await.unwrap().unwrap();
                    assert_eq!(event.revision, last + 1, "a gap");
                    last = event.revision;
                    seen += 1;
                }
                last
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = store.clone();
            tokio::spawn(async move {
                let key = format!("/counter/{}", writer % 3);
                let mut conflicts = 0;
                for _ in 0..INCREMENTS {
                    loop {
                        let found = store.get(&key);
                        let value = found.as_ref().map_or(0, |entry| {
                            serde_json::from_slice::<serde_json::Value>(&entry.value())
                                        .unwrap()["value"]
                                        .as_u64()
                                        .unwrap()
                        });
                        let mut transaction = put(&key, value + 1);
                        transaction.conditions = vec![match found {
                            None => Condition::Absent { key: key.clone() },
                            Some(entry) => Condition::Revision {
                                key: key.clone(),
                                revision: entry.revision,
                            },
                        }];
                        match store.commit(transaction).await {
                            Ok(_) => break,
                            Err(CommitError::Condition { .. }) => conflicts += 1,
                            Err(error) => panic!("{error}"),
                        }
                    }
                }
                conflicts
            })
        })
        .collect();
    let mut conflicts = 0;
    for writer in writers {
        conflicts += writer.await.unwrap();
    }
    assert!(conflicts > 0, "nobody raced");
    for watcher in watchers {
        let last = tokio::time::timeout(Duration::from_secs(20), watcher)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(last, store.revision());
    }
    let total: u64 = store
        .snapshot()
        .range("/counter/", None)
        .map(|entry| {
            serde_json::from_slice::<serde_json::Value>(&entry.value()).unwrap()["value"]
                .as_u64()
                .unwrap()
        })
        .sum();
    assert_eq!(total, WRITERS * INCREMENTS, "an update was lost");
}
