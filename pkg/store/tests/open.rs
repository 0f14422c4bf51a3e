//! Opening in every circumstance that is not simply right.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use kedge_store::{
    CommitError, Encoded, EngineKind, OpenError, Options, Recovery, Store, Transaction, Write,
};
use rstest::rstest;
use serde_json::json;

const BOTH: [EngineKind; 2] = [EngineKind::Sled, EngineKind::Redb];
/// Set in the process that runs in a mount namespace of its own, to its small file system.
const SMALL_DISK: &str = "KEDGE_STORE_SMALL_DISK";

fn options(path: &Path, engine: EngineKind) -> Options {
    Options {
        path: path.to_owned(),
        engine,
        window: 20,
    }
}

fn open(path: &Path, engine: EngineKind) -> (Store, Recovery) {
    Store::open(&options(path, engine)).unwrap()
}

fn commit(store: &Store, writes: Vec<Write>) -> Result<u64, CommitError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let committed = runtime.block_on(store.commit(Transaction {
        conditions: Vec::new(),
        writes,
    }))?;
    Ok(committed.revision)
}

fn put(key: &str, size: usize) -> Write {
    let value = Encoded::object(&json!({"metadata": {"name": key}, "pad": "x".repeat(size)}));
    Write::Put {
        key: key.into(),
        value,
    }
}

fn contents(store: &Store) -> BTreeMap<String, Vec<u8>> {
    store
        .snapshot()
        .range("", None)
        .map(|e| (e.key.to_string(), e.value().to_vec()))
        .collect()
}

fn filled(path: &Path, engine: EngineKind) -> (BTreeMap<String, Vec<u8>>, u64) {
    let (store, _) = open(path, engine);
    for number in 0..30 {
        commit(&store, vec![put(&format!("/r/{}", number % 12), 500)]).unwrap();
    }
    commit(
        &store,
        vec![Write::Delete {
            key: "/r/3".into(),
            last: Encoded::plain(b"{}".to_vec()),
        }],
    )
    .unwrap();
    (contents(&store), store.revision())
}

#[rstest]
fn a_new_store_is_private_and_begins_at_1(
    #[values(EngineKind::Sled, EngineKind::Redb)] engine: EngineKind,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a/b/store");
    let (store, recovery) = open(&path, engine);
    assert!(recovery.damaged.is_none() && recovery.lost.is_empty());
    assert_eq!(store.revision(), 1);
    assert!(store.watch("/", 0).is_ok());
    assert_eq!(commit(&store, vec![put("/a", 1)]).unwrap(), 2);
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o700
    );
    // Closed first: while its first snapshot is written, files here change their names.
    drop(store);
    for file in std::fs::read_dir(&path).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o077,
            0,
            "{}",
            file.display()
        );
    }
}

#[test]
fn a_store_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (store, _) = open(&path, EngineKind::Sled);
    for engine in BOTH {
        let refused = Store::open(&options(&path, engine)).err().unwrap();
        assert!(matches!(refused, OpenError::Locked { .. }), "{refused}");
    }
    let again = store.clone();
    drop(store);
    assert!(
        Store::open(&options(&path, EngineKind::Sled)).is_err(),
        "a clone holds it"
    );
    drop(again);
    open(&path, EngineKind::Sled);
}

#[test]
fn a_path_that_cannot_be_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, "not a folder").unwrap();
    for path in [path.clone(), path.join("below")] {
        let refused = Store::open(&options(&path, EngineKind::Sled))
            .err()
            .unwrap();
        assert!(matches!(refused, OpenError::Io { .. }), "{refused}");
        assert!(refused.to_string().contains("file"), "{refused}");
    }
}

#[rstest]
fn the_engine_can_be_changed(#[values(EngineKind::Sled, EngineKind::Redb)] from: EngineKind) {
    let to = BOTH.into_iter().find(|engine| *engine != from).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (expected, revision) = filled(&path, from);
    for engine in [to, from] {
        let (store, recovery) = open(&path, engine);
        assert!(
            recovery.damaged.is_none() && recovery.lost.is_empty(),
            "{recovery:?}"
        );
        assert_eq!(
            (contents(&store), store.revision()),
            (expected.clone(), revision)
        );
        let mut watch = store.watch("/r/", revision - 10).unwrap();
        for expected in revision - 9..=revision {
            assert_eq!(
                watch.try_next().unwrap().unwrap().revision,
                expected,
                "a watch goes on"
            );
        }
    }
    let engines = ["sled", "redb"].map(|name| path.join(name).exists());
    assert_eq!(
        engines.iter().filter(|there| **there).count(),
        1,
        "the other's files are gone"
    );
}

#[test]
fn two_engines_are_one_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    drop(open(&path, EngineKind::Sled));
    std::fs::create_dir(path.join("redb")).unwrap();
    let refused = Store::open(&options(&path, EngineKind::Sled))
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("move"), "{refused}");
}

#[rstest]
fn an_engine_that_is_gone_comes_back(
    #[values(EngineKind::Sled, EngineKind::Redb)] engine: EngineKind,
) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (expected, revision) = filled(&path, engine);
    let name = if engine == EngineKind::Sled {
        "sled"
    } else {
        "redb"
    };
    std::fs::remove_dir_all(path.join(name)).unwrap();
    let (store, recovery) = open(&path, engine);
    assert!(recovery.damaged.unwrap().1.contains("gone"));
    assert_eq!(contents(&store), expected);
    assert!(store.revision() > revision);
}

#[test]
fn a_damaged_engine_can_be_changed_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (expected, _) = filled(&path, EngineKind::Redb);
    std::fs::write(path.join("redb/store.redb"), "nonsense").unwrap();
    let (store, recovery) = open(&path, EngineKind::Sled);
    let (aside, _) = recovery.damaged.unwrap();
    assert_eq!(
        std::fs::read_to_string(aside.join("store.redb")).unwrap(),
        "nonsense"
    );
    assert_eq!(contents(&store), expected);
}

#[test]
fn only_some_damaged_stores_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (expected, _) = filled(&path, EngineKind::Redb);
    for round in 1..=5 {
        std::fs::write(path.join("redb/store.redb"), format!("nonsense {round}")).unwrap();
        let (store, recovery) = open(&path, EngineKind::Redb);
        assert!(
            recovery
                .damaged
                .unwrap()
                .0
                .ends_with(format!("damaged-{round}"))
        );
        assert_eq!(contents(&store), expected, "round {round}");
    }
    let kept: Vec<bool> = (1..=5)
        .map(|round| path.join(format!("damaged-{round}")).exists())
        .collect();
    assert_eq!(kept, [false, false, true, true, true]);
}

#[rstest]
fn a_change_of_files_that_was_interrupted_is_finished(
    #[values(EngineKind::Sled, EngineKind::Redb)] engine: EngineKind,
    #[values("ready", "copied")] step: &str,
    #[values(true, false)] old_is_there: bool,
) {
    let name = if engine == EngineKind::Sled {
        "sled"
    } else {
        "redb"
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let (expected, revision) = filled(&path, engine);
    std::fs::rename(path.join(name), path.join(format!("{name}.{step}"))).unwrap();
    std::fs::create_dir(path.join(format!("{name}.new"))).unwrap();
    std::fs::write(path.join("snapshot-7.tmp"), "half").unwrap();
    if old_is_there {
        std::fs::create_dir(path.join(name)).unwrap();
    }
    let (store, recovery) = open(&path, engine);
    assert!(recovery.damaged.is_none(), "{recovery:?}");
    assert_eq!((contents(&store), store.revision()), (expected, revision));
    assert_eq!(
        path.join("damaged-1").exists(),
        old_is_there && step == "ready"
    );
    assert!(!path.join(format!("{name}.new")).exists() && !path.join("snapshot-7.tmp").exists());
}

#[rstest]
#[case::sled(EngineKind::Sled, "a_full_disk_is_told_and_harms_nothing::case_1_sled")]
#[case::redb(EngineKind::Redb, "a_full_disk_is_told_and_harms_nothing::case_2_redb")]
fn a_full_disk_is_told_and_harms_nothing(#[case] engine: EngineKind, #[case] name: &str) {
    if let Some(disk) = std::env::var_os(SMALL_DISK) {
        return fill_the_disk(disk.as_ref(), engine);
    }
    let folder = tempfile::tempdir().unwrap();
    // In a mount namespace of its own, which goes with the process and with it the file system.
    let script = "mount -t tmpfs -o size=40m tmpfs \"$0\" && exec \"$@\"";
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(SMALL_DISK, folder.path())
        .output()
        .unwrap();
    let output = [output.stdout, output.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    assert!(
        output.contains("1 passed") && output.contains("disk was full"),
        "{output}"
    );
}

fn fill_the_disk(disk: &Path, engine: EngineKind) {
    let path = disk.join("store");
    let (store, _) = open(&path, engine);
    let mut number = 0;
    let why = loop {
        match commit(&store, vec![put(&format!("/r/{number}"), 200_000)]) {
            Ok(_) => number += 1,
            Err(CommitError::Engine(why)) => break why,
            Err(error) => panic!("{error}"),
        }
    };
    println!("disk was full after {number} objects: {why}");
    assert!(number > 5 && why.contains("free"), "{why}");
    let delete = |key: &str| Write::Delete {
        key: key.into(),
        last: Encoded::plain(b"{}".to_vec()),
    };
    commit(&store, vec![delete("/r/0")]).expect("room is kept for deletes");
    // Somebody else takes what was left for them, and gives it back.
    let other = disk.join("other");
    let full = std::fs::write(&other, vec![1; 40 << 20]);
    assert!(full.is_err());
    assert!(commit(&store, vec![put("/r/small", 10)]).is_err());
    std::fs::remove_file(&other).unwrap();
    commit(&store, vec![delete("/r/1")]).unwrap();
    let expected = contents(&store);
    drop(store);

    std::fs::write(&other, vec![1; 40 << 20]).unwrap_err();
    let refused = Store::open(&options(&path, engine))
        .err()
        .unwrap()
        .to_string();
    assert!(refused.contains("free"), "{refused}");
    std::fs::remove_file(&other).unwrap();
    let (store, recovery) = open(&path, engine);
    assert!(recovery.damaged.is_none(), "{recovery:?}");
    assert_eq!(contents(&store), expected);
}
