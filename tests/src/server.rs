//! The binary under test, as a process inside a host.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::log_watch::LogWatch;
use crate::netns::Netns;
use crate::readiness::{NOTIFY_SOCKET, Readiness};
use crate::tool::{ToolError, built};

/// The variable that says where the system's message bus is.
pub const BUS: &str = "DBUS_SYSTEM_BUS_ADDRESS";

/// A running `kedge server`, or `kedge proxy`; killed when dropped, unless it is kept.
#[derive(Debug)]
pub struct Server {
    child: Child,
    data: PathBuf,
    log: PathBuf,
    keep: bool,
}

impl Server {
    /// Starts `kedge server` with a data folder and further flags; it serves when this returns.
    ///
    /// The server tells its readiness as it would tell systemd, so nothing here polls.
    ///
    /// # Errors
    /// It was not built, or ends before it serves: its log is in the error.
    pub fn start(netns: &Netns, data: &Path, flags: &[&str]) -> Result<Self, ToolError> {
        Self::run(
            netns,
            data,
            "server",
            &["--data-dir".as_ref(), data.as_os_str()],
            flags,
        )
    }

    /// Starts `kedge proxy` for the API server of a kubeconfig; the rules are in the kernel when this returns. `files`
    /// is where it keeps its log, without an ending.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn proxy(
        netns: &Netns,
        files: &Path,
        kubeconfig: &Path,
        flags: &[&str],
    ) -> Result<Self, ToolError> {
        let from = ["--kubeconfig".as_ref(), kubeconfig.as_os_str()];
        Self::run(netns, files, "proxy", &from, flags)
    }

    fn run(
        netns: &Netns,
        data: &Path,
        command: &str,
        words: &[&OsStr],
        flags: &[&str],
    ) -> Result<Self, ToolError> {
        let io = |source| ToolError::Start {
            program: format!("kedge {command}"),
            source,
        };
        let log = data.with_extension("log");
        let notify = Readiness::listen(&data.with_extension("notify")).map_err(io)?;
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(io)?;
        let mut child = netns
            .command(built("kedge", "KEDGE")?)
            .arg(command)
            .args(words)
            .args(flags)
            .env(NOTIFY_SOCKET, notify.path())
            .env(BUS, format!("unix:path={}", bus(data).display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .map_err(io)?;
        if !notify.wait(&child).map_err(io)? {
            let _ = child.kill();
            let _ = child.wait();
            return Err(ToolError::Other(format!(
                "kedge {command} does not serve; its log:\n{}",
                read(&log)
            )));
        }
        Ok(Self {
            child,
            data: data.into(),
            log,
            keep: false,
        })
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> PathBuf {
        self.data.join("kubeconfig.yaml")
    }

    /// The same with the server at one of its other addresses, for hosts that reach it there.
    ///
    /// # Errors
    /// It cannot be read or written.
    pub fn kubeconfig_at(&self, address: &str) -> Result<PathBuf, ToolError> {
        let io = |source| ToolError::Start {
            program: "a kubeconfig".into(),
            source,
        };
        let text = std::fs::read_to_string(self.kubeconfig()).map_err(io)?;
        let is_server = |line: &str| line.trim_start().starts_with("server: ");
        let moved: String = text
            .lines()
            .map(|line| match line.split_once("server: ") {
                Some((indent, _)) if is_server(line) => {
                    format!("{indent}server: https://{address}:6443\n")
                }
                _ => format!("{line}\n"),
            })
            .collect();
        let path = self.data.with_extension(address);
        std::fs::write(&path, moved).map_err(io)?;
        Ok(path)
    }

    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        read(&self.log)
    }

    /// Waits until the log is as it should be.
    ///
    /// # Errors
    /// It does not become so in time, or cannot be watched: with the log.
    pub fn until_logged(&self, right: impl Fn(&str) -> bool) -> Result<(), ToolError> {
        let news = LogWatch::new(&self.log).map_err(|e| ToolError::Other(e.to_string()))?;
        loop {
            let log = self.log();
            if right(&log) {
                return Ok(());
            }
            if !news.wait().map_err(|e| ToolError::Other(e.to_string()))? {
                return Err(ToolError::Other(format!(
                    "what was waited for is not in the log:\n{log}"
                )));
            }
        }
    }

    /// Leaves it running.
    pub fn keep(&mut self) {
        self.keep = true;
    }

    /// `kill -9`, as a power cut would end it.
    pub fn kill(mut self) {
        self.end();
    }

    /// SIGTERM, and waits for its end.
    ///
    /// # Errors
    /// It ends with another status than 0.
    pub fn stop(mut self) -> Result<(), ToolError> {
        let io = |source| ToolError::Start {
            program: "kedge server".into(),
            source,
        };
        kill_process(Pid::from_child(&self.child), Signal::TERM).map_err(|e| io(e.into()))?;
        let status = self.child.wait().map_err(io)?;
        if status.success() {
            return Ok(());
        }
        Err(ToolError::Other(format!(
            "kedge server ended with {status}; its log:\n{}",
            self.log()
        )))
    }

    fn end(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.keep {
            self.end();
        }
    }
}

/// Where a server with this data folder looks for the system's message bus: never at the machine's own.
#[must_use]
pub fn bus(data: &Path) -> PathBuf {
    data.with_extension("bus")
}

fn read(path: &Path) -> String {
    let mut text = String::new();
    if let Ok(mut file) = std::fs::File::open(path) {
        let _ = file.read_to_string(&mut text);
    }
    text
}

/// `kedge WORDS` inside a host, with the administrator's kubeconfig and text on its standard input.
///
/// # Errors
/// What kedge says.
pub fn kedge(
    netns: &Netns,
    kubeconfig: &Path,
    words: &[&str],
    input: &str,
) -> Result<String, ToolError> {
    let io = |source| ToolError::Start {
        program: "kedge".into(),
        source,
    };
    let mut child = netns
        .command(built("kedge", "KEDGE")?)
        .args(words)
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(io)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).map_err(io)?;
    }
    let output = child.wait_with_output().map_err(io)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(ToolError::Failed {
        command: format!("kedge {}", words.join(" ")),
        status: output.status,
        said: String::from_utf8_lossy(&output.stderr).trim().to_string(),
    })
}
