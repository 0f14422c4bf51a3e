//! Questions over UDP.

use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::handler::{Handler, Now};
use crate::message::{Scratch, Transport};

/// Largest question that is read: names and options of real ones take a tenth of it.
const LARGEST: usize = 4096;

pub async fn serve(socket: Arc<UdpSocket>, handler: &Arc<Handler>) {
    let mut waiting = JoinSet::new();
    let mut buffer = vec![0; LARGEST];
    let mut scratch = Scratch::default();
    loop {
        while waiting.try_join_next().is_some() {}
        // An error here is the ICMP message of a client that went away: nothing to do about it.
        let Ok((n, peer)) = socket.recv_from(&mut buffer).await else {
            continue;
        };
        match handler.answer_now(&buffer[..n], peer.ip(), Transport::Udp, &mut scratch) {
            Now::Written => {
                let _ = socket.send_to(scratch.answer(), peer).await;
            }
            Now::Reply(answer) => {
                let _ = socket.send_to(&answer, peer).await;
            }
            Now::Nothing => {}
            Now::Later(later) => {
                let (handler, socket) = (handler.clone(), socket.clone());
                waiting.spawn(async move {
                    let answer = handler.answer_later(later).await;
                    let _ = socket.send_to(&answer, peer).await;
                });
            }
        }
    }
}
