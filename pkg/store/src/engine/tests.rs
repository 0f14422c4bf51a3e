//! One suite for all engines.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rstest::rstest;

use super::*;
use crate::record::{Kind, Record, encoded_len};

/// Keys and sizes to put, which records to remove, whether to open anew.
type Step = (Vec<(&'static str, usize)>, Vec<prop::sample::Index>, bool);

fn put(revision: u64, key: &str, value: &[u8]) -> Put {
    let mut bytes = Vec::new();
    Record {
        revision,
        kind: Kind::Put,
        last: true,
        totals: None,
        key,
        value,
    }
    .encode(&mut bytes);
    Put {
        revision,
        key: key.into(),
        bytes,
    }
}

fn contents(engine: &dyn Engine, direction: Direction) -> Vec<(u64, String, Vec<u8>)> {
    let mut found = Vec::new();
    engine
        .scan(direction, &mut |row| {
            let record = row.record().unwrap();
            assert_eq!(row.revision(), record.revision);
            found.push((
                record.revision,
                record.key.to_owned(),
                record.value.to_vec(),
            ));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn blobs(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("blobs")).map_or(0, Iterator::count)
}

#[rstest]
fn holds_what_was_written(#[values(EngineKind::Sled, EngineKind::Redb)] kind: EngineKind) {
    let key = proptest::sample::select(vec!["/a", "/b", "/registry/services/default/web", ""]);
    let size = proptest::sample::select(vec![0usize, 10, 4_000, 4_096, 9_000, 70_000]);
    let batch = (
        proptest::collection::vec((key, size), 0..6),
        proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        proptest::bool::weighted(0.2),
    );
    let config = Config {
        cases: 12,
        failure_persistence: None,
        ..Config::default()
    };
    let run = |batches: Vec<Step>| {
        let folder = tempfile::tempdir().unwrap();
        let mut engine = open(kind, folder.path()).unwrap();
        let mut model = BTreeMap::new();
        for (revision, (puts, removes, reopen)) in (1..).zip(batches) {
            let mut batch = Batch::default();
            for (key, size) in puts {
                if model.contains_key(&(revision, key)) {
                    continue;
                }
                let value = vec![revision as u8; size];
                batch.puts.push(put(revision, key, &value));
                model.insert((revision, key), value);
            }
            for index in removes {
                let keys: Vec<_> = model.keys().copied().collect();
                if keys.is_empty() {
                    break;
                }
                let (revision, key) = *index.get(&keys);
                let value = model.remove(&(revision, key)).unwrap();
                let len = encoded_len(key, value.len());
                batch.removes.push(Remove {
                    revision,
                    key: key.into(),
                    len,
                });
            }
            engine.write(&[batch]).unwrap();
            if reopen {
                engine.close().unwrap();
                engine = open(kind, folder.path()).unwrap();
            }
        }
        let forward = contents(&*engine, Direction::Forward);
        let mut backward = contents(&*engine, Direction::Backward);
        backward.reverse();
        assert_eq!(forward, backward);
        assert!(forward.is_sorted_by_key(|(revision, ..)| *revision));
        let found: BTreeMap<_, _> = forward
            .into_iter()
            .map(|(revision, key, value)| ((revision, key), value))
            .collect();
        let expected: BTreeMap<_, _> = model
            .into_iter()
            .map(|((r, key), value)| ((r, key.to_owned()), value))
            .collect();
        assert_eq!(found, expected);
        Ok(())
    };
    TestRunner::new(config)
        .run(&proptest::collection::vec(batch, 1..25), run)
        .unwrap();
}

#[rstest]
fn a_scan_ends_when_told(#[values(EngineKind::Sled, EngineKind::Redb)] kind: EngineKind) {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = open(kind, folder.path()).unwrap();
    let batch = |revision| Batch {
        puts: vec![put(revision, "/a", b"value")],
        removes: Vec::new(),
    };
    let batches: Vec<_> = (1..=9).map(batch).collect();
    engine.write(&batches).unwrap();
    for (direction, first) in [(Direction::Forward, 1), (Direction::Backward, 9)] {
        let mut seen = Vec::new();
        engine
            .scan(direction, &mut |row| {
                seen.push(row.revision());
                ControlFlow::Break(())
            })
            .unwrap();
        assert_eq!(seen, [first]);
    }
}

/// sled puts nodes that are too large into files that it never syncs.
#[test]
fn sled_keeps_everything_in_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut engine = open(EngineKind::Sled, folder.path()).unwrap();
    let long = format!("/registry/{}", "k".repeat(700));
    for revision in 1..120 {
        let size = [100, 3_900, 4_096, 20_000, 1_500_000][revision as usize % 5];
        let mut batch = Batch {
            puts: vec![put(revision, &long, &vec![7; size])],
            removes: Vec::new(),
        };
        if revision > 40 {
            let old = revision - 40;
            let len = encoded_len(
                &long,
                [100, 3_900, 4_096, 20_000, 1_500_000][old as usize % 5],
            );
            batch.removes.push(Remove {
                revision: old,
                key: long.as_str().into(),
                len,
            });
        }
        engine.write(&[batch]).unwrap();
        assert_eq!(blobs(folder.path()), 0, "revision {revision}");
    }
    engine.close().unwrap();
    let engine = open(EngineKind::Sled, folder.path()).unwrap();
    assert_eq!(contents(&*engine, Direction::Forward).len(), 40);
}

#[test]
fn a_record_in_the_place_of_another_is_none() {
    let bytes = put(7, "/a", b"value").bytes;
    let place = row_key(7, "/a");
    assert!(
        Row {
            place: &place,
            bytes: &bytes
        }
        .record()
        .is_ok()
    );
    for place in [row_key(8, "/a"), row_key(7, "/b")] {
        assert!(
            Row {
                place: &place,
                bytes: &bytes
            }
            .record()
            .is_err()
        );
    }
}

/// A power cut in the middle of a write leaves of the log's new bytes what had come to the disk, from the first on.
#[test]
fn of_sleds_batches_a_power_cut_leaves_the_first_ones() {
    let folder = tempfile::tempdir().unwrap();
    let (path, log) = (
        folder.path().join("engine"),
        folder.path().join("engine").join(sled::FILE),
    );
    let alone = |revision| Batch {
        puts: vec![put(revision, "/registry/a", &vec![7; 1_500])],
        removes: Vec::new(),
    };
    let mut engine = open(EngineKind::Sled, &path).unwrap();
    for revision in 1..=20 {
        engine.write(&[alone(revision)]).unwrap();
    }
    let before = std::fs::read(&log).unwrap();
    // One of them is of several records, and takes an old one out.
    let mut together: Vec<_> = (21..=30).map(alone).collect();
    together[4].puts.push(put(25, "/registry/b", b"small"));
    together[4].removes.push(Remove {
        revision: 1,
        key: "/registry/a".into(),
        len: encoded_len("/registry/a", 1_500),
    });
    engine.write(&together).unwrap();
    let after = std::fs::read(&log).unwrap();
    drop(engine);

    let old = |at: usize| before.get(at).copied().unwrap_or(0);
    let changed = |at: &usize| after[*at] != old(*at);
    let first = (0..after.len()).find(changed).unwrap();
    let last = (0..after.len()).rfind(changed).unwrap();
    let mut survived = std::collections::BTreeSet::new();
    for cut in (first..=last + 1).step_by(199).chain([last + 1]) {
        let torn: Vec<u8> = (0..after.len())
            .map(|at| if at < cut { after[at] } else { old(at) })
            .collect();
        let copy = folder.path().join("copy");
        std::fs::create_dir(&copy).unwrap();
        for file in std::fs::read_dir(&path).unwrap().map(Result::unwrap) {
            if file.file_type().unwrap().is_file() {
                std::fs::copy(file.path(), copy.join(file.file_name())).unwrap();
            }
        }
        std::fs::write(copy.join(sled::FILE), torn).unwrap();
        let engine = open(EngineKind::Sled, &copy).unwrap();
        let found: Vec<_> = contents(&*engine, Direction::Forward)
            .into_iter()
            .map(|(revision, key, _)| (revision, key.ends_with('b')))
            .collect();
        let newest = found.last().unwrap().0;
        let mut expected: Vec<_> = (1..=newest).map(|revision| (revision, false)).collect();
        if newest >= 25 {
            expected.insert(25, (25, true));
            expected.remove(0);
        }
        let sorted = |mut rows: Vec<(u64, bool)>| {
            rows.sort_unstable();
            rows
        };
        assert_eq!(
            sorted(found),
            sorted(expected),
            "cut at {cut} of {first} to {last}"
        );
        survived.insert(newest);
        drop(engine);
        std::fs::remove_dir_all(&copy).unwrap();
    }
    assert!(
        survived.contains(&20) && survived.contains(&30),
        "{survived:?}"
    );
    assert!(survived.len() > 5, "{survived:?}");
}
