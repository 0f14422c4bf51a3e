//! The system's own list of resolvers (`resolv.conf(5)`), read again when it changes.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::mem::MaybeUninit;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{self, CreateFlags, Reader, WatchFlags};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;

use crate::kernel::watched;

/// As many servers as the C library asks.
const MAX_SERVERS: usize = 3;
/// Links from file to file that are followed.
const MAX_LINKS: usize = 8;

/// The servers that a file names, but for ourselves.
pub fn parse(text: &str, own: IpAddr) -> Vec<IpAddr> {
    let mut known = BTreeSet::new();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let is_server = words.next() == Some("nameserver");
            words.next().filter(|_| is_server)
        })
        // A scope, as in fe80::1%eth0, needs a link that the socket would have to name.
        .filter_map(|word| word.parse().ok())
        .filter(|server| *server != own && known.insert(*server))
        .take(MAX_SERVERS)
        .collect()
}

/// Tells when a file may have changed: it, a link that leads to it, or a folder on the way that was not there.
pub struct Watch {
    file: PathBuf,
    inotify: AsyncFd<OwnedFd>,
    /// Names that matter, in whichever folder.
    names: Vec<OsString>,
}

impl Watch {
    /// # Errors
    /// The kernel has no more watches to give.
    pub fn new(file: &Path) -> std::io::Result<Self> {
        let mut watch = Self {
            file: file.into(),
            inotify: open()?,
            names: Vec::new(),
        };
        watch.follow()?;
        Ok(watch)
    }

    /// Watches the folder of each step from the file to what it leads to.
    fn follow(&mut self) -> std::io::Result<()> {
        self.names.clear();
        let mut at = self.file.clone();
        for _ in 0..MAX_LINKS {
            // A folder that is not there yet is waited for in the one above.
            while let Some(folder) = at.parent().map(Path::to_path_buf) {
                self.names.extend(at.file_name().map(Into::into));
                let flags = WatchFlags::CLOSE_WRITE
                    | WatchFlags::CREATE
                    | WatchFlags::DELETE
                    | WatchFlags::MOVED_FROM
                    | WatchFlags::MOVED_TO;
                match inotify::add_watch(&self.inotify, &folder, flags) {
                    Ok(_) => break,
                    Err(Errno::NOENT | Errno::NOTDIR) => at = folder,
                    Err(error) => return Err(error.into()),
                }
            }
            let Ok(target) = std::fs::read_link(&at) else {
                return Ok(());
            };
            at = match at.parent() {
                Some(folder) => folder.join(target),
                None => target,
            };
        }
        Ok(())
    }

    /// Waits for a change.
    ///
    /// # Errors
    /// The kernel cannot tell any more.
    pub async fn changed(&mut self) -> std::io::Result<()> {
        loop {
            let mut ready = self.inotify.readable().await?;
            if self.has_news()? {
                // Links may lead elsewhere now: begin anew.
                self.inotify = open()?;
                self.follow()?;
                return Ok(());
            }
            ready.clear_ready();
        }
    }

    /// Reads all that the kernel has to tell.
    fn has_news(&self) -> std::io::Result<bool> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(self.inotify.get_ref(), &mut buffer);
        let mut news = false;
        loop {
            match reader.next() {
                Ok(event) => {
                    news |= event.file_name().is_none_or(|name| {
                        let matters = |known: &OsString| known.as_bytes() == name.to_bytes();
                        self.names.iter().any(matters)
                    });
                }
                Err(Errno::WOULDBLOCK) => return Ok(news),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn open() -> std::io::Result<AsyncFd<OwnedFd>> {
    let kernel = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
    watched(kernel)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    #[test]
    fn nameservers_but_not_ourselves() {
        let own = "10.43.0.10".parse().unwrap();
        let text = "# site\nsearch lan\nnameserver 10.43.0.10\nnameserver 192.0.2.1 \nnameserver 192.0.2.1\nnameserver fe80::1%eth0\n nameserver 2001:db8::1\noptions ndots:1\n";
        let shown: Vec<String> = parse(text, own).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1", "2001:db8::1"]);
    }

    async fn told(watch: &mut Watch) -> bool {
        let told = tokio::time::timeout(Duration::from_secs(5), watch.changed()).await;
        told.is_ok_and(|told| told.is_ok())
    }

    #[tokio::test]
    async fn a_change_is_told_also_behind_links_and_in_folders_to_come() {
        let folder = tempfile::tempdir().unwrap();
        let (etc, run) = (folder.path().join("etc"), folder.path().join("run"));
        fs::create_dir(&etc).unwrap();
        let file = etc.join("resolv.conf");
        symlink("../run/resolve/stub.conf", &file).unwrap();
        let mut watch = Watch::new(&file).unwrap();
        fs::create_dir(&run).unwrap();
        assert!(told(&mut watch).await, "a folder came");
        fs::create_dir(run.join("resolve")).unwrap();
        assert!(told(&mut watch).await, "the next folder came");
        fs::write(run.join("resolve/stub.conf"), "nameserver 192.0.2.1\n").unwrap();
        assert!(told(&mut watch).await, "the file came");
        fs::write(run.join("resolve/new"), "nameserver 192.0.2.2\n").unwrap();
        fs::rename(run.join("resolve/new"), run.join("resolve/stub.conf")).unwrap();
        assert!(told(&mut watch).await, "the file was replaced");
        fs::remove_file(&file).unwrap();
        fs::write(&file, "nameserver 192.0.2.3\n").unwrap();
        assert!(told(&mut watch).await, "the link was replaced by a file");
    }
}
