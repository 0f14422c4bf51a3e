//! Live events: who changed what.

use std::fmt;
use std::future::poll_fn;

use netlink_sys::{AsyncSocket, TokioSocket, protocols::NETLINK_NETFILTER};
use socket2::{SockFilter, SockRef};

use crate::connection::grow_receive_buffer;
use crate::error::Error;
use crate::generation::Generation;
use crate::operation::Operation;
use crate::uapi::nf_tables::NFT_MSG_NEWGEN;
use crate::uapi::nfnetlink::{NFNL_SUBSYS_NFTABLES, NFNLGRP_NFTABLES};
use crate::wire::{Message, Messages};

/// The kernel sends notifications in datagrams of less than 8 KiB (`NLMSG_GOODSIZE`).
const DATAGRAM: usize = 16 * 1024;

/// Room for notifications that wait to be read: a transaction of some 10,000 elements by another
/// program.
const RECEIVE_BUFFER: usize = 4 * 1024 * 1024;

/// Follows the ruleset of one network namespace: that of the thread that opened it.
///
/// A transaction arrives as a [`Change`] for each object and each element, then a
/// [`NewGeneration`]. When more happens than the socket's buffer holds, what did not fit is gone
/// and [`Event::Lost`] says so, after everything that the buffer still held has been thrown away:
/// read the ruleset again. What happens from then on arrives.
pub struct Monitor {
    socket: TokioSocket,
    datagram: Vec<u8>,
    /// What of the datagram has been yielded.
    read: usize,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A transaction ends here.
    Generation(NewGeneration),
    /// An object was made, changed or deleted.
    Change(Change),
    /// Events were lost.
    Lost,
}

/// The end of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGeneration {
    /// Port of the socket that sent the transaction, as [`Socket::port`](crate::Socket::port) has
    /// it.
    pub port: u32,
    /// The generation that the transaction made, and the thread that sent it.
    pub generation: Generation,
}

/// A change to one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Port of the socket that sent the transaction, as [`Socket::port`](crate::Socket::port) has
    /// it.
    pub port: u32,
    /// The change.
    pub operation: Operation,
}

impl Monitor {
    /// Opens a monitor in the network namespace of the calling thread, within a tokio runtime with
    /// I/O.
    ///
    /// `own` are the ports of sockets whose transactions are of no interest
    /// ([`Socket::port`](crate::Socket::port)): a filter in the kernel drops their events, so that
    /// a program is not woken, nor its buffer filled, by what it does itself. Those sockets must
    /// live as long as the monitor: a port that is free again may become another program's.
    ///
    /// # Errors
    /// [`Error::Socket`].
    ///
    /// # Panics
    /// Outside of a tokio runtime, as every socket of tokio's does.
    pub fn open(own: &[u32]) -> Result<Self, Error> {
        let mut tokio = TokioSocket::new(NETLINK_NETFILTER).map_err(Error::socket("socket"))?;
        let socket = tokio.socket_mut();
        socket.bind_auto().map_err(Error::socket("bind"))?;
        grow_receive_buffer(socket, RECEIVE_BUFFER)?;
        if !own.is_empty() {
            SockRef::from(&*socket)
                .attach_filter(&ignore(own))
                .map_err(Error::socket("SO_ATTACH_FILTER"))?;
        }
        socket
            .add_membership(NFNLGRP_NFTABLES)
            .map_err(Error::socket("NETLINK_ADD_MEMBERSHIP"))?;
        Ok(Self {
            socket: tokio,
            datagram: Vec::with_capacity(DATAGRAM),
            read: 0,
        })
    }

    /// The next event. May be dropped and called again without losing any.
    ///
    /// # Errors
    /// [`Error::Socket`], or a message from the kernel that cannot be read.
    pub async fn next(&mut self) -> Result<Event, Error> {
        loop {
            if let Some(event) = self.buffered()? {
                return Ok(event);
            }
            self.datagram.clear();
            self.read = 0;
            let received = poll_fn(|cx| self.socket.poll_recv(cx, &mut self.datagram)).await;
            match received {
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                    self.discard();
                    return Ok(Event::Lost);
                }
                Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                received => received.map_err(Error::socket("recv"))?,
            }
        }
    }

    /// Reads what waits, to nobody. Once it has overflowed, the kernel adds nothing to a socket's
    /// buffer, nor says so again, until the buffer is empty (`NETLINK_S_CONGESTED`): only what
    /// happens after that is certain to arrive.
    fn discard(&mut self) {
        let socket = self.socket.socket_ref();
        loop {
            self.datagram.clear();
            match socket.recv(&mut self.datagram, 0) {
                Ok(_) => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                Err(_) => break,
            }
        }
        self.datagram.clear();
    }

    /// The next event of the datagram that was read last.
    fn buffered(&mut self) -> Result<Option<Event>, Error> {
        while self.read < self.datagram.len() {
            match Messages::new(&self.datagram[self.read..]).next() {
                None => break,
                // Cut off: a datagram longer than any that the kernel sends today.
                Some(Err(_)) => {
                    self.read = self.datagram.len();
                    return Ok(Some(Event::Lost));
                }
                Some(Ok(message)) => {
                    self.read += message.len();
                    if let Some(event) = Event::of(&message)? {
                        return Ok(Some(event));
                    }
                }
            }
        }
        Ok(None)
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor").finish_non_exhaustive()
    }
}

impl Event {
    fn of(message: &Message<'_>) -> Result<Option<Self>, Error> {
        let port = message.header.port;
        if message.header.kind == (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_NEWGEN {
            let generation = Generation::decode(message)?;
            return Ok(Some(Self::Generation(NewGeneration { port, generation })));
        }
        let operation = Operation::of(message)?;
        Ok(operation.map(|operation| Self::Change(Change { port, operation })))
    }
}

/// A socket filter (classic BPF) that drops datagrams whose first message was caused by one of the
/// ports. All messages of one datagram belong to one transaction.
fn ignore(ports: &[u32]) -> Vec<SockFilter> {
    use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W};
    const NLMSG_PID: u32 = 12;
    let code = |bits: u32| bits as u16;
    let mut program = vec![SockFilter::new(
        code(BPF_LD | BPF_W | BPF_ABS),
        0,
        0,
        NLMSG_PID,
    )];
    for port in ports {
        // The filter's machine loads words in network order; the header has the machine's.
        program.push(SockFilter::new(
            code(BPF_JMP | BPF_JEQ | BPF_K),
            0,
            1,
            port.to_be(),
        ));
        program.push(SockFilter::new(code(BPF_RET | BPF_K), 0, 0, 0));
    }
    program.push(SockFilter::new(code(BPF_RET | BPF_K), 0, 0, u32::MAX));
    program
}
