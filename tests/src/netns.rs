//! Network namespaces that remove themselves.

use std::fs::File;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::tool::{ToolError, run};

/// A named network namespace; removed when dropped, unless it is kept.
#[derive(Debug)]
pub struct Netns {
    name: String,
    keep: bool,
}

/// A prefix for namespaces that no other lab on this machine uses.
#[must_use]
pub fn unique_prefix() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!(
        "kedge-{}-{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

impl Netns {
    /// Makes a namespace with its loopback up.
    ///
    /// # Errors
    /// `ip` is absent, the caller is not root, or the name is taken.
    pub fn new(name: impl Into<String>) -> Result<Self, ToolError> {
        let name = name.into();
        run(Command::new("ip").args(["netns", "add", &name]))?;
        let netns = Self { name, keep: false };
        netns.ip("link set lo up")?;
        Ok(netns)
    }

    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Leaves the namespace in place.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// `ip -n NAME WORDS`.
    ///
    /// # Errors
    /// What `ip` says.
    pub fn ip(&self, words: &str) -> Result<String, ToolError> {
        run(Command::new("ip")
            .args(["-n", &self.name])
            .args(words.split_whitespace()))
    }

    /// Several `ip` commands in one process, one a line.
    ///
    /// # Errors
    /// What `ip` says of the first that fails.
    pub fn ip_batch(&self, lines: &str) -> Result<(), ToolError> {
        lines
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .try_for_each(|line| self.ip(line).map(drop))
    }

    /// A command that will run inside; its process id is the program's own.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs a function on a thread inside; sockets that it opens stay inside.
    ///
    /// # Errors
    /// The namespace is gone.
    pub fn enter<T: Send>(&self, function: impl FnOnce() -> T + Send) -> Result<T, ToolError> {
        let file =
            File::open(format!("/run/netns/{}", self.name)).map_err(|source| ToolError::Start {
                program: format!("namespace {}", self.name),
                source,
            })?;
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                        .map_err(|e| {
                            ToolError::Other(format!("cannot enter namespace {}: {e}", self.name))
                        })?;
                    Ok(function())
                })
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        if !self.keep {
            let _ = Command::new("ip")
                .args(["netns", "delete", &self.name])
                .output();
        }
    }
}
