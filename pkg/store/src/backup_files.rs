//! Snapshot files and journals as an opening finds them.

use std::io;
use std::path::{Path, PathBuf};

use crate::folder::Folder;
use crate::record::Records;
use crate::{backup_header, journal, snapshot_file};

/// Both in order of revision.
#[derive(Debug)]
pub(crate) struct BackupFiles {
    snapshots: Vec<(u64, PathBuf)>,
    journals: Vec<(u64, PathBuf)>,
}

/// A file as it was read, with the revision that its name tells. Empty when it could not be read.
#[derive(Debug, Clone)]
pub(crate) struct BackupFile {
    pub name: String,
    pub revision: u64,
    pub bytes: Vec<u8>,
}

impl BackupFiles {
    pub fn list(folder: &Folder) -> io::Result<Self> {
        Ok(Self {
            snapshots: folder.numbered(snapshot_file::PREFIX)?,
            journals: folder.numbered(journal::PREFIX)?,
        })
    }

    pub fn is_empty(&self) -> bool {
        self.snapshots.is_empty() && self.journals.is_empty()
    }

    /// The highest revision that the engine held for certain, since it is written here too.
    pub fn revision(&self) -> u64 {
        let snapshots = self.snapshots.iter().map(|(revision, _)| *revision);
        let journals = self
            .journals
            .iter()
            .map(|(_, path)| match journal::tail(path) {
                Ok(Some(tail)) => tail.revision,
                // Cut short by a power cut, or damaged: the longer way.
                _ => last_transaction(&read(path)),
            });
        snapshots.chain(journals).max().unwrap_or(0)
    }

    pub fn read_snapshots(&self) -> Vec<BackupFile> {
        self.snapshots.iter().map(BackupFile::read).collect()
    }

    pub fn read_journals(&self) -> Vec<BackupFile> {
        self.journals.iter().map(BackupFile::read).collect()
    }
}

impl BackupFile {
    fn read((revision, path): &(u64, PathBuf)) -> Self {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Self {
            name,
            revision: *revision,
            bytes: read(path),
        }
    }
}

/// A file that cannot be read is damaged like one that holds nonsense; that is for the reader of its bytes to find.
fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "reading what should replace a damaged store");
        Vec::new()
    })
}

fn last_transaction(journal: &[u8]) -> u64 {
    Records::new(journal, backup_header::LEN)
        .filter(|record| record.last)
        .map(|record| record.revision)
        .max()
        .unwrap_or(0)
}
