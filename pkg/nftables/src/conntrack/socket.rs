//! Dumps and deletions.

use std::net::{IpAddr, SocketAddr};

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};

use super::{Entry, Tuple};
use crate::connection::{Answer, Connection, refused};
use crate::error::Error;
use crate::uapi::nf_conntrack as ct;
use crate::uapi::nfnetlink::{NFNL_SUBSYS_CTNETLINK, NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_UNSPEC};
use crate::wire::Writer;

/// How often a dump that was interrupted is begun anew.
const DUMP_ATTEMPTS: u32 = 10;

/// Deletions in one datagram.
const DELETIONS: usize = 512;

/// Which connections the kernel hands out. What else there is to choose by, the caller compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    /// IPv6 alone, or IPv4 alone.
    pub ipv6: Option<bool>,
    /// Value and mask: those whose `mark & mask == value`. (`CTA_MARK_MASK`, on every kernel since
    /// 3.3.)
    pub mark: Option<(u32, u32)>,
    /// Those that were asked for so. It needs `ipv6`, and a kernel that knows `CTA_FILTER`, 5.8 or later: an older
    /// one hands out all.
    pub asked: Option<Asked>,
}

/// What a connection's first packet was sent to, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// Transport protocol (`IPPROTO_*`).
    pub protocol: u8,
    /// Address and port; any, when `None`. Of IPv6 the kernel compares the port alone: asked for an address,
    /// it hands out all others (`ctnetlink_filter_match_tuple`, up to 6.18 at least).
    pub destination: Option<SocketAddr>,
}

impl Filter {
    /// Connections whose `mark & mask == value`.
    #[must_use]
    pub const fn mark(value: u32, mask: u32) -> Self {
        Self {
            ipv6: None,
            mark: Some((value, mask)),
            asked: None,
        }
    }

    fn family(self) -> u8 {
        match self.ipv6 {
            None => NFPROTO_UNSPEC,
            Some(false) => NFPROTO_IPV4,
            Some(true) => NFPROTO_IPV6,
        }
    }
}

impl Asked {
    fn encode(self, w: &mut Writer) {
        let mut flags = ct::CTA_FILTER_F_CTA_PROTO_NUM;
        w.nested(ct::CTA_TUPLE_ORIG, |w| {
            if let Some(SocketAddr::V4(to)) = self.destination {
                flags |= ct::CTA_FILTER_F_CTA_IP_DST;
                w.nested(ct::CTA_TUPLE_IP, |w| {
                    w.bytes(ct::CTA_IP_V4_DST, &to.ip().octets());
                });
            }
            w.nested(ct::CTA_TUPLE_PROTO, |w| {
                w.u8(ct::CTA_PROTO_NUM, self.protocol);
                if let Some(to) = self.destination {
                    flags |= ct::CTA_FILTER_F_CTA_PROTO_DST_PORT;
                    w.be16(ct::CTA_PROTO_DST_PORT, to.port());
                }
            });
        });
        w.nested(ct::CTA_FILTER, |w| {
            w.bytes(ct::CTA_FILTER_ORIG_FLAGS, &flags.to_ne_bytes());
        });
    }
}

/// Speaks ctnetlink for one network namespace: that of the thread that opened it. Calls do not
/// wait, as those of [`crate::Socket`] do not.
#[derive(Debug)]
pub struct Socket {
    connection: Connection,
}

impl Socket {
    /// Opens a socket in the network namespace of the calling thread.
    ///
    /// # Errors
    /// [`Error::Socket`].
    pub fn open() -> Result<Self, Error> {
        Connection::open().map(|connection| Self { connection })
    }

    /// The connections that the filter lets through and `keep` wants. Nothing is allocated for the
    /// others.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Interrupted`] if the table was resized in every attempt.
    pub fn entries(
        &mut self,
        filter: Filter,
        mut keep: impl FnMut(&Entry) -> bool,
    ) -> Result<Vec<Entry>, Error> {
        let mut attempt = 1;
        loop {
            let mut entries = Vec::new();
            let result = self.each(filter, |entry| {
                if keep(&entry) {
                    entries.push(entry);
                }
            });
            match result {
                Err(Error::Interrupted(_)) if attempt < DUMP_ATTEMPTS => attempt += 1,
                result => return result.map(|()| entries),
            }
        }
    }

    fn each(&mut self, filter: Filter, mut each: impl FnMut(Entry)) -> Result<(), Error> {
        let body = |w: &mut Writer| {
            if let Some((value, mask)) = filter.mark {
                w.be32(ct::CTA_MARK, value);
                w.be32(ct::CTA_MARK_MASK, mask);
            }
            if let Some(asked) = filter.asked {
                asked.encode(w);
            }
        };
        let request = kind(ct::IPCTNL_MSG_CT_GET);
        self.connection.dump(
            "list connections",
            request,
            filter.family(),
            body,
            |message| {
                each(Entry::decode(message.attributes()?)?);
                Ok(())
            },
        )
    }

    /// The connection of which `tuple` is one direction.
    ///
    /// # Errors
    /// [`Error::Refused`]: `EINVAL` if this kernel has no ctnetlink.
    pub fn find(&mut self, tuple: &Tuple) -> Result<Option<Entry>, Error> {
        const REQUEST: &str = "find a connection";
        let sequence = self.connection.next_sequence();
        let mut w = Writer::with_capacity(96);
        let request = kind(ct::IPCTNL_MSG_CT_GET);
        w.message(request, NLM_F_REQUEST, sequence, family(tuple), 0, |w| {
            tuple.encode(ct::CTA_TUPLE_ORIG, w);
        });
        self.connection.send(&[w.as_bytes()])?;
        let mut found = None;
        self.connection.answers(|message| {
            if message.header.sequence != sequence {
                return Ok(());
            }
            found = Some(if !message.is_error() {
                Entry::decode(message.attributes()?).map(Some)
            } else if message.code() == -libc::ENOENT {
                Ok(None)
            } else {
                Err(refused(REQUEST, message))
            });
            Ok(())
        })?;
        found.unwrap_or(Err(Error::AnswerLost))
    }

    /// Deletes a connection. Whether it was still there.
    ///
    /// # Errors
    /// [`Error::Refused`].
    pub fn delete(&mut self, entry: &Entry) -> Result<bool, Error> {
        self.delete_all(std::slice::from_ref(entry))
            .map(|deleted| deleted == 1)
    }

    /// Deletes connections, and says how many of them were still there. A later connection of the
    /// same tuple is left alone if its id ([`Entry::id`]) is another.
    ///
    /// # Errors
    /// [`Error::Refused`]; connections before the one that it is about may be deleted by then.
    pub fn delete_all(&mut self, entries: &[Entry]) -> Result<usize, Error> {
        let mut deleted = 0;
        for entries in entries.chunks(DELETIONS) {
            deleted += self.delete_chunk(entries)?;
        }
        Ok(deleted)
    }

    /// Deletes the connections that the filter lets through and `stale` wants gone, and says how
    /// many.
    ///
    /// # Errors
    /// Those of [`Socket::entries`] and [`Socket::delete_all`].
    pub fn delete_where(
        &mut self,
        filter: Filter,
        stale: impl FnMut(&Entry) -> bool,
    ) -> Result<usize, Error> {
        let entries = self.entries(filter, stale)?;
        self.delete_all(&entries)
    }

    /// One datagram of deletions. Only the last asks for an acknowledgement; refusals are answered
    /// in any case.
    fn delete_chunk(&mut self, entries: &[Entry]) -> Result<usize, Error> {
        let mut w = Writer::with_capacity(entries.len() * 120);
        let mut last = 0;
        for (index, entry) in entries.iter().enumerate() {
            last = self.connection.next_sequence();
            let ack = if index + 1 == entries.len() {
                NLM_F_ACK
            } else {
                0
            };
            let request = kind(ct::IPCTNL_MSG_CT_DELETE);
            let family = family(&entry.original);
            w.message(request, NLM_F_REQUEST | ack, last, family, 0, |w| {
                entry.encode_identity(w)
            });
        }
        self.connection.send(&[w.as_bytes()])?;
        let (mut absent, mut answered, mut failure) = (0, false, None);
        let lost = self.connection.answers(|message| {
            if message.is_error() {
                let answer = Answer::decode(message);
                answered |= answer.sequence == last;
                match answer.errno {
                    0 => {}
                    libc::ENOENT => absent += 1,
                    _ => failure = Some(refused("delete a connection", message)),
                }
            }
            Ok(())
        })?;
        match failure {
            Some(failure) => Err(failure),
            None if lost || !answered => Err(Error::AnswerLost),
            None => Ok(entries.len() - absent),
        }
    }
}

fn kind(message: u16) -> u16 {
    (NFNL_SUBSYS_CTNETLINK << 8) | message
}

fn family(tuple: &Tuple) -> u8 {
    match tuple.source {
        IpAddr::V4(_) => NFPROTO_IPV4,
        IpAddr::V6(_) => NFPROTO_IPV6,
    }
}
