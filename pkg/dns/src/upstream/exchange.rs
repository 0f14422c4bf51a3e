//! One question to one resolver, over UDP and, for what does not fit, over TCP.

use std::io::{Error, ErrorKind, Result};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::base::iana::Rcode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::message::{Answered, Asked};

/// How long an answer is waited for before the datagram is sent again: either may have been lost.
const AGAIN_AFTER: [Duration; 3] = [
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// How long TCP is waited for where a cut answer is there already.
const TCP_PATIENCE: Duration = Duration::from_secs(1);

/// Asks over UDP, and again over TCP what was cut. Where TCP is not served, as by many a router at home, the cut answer is all
/// that there is; it says so (TC).
pub async fn plain(server: SocketAddr, asked: &Asked) -> Result<Answered> {
    let mut answer = udp(server, asked, true).await?;
    // One who does not know EDNS says so (RFC 6891, 7).
    if [Rcode::FORMERR, Rcode::NOTIMP].contains(&answer.rcode()) {
        answer = udp(server, asked, false).await?;
    }
    if !answer.is_truncated() {
        return Ok(answer);
    }
    let whole = timeout(TCP_PATIENCE, tcp(server, asked)).await;
    Ok(whole.ok().and_then(Result::ok).unwrap_or(answer))
}

async fn tcp(server: SocketAddr, asked: &Asked) -> Result<Answered> {
    let mut stream = TcpStream::connect(server).await?;
    stream_exchange(&mut stream, asked).await
}

/// A port and an id by chance, so that a stranger cannot answer in the resolver's place (RFC 5452).
async fn udp(server: SocketAddr, asked: &Asked, edns: bool) -> Result<Answered> {
    let any: IpAddr = if server.is_ipv4() {
        [0; 4].into()
    } else {
        [0u16; 8].into()
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    let id = random_id()?;
    let message = asked.message(id, edns);
    let mut buffer = vec![0; 4096];
    for pause in AGAIN_AFTER {
        socket.send(&message).await?;
        if let Ok(answer) = timeout(pause, answer(&socket, id, asked, &mut buffer)).await {
            return answer;
        }
    }
    Err(ErrorKind::TimedOut.into())
}

async fn answer(socket: &UdpSocket, id: u16, asked: &Asked, buffer: &mut [u8]) -> Result<Answered> {
    loop {
        let n = socket.recv(buffer).await?;
        if asked.is_answered_by(id, &buffer[..n]) {
            return Answered::read(&buffer[..n]).ok_or_else(unreadable);
        }
    }
}

/// One question and its answer over a stream (RFC 7766), which can be used again.
pub async fn stream_exchange<S>(stream: &mut S, asked: &Asked) -> Result<Answered>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let id = random_id()?;
    let message = asked.message(id, true);
    let length = u16::try_from(message.len()).map_err(|_| ErrorKind::InvalidInput)?;
    let framed = [&length.to_be_bytes(), message.as_slice()].concat();
    stream.write_all(&framed).await?;
    stream.flush().await?;
    let mut answer = vec![0; stream.read_u16().await?.into()];
    stream.read_exact(&mut answer).await?;
    if !asked.is_answered_by(id, &answer) {
        return Err(unreadable());
    }
    Answered::read(&answer).ok_or_else(unreadable)
}

fn unreadable() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer cannot be read")
}

pub fn random_id() -> Result<u16> {
    let mut id = [0; 2];
    random(&mut id)?;
    Ok(u16::from_ne_bytes(id))
}

/// Fills with chance.
pub fn random(octets: &mut [u8]) -> Result<()> {
    rustix::rand::getrandom(octets, rustix::rand::GetRandomFlags::empty())?;
    Ok(())
}
