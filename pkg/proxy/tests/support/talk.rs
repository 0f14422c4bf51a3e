//! Servers that say who they are and whom they see, and clients that ask.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use super::host::Host;

/// Long enough for a packet on a busy machine, short enough to wait for what never comes.
pub const PATIENCE: Duration = Duration::from_millis(700);

/// What became of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server's name, and the source that it saw.
    From(String, IpAddr),
    Refused,
    Nothing,
}

impl Answer {
    /// The server's name.
    pub fn name(&self) -> &str {
        match self {
            Self::From(name, _) => name,
            other => panic!("no answer: {other:?}"),
        }
    }

    /// The source that the server saw.
    pub fn source(&self) -> IpAddr {
        match self {
            Self::From(_, source) => *source,
            other => panic!("no answer: {other:?}"),
        }
    }
}

/// Answers on TCP and UDP port 8080 of a host, as long as the process lives. A host with several
/// addresses must say which, or UDP is answered from any.
pub fn serve(host: &Host, name: &str, address: &str) {
    let at = SocketAddr::new(address.parse().unwrap(), 8080);
    let (tcp, udp) = host.run(|| (TcpListener::bind(at).unwrap(), UdpSocket::bind(at).unwrap()));
    let said = name.to_owned();
    std::thread::spawn(move || {
        for stream in tcp.incoming().flatten() {
            let mut stream = stream;
            let peer = stream.peer_addr().unwrap().ip().to_canonical();
            let _ = write!(stream, "{said} {peer}");
        }
    });
    let said = name.to_owned();
    std::thread::spawn(move || {
        let mut buffer = [0; 64];
        while let Ok((_, peer)) = udp.recv_from(&mut buffer) {
            let _ = udp.send_to(
                format!("{said} {}", peer.ip().to_canonical()).as_bytes(),
                peer,
            );
        }
    });
}

pub fn parse(text: &str) -> Answer {
    match text.split_once(' ') {
        Some((name, source)) => Answer::From(name.to_owned(), source.parse().unwrap()),
        None => Answer::Nothing,
    }
}

pub fn failure(kind: ErrorKind) -> Answer {
    match kind {
        ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset | ErrorKind::PermissionDenied => {
            Answer::Refused
        }
        _ => Answer::Nothing,
    }
}

/// Asks over TCP from a host.
pub fn tcp(from: &Host, to: &str) -> Answer {
    let to: SocketAddr = to.parse().unwrap();
    from.run(|| {
        let mut stream = match TcpStream::connect_timeout(&to, PATIENCE) {
            Ok(stream) => stream,
            Err(error) => return failure(error.kind()),
        };
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut text = String::new();
        match stream.read_to_string(&mut text) {
            Ok(_) => parse(&text),
            Err(error) => failure(error.kind()),
        }
    })
}

/// A UDP client that keeps its port, and so its flow.
pub struct Udp {
    socket: UdpSocket,
}

impl Udp {
    pub fn new(from: &Host, to: &str) -> Self {
        let to: SocketAddr = to.parse().unwrap();
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = from.run(|| {
            let socket = UdpSocket::bind(any).unwrap();
            socket.connect(to).unwrap();
            socket
        });
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    pub fn ask(&self) -> Answer {
        if let Err(error) = self.socket.send(b"?") {
            return failure(error.kind());
        }
        let mut buffer = [0; 128];
        match self.socket.recv(&mut buffer) {
            Ok(n) => parse(std::str::from_utf8(&buffer[..n]).unwrap()),
            Err(error) => failure(error.kind()),
        }
    }
}

/// Asks once from a host, and waits no longer than that.
pub fn ask_within(from: &Host, to: SocketAddr, udp: bool, patience: Duration) -> Answer {
    let text = from.run(|| {
        let mut said = Vec::new();
        if udp {
            let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let socket = UdpSocket::bind(any)?;
            socket.connect(to)?;
            socket.set_read_timeout(Some(patience))?;
            socket.send(b"?")?;
            said.resize(128, 0);
            let length = socket.recv(&mut said)?;
            said.truncate(length);
        } else {
            let mut stream = TcpStream::connect_timeout(&to, patience)?;
            stream.set_read_timeout(Some(patience))?;
            stream.read_to_end(&mut said)?;
        }
        Ok::<_, std::io::Error>(String::from_utf8_lossy(&said).into_owned())
    });
    match text {
        Ok(text) => parse(&text),
        Err(error) => failure(error.kind()),
    }
}

/// Asks over UDP from a host, once.
pub fn udp(from: &Host, to: &str) -> Answer {
    Udp::new(from, to).ask()
}

/// Waits until `f` is true, as the rules follow the objects a moment later. How long it took.
pub fn eventually(what: &str, mut f: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !f() {
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{what} has not come to pass"
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    start.elapsed()
}
