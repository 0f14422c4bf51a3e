//! The snapshot file and the journal: when they are written, and how much.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;

use kedge_store::{Encoded, EngineKind, Options, Store, Transaction, Write};
use rstest::rstest;

fn open(path: &Path, engine: EngineKind) -> Store {
    let (store, recovery) = Store::open(&Options {
        path: path.to_owned(),
        engine,
        window: 5,
    })
    .unwrap();
    assert!(recovery.damaged.is_none());
    store
}

fn put(store: &Store, key: &str, size: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let writes = vec![Write::Put {
        key: key.into(),
        value: Encoded::plain(vec![7; size]),
    }];
    runtime
        .block_on(store.commit(Transaction {
            conditions: Vec::new(),
            writes,
        }))
        .unwrap();
}

/// Revision and length of each file of that name.
fn files(path: &Path, prefix: &str) -> Vec<(u64, u64)> {
    let mut found: Vec<(u64, u64)> = std::fs::read_dir(path)
        .unwrap()
        .filter_map(|entry| {
            let entry = entry.unwrap();
            let revision = entry
                .file_name()
                .to_str()?
                .strip_prefix(prefix)?
                .parse()
                .ok()?;
            Some((revision, entry.metadata().unwrap().len()))
        })
        .collect();
    found.sort_unstable();
    found
}

#[rstest]
fn a_snapshot_follows_when_the_journal_has_grown(
    #[values(EngineKind::Sled, EngineKind::Redb)] engine: EngineKind,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, engine);
    for _ in 0..9 {
        put(&store, "/a", 500_000);
    }
    // 4.5 MB of changes to half a MB of objects: the ninth made it due.
    put(&store, "/a", 500_000);
    drop(store);
    let snapshots = files(&path, "snapshot-");
    assert_eq!(snapshots.len(), 1, "{snapshots:?}");
    assert!(
        snapshots[0].0 >= 10 && snapshots[0].1 < 600_000,
        "{snapshots:?}"
    );
    let journals: u64 = files(&path, "journal-").iter().map(|(_, len)| len).sum();
    assert!(journals < 1 << 20, "{journals} bytes of journals");
}

#[test]
fn a_close_writes_a_snapshot_only_after_changes_worth_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let store = open(&path, EngineKind::Sled);
    for number in 0..20 {
        put(&store, &format!("/{number}"), 10_000);
    }
    drop(store);
    assert_eq!(
        files(&path, "snapshot-")
            .iter()
            .map(|(at, _)| *at)
            .collect::<Vec<_>>(),
        [21]
    );
    assert!(
        files(&path, "journal-").is_empty(),
        "the snapshot has all of it"
    );

    let store = open(&path, EngineKind::Sled);
    drop(store);
    let unchanged = files(&path, "snapshot-");
    assert_eq!(
        unchanged.iter().map(|(at, _)| *at).collect::<Vec<_>>(),
        [21]
    );

    let store = open(&path, EngineKind::Sled);
    put(&store, "/0", 100);
    drop(store);
    assert_eq!(
        files(&path, "snapshot-"),
        unchanged,
        "one small change is left to the journal"
    );
    assert_eq!(
        open(&path, EngineKind::Sled).get("/0").unwrap().revision,
        22
    );
}
