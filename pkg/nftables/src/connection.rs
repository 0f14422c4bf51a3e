//! One NETLINK_NETFILTER socket: requests out, answers in.
//!
//! The kernel answers while `send` runs, and goes on with a dump while `recv` runs: there is an
//! answer to read, or there will never be one. So the socket never blocks, and nothing here waits.

use std::io::{self, IoSlice};

use netlink_packet_core::{
    NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use rustix::net::{SendAncillaryBuffer, SendFlags, sockopt};

use crate::error::Error;
use crate::uapi::nfnetlink as nf;
use crate::wire::{Attributes, Message, Messages, Writer, align};

/// The kernel never sends a longer datagram of a dump.
const DATAGRAM: usize = 32 * 1024;

/// Room for answers that wait to be read: some thousand errors.
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// A connected socket of one network namespace.
#[derive(Debug)]
pub(crate) struct Connection {
    socket: Socket,
    port: u32,
    sequence: u32,
    send_buffer: usize,
    datagram: Vec<u8>,
}

/// `NLMSG_ERROR`, decoded.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Sequence number of the message that it answers.
    pub sequence: u32,
    /// 0 for an acknowledgement.
    pub errno: i32,
    /// The kernel's words.
    pub message: Option<String>,
    /// Where in the message the fault is.
    pub offset: Option<usize>,
}

impl Connection {
    /// Opens a socket in the network namespace of the calling thread, where it stays.
    pub(crate) fn open() -> Result<Self, Error> {
        let mut socket = Socket::new(NETLINK_NETFILTER).map_err(Error::socket("socket"))?;
        let address = socket.bind_auto().map_err(Error::socket("bind"))?;
        socket
            .connect(&SocketAddr::new(0, 0))
            .map_err(Error::socket("connect"))?;
        socket
            .set_non_blocking(true)
            .map_err(Error::socket("FIONBIO"))?;
        socket
            .set_cap_ack(true)
            .map_err(Error::socket("NETLINK_CAP_ACK"))?;
        socket
            .set_ext_ack(true)
            .map_err(Error::socket("NETLINK_EXT_ACK"))?;
        socket
            .set_netlink_get_strict_chk(true)
            .map_err(Error::socket("NETLINK_GET_STRICT_CHK"))?;
        grow_receive_buffer(&socket, RECEIVE_BUFFER)?;
        let send_buffer = sockopt::socket_send_buffer_size(&socket)
            .map_err(|e| Error::socket("SO_SNDBUF")(e.into()))?;
        Ok(Self {
            socket,
            port: address.port_number(),
            sequence: 0,
            send_buffer,
            datagram: Vec::with_capacity(DATAGRAM),
        })
    }

    /// The socket's port, which the kernel puts into every notification of what this socket caused.
    pub(crate) fn port(&self) -> u32 {
        self.port
    }

    /// A sequence number for the next request.
    pub(crate) fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    /// Sends the parts as one datagram, so that the kernel sees one transaction.
    pub(crate) fn send(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        // Whatever an abandoned request left behind.
        self.drain();
        let len: usize = parts.iter().map(|part| part.len()).sum();
        // A datagram must fit into the buffer whole, less 32 bytes (netlink_sendmsg).
        if len + 32 > self.send_buffer {
            self.grow_send_buffer(len + 32)?;
        }
        let slices: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut control = SendAncillaryBuffer::default();
        rustix::net::sendmsg(&self.socket, &slices, &mut control, SendFlags::empty())
            .map_err(|e| Error::socket("sendmsg")(e.into()))?;
        Ok(())
    }

    fn grow_send_buffer(&mut self, len: usize) -> Result<(), Error> {
        // Forcing it past net.core.wmem_max takes CAP_NET_ADMIN, as every change of nf_tables does.
        sockopt::set_socket_send_buffer_size_force(&self.socket, len)
            .or_else(|_| sockopt::set_socket_send_buffer_size(&self.socket, len))
            .and_then(|()| sockopt::socket_send_buffer_size(&self.socket))
            .map(|size| self.send_buffer = size)
            .map_err(|e| Error::socket("SO_SNDBUFFORCE")(e.into()))
    }

    fn drain(&mut self) {
        loop {
            match self.receive() {
                Ok(true) | Err(Error::Truncated(_)) => {}
                Err(error) if error.errno() == Some(libc::ENOBUFS) => {}
                // Empty; or an error that whatever is sent next will meet too.
                Ok(false) | Err(_) => return,
            }
        }
    }

    /// Reads one datagram. Whether there was one.
    fn receive(&mut self) -> Result<bool, Error> {
        loop {
            self.datagram.clear();
            match self.socket.recv(&mut self.datagram, libc::MSG_TRUNC) {
                Ok(len) if len > self.datagram.len() => {
                    return Err(Error::Truncated("datagram"));
                }
                Ok(_) => return Ok(true),
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    io::ErrorKind::WouldBlock => return Ok(false),
                    _ => return Err(Error::socket("recv")(error)),
                },
            }
        }
    }

    /// Hands every message that waits to `each`. Whether some were lost because they did not fit
    /// into the buffer.
    pub(crate) fn answers(
        &mut self,
        mut each: impl FnMut(&Message<'_>) -> Result<(), Error>,
    ) -> Result<bool, Error> {
        let mut lost = false;
        loop {
            match self.receive() {
                Ok(false) => return Ok(lost),
                Ok(true) => {
                    for message in Messages::new(&self.datagram) {
                        each(&message?)?;
                    }
                }
                Err(error) if error.errno() == Some(libc::ENOBUFS) => lost = true,
                Err(error) => return Err(error),
            }
        }
    }

    /// Dumps: hands every message of the answer to `each`. Read to its end even when `each` fails,
    /// since the kernel holds one dump a socket. Fails with [`Error::Interrupted`] if what is
    /// dumped changed meanwhile.
    pub(crate) fn dump(
        &mut self,
        request: &'static str,
        kind: u16,
        family: u8,
        body: impl FnOnce(&mut Writer),
        mut each: impl FnMut(&Message<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sequence = self.next_sequence();
        let mut w = Writer::with_capacity(128);
        w.message(kind, NLM_F_REQUEST | NLM_F_DUMP, sequence, family, 0, body);
        self.send(&[w.as_bytes()])?;
        let (mut done, mut interrupted, mut result) = (false, false, Ok(()));
        let lost = self.answers(|message| {
            if message.header.sequence != sequence {
                return Ok(());
            }
            interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            if message.is_done() || message.is_error() {
                done = true;
                if message.code() < 0 && result.is_ok() {
                    result = Err(refused(request, message));
                }
            } else if result.is_ok() {
                result = each(message);
            }
            Ok(())
        })?;
        result?;
        if interrupted || lost || !done {
            return Err(Error::Interrupted(request));
        }
        Ok(())
    }
}

/// Lets more datagrams wait: past net.core.rmem_max where that is permitted.
pub(crate) fn grow_receive_buffer(socket: &Socket, size: usize) -> Result<(), Error> {
    sockopt::set_socket_recv_buffer_size_force(socket, size)
        .or_else(|_| sockopt::set_socket_recv_buffer_size(socket, size))
        .map_err(|e| Error::socket("SO_RCVBUFFORCE")(e.into()))
}

/// The error that a refused request is.
pub(crate) fn refused(request: &'static str, message: &Message<'_>) -> Error {
    let errno = -message.code();
    if errno == libc::EINTR {
        return Error::Interrupted(request);
    }
    let text = if message.is_error() {
        Answer::decode(message).message
    } else {
        None
    };
    Error::Refused {
        request,
        source: io::Error::from_raw_os_error(errno),
        message: text,
    }
}

impl Answer {
    /// Reads `NLMSG_ERROR`: the code, the message that it is about (whole, or its header alone),
    /// and what else the kernel says.
    pub(crate) fn decode(message: &Message<'_>) -> Self {
        let mut answer = Self {
            sequence: message.header.sequence,
            errno: -message.code(),
            message: None,
            offset: None,
        };
        if message.header.flags & NLM_F_ACK_TLVS == 0 {
            return answer;
        }
        let original = if message.header.flags & NLM_F_CAPPED != 0 {
            nf::NLMSG_HDRLEN
        } else {
            let len = message.payload.get(4..8).and_then(|b| b.try_into().ok());
            align(len.map_or(nf::NLMSG_HDRLEN, |b| u32::from_ne_bytes(b) as usize))
        };
        let rest = message.payload.get(4 + original..).unwrap_or(&[]);
        for attribute in Attributes::new(rest).map_while(Result::ok) {
            match attribute.kind {
                nf::NLMSGERR_ATTR_MSG => answer.message = Some(attribute.text()),
                nf::NLMSGERR_ATTR_OFFS => {
                    // In the machine's order, as netlink's own attributes are.
                    let offset = <[u8; 4]>::try_from(attribute.value);
                    answer.offset = offset.ok().map(|b| u32::from_ne_bytes(b) as usize);
                }
                _ => {}
            }
        }
        answer
    }
}
