//! Every change since the snapshot file, beside the engine: with both, no single damage loses anything.
//!
//! A batch is appended once the engine has made it durable and before it is visible, so the journal is never ahead of
//! the engine. It is not waited for: the kernel writes many batches at once, and [`Journal::sync`] makes
//! it durable shortly after the first that is not.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::backup_header::{self, Header};
use crate::folder::Folder;
use crate::record;

pub(crate) const PREFIX: &str = "journal-";
pub(crate) const MAGIC: [u8; 8] = *b"kdgjrnl1";

/// The journal that is being written.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    ceiling: u64,
    bytes: u64,
    dirty: bool,
}

impl Journal {
    /// Begins one for the changes after `revision`; it is durable, empty, when this returns.
    pub fn create(folder: &Folder, revision: u64) -> io::Result<Self> {
        let header = Header::new(revision, 0);
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(path(folder, revision))?;
        file.write_all(&header.encode(MAGIC))?;
        file.sync_all()?;
        folder.sync()?;
        Ok(Self {
            file,
            ceiling: header.ceiling,
            bytes: 0,
            dirty: false,
        })
    }

    /// Goes on with the latest journal, if it is whole and ends exactly at `revision`.
    pub fn resume(folder: &Folder, revision: u64) -> io::Result<Option<Self>> {
        let Some((_, path)) = folder.numbered(PREFIX)?.pop() else {
            return Ok(None);
        };
        match tail(&path)? {
            Some(tail) if tail.revision == revision => {
                let file = OpenOptions::new().append(true).open(&path)?;
                Ok(Some(Self {
                    file,
                    ceiling: tail.ceiling,
                    bytes: tail.bytes,
                    dirty: false,
                }))
            }
            _ => Ok(None),
        }
    }

    /// Appends the records of one batch.
    pub fn append(&mut self, records: &[u8]) -> io::Result<()> {
        self.dirty = true;
        self.file.write_all(records)?;
        self.bytes += records.len() as u64;
        Ok(())
    }

    pub fn sync(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.dirty) {
            self.file.sync_data()?;
        }
        Ok(())
    }

    /// Whether something was appended since the last [`Journal::sync`].
    pub fn dirty(&self) -> bool {
        self.dirty
    }

    /// Bytes of changes in it.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The highest revision that may be written into it.
    pub fn ceiling(&self) -> u64 {
        self.ceiling
    }
}

/// Where a journal ends, found without reading it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// The last whole transaction's, or where the journal begins when it is empty.
    pub revision: u64,
    pub ceiling: u64,
    pub bytes: u64,
}

/// `None` when the header is damaged or the last thing in it is not the end of a transaction.
pub(crate) fn tail(path: &Path) -> io::Result<Option<Tail>> {
    let file = File::open(path)?;
    let mut head = [0; backup_header::LEN];
    let len = file.metadata()?.len();
    let Some(bytes) = len.checked_sub(backup_header::LEN as u64) else {
        return Ok(None);
    };
    file.read_exact_at(&mut head, 0)?;
    let Some(header) = Header::decode(&head, MAGIC) else {
        return Ok(None);
    };
    if bytes == 0 {
        return Ok(Some(Tail {
            revision: header.revision,
            ceiling: header.ceiling,
            bytes,
        }));
    }
    if bytes < record::OVERHEAD as u64 {
        return Ok(None);
    }
    let mut trailer = [0; 4];
    file.read_exact_at(&mut trailer, len - 4)?;
    let record_len = u64::from(u32::from_le_bytes(trailer)) + record::FRAME as u64;
    if record_len > bytes {
        return Ok(None);
    }
    let mut last = vec![0; record_len as usize];
    file.read_exact_at(&mut last, len - record_len)?;
    Ok(match record::Record::decode(&last) {
        Ok((record, _)) if record.last => Some(Tail {
            revision: record.revision,
            ceiling: header.ceiling,
            bytes,
        }),
        _ => None,
    })
}

fn path(folder: &Folder, revision: u64) -> PathBuf {
    folder.path().join(format!("{PREFIX}{revision}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, Record};

    fn record(revision: u64, last: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        let record = Record {
            revision,
            kind: Kind::Put,
            last,
            totals: None,
            key: "/a",
            value: b"value",
        };
        record.encode(&mut bytes);
        bytes
    }

    #[test]
    fn its_end_is_found_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::open(folder.path()).unwrap();
        let mut journal = Journal::create(&folder, 7).unwrap();
        let path = path(&folder, 7);
        assert_eq!(tail(&path).unwrap().unwrap().revision, 7);
        journal
            .append(&[record(8, false), record(8, true)].concat())
            .unwrap();
        assert!(journal.dirty());
        journal.sync().unwrap();
        assert!(!journal.dirty());
        let end = tail(&path).unwrap().unwrap();
        assert_eq!((end.revision, end.bytes), (8, journal.bytes()));
        assert!(Journal::resume(&folder, 9).unwrap().is_none());

        let mut resumed = Journal::resume(&folder, 8).unwrap().unwrap();
        assert_eq!(
            (resumed.bytes(), resumed.ceiling()),
            (journal.bytes(), journal.ceiling())
        );
        resumed.append(&record(9, true)).unwrap();
        assert_eq!(tail(&path).unwrap().unwrap().revision, 9);
        // Half a transaction, and half a record.
        for unfinished in [record(10, false), record(10, true)[..30].to_vec()] {
            let len = path.metadata().unwrap().len();
            resumed.append(&unfinished).unwrap();
            assert_eq!(tail(&path).unwrap(), None);
            File::options()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(len)
                .unwrap();
        }
        for len in 0..path.metadata().unwrap().len() {
            let cut = path.with_extension("cut");
            std::fs::write(&cut, &std::fs::read(&path).unwrap()[..len as usize]).unwrap();
            let end = tail(&cut).unwrap().map(|end| end.revision);
            assert!(matches!(end, None | Some(7 | 8)), "cut to {len}: {end:?}");
        }
    }
}
