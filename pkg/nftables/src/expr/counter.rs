//! `counter`: packets and bytes.

use super::Expression;
use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

/// Counts what passes. In a dump, what it has counted so far: see
/// [`Rule::without_state`](crate::Rule::without_state) to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Counter {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Expression for Counter {
    const NAME: &'static str = "counter";

    fn encode(&self, w: &mut Writer) {
        w.be64(nft::NFTA_COUNTER_PACKETS, self.packets);
        w.be64(nft::NFTA_COUNTER_BYTES, self.bytes);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let mut counter = Self::default();
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_COUNTER_PACKETS => counter.packets = attribute.be64()?,
                nft::NFTA_COUNTER_BYTES => counter.bytes = attribute.be64()?,
                _ => {}
            }
        }
        Ok(counter)
    }
}
