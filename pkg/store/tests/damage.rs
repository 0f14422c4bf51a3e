//! A zeroed block anywhere in any file of a store: nothing is lost, and what was done about it is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use kedge_store::{Encoded, EngineKind, Options, Recovery, Store, Transaction, Write};
use rstest::rstest;
use serde_json::json;

const TRIALS: u64 = 24;
const BLOCK: u64 = 4096;
/// Longer than any opening takes, and than a hanging engine is waited for.
const HANG: Duration = Duration::from_secs(50);

type Contents = BTreeMap<String, Vec<u8>>;

/// xorshift64*: the same trials every time.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % below
    }
}

fn options(path: &Path, engine: EngineKind) -> Options {
    Options {
        path: path.to_owned(),
        engine,
        window: 50,
    }
}

fn contents(store: &Store) -> Contents {
    store
        .snapshot()
        .range("", None)
        .map(|e| (e.key.to_string(), e.value().to_vec()))
        .collect()
}

fn write(random: &mut Random) -> Write {
    let key = format!("/registry/services/default/s{}", random.next(90));
    let size = [40, 700, 1500, 2500, 20_000]
        [random.next(5) as usize % if random.next(8) == 0 { 5 } else { 4 }];
    let pad = format!("{:x}", random.next(1 << 40)).repeat(size / 8);
    let value = Encoded::object(
        &json!({"kind": "Service", "metadata": {"name": key, "uid": pad[..4]}, "spec": {"pad": pad}}),
    );
    if random.next(5) == 0 {
        Write::Delete { key, last: value }
    } else {
        Write::Put { key, value }
    }
}

/// A store that has been used for a while, as it is on disk after a clean end or, by copying it while
/// it is open, after a kill. Its contents and revision.
fn used(random: &mut Random, engine: EngineKind, folder: &Path, clean: bool) -> (Contents, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let live = common::scratch();
    let path = live.path().join("store");
    let mut told = None;
    for _ in 0..2 {
        let (store, recovery) = Store::open(&options(&path, engine)).unwrap();
        assert!(recovery.damaged.is_none(), "{recovery:?}");
        for _ in 0..random.next(60) + 30 {
            let writes = (0..random.next(4) + 1).map(|_| write(random)).collect();
            runtime
                .block_on(store.commit(Transaction {
                    conditions: Vec::new(),
                    writes,
                }))
                .unwrap();
        }
        told = Some((contents(&store), store.revision()));
        if clean {
            runtime.block_on(store.close());
        }
        // The last opening's state, open or closed.
        let _ = std::fs::remove_dir_all(folder);
        copy(&path, folder);
    }
    told.unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        match path.is_dir() {
            true => copy(&path, &to),
            // A snapshot's temporary file may go while this runs.
            false => drop(std::fs::copy(&path, &to)),
        }
    }
}

fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.clone(), path.metadata().unwrap().len())),
        }
    }
    found.retain(|(_, len)| *len > 0);
    found.sort();
    found
}

/// Zeroes a block: most times anywhere in all the bytes, some times in a file that is small among them.
fn damage(random: &mut Random, folder: &Path) -> String {
    let files = files(folder);
    let blocks: Vec<(&Path, u64, u64)> = files
        .iter()
        .flat_map(|(path, len)| {
            (0..len.div_ceil(BLOCK)).map(move |block| (path.as_path(), block * BLOCK, *len))
        })
        .collect();
    let (path, at, len) = if random.next(3) == 0 {
        let (path, len) = &files[random.next(files.len() as u64) as usize];
        (
            path.as_path(),
            random.next(len.div_ceil(BLOCK)) * BLOCK,
            *len,
        )
    } else {
        blocks[random.next(blocks.len() as u64) as usize]
    };
    let zeroed = BLOCK.min(len - at);
    OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .write_all_at(&vec![0; zeroed as usize], at)
        .unwrap();
    format!(
        "{} at {at} of {len}",
        path.strip_prefix(folder).unwrap().display()
    )
}

/// Opens in a thread, so that a hang is a failure and not the end of the test run.
fn open(path: &Path, engine: EngineKind) -> (Store, Recovery) {
    let (sender, receiver) = mpsc::channel();
    let options = options(path, engine);
    std::thread::spawn(move || sender.send(Store::open(&options)));
    receiver
        .recv_timeout(HANG)
        .expect("a panic or a hang")
        .unwrap()
}

#[rstest]
fn nothing_is_lost(#[values(EngineKind::Sled, EngineKind::Redb)] engine: EngineKind) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let mut set_aside = 0;
    for trial in 0..TRIALS {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (trial + 1) << 7);
        let folder = common::scratch();
        let path = folder.path().join("store");
        let (expected, revision) = used(&mut random, engine, &path, trial % 2 == 0);
        let place = damage(&mut random, &path);

        let (store, recovery) = open(&path, engine);
        let context = format!("trial {trial}, {place}: {recovery:?}");
        assert!(contents(&store) == expected, "{context}");
        assert!(recovery.lost.is_empty(), "{context}");
        match &recovery.damaged {
            None => assert_eq!(store.revision(), revision, "{context}"),
            Some((aside, why)) => {
                set_aside += 1;
                println!("{place}: {why}");
                assert!(aside.exists() && !why.is_empty(), "{context}");
                assert!(
                    store.revision() > revision,
                    "a revision could mean two things: {context}"
                );
                assert!(
                    store.watch("/", revision).is_err(),
                    "a watch could miss what changed: {context}"
                );
            }
        }
        let writes = vec![write(&mut random)];
        let committed = runtime
            .block_on(store.commit(Transaction {
                conditions: Vec::new(),
                writes,
            }))
            .unwrap();
        assert!(committed.revision >= revision);
        let after = contents(&store);
        drop(store);
        let (store, recovery) = open(&path, engine);
        assert!(
            recovery.damaged.is_none(),
            "not recovered for good: {context}, then {recovery:?}"
        );
        assert!(contents(&store) == after, "{context}");
    }
    println!("{engine:?}: {set_aside} of {TRIALS} set aside");
    assert!(set_aside >= 3, "only {set_aside} trials did any damage");
}
