//! The system's resolvers (`resolv.conf(5)`), for names that are not the cluster's.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use crate::message::{Answered, Asked};

/// How long one resolver may take before the next is asked.
const PATIENCE: Duration = Duration::from_secs(2);
/// As many servers as the C library asks.
const MAX_SERVERS: usize = 3;

/// The resolvers of a file, read again once it changed.
#[derive(Debug)]
pub struct Resolvers {
    path: PathBuf,
    /// Our own address: a file that names it would have us ask ourselves.
    own: IpAddr,
    read: Mutex<(Option<SystemTime>, Vec<IpAddr>)>,
}

impl Resolvers {
    #[must_use]
    pub fn new(path: &Path, own: IpAddr) -> Self {
        Self {
            path: path.into(),
            own,
            read: Mutex::new((None, Vec::new())),
        }
    }

    /// The servers that the file names now. A look at its time stamp costs a microsecond, and only names
    /// that go elsewhere pay it; a file that is absent names none.
    fn servers(&self) -> Vec<IpAddr> {
        let modified = std::fs::metadata(&self.path)
            .and_then(|m| m.modified())
            .ok();
        let mut read = self
            .read
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if modified.is_none() || read.0 != modified {
            let text = std::fs::read_to_string(&self.path).unwrap_or_default();
            *read = (modified, parse(&text, self.own));
        }
        read.1.clone()
    }

    /// Asks one server after the other; `None` when there is none, or none answered.
    pub async fn resolve(&self, asked: &Asked) -> Option<Vec<u8>> {
        for server in self.servers() {
            let server = SocketAddr::from((server, 53));
            match tokio::time::timeout(PATIENCE, ask(server, asked)).await {
                Ok(Ok(answer)) => return Some(answer.aged(0)),
                Ok(Err(error)) => tracing::debug!(%server, %error, "resolver gave no answer"),
                Err(_) => tracing::debug!(%server, "resolver gave no answer in time"),
            }
        }
        None
    }
}

async fn ask(server: SocketAddr, asked: &Asked) -> std::io::Result<Answered> {
    let answer = ask_udp(server, asked).await?;
    if answer.is_truncated() {
        return ask_tcp(server, asked).await;
    }
    Ok(answer)
}

fn parse(text: &str, own: IpAddr) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            (words.next() == Some("nameserver"))
                .then(|| words.next())
                .flatten()
        })
        // A scope, as in fe80::1%eth0, needs a link that the socket would have to name.
        .filter_map(|word| word.parse().ok())
        .filter(|server| *server != own)
        .take(MAX_SERVERS)
        .collect()
}

/// A random id, so that a stranger cannot answer in the resolver's place (RFC 5452).
fn random_id() -> std::io::Result<u16> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    Ok(u16::from_ne_bytes(id))
}

async fn ask_udp(server: SocketAddr, asked: &Asked) -> std::io::Result<Answered> {
    let any: IpAddr = if server.is_ipv4() {
        [0, 0, 0, 0].into()
    } else {
        [0u16; 8].into()
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let id = random_id()?;
    socket.send(&asked.message(id, true)).await?;
    let mut buffer = vec![0; 4096];
    loop {
        let n = socket.recv(&mut buffer).await?;
        if asked.is_answered_by(id, &buffer[..n]) {
            return Answered::read(&buffer[..n]).ok_or(std::io::ErrorKind::InvalidData.into());
        }
    }
}

async fn ask_tcp(server: SocketAddr, asked: &Asked) -> std::io::Result<Answered> {
    let id = random_id()?;
    let query = asked.message(id, true);
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(query.len()).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    stream
        .write_all(&[&length.to_be_bytes(), query.as_slice()].concat())
        .await?;
    let length = stream.read_u16().await?;
    let mut answer = vec![0; length.into()];
    stream.read_exact(&mut answer).await?;
    let answer = asked.is_answered_by(id, &answer).then_some(&answer);
    answer
        .and_then(|answer| Answered::read(answer))
        .ok_or(std::io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 43, 0, 10));

    #[test]
    fn nameservers_but_not_ourselves() {
        let text = "# site\nsearch lan\nnameserver 10.43.0.10\nnameserver 192.0.2.1 \n nameserver 2001:db8::1\noptions ndots:1\n";
        let shown: Vec<String> = parse(text, OWN).iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1", "2001:db8::1"]);
    }

    #[test]
    fn a_file_that_changed_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        let resolvers = Resolvers::new(&path, OWN);
        assert!(resolvers.servers().is_empty());
        for (second, server) in [(1, "192.0.2.1"), (2, "192.0.2.2")] {
            std::fs::write(&path, format!("nameserver {server}\n")).unwrap();
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(second))
                .unwrap();
            assert_eq!(resolvers.servers(), [server.parse::<IpAddr>().unwrap()]);
        }
    }
}
