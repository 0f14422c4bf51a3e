//! Random histories, damaged in random places.

use std::borrow::Cow;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::engine::Batch;
use crate::hub::State;
use crate::prepare::{Prepared, prepare};
use crate::record::Totals;
use crate::window::Window;
use crate::{Encoded, Transaction, Write};

const KEYS: [&str; 5] = ["/a", "/b", "/c", "/d", "/e"];

/// One transaction: which keys, put or deleted.
type Step = Vec<(usize, bool)>;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(
        proptest::collection::vec((0..KEYS.len(), any::<bool>()), 1..4),
        2..30,
    )
}

/// Everything that a store would have on disk after these transactions.
struct History {
    state: State,
    snapshot: BackupFile,
    journal: BackupFile,
    engine: Salvage,
}

fn history(steps: &[Step], snapshot_after: usize, window: usize) -> History {
    let mut state = Arc::new(State {
        revision: 1,
        entries: crate::entries::Entries::default(),
    });
    let (mut totals, mut window) = (Totals::default(), Window::new(window, 0));
    let (mut engine, mut journal, mut snapshot) = (BTreeMap::new(), Vec::new(), None);
    for (number, step) in steps.iter().enumerate() {
        if number == snapshot_after.min(steps.len() - 1) {
            let mut bytes = Vec::new();
            snapshot_file::encode(&state, &mut bytes).unwrap();
            snapshot = Some(BackupFile {
                name: "snapshot".into(),
                revision: state.revision,
                bytes,
            });
            journal = Header::new(state.revision, 0)
                .encode(journal::MAGIC)
                .to_vec();
        }
        let write = |(key, put): &(usize, bool)| {
            let (key, value) = (
                KEYS[*key].to_owned(),
                Encoded::plain(format!("{number}").repeat(40).into_bytes()),
            );
            if *put {
                Write::Put { key, value }
            } else {
                Write::Delete { key, last: value }
            }
        };
        let transaction = Transaction {
            conditions: Vec::new(),
            writes: step.iter().map(write).collect(),
        };
        let excess: Vec<_> = window.excess().cloned().collect();
        let (_, Some(prepared)) = prepare(&state, totals, &excess, &[transaction]) else {
            continue;
        };
        let Prepared {
            batches,
            state: next,
            totals: of_all,
            events,
            ..
        } = prepared;
        for Batch { puts, removes } in batches {
            for put in puts {
                journal.extend(&put.bytes);
                engine.insert((put.revision, put.key.to_string()), put.bytes);
            }
            for remove in removes {
                engine
                    .remove(&(remove.revision, remove.key.to_string()))
                    .unwrap();
            }
        }
        window.compact(of_all.compacted);
        events.into_iter().for_each(|event| window.push(event));
        (state, totals) = (next, of_all);
    }
    let place =
        |(revision, key): (u64, String)| [&revision.to_be_bytes()[..], key.as_bytes()].concat();
    let records = engine
        .into_iter()
        .map(|(at, bytes)| (place(at), bytes))
        .collect();
    let snapshot = snapshot.unwrap();
    let journal = BackupFile {
        name: "journal".into(),
        revision: snapshot.revision,
        bytes: journal,
    };
    let engine = Salvage {
        records,
        ..Salvage::default()
    };
    let State { revision, entries } = &*state;
    History {
        state: State {
            revision: *revision,
            entries: entries.clone(),
        },
        snapshot,
        journal,
        engine,
    }
}

type Live<'a> = BTreeMap<&'a str, (u64, Cow<'a, [u8]>)>;

fn live<'a>(merged: &Merged<'a>) -> Live<'a> {
    let live = merged.live.iter();
    live.map(|(key, (revision, value))| (*key, (*revision, (*value).into())))
        .collect()
}

fn expected(state: &State) -> Live<'_> {
    state
        .entries
        .iter()
        .map(|entry| (&*entry.key, (entry.revision, entry.value())))
        .collect()
}

/// Zeroes what lies between two places behind the header.
fn zero(file: &mut BackupFile, from: prop::sample::Index, len: usize) -> bool {
    let start = backup_header::LEN + from.index((file.bytes.len() - backup_header::LEN).max(1));
    let end = (start + len).min(file.bytes.len());
    let changed = file
        .bytes
        .get(start..end)
        .is_some_and(|hit| hit.iter().any(|byte| *byte != 0));
    if changed {
        file.bytes[start..end].fill(0);
    }
    changed
}

/// A window that keeps all: then the engine alone, or nearly, has the whole history.
const ALL: usize = 1000;

proptest! {
    #[test]
    fn snapshot_and_journal_are_enough(steps in steps(), at in 0..30usize, window in 1..9usize) {
        let history = history(&steps, at, window);
        let (snapshots, journals) = ([history.snapshot], [history.journal]);
        let nothing = Salvage::default();
        let merged = merge(&snapshots, &journals, &nothing);
        prop_assert_eq!(live(&merged), expected(&history.state));
        prop_assert!(merged.lost.is_empty(), "{:?}", merged.lost);
        prop_assert!(merged.damaged.is_empty());
        prop_assert!(merged.revision > history.state.revision);
    }

    #[test]
    fn what_the_engine_gives_beside_them_changes_nothing(
        steps in steps(), at in 0..30usize, window in 1..9usize, gone in proptest::collection::vec(any::<prop::sample::Index>(), 0..9),
    ) {
        let mut history = history(&steps, at, window);
        for index in gone {
            let places: Vec<_> = history.engine.records.keys().cloned().collect();
            if !places.is_empty() {
                history.engine.records.remove(index.get(&places));
            }
        }
        let (snapshots, journals) = ([history.snapshot], [history.journal]);
        let merged = merge(&snapshots, &journals, &history.engine);
        prop_assert_eq!(live(&merged), expected(&history.state));
        prop_assert!(merged.lost.is_empty(), "{:?}", merged.lost);
    }

    #[test]
    fn a_journal_cut_short_is_made_up_for_and_told(steps in steps(), at in 0..30usize, cut: prop::sample::Index) {
        let mut history = history(&steps, at, ALL);
        let whole = history.journal.bytes.len();
        history.journal.bytes.truncate(backup_header::LEN + cut.index(whole - backup_header::LEN + 1));
        let cut = history.journal.bytes.len() < whole;
        let (snapshots, journals) = ([history.snapshot], [history.journal]);
        let merged = merge(&snapshots, &journals, &history.engine);
        prop_assert_eq!(live(&merged), expected(&history.state));
        prop_assert_eq!(cut, !merged.lost.is_empty());
        prop_assert!(merged.revision > history.state.revision);
    }

    #[test]
    fn a_damaged_snapshot_is_made_up_for_and_told(steps in steps(), at in 0..30usize, from: prop::sample::Index, len in 1..300usize) {
        let mut history = history(&steps, at, ALL);
        let damaged = zero(&mut history.snapshot, from, len);
        let (snapshots, journals) = ([history.snapshot], [history.journal]);
        let merged = merge(&snapshots, &journals, &history.engine);
        prop_assert_eq!(live(&merged), expected(&history.state));
        prop_assert_eq!(damaged, !merged.damaged.is_empty());
        prop_assert!(merged.lost.is_empty(), "{:?}", merged.lost);
    }

    #[test]
    fn what_no_source_has_is_told(
        steps in steps(), at in 0..30usize, which: bool, from: prop::sample::Index, len in 1..300usize,
    ) {
        let mut history = history(&steps, at, 4);
        let file = if which { &mut history.snapshot } else { &mut history.journal };
        zero(file, from, len);
        let (snapshots, journals) = ([history.snapshot], [history.journal]);
        let nothing = Salvage::default();
        let merged = merge(&snapshots, &journals, &nothing);
        prop_assert!(live(&merged) == expected(&history.state) || !merged.lost.is_empty());
    }
}

#[test]
fn with_nothing_left_it_says_so() {
    let nothing = Salvage::default();
    let merged = merge(&[], &[], &nothing);
    assert!(merged.live.is_empty() && !merged.lost.is_empty());
    assert!(merged.revision >= CEILING_STEP);
}

#[test]
fn an_older_whole_snapshot_is_better_than_a_newer_damaged_one() {
    let steps: Vec<Step> = (0..6).map(|number| vec![(number % 5, true)]).collect();
    let old = history(&steps[..3], 2, ALL);
    let new = history(&steps, 5, ALL);
    let mut damaged = new.snapshot.clone();
    damaged.bytes.truncate(backup_header::LEN + 100);
    let snapshots = [old.snapshot, damaged];
    let nothing = Salvage::default();
    let merged = merge(&snapshots, &[], &nothing);
    assert_eq!(merged.live.len(), 2, "what the older snapshot has");
    assert_eq!(merged.damaged, ["snapshot"]);
}
