//! Every object as of one revision, in one checksummed file.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::backup_header::{self, Header};
use crate::folder::{Folder, remove};
use crate::hub::State;
use crate::journal;
use crate::record::{Kind, Record, encoded_len};

pub(crate) const PREFIX: &str = "snapshot-";
pub(crate) const MAGIC: [u8; 8] = *b"kdgsnap1";

/// Bytes of the file system that a snapshot leaves to the engine.
const KEEP_FREE: u64 = 8 << 20;

/// Writes `state` beside what is there, puts it in its place in one step, and removes what it replaces: older
/// snapshots, and journals whose changes it has.
pub(crate) fn write(folder: &Folder, state: &State) -> io::Result<()> {
    let entries = state.entries.iter();
    let bytes: usize = entries
        .map(|entry| encoded_len(&entry.key, entry.size()))
        .sum();
    if folder.free()? < bytes as u64 + KEEP_FREE {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let path = folder.path().join(format!("{PREFIX}{}", state.revision));
    let temporary = path.with_extension("tmp");
    let written =
        write_durably(&temporary, state).and_then(|()| std::fs::rename(&temporary, &path));
    if let Err(error) = written {
        // It is of no use, and its room may be needed.
        let _ = remove(&temporary);
        return Err(error);
    }
    folder.sync()?;

    for prefix in [PREFIX, journal::PREFIX] {
        for (_, old) in folder
            .numbered(prefix)?
            .into_iter()
            .filter(|(at, _)| *at < state.revision)
        {
            remove(&old)?;
        }
    }
    Ok(())
}

fn write_durably(path: &Path, state: &State) -> io::Result<()> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    let mut writer = BufWriter::with_capacity(64 << 10, file);
    encode(state, &mut writer)?;
    writer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?
        .sync_all()
}

/// The bytes of a snapshot file.
pub(crate) fn encode(state: &State, writer: &mut impl Write) -> io::Result<()> {
    writer.write_all(&Header::new(state.revision, state.entries.len() as u64).encode(MAGIC))?;
    let mut bytes = Vec::new();
    for entry in state.entries.iter() {
        bytes.clear();
        Record {
            revision: entry.revision,
            kind: Kind::Put,
            last: false,
            totals: None,
            key: &entry.key,
            value: &entry.value(),
        }
        .encode(&mut bytes);
        writer.write_all(&bytes)?;
    }
    Ok(())
}

/// The header of the latest snapshot; `None` when there is none or it is damaged.
pub(crate) fn latest(folder: &Folder) -> io::Result<Option<Header>> {
    let Some((_, path)) = folder.numbered(PREFIX)?.pop() else {
        return Ok(None);
    };
    let mut head = Vec::new();
    File::open(path)?
        .take(backup_header::LEN as u64)
        .read_to_end(&mut head)?;
    Ok(Header::decode(&head, MAGIC))
}
