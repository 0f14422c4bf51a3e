//! A linear, borrowing reader of messages.

use netlink_packet_core::{NLMSG_DONE, NLMSG_ERROR};

use super::Attributes;
use crate::error::Error;
use crate::uapi::nfnetlink::{NFGENMSG_LEN, NLMSG_HDRLEN};

/// `struct nlmsghdr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// `nlmsg_type`: subsystem and operation, or a control message.
    pub kind: u16,
    /// `nlmsg_flags`.
    pub flags: u16,
    /// `nlmsg_seq`.
    pub sequence: u32,
    /// `nlmsg_pid`: port of the socket whose request this answers, or that caused this
    /// notification.
    pub port: u32,
}

/// One message in a received datagram or in a batch.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The header.
    pub header: Header,
    /// Everything after the header, without padding.
    pub payload: &'a [u8],
    /// The whole message, header included.
    pub bytes: &'a [u8],
}

/// Reads messages one after the other. After an error the iterator is at its end.
#[derive(Debug, Clone)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Messages<'a> {
    /// Reads the messages that `datagram` consists of.
    #[must_use]
    pub fn new(datagram: &'a [u8]) -> Self {
        Self { rest: datagram }
    }
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let Some(head) = rest.first_chunk::<NLMSG_HDRLEN>() else {
            return Some(Err(Error::Truncated("message header")));
        };
        let word =
            |at: usize| u32::from_ne_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let len = word(0) as usize;
        let Some(payload) = rest.get(NLMSG_HDRLEN..len) else {
            return Some(Err(Error::Truncated("message")));
        };
        self.rest = rest.get(super::align(len)..).unwrap_or(&[]);
        Some(Ok(Message {
            header: Header {
                kind: u16::from_ne_bytes([head[4], head[5]]),
                flags: u16::from_ne_bytes([head[6], head[7]]),
                sequence: word(8),
                port: word(12),
            },
            payload,
            bytes: &rest[..len],
        }))
    }
}

impl<'a> Message<'a> {
    /// Length in bytes, with header and padding.
    #[must_use]
    pub fn len(&self) -> usize {
        super::align(self.bytes.len())
    }

    /// Whether there is nothing after the header.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// Whether this is `NLMSG_ERROR`: an error, or an acknowledgement when its code is 0.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.header.kind == NLMSG_ERROR
    }

    /// Whether this is `NLMSG_DONE`: the end of a dump.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.header.kind == NLMSG_DONE
    }

    /// `nfgenmsg.nfgen_family`.
    ///
    /// # Errors
    /// The message has no `nfgenmsg`.
    pub fn family(&self) -> Result<u8, Error> {
        match self.payload {
            [family, _, _, _, ..] => Ok(*family),
            _ => Err(Error::Truncated("nfgenmsg")),
        }
    }

    /// The attributes after `nfgenmsg`.
    ///
    /// # Errors
    /// The message has no `nfgenmsg`.
    pub fn attributes(&self) -> Result<Attributes<'a>, Error> {
        self.payload
            .get(NFGENMSG_LEN..)
            .map(Attributes::new)
            .ok_or(Error::Truncated("nfgenmsg"))
    }

    /// The code of `NLMSG_ERROR` and `NLMSG_DONE`: 0, or a negated errno. A `NLMSG_DONE` of old
    /// kernels has none.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.payload
            .first_chunk::<4>()
            .map_or(0, |bytes| i32::from_ne_bytes(*bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Writer;

    #[test]
    fn several_messages_of_one_datagram_are_told_apart() {
        let mut w = Writer::default();
        w.message(0x0a0c, 5, 1, 2, 0, |w| w.u8(1, 1));
        w.message(0x0a0f, 0, 2, 10, 0, |_| {});
        let all: Vec<_> = Messages::new(w.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].header.kind, 0x0a0c);
        assert_eq!(all[0].attributes().unwrap().count(), 1);
        assert_eq!(all[1].family().unwrap(), 10);
        assert_eq!(all[1].header.sequence, 2);
        assert_eq!(all[1].attributes().unwrap().count(), 0);
    }

    #[test]
    fn a_length_beyond_the_datagram_is_an_error() {
        let mut w = Writer::default();
        w.message(1, 0, 0, 0, 0, |w| w.u8(1, 1));
        let cut = &w.as_bytes()[..w.len() - 4];
        assert!(matches!(
            Messages::new(cut).next(),
            Some(Err(Error::Truncated(_)))
        ));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_end_in_finitely_many_steps(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let steps = Messages::new(&bytes).count();
            prop_assert!(steps <= bytes.len() / NLMSG_HDRLEN + 1);
        }
    }
}
