//! An engine that fails on command: what is told and what is seen then, and how the store gets well again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

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

/// A real engine whose next write does as it is told.
struct Faulty {
    engine: Box<dyn Engine>,
    next: Arc<AtomicU8>,
}

impl Engine for Faulty {
    fn write(&mut self, batch: &Batch) -> Result<(), EngineError> {
        match self.next.load(Ordering::SeqCst) {
            FAIL_BEFORE => Err(EngineError("the disk is on fire".into())),
            FAIL_AFTER => self
                .engine
                .write(batch)
                .and(Err(EngineError("nobody knows".into()))),
            PANIC => panic!("page 7 is missing"),
            _ => self.engine.write(batch),
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
        let engine = Box::new(Faulty {
            engine: opened.engine,
            next: Arc::clone(&next),
        });
        let store = start(&options, held, Opened { engine, ..opened }).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Self {
            _folder: folder,
            store,
            next,
            runtime,
        }
    }

    fn put(&self, key: &str) -> Result<Committed, CommitError> {
        let writes = vec![Write::Put {
            key: key.into(),
            value: Encoded::plain(b"value".to_vec()),
        }];
        self.runtime.block_on(self.store.commit(Transaction {
            conditions: Vec::new(),
            writes,
        }))
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
