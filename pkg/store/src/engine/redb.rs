//! redb 4: a copy-on-write B-tree in one file.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::{Batch, Direction, Engine, EngineError, Row, Visit, row_key};

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");
/// Nothing is read after the start, so the cache only has to hold the pages that one commit touches.
const CACHE_BYTES: usize = 1 << 20;
pub(super) const FILE: &str = "store.redb";

pub(crate) struct Redb {
    database: Database,
}

impl Redb {
    pub fn open(folder: &Path) -> Result<Self, EngineError> {
        std::fs::create_dir_all(folder).map_err(failed)?;
        let file = folder.join(FILE);
        let database = Database::builder()
            .set_cache_size(CACHE_BYTES)
            // Damage where no record lies would else show only when a later write runs into it.
            .set_check_integrity_on_open(true)
            .create(&file)
            .map_err(failed)?;
        std::fs::set_permissions(&file, Permissions::from_mode(0o600)).map_err(failed)?;
        Ok(Self { database })
    }
}

impl Engine for Redb {
    fn write(&mut self, batches: &[Batch]) -> Result<(), EngineError> {
        // The default durability is the one wanted: fsync before commit returns.
        let transaction = self.database.begin_write().map_err(failed)?;
        {
            let mut table = transaction.open_table(RECORDS).map_err(failed)?;
            for Batch { puts, removes } in batches {
                for put in puts {
                    let place = row_key(put.revision, &put.key);
                    let bytes = put.bytes.as_slice();
                    table.insert(place.as_slice(), bytes).map_err(failed)?;
                }
                for remove in removes {
                    let place = row_key(remove.revision, &remove.key);
                    table.remove(place.as_slice()).map_err(failed)?;
                }
            }
        }
        transaction.commit().map_err(failed)
    }

    fn scan(&self, direction: Direction, visit: &mut Visit<'_>) -> Result<(), EngineError> {
        let transaction = self.database.begin_read().map_err(failed)?;
        let table = match transaction.open_table(RECORDS) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(failed(error)),
        };
        let mut rows = table.iter().map_err(failed)?;
        loop {
            let row = match direction {
                Direction::Forward => rows.next(),
                Direction::Backward => rows.next_back(),
            };
            let Some(row) = row else { return Ok(()) };
            let (key, value) = row.map_err(failed)?;
            let row = Row {
                place: key.value(),
                bytes: value.value(),
            };
            if visit(row).is_break() {
                return Ok(());
            }
        }
    }

    fn close(self: Box<Self>) -> Result<(), EngineError> {
        self.database.close().map_err(failed)
    }
}

fn failed(error: impl std::fmt::Display) -> EngineError {
    EngineError(format!("redb: {error}"))
}
