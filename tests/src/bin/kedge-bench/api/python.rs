//! The official Python client, several of it at a time: what people's programs get.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use kedge_tests::netns::Netns;
use kedge_tests::tool::ToolError;

use crate::load;
use crate::other;

/// Clients at a time, and what each creates.
const CLIENTS: usize = 8;
const EACH: usize = 500;
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/python/creates.py");

/// What came of it.
pub struct Creates {
    elapsed: Duration,
    /// Seconds of CPU of the server, and of all clients together.
    server: f64,
    clients: f64,
}

impl Creates {
    pub fn rate(&self) -> String {
        format!(
            "{:.0}/s",
            (CLIENTS * EACH) as f64 / self.elapsed.as_secs_f64()
        )
    }

    pub fn details(&self) -> String {
        let each = |seconds: f64| seconds * 1e6 / (CLIENTS * EACH) as f64;
        format!(
            "{} in {:.1} s by {CLIENTS} clients; CPU a request: server {:.0} us, client {:.0} us",
            CLIENTS * EACH,
            self.elapsed.as_secs_f64(),
            each(self.server),
            each(self.clients)
        )
    }
}

/// Durable creates of ConfigMaps; `None` without `$KEDGE_PYTHON`, an interpreter that has the client.
pub fn creates(
    netns: &Netns,
    kubeconfig: &Path,
    server: u32,
) -> Result<Option<Creates>, ToolError> {
    let Some(python) = std::env::var_os("KEDGE_PYTHON") else {
        return Ok(None);
    };
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let child = netns
            .command(&python)
            .args([SCRIPT, &format!("python-{number}"), &EACH.to_string()])
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(other)?;
        clients.push(Client::of(child)?);
    }
    for client in &mut clients {
        if client.line()? != "ready" {
            return Err(other("a Python client does not begin"));
        }
    }
    let before = load::usage(server)?.0;
    let begun = Instant::now();
    for client in &mut clients {
        client.input.write_all(b"\n").map_err(other)?;
    }
    let mut cpu = 0.0;
    for client in &mut clients {
        cpu += client.line()?.parse::<f64>().map_err(other)?;
    }
    Ok(Some(Creates {
        elapsed: begun.elapsed(),
        server: load::usage(server)?.0 - before,
        clients: cpu,
    }))
}

/// A running client; it ends with this.
struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Client {
    fn of(mut child: Child) -> Result<Self, ToolError> {
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (input, output) = pipes.ok_or_else(|| other("a Python client has no pipes"))?;
        Ok(Self {
            child,
            input,
            output: BufReader::new(output),
        })
    }

    fn line(&mut self) -> Result<String, ToolError> {
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(other)?;
        Ok(line.trim_end().to_owned())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
