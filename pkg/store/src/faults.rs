//! An engine that fails on command: what is told and what is seen then, and how the store gets well again.

use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};

use futures_util::future::{join_all, poll_immediate};
use rstest::rstest;
use tempfile::TempDir;

use crate::engine::{Batch, Direction, Engine, EngineError, Visit};
use crate::folder::Folder;
use crate::open::{Opened, Opening, start};
use crate::{CommitError, Committed, Encoded, EngineKind, Options, Store, Transaction, Write};

const WELL: u8 = 0;
const FAIL_BEFORE: u8 = 1;
const FAIL_AFTER: u8 = 2;
const PANIC: u8 = 3;
/// Of several batches the first is written.
const FAIL_BETWEEN: u8 = 4;

/// A real engine whose next write does as it is told.
struct Faulty {
    engine: Box<dyn Engine>,
    next: Arc<AtomicU8>,
    /// Told of each write, which then waits for the gate.
    begun: Sender<()>,
    gate: Arc<Mutex<()>>,
}

impl Engine for Faulty {
    fn write(&mut self, batches: &[Batch]) -> Result<(), EngineError> {
        let nobody_knows = Err(EngineError("nobody knows".into()));
        let next = self.next.load(Ordering::SeqCst);
        let _ = self.begun.send(());
        let _open = self.gate.lock();
        match next {
            FAIL_BEFORE => Err(EngineError("the disk is on fire".into())),
            FAIL_AFTER => self.engine.write(batches).and(nobody_knows),
            FAIL_BETWEEN => self.engine.write(&batches[..1]).and(nobody_knows),
            PANIC => panic!("page 7 is missing"),
            _ => self.engine.write(batches),
        }
    }

    fn scan(&self, direction: Direction, visit: &mut Visit<'_>) -> Result<(), EngineError> {
        self.engine.scan(direction, visit)
    }

    fn close(self: Box<Self>) -> Result<(), EngineError> {
        self.engine.close()
    }
}

struct Lab {
    _folder: TempDir,
    store: Store,
    next: Arc<AtomicU8>,
    begun: Receiver<()>,
    gate: Arc<Mutex<()>>,
    runtime: tokio::runtime::Runtime,
}

impl Lab {
    fn new(kind: EngineKind) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            path: folder.path().join("store"),
            engine: kind,
            window: 10,
        };
        let held = Folder::open(&options.path).unwrap();
        let opened = Opening {
            folder: &held,
            kind,
            window: 10,
        }
        .open()
        .unwrap();
        let next = Arc::new(AtomicU8::new(WELL));
        let (begin, begun) = mpsc::channel();
        let gate = Arc::default();
        let engine = Box::new(Faulty {
            engine: opened.engine,
            next: Arc::clone(&next),
            begun: begin,
            gate: Arc::clone(&gate),
        });
        let store = start(&options, held, Opened { engine, ..opened }).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Self {
            _folder: folder,
            store,
            next,
            begun,
            gate,
            runtime,
        }
    }

    fn put(&self, key: &str) -> Result<Committed, CommitError> {
        self.runtime.block_on(self.store.commit(put(key)))
    }
}

fn put(key: &str) -> Transaction {
    let value = Encoded::plain(b"value".to_vec());
    let key = key.into();
    Transaction {
        conditions: Vec::new(),
        writes: vec![Write::Put { key, value }],
    }
}

#[rstest]
fn a_failed_write_is_told_and_not_seen(
    #[values(EngineKind::Sled, EngineKind::Redb)] kind: EngineKind,
    #[values(FAIL_BEFORE, PANIC)] fault: u8,
) {
    let lab = Lab::new(kind);
    let (_, mut watch) = lab.store.snapshot_and_watch("/");
    let before = lab.put("/before").unwrap().revision;
    lab.next.store(fault, Ordering::SeqCst);
    let Err(CommitError::Engine(why)) = lab.put("/failed") else {
        panic!("not told")
    };
    assert!(why.contains("on fire") || why.contains("page 7"), "{why}");
    assert!(lab.store.get("/failed").is_none());
    assert_eq!(lab.store.revision(), before);

    // The next one finds the engine opened anew.
    assert_eq!(lab.put("/after").unwrap().revision, before + 1);
    let keys = std::iter::from_fn(|| {
        watch
            .try_next()
            .unwrap()
            .map(|event| event.entry().key.to_string())
    });
    assert_eq!(keys.collect::<Vec<_>>(), ["/before", "/after"]);
    assert_eq!(watch.revision(), before + 1);
}

#[rstest]
fn a_write_that_was_durable_after_all_is_seen_later(
    #[values(EngineKind::Sled, EngineKind::Redb)] kind: EngineKind,
) {
    let lab = Lab::new(kind);
    let (_, mut watch) = lab.store.snapshot_and_watch("/");
    lab.next.store(FAIL_AFTER, Ordering::SeqCst);
    assert!(matches!(lab.put("/unknown"), Err(CommitError::Engine(_))));
    assert!(lab.store.get("/unknown").is_none());
    let after = lab.put("/after").unwrap().revision;
    let events = std::iter::from_fn(|| watch.try_next().unwrap());
    let told: Vec<_> = events
        .map(|event| (event.entry().key.to_string(), event.revision))
        .collect();
    assert_eq!(
        told,
        [("/unknown".into(), after - 1), ("/after".into(), after)]
    );
}

#[rstest]
fn of_writes_that_share_a_flush_all_are_seen_where_one_was_durable(
    #[values(EngineKind::Sled, EngineKind::Redb)] kind: EngineKind,
) {
    let lab = Lab::new(kind);
    let (_, mut watch) = lab.store.snapshot_and_watch("/");
    {
        let runtime = &lab.runtime;
        let mut first = pin!(lab.store.commit(put("/first")));
        let three = ["/a", "/b", "/c"].map(|key| lab.store.commit(put(key)));
        let mut three = pin!(join_all(three));
        let shut = lab.gate.lock().unwrap();
        assert!(runtime.block_on(poll_immediate(&mut first)).is_none());
        lab.begun.recv().unwrap();
        // While the first is being written, the others gather.
        lab.next.store(FAIL_BETWEEN, Ordering::SeqCst);
        assert!(runtime.block_on(poll_immediate(&mut three)).is_none());
        drop(shut);
        runtime.block_on(first).unwrap();
        for told in runtime.block_on(three) {
            assert!(matches!(told, Err(CommitError::Engine(_))));
        }
    }
    assert!(lab.store.get("/a").is_none());
    let after = lab.put("/after").unwrap().revision;
    let events = std::iter::from_fn(|| watch.try_next().unwrap());
    let told: Vec<_> = events
        .map(|event| (event.entry().key.to_string(), event.revision))
        .collect();
    let keys = ["/first", "/a", "/b", "/c", "/after"];
    let expected = keys.map(String::from).into_iter().zip(after - 4..);
    assert_eq!(told, expected.collect::<Vec<_>>());
    // As does the one that opens it next.
    let Lab {
        _folder: folder,
        store,
        ..
    } = lab;
    drop(store);
    let options = Options {
        path: folder.path().join("store"),
        engine: kind,
        window: 10,
    };
    let (store, recovery) = Store::open(&options).unwrap();
    assert!(recovery.damaged.is_none(), "{recovery:?}");
    assert!(keys.iter().all(|key| store.get(key).is_some()));
}

#[test]
fn a_store_that_failed_opens_again() {
    let lab = Lab::new(EngineKind::Sled);
    lab.put("/before").unwrap();
    lab.next.store(FAIL_BEFORE, Ordering::SeqCst);
    assert!(lab.put("/failed").is_err());
    let Lab {
        _folder: folder,
        store,
        ..
    } = lab;
    drop(store);
    let options = Options {
        path: folder.path().join("store"),
        engine: EngineKind::Sled,
        window: 10,
    };
    let (store, recovery) = Store::open(&options).unwrap();
    assert!(recovery.damaged.is_none(), "{recovery:?}");
    assert!(store.get("/before").is_some() && store.get("/failed").is_none());
}
