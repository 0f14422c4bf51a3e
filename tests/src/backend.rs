//! A backend that says who it is and whom it sees, over HTTP and UDP.
//!
//! An answer is one line: `NAME LOCAL-ADDRESS PEER-ADDRESS`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Stdio};

use crate::netns::Netns;
use crate::tool::{ToolError, built};

/// A backend's process; killed when dropped, unless it is kept.
#[derive(Debug)]
pub struct Backend {
    child: Child,
    keep: bool,
}

impl Backend {
    /// Starts one inside a namespace; it listens when this returns.
    ///
    /// # Errors
    /// It was not built, or cannot listen.
    pub fn start(netns: &Netns, name: &str, port: u16) -> Result<Self, ToolError> {
        let program = built("kedge-backend", "KEDGE_BACKEND")?;
        let mut child = netns
            .command(program)
            .args([name, &port.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|source| ToolError::Start {
                program: "kedge-backend".into(),
                source,
            })?;
        let mut line = String::new();
        if let Some(stdout) = child.stdout.take() {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        let backend = Self { child, keep: false };
        if line.starts_with("listening") {
            return Ok(backend);
        }
        Err(ToolError::Other(format!(
            "backend {name} does not listen on port {port}"
        )))
    }

    /// Leaves it running.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        if !self.keep {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Serves until killed; prints one line once both sockets listen.
///
/// # Errors
/// A socket cannot be made.
pub fn serve(name: &str, port: u16) -> std::io::Result<()> {
    let any = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let tcp = TcpListener::bind(any)?;
    let udp = UdpSocket::bind(any)?;
    println!("listening");
    std::thread::scope(|scope| {
        scope.spawn(|| serve_udp(&udp, name));
        for stream in tcp.incoming().flatten() {
            scope.spawn(move || answer_http(stream, name));
        }
    });
    Ok(())
}

fn serve_udp(socket: &UdpSocket, name: &str) {
    let mut buffer = [0; 2048];
    while let Ok((_, peer)) = socket.recv_from(&mut buffer) {
        let _ = socket.send_to(
            format!("{name} - {}\n", peer.ip().to_canonical()).as_bytes(),
            peer,
        );
    }
}

/// Answers requests on one connection, and keeps it open between them as HTTP/1.1 does.
fn answer_http(stream: TcpStream, name: &str) -> Option<()> {
    let address = |a: SocketAddr| -> IpAddr { a.ip().to_canonical() };
    let body = format!(
        "{name} {} {}\n",
        address(stream.local_addr().ok()?),
        address(stream.peer_addr().ok()?)
    );
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut first = true;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() && !first {
                break;
            }
            first = false;
            if let Some((key, value)) = line.split_once(':')
                && key.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink()).ok()?;
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        writer.write_all(format!("{head}{body}").as_bytes()).ok()?;
    }
}
