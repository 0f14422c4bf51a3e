//! The store's folder: who may use it, what lies where, and how one thing takes another's place.
//!
//! ```text
//! lock                 held while the store is open
//! sled/ or redb/       the engine's files
//! snapshot-REVISION    every object as of a revision
//! journal-REVISION     every change after it
//! damaged-N/           an engine's files that were set aside, oldest first
//! *.new *.tmp          half made, of no value
//! *.ready *.copied     a whole engine about to take its place
//! ```

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use crate::{EngineKind, OpenError};

/// Damaged stores that are kept for whoever wants to look at them; flash is small, so the oldest go.
const KEEP_DAMAGED: usize = 3;

/// Where a new engine's content is from, and so what is to be done with what it replaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// From what a damaged engine left: that is set aside.
    Recovered,
    /// All of what another engine had: that is removed.
    Copied,
}

/// An open store's folder; nobody else has it while this lives.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Held for its lock.
    lock: File,
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A process that another thread is just starting has the file open too for a moment.
        let _ = rustix::fs::flock(&self.lock, FlockOperation::Unlock);
    }
}

impl EngineKind {
    pub(crate) const ALL: [Self; 2] = [Self::Sled, Self::Redb];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sled => "sled",
            Self::Redb => "redb",
        }
    }
}

impl Folder {
    /// Makes the folder where there is none, takes its lock, and finishes what a crash interrupted.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io {
            path: path.to_owned(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(path)
            .map_err(io)?;
        let lock_path = path.join("lock");
        let was_ours = lock_path.exists();
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&lock_path)
            .map_err(|source| OpenError::Io {
                path: lock_path,
                source,
            })?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                return Err(OpenError::Locked {
                    path: path.to_owned(),
                });
            }
            Err(error) => return Err(io(error.into())),
        }
        // Secrets are in here. A folder that was somebody else's before is left as it is: the files
        // in it are closed to others all the same.
        if was_ours && std::fs::metadata(path).map_err(io)?.permissions().mode() & 0o077 != 0 {
            std::fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(io)?;
        }
        let folder = Self {
            path: path.to_owned(),
            lock,
        };
        folder.finish_interrupted().map_err(io)?;
        Ok(folder)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn engine(&self, kind: EngineKind) -> PathBuf {
        self.path.join(kind.name())
    }

    /// An empty folder for an engine that [`Folder::promote`] makes the store's own once it is whole.
    pub fn new_engine(&self, kind: EngineKind) -> io::Result<PathBuf> {
        let path = self.path.join(format!("{}.new", kind.name()));
        remove(&path)?;
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(path)
    }

    /// Puts the whole and closed engine in `KIND.new` in the place of what is there; where to that was
    /// set aside, if it was.
    pub fn promote(&self, kind: EngineKind, origin: Origin) -> io::Result<Option<PathBuf>> {
        let new = self.path.join(format!("{}.new", kind.name()));
        sync_tree(&new)?;
        // From here on a crash changes nothing: the next opening goes on below.
        std::fs::rename(&new, self.waiting(kind, origin))?;
        self.sync()?;
        self.take_place(kind, origin)
    }

    fn waiting(&self, kind: EngineKind, origin: Origin) -> PathBuf {
        let suffix = match origin {
            Origin::Recovered => "ready",
            Origin::Copied => "copied",
        };
        self.path.join(format!("{}.{suffix}", kind.name()))
    }

    fn take_place(&self, kind: EngineKind, origin: Origin) -> io::Result<Option<PathBuf>> {
        let mut aside = None;
        for old in EngineKind::ALL.map(|old| self.engine(old)) {
            match origin {
                Origin::Recovered if old.exists() => aside = Some(self.set_aside(&old)?),
                Origin::Recovered => {}
                Origin::Copied => remove(&old)?,
            }
        }
        std::fs::rename(self.waiting(kind, origin), self.engine(kind))?;
        self.sync()?;
        Ok(aside)
    }

    fn finish_interrupted(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            if matches!(
                path.extension().and_then(|extension| extension.to_str()),
                Some("new" | "tmp")
            ) {
                remove(&path)?;
            }
        }
        for kind in EngineKind::ALL {
            for origin in [Origin::Recovered, Origin::Copied] {
                let waiting = self.waiting(kind, origin);
                if waiting.exists() {
                    let path = waiting.display();
                    tracing::warn!(%path, "finishing what an earlier opening of the store began");
                    self.take_place(kind, origin)?;
                }
            }
        }
        Ok(())
    }

    /// Renames a folder to the next free `damaged-N`. Only the latest few are kept.
    pub fn set_aside(&self, path: &Path) -> io::Result<PathBuf> {
        let mut damaged = self.numbered("damaged-")?;
        let next = damaged.last().map_or(1, |(last, _)| last + 1);
        let aside = self.path.join(format!("damaged-{next}"));
        std::fs::rename(path, &aside)?;
        self.sync()?;
        damaged.truncate((damaged.len() + 1).saturating_sub(KEEP_DAMAGED));
        for (_, old) in damaged {
            tracing::warn!(path = %old.display(), "removing an older damaged store, {KEEP_DAMAGED} are kept");
            remove(&old)?;
        }
        Ok(aside)
    }

    /// What lies here under a name of `prefix` and a number, in order of the number.
    pub fn numbered(&self, prefix: &str) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.strip_prefix(prefix)?.parse().ok());
            if let Some(number) = number {
                found.push((number, entry.path()));
            }
        }
        found.sort();
        Ok(found)
    }

    /// Makes names that appeared and disappeared here durable.
    pub fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }

    /// Bytes that may still be written to this file system.
    pub fn free(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

/// Removes a file or a folder with all in it; nothing there is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() {
        std::fs::remove_dir_all(path)
    } else {
        std::fs::remove_file(path)
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes everything under `path` durable.
fn sync_tree(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in std::fs::read_dir(path)? {
            sync_tree(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}
