//! Opening: what is on disk becomes what is in memory, whatever state it is in.

use std::io;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, mpsc};

use crate::backup::Backup;
use crate::backup_files::BackupFiles;
use crate::committer::{Committer, Health};
use crate::engine::{Direction, Engine, EngineError, Put};
use crate::fill::Filler;
use crate::folder::{Folder, Origin};
use crate::hub::{Hub, State};
use crate::load::{Loaded, Salvage, caught, load, salvage};
use crate::merge::{Merged, merge};
use crate::record::Totals;
use crate::replay::Replay;
use crate::{EngineKind, OpenError, Options, Recovery, Store};

/// Without this much room neither engine can begin.
const MIN_FREE: u64 = 8 << 20;

pub(crate) fn open(options: &Options) -> Result<(Store, Recovery), OpenError> {
    let folder = Folder::open(&options.path)?;
    let opening = Opening {
        folder: &folder,
        kind: options.engine,
        window: options.window,
    };
    let opened = opening.open()?;
    let recovery = opened.recovery.clone();
    Ok((start(options, folder, opened)?, recovery))
}

/// Sets the committer to work on what was opened.
pub(crate) fn start(options: &Options, folder: Folder, opened: Opened) -> Result<Store, OpenError> {
    let Opened {
        engine,
        replay: Replay {
            entries, window, ..
        },
        totals,
        ..
    } = opened;
    let folder = Arc::new(folder);
    let state = Arc::new(State {
        revision: totals.revision,
        entries,
    });
    let backup = Backup::open(&folder, &state);
    let hub = Arc::new(Hub::new(state, window));
    let (sender, receiver) = mpsc::channel();
    let (kind, engine) = (options.engine, Health::Works(engine));
    let committer = Committer {
        receiver,
        hub: Arc::clone(&hub),
        folder,
        kind,
        engine,
        totals,
        backup,
    };
    let watched = Arc::clone(&hub);
    let run = move || {
        if catch_unwind(AssertUnwindSafe(|| committer.run())).is_err() {
            // Nobody must wait for what will never come.
            watched.close();
        }
    };
    let thread = std::thread::Builder::new()
        .name("kedge-store".into())
        .spawn(run)
        .map_err(|source| OpenError::Io {
            path: options.path.clone(),
            source,
        })?;
    Ok(Store::new(hub, sender, thread))
}

/// An engine that is sound, and what is in it.
pub(crate) struct Opened {
    pub engine: Box<dyn Engine>,
    pub replay: Replay,
    pub totals: Totals,
    pub recovery: Recovery,
}

/// What is asked for while a store is being opened.
pub(crate) struct Opening<'a> {
    pub folder: &'a Folder,
    pub kind: EngineKind,
    pub window: usize,
}

impl Opening<'_> {
    pub fn open(&self) -> Result<Opened, OpenError> {
        self.room_for(0)?;
        let backup = BackupFiles::list(self.folder).map_err(|source| self.io(source))?;
        let present = EngineKind::ALL.map(|kind| self.folder.engine(kind).exists());
        match present.iter().filter(|present| **present).count() {
            0 if backup.is_empty() => self.begin(),
            0 => {
                let why = format!(
                    "the folder {} is gone",
                    self.folder.engine(self.kind).display()
                );
                self.recover(
                    &Salvage {
                        why,
                        ..Salvage::default()
                    },
                    &backup,
                )
            }
            1 => {
                let found = if present[0] {
                    EngineKind::ALL[0]
                } else {
                    EngineKind::ALL[1]
                };
                self.resume(found, &backup)
            }
            _ => Err(self.failed(
                "there are both a sled and a redb store here: move the older one elsewhere".into(),
            )),
        }
    }

    /// A new store.
    fn begin(&self) -> Result<Opened, OpenError> {
        let filler = Filler::begin(self.folder, self.kind)?;
        filler
            .finish_at(1, 0)
            .map_err(|error| self.failed(error.0))?;
        self.promoted(Origin::Recovered, Recovery::default())
    }

    fn resume(&self, found: EngineKind, backup: &BackupFiles) -> Result<Opened, OpenError> {
        let (engine, replay, totals) = match load(found, &self.folder.engine(found), self.window)? {
            Loaded::Damaged(salvage) => return self.recover(&salvage, backup),
            Loaded::Sound {
                engine,
                replay,
                totals,
            } => (engine, replay, totals),
        };
        let written = backup.revision();
        if written > totals.revision {
            // Some damage makes an engine lose the end of what it wrote, and look well.
            let why = format!(
                "{} ends at revision {}, but {written} was written",
                found.name(),
                totals.revision
            );
            let salvage = salvage(&*engine, why);
            // What cannot be closed is only being looked at.
            let _ = caught(|| engine.close());
            return self.recover(&salvage, backup);
        }
        if found == self.kind {
            return Ok(Opened {
                engine,
                replay,
                totals,
                recovery: Recovery::default(),
            });
        }
        tracing::info!(
            from = found.name(),
            to = self.kind.name(),
            revision = totals.revision,
            "moving the store to another engine"
        );
        let copied = self.copy(&*engine);
        let _ = caught(|| engine.close());
        copied?;
        self.promoted(Origin::Copied, Recovery::default())
    }

    /// Gives every record to an engine of the kind asked for.
    fn copy(&self, from: &dyn Engine) -> Result<(), OpenError> {
        let mut filler = Filler::begin(self.folder, self.kind)?;
        let mut copied = Ok(());
        let read = caught(|| {
            from.scan(Direction::Forward, &mut |row| {
                copied = match row.record() {
                    Ok(record) => filler.copy(Put {
                        revision: record.revision,
                        key: record.key.into(),
                        bytes: row.bytes.to_vec(),
                    }),
                    Err(why) => Err(EngineError(why)),
                };
                if copied.is_ok() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                }
            })
        });
        read.map_err(|detail| self.failed(detail))?;
        copied
            .and_then(|()| filler.finish())
            .map_err(|error| self.failed(error.0))
    }

    /// Sets a damaged engine aside and goes on with the best of what is left.
    fn recover(&self, salvage: &Salvage, backup: &BackupFiles) -> Result<Opened, OpenError> {
        let (snapshots, journals) = (backup.read_snapshots(), backup.read_journals());
        let Merged {
            live,
            revision,
            lost,
            damaged,
            sources,
        } = merge(&snapshots, &journals, salvage);
        self.room_for(
            live.iter()
                .map(|(key, (_, value))| (key.len() + value.len()) as u64)
                .sum(),
        )?;
        let mut filler = Filler::begin(self.folder, self.kind)?;
        let filled = live
            .iter()
            .try_for_each(|(key, (revision, value))| filler.object(key, *revision, value));
        filled
            .and_then(|()| filler.finish_at(revision, revision))
            .map_err(|error| self.failed(error.0))?;

        let mut why = format!(
            "{}; went on with {sources}, {} objects in all",
            salvage.why,
            live.len()
        );
        if !damaged.is_empty() {
            why = format!("{why}; damaged too: {}", damaged.join(", "));
        }
        let damaged = damaged
            .iter()
            .map(|name| self.folder.path().join(name))
            .collect::<Vec<_>>();
        let recovery = Recovery {
            damaged: Some((self.folder.path().to_owned(), why)),
            lost,
        };
        let opened = self.promoted(Origin::Recovered, recovery)?;
        if let Some((aside, _)) = &opened.recovery.damaged
            && aside != self.folder.path()
        {
            for file in damaged {
                // The next snapshot would remove it; this is for whoever wants to look at it.
                let _ = file
                    .file_name()
                    .map(|name| std::fs::rename(&file, aside.join(name)));
            }
        }
        Ok(opened)
    }

    /// Puts the engine just filled in its place and opens it: it has to be as good as any that is found.
    fn promoted(&self, origin: Origin, mut recovery: Recovery) -> Result<Opened, OpenError> {
        let aside = self
            .folder
            .promote(self.kind, origin)
            .map_err(|source| self.io(source))?;
        if let (Some((path, _)), Some(aside)) = (&mut recovery.damaged, aside) {
            *path = aside;
        }
        match load(self.kind, &self.folder.engine(self.kind), self.window)? {
            Loaded::Sound {
                engine,
                replay,
                totals,
            } => Ok(Opened {
                engine,
                replay,
                totals,
                recovery,
            }),
            Loaded::Damaged(salvage) => Err(self.failed(format!(
                "just written and unreadable, the disk may be failing: {}",
                salvage.why
            ))),
        }
    }

    fn room_for(&self, bytes: u64) -> Result<(), OpenError> {
        let free = self.folder.free().map_err(|source| self.io(source))?;
        let needed = MIN_FREE + 3 * bytes;
        if free >= needed {
            return Ok(());
        }
        let (free, needed) = (free >> 20, needed >> 20);
        let detail =
            format!("only {free} MiB free on this file system, {needed} MiB needed: free some");
        Err(self.failed(detail))
    }

    fn io(&self, source: io::Error) -> OpenError {
        OpenError::Io {
            path: self.folder.path().to_owned(),
            source,
        }
    }

    fn failed(&self, detail: String) -> OpenError {
        OpenError::Engine {
            path: self.folder.path().to_owned(),
            detail,
        }
    }
}
