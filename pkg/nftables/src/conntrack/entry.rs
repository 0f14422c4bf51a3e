//! A connection that the kernel tracks.

use super::Tuple;
use crate::bits::bits;
use crate::error::Error;
use crate::uapi::nf_conntrack as ct;
use crate::wire::{Attribute, Attributes, Writer};

bits! {
    /// `enum ip_conntrack_status`
    Status {
        /// Another connection announced it.
        EXPECTED = ct::IPS_EXPECTED;
        /// Packets went both ways.
        SEEN_REPLY = ct::IPS_SEEN_REPLY;
        /// It is not given up early when room is short.
        ASSURED = ct::IPS_ASSURED;
        /// Its first packet has left.
        CONFIRMED = ct::IPS_CONFIRMED;
        /// Its source is rewritten.
        SRC_NAT = ct::IPS_SRC_NAT;
        /// Its destination is rewritten.
        DST_NAT = ct::IPS_DST_NAT;
        /// It is being deleted.
        DYING = ct::IPS_DYING;
    }
}

/// A connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry {
    /// As the first packet came in: to a Service's address, say.
    pub original: Tuple,
    /// As answers come in: from the endpoint, say. The two differ by what is rewritten.
    pub reply: Tuple,
    /// Its state.
    pub status: Status,
    /// Its mark.
    pub mark: u32,
    /// A hash of its tuple and of where the kernel keeps it: a later connection of the same tuple
    /// has another, unless it came to be kept in the same place.
    pub id: Option<u32>,
    /// Its zone; nearly always 0.
    pub zone: u16,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// What it has carried, if the kernel counts (`net.netfilter.nf_conntrack_acct`).
    pub traffic: Option<Traffic>,
}

/// What a connection has carried in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Traffic {
    /// Packets.
    pub packets: u64,
    /// Octets of them, IP headers included.
    pub bytes: u64,
}

impl Traffic {
    /// Adds what one direction has carried.
    fn add(&mut self, direction: Attribute<'_>) -> Result<(), Error> {
        for attribute in direction.nested() {
            let attribute = attribute?;
            match attribute.kind {
                ct::CTA_COUNTERS_PACKETS => self.packets += attribute.be64()?,
                ct::CTA_COUNTERS_BYTES => self.bytes += attribute.be64()?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Entry {
    pub(super) fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut original, mut reply) = (None, None);
        let (mut status, mut mark, mut id, mut zone, mut timeout) =
            (Status::empty(), 0, None, 0, None);
        let mut traffic = None;
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                ct::CTA_TUPLE_ORIG => original = Some(Tuple::decode(attribute)?),
                ct::CTA_TUPLE_REPLY => reply = Some(Tuple::decode(attribute)?),
                ct::CTA_STATUS => status = Status::from_bits(attribute.be32()?),
                ct::CTA_MARK => mark = attribute.be32()?,
                ct::CTA_ID => id = Some(attribute.be32()?),
                ct::CTA_ZONE => zone = attribute.be16()?,
                ct::CTA_COUNTERS_ORIG | ct::CTA_COUNTERS_REPLY => {
                    traffic
                        .get_or_insert_with(Traffic::default)
                        .add(attribute)?;
                }
                ct::CTA_TIMEOUT => timeout = Some(attribute.be32()?),
                _ => {}
            }
        }
        Ok(Self {
            original: original.ok_or(Error::Missing("CTA_TUPLE_ORIG"))?,
            reply: reply.ok_or(Error::Missing("CTA_TUPLE_REPLY"))?,
            status,
            mark,
            id,
            zone,
            timeout,
            traffic,
        })
    }

    /// Writes what names this connection: its tuple, and the id that a later connection of the same
    /// tuple need not have.
    pub(super) fn encode_identity(&self, w: &mut Writer) {
        self.original.encode(ct::CTA_TUPLE_ORIG, w);
        if self.zone != 0 {
            w.be16(ct::CTA_ZONE, self.zone);
        }
        if let Some(id) = self.id {
            w.be32(ct::CTA_ID, id);
        }
    }
}
