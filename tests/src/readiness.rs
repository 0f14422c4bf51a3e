//! A server tells its readiness as it would tell systemd (`sd_notify(3)`), so that nobody need poll.

use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// The variable by which a server learns where to tell.
pub const NOTIFY_SOCKET: &str = "NOTIFY_SOCKET";

/// Longest wait for a server that should serve within a second.
const START: Timespec = Timespec {
    tv_sec: 60,
    tv_nsec: 0,
};

/// A socket that one server tells its readiness to; gone when dropped.
#[derive(Debug)]
pub struct Readiness {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Readiness {
    /// Listens at `path`, where nothing else does.
    ///
    /// # Errors
    /// The socket cannot be made there.
    pub fn listen(path: &Path) -> std::io::Result<Self> {
        let _ = std::fs::remove_file(path);
        Ok(Self {
            socket: UnixDatagram::bind(path)?,
            path: path.into(),
        })
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True once the server said that it is ready; false when it ended first, or said nothing in a minute.
    ///
    /// # Errors
    /// The kernel refuses to watch the process.
    pub fn wait(&self, child: &Child) -> std::io::Result<bool> {
        let end = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
        let mut buffer = [0; 1024];
        loop {
            let mut events = [
                PollFd::new(&self.socket, PollFlags::IN),
                PollFd::new(&end, PollFlags::IN),
            ];
            if poll(&mut events, Some(&START))? == 0 || events[0].revents().is_empty() {
                return Ok(false);
            }
            let n = self.socket.recv(&mut buffer)?;
            if String::from_utf8_lossy(&buffer[..n]).contains("READY=1") {
                return Ok(true);
            }
        }
    }
}

impl Drop for Readiness {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
