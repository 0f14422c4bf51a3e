//! Requests as a host's own programs would make them, with what the backend said of itself.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;

use crate::netns::Netns;
use crate::tool::ToolError;

/// Longest wait for an answer that should come at once.
pub const PATIENCE: Duration = Duration::from_secs(3);

/// The answer to a GET over plain HTTP, its head included.
///
/// # Errors
/// Nobody answers.
pub fn page(from: &Netns, to: SocketAddr, path: &str) -> Result<String, NoAnswer> {
    Ok(from.enter(|| {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    })??)
}

/// A backend's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Who answered.
    pub name: String,
    /// Whom it saw: the client's address, or what it was masqueraded to.
    pub saw: IpAddr,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("unreadable answer {0:?}")]
    Unreadable(String),
    #[error(transparent)]
    Lab(#[from] ToolError),
}

impl NoAnswer {
    /// The kind of the failure beneath, where there is one.
    #[must_use]
    pub fn kind(&self) -> Option<std::io::ErrorKind> {
        match self {
            Self::Io(e) => Some(e.kind()),
            _ => None,
        }
    }
}

fn parse(text: &str) -> Result<Answer, NoAnswer> {
    let wrong = || NoAnswer::Unreadable(text.to_string());
    let mut words = text.split_whitespace();
    let name = words.next().ok_or_else(wrong)?.to_string();
    let saw = words
        .nth(1)
        .and_then(|a| a.parse().ok())
        .ok_or_else(wrong)?;
    Ok(Answer { name, saw })
}

/// One HTTP request over a new connection.
///
/// # Errors
/// Connection refused, no answer in [`PATIENCE`], or one that is no backend's.
pub fn http(from: &Netns, to: SocketAddr) -> Result<Answer, NoAnswer> {
    from.enter(|| http_here(to))?
}

/// As [`http`], on the thread's own namespace.
///
/// # Errors
/// As [`http`].
pub fn http_here(to: SocketAddr) -> Result<Answer, NoAnswer> {
    let mut connection = Connection::open_here(to)?;
    connection.ask()
}

/// Connects again and again until it succeeds; how long that took. A SYN that meets no rule is sent again only
/// after a second, so each try is given less.
///
/// # Errors
/// It does not succeed in [`PATIENCE`].
pub fn until_connected(from: &Netns, to: SocketAddr) -> Result<Duration, NoAnswer> {
    let start = Instant::now();
    from.enter(|| {
        loop {
            match TcpStream::connect_timeout(&to, Duration::from_millis(5)) {
                Ok(_) => return Ok(start.elapsed()),
                Err(error) if start.elapsed() > PATIENCE => return Err(error.into()),
                Err(_) => {}
            }
        }
    })?
}

/// An open HTTP connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
}

impl Connection {
    /// Connects from a host.
    ///
    /// # Errors
    /// As [`http`].
    pub fn open(from: &Netns, to: SocketAddr) -> Result<Self, NoAnswer> {
        from.enter(|| Self::open_here(to))?
    }

    fn open_here(to: SocketAddr) -> Result<Self, NoAnswer> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream })
    }

    /// One request on this connection.
    ///
    /// # Errors
    /// As [`http`].
    pub fn ask(&mut self) -> Result<Answer, NoAnswer> {
        self.stream
            .write_all(b"GET / HTTP/1.1\r\nHost: service\r\n\r\n")?;
        let mut text = Vec::new();
        let mut buffer = [0; 1024];
        loop {
            let n = self.stream.read(&mut buffer)?;
            text.extend_from_slice(&buffer[..n]);
            let so_far = String::from_utf8_lossy(&text);
            if let Some((_, body)) = so_far.split_once("\r\n\r\n")
                && body.ends_with('\n')
            {
                return parse(body);
            }
            if n == 0 {
                return Err(NoAnswer::Unreadable(so_far.into_owned()));
            }
        }
    }
}

/// One datagram and its answer.
///
/// # Errors
/// As [`http`]; a reject shows as `ConnectionRefused`.
pub fn udp(from: &Netns, to: SocketAddr) -> Result<Answer, NoAnswer> {
    from.enter(|| {
        let any: IpAddr = if to.is_ipv4() {
            [0, 0, 0, 0].into()
        } else {
            [0u16; 8].into()
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect(to)?;
        socket.send(b"who")?;
        let mut buffer = [0; 512];
        let n = socket.recv(&mut buffer)?;
        parse(&String::from_utf8_lossy(&buffer[..n]))
    })?
}

/// A DNS answer: the code, and each record of the answer section as `TYPE DATA`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub rcode: String,
    pub records: Vec<String>,
}

/// One DNS question over UDP; `kind` is a type's mnemonic, such as `AAAA`.
///
/// # Errors
/// As [`http`].
pub fn dns(from: &Netns, server: IpAddr, name: &str, kind: &str) -> Result<Resolved, NoAnswer> {
    let wrong = |what: String| NoAnswer::Unreadable(what);
    let kind: Rtype = kind
        .parse()
        .map_err(|_| wrong(format!("no record type {kind}")))?;
    let question: Name<Vec<u8>> = name.parse().map_err(|e| wrong(format!("{name}: {e}")))?;
    let mut query = MessageBuilder::new_vec();
    query.header_mut().set_rd(true);
    query
        .header_mut()
        .set_id(u16::try_from(std::process::id() & 0xffff).unwrap_or(7));
    let mut query = query.question();
    query
        .push((&question, kind))
        .map_err(|e| wrong(e.to_string()))?;
    let query = query.into_message();
    from.enter(|| {
        let any: IpAddr = if server.is_ipv4() {
            [0, 0, 0, 0].into()
        } else {
            [0u16; 8].into()
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.connect((server, 53))?;
        socket.send(query.as_slice())?;
        let mut buffer = [0; 4096];
        let n = socket.recv(&mut buffer)?;
        let message = Message::from_octets(&buffer[..n]).map_err(|e| wrong(e.to_string()))?;
        let rcode = match message.header().rcode() {
            Rcode::NOERROR => "NOERROR".to_string(),
            other => other.to_string(),
        };
        let mut records = Vec::new();
        for record in message.answer().map_err(|e| wrong(e.to_string()))? {
            let record = record
                .and_then(|r| r.to_any_record::<AllRecordData<_, _>>())
                .map_err(|e| wrong(e.to_string()))?;
            let shown = format!("{} {}", record.rtype(), record.data());
            records.push(shown.trim_end_matches('.').to_string());
        }
        Ok(Resolved { rcode, records })
    })?
}
