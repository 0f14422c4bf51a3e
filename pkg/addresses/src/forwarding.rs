//! The sysctls without which a node passes no packet on.
//!
//! `net.ipv6.conf.all.forwarding` has a price that costs machines their address: a forwarding host no longer heeds router
//! advertisements unless `accept_ra` is 2 (kernel documentation, `ip-sysctl.rst`). So every link that heeds
//! them now is told first to go on.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Error;

/// A sysctl that had another value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// With dots, as `sysctl` writes it; a dot in a link's name is a slash then.
    pub name: String,
    pub was: String,
    pub is: &'static str,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was {}, is {}", self.name, self.was, self.is)
    }
}

/// Turns forwarding on for IPv4 and, where the kernel has it, IPv6, in this thread's network namespace. Writes only what
/// differs, and returns it for the log.
pub fn enable() -> Result<Vec<Changed>, Error> {
    enable_under(Path::new("/proc/sys"))
}

fn enable_under(root: &Path) -> Result<Vec<Changed>, Error> {
    let mut changed = Vec::new();
    changed.extend(set(root, Path::new("net/ipv4/ip_forward"), |value| {
        (value != "1").then_some("1")
    })?);
    let links = Path::new("net/ipv6/conf");
    let forwarding = links.join("all/forwarding");
    if !root.join(&forwarding).exists() {
        return Ok(changed);
    }
    for link in names(&root.join(links))? {
        let accept_ra = links.join(link).join("accept_ra");
        if root.join(&accept_ra).exists() {
            changed.extend(set(root, &accept_ra, |value| {
                (value == "1").then_some("2")
            })?);
        }
    }
    changed.extend(set(root, &forwarding, |value| {
        (value != "1").then_some("1")
    })?);
    Ok(changed)
}

/// Reads a value and writes another where `want` has one.
fn set(
    root: &Path,
    file: &Path,
    want: impl Fn(&str) -> Option<&'static str>,
) -> Result<Option<Changed>, Error> {
    let path = root.join(file);
    let was = match fs::read_to_string(&path) {
        Ok(text) => text.trim().to_string(),
        // A link that went in the meantime.
        Err(error) if error.kind() == io::ErrorKind::NotFound && file.ends_with("accept_ra") => {
            return Ok(None);
        }
        Err(source) => return Err(Error::Read { path, source }),
    };
    let Some(value) = want(&was) else {
        return Ok(None);
    };
    fs::write(&path, value).map_err(|source| Error::Write {
        path,
        value,
        source,
    })?;
    Ok(Some(Changed {
        name: dotted(file),
        was,
        is: value,
    }))
}

fn names(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |source| Error::Read {
        path: folder.into(),
        source,
    };
    let entries: Result<Vec<_>, _> = fs::read_dir(folder).map_err(failed)?.collect();
    let mut names: Vec<_> = entries
        .map_err(failed)?
        .into_iter()
        .map(|entry| entry.file_name().into())
        .collect();
    names.sort();
    Ok(names)
}

fn dotted(file: &Path) -> String {
    let parts: Vec<_> = file
        .iter()
        .map(|part| part.to_string_lossy().replace('.', "/"))
        .collect();
    parts.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `/proc/sys` of files with these values.
    fn proc_sys(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (file, value) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{value}\n")).unwrap();
        }
        root
    }

    #[test]
    fn router_advertisements_are_heeded_as_before() {
        let root = proc_sys(&[
            ("net/ipv4/ip_forward", "0"),
            ("net/ipv6/conf/all/forwarding", "0"),
            ("net/ipv6/conf/all/accept_ra", "1"),
            ("net/ipv6/conf/eth0/accept_ra", "1"),
            ("net/ipv6/conf/eth0.5/accept_ra", "1"),
            ("net/ipv6/conf/eth1/accept_ra", "0"),
            ("net/ipv6/conf/eth2/accept_ra", "2"),
        ]);
        let said: Vec<_> = enable_under(root.path())
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            said,
            [
                "net.ipv4.ip_forward was 0, is 1",
                "net.ipv6.conf.all.accept_ra was 1, is 2",
                "net.ipv6.conf.eth0.accept_ra was 1, is 2",
                "net.ipv6.conf.eth0/5.accept_ra was 1, is 2",
                "net.ipv6.conf.all.forwarding was 0, is 1",
            ]
        );
        assert_eq!(
            fs::read_to_string(root.path().join("net/ipv6/conf/eth1/accept_ra")).unwrap(),
            "0\n"
        );
        assert_eq!(
            enable_under(root.path()).unwrap(),
            [],
            "a second time there is nothing to do"
        );
    }

    #[test]
    fn a_kernel_without_ipv6_is_fine() {
        let root = proc_sys(&[("net/ipv4/ip_forward", "1")]);
        assert_eq!(enable_under(root.path()).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let root = proc_sys(&[]);
        let error = enable_under(root.path()).unwrap_err().to_string();
        assert!(error.contains("net/ipv4/ip_forward"), "{error}");
    }
}
