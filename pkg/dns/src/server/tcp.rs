//! Questions over TCP (RFC 7766).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handler::{Handler, Now};
use crate::message::{Scratch, Transport};

/// Open connections at once; beyond that new ones wait.
const MAX_CONNECTIONS: usize = 64;
/// How long a client may be silent (RFC 7766, 6.2.3), or leave its answers unread.
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

async fn converse(mut stream: TcpStream, peer: IpAddr, handler: &Handler) -> std::io::Result<()> {
    let mut scratch = Scratch::default();
    loop {
        let length = timeout(MAX_SILENCE, stream.read_u16()).await??;
        let mut question = vec![0; length.into()];
        timeout(MAX_SILENCE, stream.read_exact(&mut question)).await??;
        let since = Instant::now();
        let answer = match handler.answer_now(&question, peer, Transport::Tcp, &mut scratch) {
            Now::Written => scratch.answer().to_vec(),
            Now::Reply(answer) => answer,
            Now::Nothing => return Ok(()),
            Now::Later(later) => handler.answer_later(later).await,
        };
        handler.answered(&answer, since);
        let length = u16::try_from(answer.len()).map_err(|_| std::io::ErrorKind::InvalidData)?;
        let framed = [&length.to_be_bytes(), answer.as_slice()].concat();
        timeout(MAX_SILENCE, stream.write_all(&framed)).await??;
    }
}
