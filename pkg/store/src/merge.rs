//! After damage: the best of the snapshot file, the journals and what the engine still gives.

use std::collections::{BTreeMap, BTreeSet};

use crate::backup_files::BackupFile;
use crate::backup_header::{CEILING_STEP, Header};
use crate::load::Salvage;
use crate::record::{Kind, Record, Records};
use crate::{backup_header, journal, snapshot_file};

/// What remains.
#[derive(Debug, Default)]
pub(crate) struct Merged<'a> {
    /// Revision and value of each object, by key.
    pub live: BTreeMap<&'a str, (u64, &'a [u8])>,
    /// Revisions up to this one may have been handed out.
    pub revision: u64,
    /// What is known, or feared, to be lost.
    pub lost: Vec<String>,
    /// Files that were damaged, by name.
    pub damaged: Vec<&'a str>,
    /// Where the state comes from, in words.
    pub sources: String,
}

/// The latest known of each key: `None` for a deletion.
type Latest<'a> = BTreeMap<&'a str, (u64, Option<&'a [u8]>)>;

/// Lays journals upon the snapshot, and upon both what the engine has beyond them. Both lists are in order of
/// revision. What can only be feared lost is told as lost: silence means that everything is there.
pub(crate) fn merge<'a>(
    snapshots: &'a [BackupFile],
    journals: &'a [BackupFile],
    engine: &'a Salvage,
) -> Merged<'a> {
    let mut merged = Merged::default();
    let mut latest = Latest::new();
    let base = from_snapshot(snapshots, &mut latest, &mut merged);
    let reached = from_journals(journals, &base, &mut latest, &mut merged);
    from_engine(engine, &base, reached, &mut latest, &mut merged);

    merged.revision = merged.revision.max(reached + CEILING_STEP);
    merged.live = latest
        .into_iter()
        .filter_map(|(key, (at, value))| Some((key, (at, value?))))
        .collect();
    merged.sources = if snapshots.is_empty() && journals.is_empty() {
        merged.lost.push(
            "whatever the engine no longer gave: there is neither a snapshot nor a journal".into(),
        );
        "what the engine still gave".into()
    } else {
        format!(
            "the snapshot of revision {} and the journal up to revision {reached}",
            base.revision
        )
    };
    merged
}

/// The snapshot that the rest is laid upon.
#[derive(Debug, Default)]
struct Base<'a> {
    revision: u64,
    /// It holds every object of its revision, so what it lacks was deleted.
    whole: bool,
    /// Objects that could not be read; `None` when their number could not be either.
    missing: Option<u64>,
    name: &'a str,
    keys: BTreeSet<&'a str>,
}

impl Base<'_> {
    /// Up to here, what other sources have beside the snapshot was deleted or replaced.
    fn floor(&self) -> u64 {
        if self.whole { self.revision } else { 0 }
    }
}

fn from_snapshot<'a>(
    snapshots: &'a [BackupFile],
    latest: &mut Latest<'a>,
    merged: &mut Merged<'a>,
) -> Base<'a> {
    let mut base = Base::default();
    for file in snapshots {
        let header = Header::decode(&file.bytes, snapshot_file::MAGIC);
        let mut records = Records::new(&file.bytes, backup_header::LEN);
        let objects: Vec<Record<'a>> = records.by_ref().collect();
        let missing = header.map(|header| header.count.saturating_sub(objects.len() as u64));
        let whole = missing == Some(0) && records.damaged.is_empty();
        merged.promised(header, file);
        if !whole {
            merged.damaged.push(&file.name);
        }
        // A later one replaces an earlier one, unless only the earlier one is whole.
        let replaces = whole || !base.whole;
        if replaces {
            latest.clear();
            let keys = objects.iter().map(|record| record.key).collect();
            base = Base {
                revision: file.revision,
                whole,
                missing,
                name: &file.name,
                keys,
            };
        }
        objects.iter().for_each(|record| offer(latest, record));
    }
    base
}

/// The revision up to which no change is missing, but for those already told to be.
fn from_journals<'a>(
    journals: &'a [BackupFile],
    base: &Base<'_>,
    latest: &mut Latest<'a>,
    merged: &mut Merged<'a>,
) -> u64 {
    let mut reached = base.revision;
    for (number, file) in journals.iter().enumerate() {
        let header = Header::decode(&file.bytes, journal::MAGIC);
        merged.promised(header, file);
        if header.is_none() {
            merged.damaged.push(&file.name);
        } else if file.revision > reached {
            merged
                .lost
                .push(revisions(reached + 1, file.revision, &file.name));
            reached = file.revision;
        }
        let mut records = Records::new(&file.bytes, backup_header::LEN);
        let (mut transaction, mut damages) = (Vec::new(), 0);
        while let Some(record) = records.next() {
            transaction.push(record);
            if !record.last {
                continue;
            }
            // What stands between damage and the next end of a transaction may be half a one.
            let damaged = records.damaged.len() > damages;
            damages = records.damaged.len();
            let first_missing = reached + 1;
            let last_missing = if damaged {
                record.revision
            } else {
                record.revision - 1
            };
            if last_missing >= first_missing {
                merged
                    .lost
                    .push(revisions(first_missing, last_missing, &file.name));
            }
            reached = reached.max(record.revision);
            let news = transaction
                .drain(..)
                .filter(|record| record.revision > base.floor());
            news.for_each(|record| offer(latest, &record));
        }
        if damages > 0 && header.is_some() {
            merged.damaged.push(&file.name);
        }
        let torn = records.damaged.len() > damages || !transaction.is_empty();
        if torn && number + 1 == journals.len() {
            let what = format!(
                "what came after revision {reached}: the end of {} is cut short",
                file.name
            );
            merged.lost.push(what);
        }
    }
    reached
}

fn from_engine<'a>(
    engine: &'a Salvage,
    base: &Base<'_>,
    reached: u64,
    latest: &mut Latest<'a>,
    merged: &mut Merged<'a>,
) {
    let mut highest = engine
        .unreadable
        .iter()
        .copied()
        .max()
        .unwrap_or(0)
        .max(reached);
    // As of the snapshot: what it should have had and has not.
    let mut found_again = BTreeSet::new();
    for bytes in engine.records.values() {
        let Ok((record, _)) = Record::decode(bytes) else {
            continue;
        };
        let stated = record.totals.map_or(0, |totals| totals.revision);
        highest = highest.max(record.revision).max(stated);
        if record.revision <= base.revision && !base.keys.contains(record.key) {
            match record.kind {
                Kind::Put => found_again.insert(record.key),
                Kind::Delete | Kind::Marker => found_again.remove(record.key),
            };
        }
        if record.revision > base.floor() {
            offer(latest, &record);
        }
    }
    if highest > reached {
        merged
            .lost
            .push(revisions(reached + 1, highest, "the journal"));
    }
    match base.missing {
        None if !base.name.is_empty() => {
            merged.lost.push(format!(
                "objects of {}, whose number is unreadable too",
                base.name
            ));
        }
        Some(missing) if missing > found_again.len() as u64 => {
            let missing = missing - found_again.len() as u64;
            merged
                .lost
                .push(format!("up to {missing} objects of {}", base.name));
        }
        _ => {}
    }
    merged.revision = merged.revision.max(highest + CEILING_STEP);
}

impl Merged<'_> {
    /// Takes note of a file's promise that no revision above its ceiling was handed out.
    fn promised(&mut self, header: Option<Header>, file: &BackupFile) {
        let ceiling = header.map_or(file.revision + CEILING_STEP, |header| header.ceiling);
        self.revision = self.revision.max(ceiling);
    }
}

fn offer<'a>(latest: &mut Latest<'a>, record: &Record<'a>) {
    let value = match record.kind {
        Kind::Marker => return,
        Kind::Put => Some(record.value),
        Kind::Delete => None,
    };
    let known = latest.entry(record.key).or_insert((0, None));
    if known.0 <= record.revision {
        *known = (record.revision, value);
    }
}

fn revisions(from: u64, to: u64, of: &str) -> String {
    format!(
        "changes of revisions {from} to {to}, but for what the engine still gave (missing in {of})"
    )
}

#[cfg(test)]
mod tests;
