//! Questions over TCP (RFC 7766).

use std::io::{ErrorKind, Result};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

use super::handler::{Handler, Now};
use crate::message::{Scratch, Transport};

/// Open connections at once; beyond that new ones wait.
const MAX_CONNECTIONS: usize = 64;
/// Questions of one connection that wait for other resolvers at once; beyond that it is read no further.
const MAX_WAITING: usize = 16;
/// How long a client may take for a question (RFC 7766, 6.2.3), or leave its answers unread.
const MAX_SILENCE: Duration = Duration::from_secs(10);
/// Pause after a connection that could not be accepted.
const BACK_OFF: Duration = Duration::from_millis(100);

pub async fn serve(listener: TcpListener, handler: &Arc<Handler>) {
    let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = connections.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let handler = handler.clone();
                open.spawn(async move {
                    // A client that goes away or breaks off is its own business.
                    let _ = converse(stream, peer.ip(), &handler).await;
                    drop(place);
                });
            }
            // No descriptor left: the process must give one up first, and no event tells when.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a DNS connection");
                drop(place);
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

/// Answers in the order in which they are known: a question that others must help with holds up none that came after it
/// (RFC 7766, 6.2.1.1).
async fn converse(mut stream: TcpStream, peer: IpAddr, handler: &Handler) -> Result<()> {
    let (mut reader, mut writer) = stream.split();
    let (mut scratch, mut octets) = (Scratch::default(), BytesMut::new());
    let mut waiting = FuturesUnordered::new();
    let mut open = true;
    let mut silence = Instant::now() + MAX_SILENCE;
    loop {
        while waiting.len() < MAX_WAITING
            && let Some(question) = take_question(&mut octets)
        {
            let since = Instant::now();
            silence = since + MAX_SILENCE;
            match handler.answer_now(&question, peer, Transport::Tcp, &mut scratch) {
                Now::Written => send(&mut writer, scratch.answer(), since, handler).await?,
                Now::Reply(answer) => send(&mut writer, &answer, since, handler).await?,
                Now::Nothing => return Ok(()),
                Now::Later(later) => waiting.push(async move {
                    let answer = handler.answer_later(later).await;
                    (answer, since)
                }),
            }
        }
        if !open && waiting.is_empty() {
            return Ok(());
        }
        tokio::select! {
            read = reader.read_buf(&mut octets), if open && waiting.len() < MAX_WAITING => {
                // One who says no more may still listen.
                open = read? > 0;
            }
            Some((answer, since)) = waiting.next() => {
                send(&mut writer, &answer, since, handler).await?;
                silence = Instant::now() + MAX_SILENCE;
            }
            () = sleep_until(silence.into()), if waiting.is_empty() => {
                return Err(ErrorKind::TimedOut.into());
            }
        }
    }
}

/// The next message, once all of it is there: two octets of length come before it (RFC 1035, 4.2.2).
fn take_question(octets: &mut BytesMut) -> Option<BytesMut> {
    let length: [u8; 2] = octets.get(..2)?.try_into().ok()?;
    let length = usize::from(u16::from_be_bytes(length));
    if octets.len() < 2 + length {
        return None;
    }
    octets.advance(2);
    Some(octets.split_to(length))
}

async fn send(
    writer: &mut (impl AsyncWrite + Unpin),
    answer: &[u8],
    since: Instant,
    handler: &Handler,
) -> Result<()> {
    handler.answered([answer], since);
    let length = u16::try_from(answer.len()).map_err(|_| ErrorKind::InvalidData)?;
    let framed = [&length.to_be_bytes(), answer].concat();
    timeout(MAX_SILENCE, writer.write_all(&framed)).await?
}
