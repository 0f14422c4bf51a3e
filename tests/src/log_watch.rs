//! The kernel's word that a file grew.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{CreateFlags, Reader, WatchFlags, add_watch, init};
use rustix::io::Errno;

/// Longest wait for a line that should come within a second.
const PATIENCE: Timespec = Timespec {
    tv_sec: 20,
    tv_nsec: 0,
};

/// A file that is watched from now on.
pub struct LogWatch(OwnedFd);

impl LogWatch {
    pub fn new(file: &Path) -> std::io::Result<Self> {
        let kernel = init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)?;
        add_watch(&kernel, file, WatchFlags::MODIFY)?;
        Ok(Self(kernel))
    }

    /// True once it was written to since the last time; false when nobody writes any more.
    pub fn wait(&self) -> std::io::Result<bool> {
        if poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&PATIENCE))? == 0 {
            return Ok(false);
        }
        let mut buffer = [MaybeUninit::uninit(); 1024];
        let mut reader = Reader::new(&self.0, &mut buffer);
        loop {
            match reader.next() {
                Ok(_) => {}
                Err(Errno::WOULDBLOCK) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
