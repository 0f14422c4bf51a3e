//! `masq`: source addresses of the outgoing link.

use super::{Expression, NatFlags};
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

/// Rewrites the source to the address of the outgoing link. Works in postrouting chains of type nat
/// alone. By default it keeps the source's port where that is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Masquerade {
    /// How.
    pub flags: NatFlags,
    /// The port, or the lowest of a range.
    pub proto: Option<Reg>,
    /// The highest port of a range.
    pub proto_max: Option<Reg>,
}

impl Masquerade {
    /// `masquerade FLAGS`
    #[must_use]
    pub const fn new(flags: NatFlags) -> Self {
        Self {
            flags,
            proto: None,
            proto_max: None,
        }
    }

    /// `masquerade fully-random`
    #[must_use]
    pub const fn fully_random() -> Self {
        Self::new(NatFlags::FULLY_RANDOM)
    }
}

impl Expression for Masquerade {
    const NAME: &'static str = "masq";

    fn encode(&self, w: &mut Writer) {
        if !self.flags.is_empty() {
            w.be32(nft::NFTA_MASQ_FLAGS, self.flags.bits());
        }
        if let Some(proto) = self.proto {
            proto.encode(nft::NFTA_MASQ_REG_PROTO_MIN, w);
        }
        if let Some(proto) = self.proto_max {
            proto.encode(nft::NFTA_MASQ_REG_PROTO_MAX, w);
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let mut masquerade = Self::default();
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_MASQ_FLAGS => masquerade.flags = NatFlags::chosen(attribute.be32()?),
                nft::NFTA_MASQ_REG_PROTO_MIN => masquerade.proto = Some(Reg::decode(attribute)?),
                nft::NFTA_MASQ_REG_PROTO_MAX => {
                    masquerade.proto_max = Some(Reg::decode(attribute)?);
                }
                _ => {}
            }
        }
        masquerade.proto_max = masquerade
            .proto_max
            .filter(|max| Some(*max) != masquerade.proto);
        Ok(masquerade)
    }
}
