//! Tests that cannot run on this machine: said aloud and counted, never passed over in silence.

use std::io::Write;

/// Records that a test was skipped and why; `scripts/test` counts the lines of `$KEDGE_TESTS_SKIPPED`.
pub fn skip(test: &str, why: &str) {
    eprintln!("SKIPPED {test}: {why}");
    if let Some(path) = std::env::var_os("KEDGE_TESTS_SKIPPED")
        && let Ok(mut file) = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
    {
        // In one piece, as others write their lines at the same time.
        let _ = file.write_all(format!("{test}: {why}\n").as_bytes());
    }
}
