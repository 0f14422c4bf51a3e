//! Questions over UDP, by the dozen: what waits is read in one system call, and answered in another.
//!
//! A thread of its own waits in the kernel for them. To the runtime every datagram is news, whether or not somebody is about
//! to read it: it cost five calls of `epoll_wait` and a change of threads for each dozen.

use std::io::{self, ErrorKind};
use std::net::{Shutdown, UdpSocket};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use socket2::SockRef;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::handler::{Handler, Now};
use crate::kernel::{MOST, Outgoing, Received};
use crate::message::{Scratch, Transport};

/// Largest question that is read: a name, and ten times the options that real ones have.
const LARGEST: usize = 1232;

/// Answers what comes in, by a thread that ends when this is dropped.
pub struct Answering {
    socket: Arc<UdpSocket>,
    thread: Option<JoinHandle<()>>,
    ended: oneshot::Receiver<()>,
}

impl Answering {
    /// Begins; must be called within a runtime, on which questions wait that others must help with.
    ///
    /// # Errors
    /// The kernel has no thread to give.
    pub fn begin(socket: UdpSocket, handler: &Arc<Handler>) -> io::Result<Self> {
        let (alive, ended) = oneshot::channel();
        let socket = Arc::new(socket);
        let answer = {
            let (socket, handler, runtime) = (socket.clone(), handler.clone(), Handle::current());
            move || {
                serve(&socket, &handler, &runtime);
                drop(alive);
            }
        };
        let thread = std::thread::Builder::new().name("kedge-dns".into());
        Ok(Self {
            socket,
            thread: Some(thread.spawn(answer)?),
            ended,
        })
    }

    /// Until it ends, which it does of itself only by a panic.
    pub async fn ended(&mut self) {
        let _ = (&mut self.ended).await;
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        // The kernel says that such a socket is not connected, and wakes who reads from it nonetheless (`inet_shutdown`).
        let _ = SockRef::from(&*self.socket).shutdown(Shutdown::Read);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until the socket is shut down.
fn serve(socket: &Arc<UdpSocket>, handler: &Arc<Handler>, runtime: &Handle) {
    let mut waiting = JoinSet::new();
    let mut received = Received::new(MOST, LARGEST);
    let mut outgoing = Outgoing::default();
    let mut scratch = Scratch::default();
    loop {
        match received.take(socket.as_fd()) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return,
            // A signal, or the ICMP message of a client that went away: nothing to do about it.
            Err(_) => continue,
        }
        while waiting.try_join_next().is_some() {}
        let since = Instant::now();
        for (question, peer) in received.iter() {
            match handler.answer_now(question, peer.ip(), Transport::Udp, &mut scratch) {
                Now::Written => outgoing.push(scratch.answer(), peer),
                Now::Reply(answer) => outgoing.push(&answer, peer),
                Now::Nothing => {}
                Now::Later(later) => {
                    let (handler, socket) = (handler.clone(), socket.clone());
                    let answer = async move {
                        let answer = handler.answer_later(later).await;
                        handler.answered([answer.as_slice()], since);
                        let mut outgoing = Outgoing::default();
                        outgoing.push(&answer, peer);
                        outgoing.send(socket.as_fd());
                    };
                    waiting.spawn_on(answer, runtime);
                }
            }
        }
        handler.answered(outgoing.iter(), since);
        outgoing.send(socket.as_fd());
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use tokio::sync::watch;

    use super::*;
    use crate::clients::Clients;
    use crate::metrics::Metrics;
    use crate::name::WireName;
    use crate::upstream::{Options, Resolvers};
    use crate::zone::Zone;

    fn handler(address: SocketAddr) -> Arc<Handler> {
        let domain = WireName::parse("cluster.local").unwrap();
        let clients = Clients {
            cluster: Vec::new(),
            lan: watch::channel(Arc::from([])).1,
            named: Vec::new(),
            rate_limit: None,
        };
        let metrics = Metrics::default();
        Arc::new(Handler::new(
            Zone::new(&domain, address.ip(), Vec::new(), 1),
            clients,
            Resolvers::new(Options::default(), address.ip(), metrics.clone()),
            metrics,
        ))
    }

    /// `dns-version.cluster.local`, TXT.
    const QUESTION: &[u8] =
        b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x0bdns-version\x07cluster\x05local\0\0\x10\0\x01";

    #[tokio::test]
    async fn who_stops_answering_leaves_the_address_to_another() {
        let mut address: SocketAddr = "127.0.0.1:0".parse().unwrap();
        for round in 0..3 {
            let socket = UdpSocket::bind(address).unwrap();
            address = socket.local_addr().unwrap();
            let mut answering = Answering::begin(socket, &handler(address)).unwrap();
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client
                .set_read_timeout(Some(Duration::from_secs(10)))
                .unwrap();
            client.send_to(QUESTION, address).unwrap();
            let mut answer = [0; 512];
            let length = client.recv(&mut answer).unwrap();
            assert!(
                length > QUESTION.len() && answer[..2] == QUESTION[..2],
                "round {round}"
            );
            let still = tokio::time::timeout(Duration::ZERO, answering.ended()).await;
            assert!(still.is_err(), "it goes on until it is dropped");
        }
    }
}
