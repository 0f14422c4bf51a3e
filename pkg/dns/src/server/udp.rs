//! Questions over UDP, by the dozen: what waits is read in one system call, and answered in another.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::handler::{Handler, Now};
use crate::kernel::{MOST, Outgoing, Received};
use crate::message::{Scratch, Transport};

/// Largest question that is read: a name, and ten times the options that real ones have.
const LARGEST: usize = 1232;

pub async fn serve(socket: Arc<UdpSocket>, handler: &Arc<Handler>) {
    let mut waiting = JoinSet::new();
    let mut received = Received::new(MOST, LARGEST);
    let mut outgoing = Outgoing::default();
    let mut scratch = Scratch::default();
    loop {
        while waiting.try_join_next().is_some() {}
        let take = || received.take(socket.as_fd());
        // An error here is the ICMP message of a client that went away: nothing to do about it.
        if socket.async_io(Interest::READABLE, take).await.is_err() {
            continue;
        }
        let since = Instant::now();
        for (question, peer) in received.iter() {
            match handler.answer_now(question, peer.ip(), Transport::Udp, &mut scratch) {
                Now::Written => {
                    handler.answered(scratch.answer(), since);
                    outgoing.push(scratch.answer(), peer);
                }
                Now::Reply(answer) => {
                    handler.answered(&answer, since);
                    outgoing.push(&answer, peer);
                }
                Now::Nothing => {}
                Now::Later(later) => {
                    let (handler, socket) = (handler.clone(), socket.clone());
                    waiting.spawn(async move {
                        let answer = handler.answer_later(later).await;
                        handler.answered(&answer, since);
                        let _ = socket.send_to(&answer, peer).await;
                    });
                }
            }
        }
        outgoing.send(socket.as_fd());
    }
}
