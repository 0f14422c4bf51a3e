//! Waiting for the API to say something, by a watch: event after event, no polling.

use std::path::Path;
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::Value;

use crate::netns::Netns;
use crate::tool::{ToolError, built};

/// Longest wait for a state that should come within milliseconds.
pub(crate) const PATIENCE: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Watches objects through `kedge get WORDS --watch -o json` until one of them is as it should be, and gives that one.
///
/// # Errors
/// The state does not come, or `kedge get` ends: with what it said last.
pub fn until(
    netns: &Netns,
    kubeconfig: &Path,
    words: &[&str],
    right: impl Fn(&Value) -> bool,
) -> Result<Value, ToolError> {
    let io = |source| ToolError::Start {
        program: "kedge get".into(),
        source,
    };
    let mut child = netns
        .command(built("kedge", "KEDGE")?)
        .arg("get")
        .args(words)
        .args(["--watch", "-o", "json"])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(io)?;
    let found = child.stdout.take().map(|out| read_until(out, right));
    let _ = child.kill();
    let _ = child.wait();
    match found {
        Some(Ok(object)) => Ok(object),
        Some(Err(last)) => Err(ToolError::Other(format!(
            "`kedge get {}` never showed what was waited for; last: {last}",
            words.join(" ")
        ))),
        None => Err(ToolError::Other("kedge get has no output".into())),
    }
}

/// Reads one JSON document a line; the error is the last document, or why there is none.
fn read_until(
    mut out: std::process::ChildStdout,
    right: impl Fn(&Value) -> bool,
) -> Result<Value, String> {
    use std::io::Read;
    let mut text = Vec::new();
    let mut last = "nothing".to_string();
    let mut buffer = [0; 65536];
    loop {
        let mut events = [PollFd::new(&out, PollFlags::IN)];
        match poll(&mut events, Some(&PATIENCE)) {
            Ok(0) | Err(_) => return Err(last),
            Ok(_) => {}
        }
        match out.read(&mut buffer) {
            Ok(0) | Err(_) => return Err(last),
            Ok(n) => text.extend_from_slice(&buffer[..n]),
        }
        while let Some(end) = text.iter().position(|b| *b == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            last = String::from_utf8_lossy(&line).into_owned();
            if let Ok(object) = serde_json::from_slice::<Value>(&line)
                && right(&object)
            {
                return Ok(object);
            }
        }
    }
}
