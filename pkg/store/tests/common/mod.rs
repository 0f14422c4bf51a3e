//! A place for stores that are killed and damaged again and again.

use std::path::Path;

use tempfile::TempDir;

/// In memory where there is room, since a killed process leaves the same files on any file system and this spares
/// the disk. `KEDGE_STORE_TEST_DIR` names another place.
pub fn scratch() -> TempDir {
    if let Some(folder) = std::env::var_os("KEDGE_STORE_TEST_DIR") {
        return tempfile::tempdir_in(folder).unwrap();
    }
    let memory = Path::new("/dev/shm");
    let free =
        rustix::fs::statvfs(memory).map_or(0, |stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    if free > 512 << 20 {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}
