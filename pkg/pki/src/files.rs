//! Reading and writing the folder: private, atomic, durable, and only when something changed.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::PkiError;

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// 0600: keys, and kubeconfigs that hold one.
    Private,
    /// 0644: certificates.
    Public,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Public => 0o644,
        }
    }
}

fn io<'a>(what: &'static str, path: &'a Path) -> impl FnOnce(std::io::Error) -> PkiError + 'a {
    move |source| PkiError::Io {
        what,
        path: path.to_path_buf(),
        source,
    }
}

/// Makes the folder, 0700, or takes away what others may do in one that is there.
pub(crate) fn make_folder(path: &Path) -> Result<(), PkiError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(io("make the folder", path))?;
    narrow(path, 0o700)
}

/// The file's text, or `None` when there is none.
pub(crate) fn read(path: &Path, access: Access) -> Result<Option<String>, PkiError> {
    let text = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io("read", path)(error)),
    };
    if access == Access::Private {
        narrow(path, access.mode())?;
    }
    // Whatever is no text is no PEM either: the parser says so with the file's name.
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// Files of the folder whose names begin and end so, in the order of their names.
pub(crate) fn list(folder: &Path, begin: &str, end: &str) -> Result<Vec<PathBuf>, PkiError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(io("list", folder))? {
        let name = entry.map_err(io("list", folder))?.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(begin) && name.ends_with(end))
        {
            found.push(folder.join(name));
        }
    }
    found.sort();
    Ok(found)
}

/// Takes bits away from a mode that allows more than `most`.
fn narrow(path: &Path, most: u32) -> Result<(), PkiError> {
    let mode = fs::metadata(path)
        .map_err(io("inspect", path))?
        .permissions()
        .mode()
        & 0o7777;
    if mode & !most == 0 {
        return Ok(());
    }
    tracing::warn!(path = %path.display(), was = format!("{mode:o}"), "others could read this: mode narrowed");
    fs::set_permissions(path, Permissions::from_mode(mode & most))
        .map_err(io("change the mode of", path))
}

/// Puts `text` at `path` so that after a power cut there is the old file or the new one, whole. Nothing is
/// written when it stands there already; true when it was.
pub(crate) fn write(path: &Path, text: &str, access: Access) -> Result<bool, PkiError> {
    if read(path, access)?.as_deref() == Some(text) {
        return Ok(false);
    }
    let mut draft = path.as_os_str().to_owned();
    draft.push(".new");
    let draft = Path::new(&draft);
    // A draft left behind by a power cut may have any mode: never write a key into it.
    match fs::remove_file(draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(io("remove", draft)(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(access.mode())
        .open(draft)
        .map_err(io("write", draft))?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io("write", draft))?;
    fs::rename(draft, path).map_err(io("replace", path))?;
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(io("sync", folder))?;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_stands_there_is_not_written_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(write(&path, "one", Access::Private).unwrap());
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!write(&path, "one", Access::Private).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert!(write(&path, "two", Access::Private).unwrap());
        assert_eq!(read(&path, Access::Private).unwrap().unwrap(), "two");
    }

    #[test]
    fn keys_are_private_even_over_a_draft_that_was_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        fs::write(folder.path().join("k.new"), "left behind").unwrap();
        write(&path, "secret", Access::Private).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert!(!folder.path().join("k.new").exists());
    }

    #[test]
    fn a_key_that_others_can_read_is_narrowed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        fs::write(&path, "secret").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        read(&path, Access::Private).unwrap();
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn the_folder_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x/pki");
        make_folder(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        make_folder(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
    }

    #[test]
    fn an_unreadable_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = read(folder.path(), Access::Public).unwrap_err().to_string();
        assert!(error.contains(folder.path().to_str().unwrap()), "{error}");
    }
}
