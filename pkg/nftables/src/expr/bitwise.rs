//! `bitwise`: masks.

use super::{Expression, need};
use crate::element::decode_value;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::value::{Value, encode_value};
use crate::wire::{Attributes, Writer};

/// `dreg = (sreg & mask) ^ xor`, over as many bytes as the mask has.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Bitwise {
    /// Where from.
    pub sreg: Reg,
    /// Where to.
    pub dreg: Reg,
    /// The bits that stay.
    pub mask: Value,
    /// The bits that are then flipped. As long as the mask.
    pub xor: Value,
}

impl Bitwise {
    /// `reg = reg & mask` of a number in the machine's order, such as a mark.
    #[must_use]
    pub fn and(reg: Reg, mask: u32) -> Self {
        Self::mask_xor(reg, mask, 0)
    }

    /// `reg = reg | bits` of a number in the machine's order.
    #[must_use]
    pub fn or(reg: Reg, bits: u32) -> Self {
        Self::mask_xor(reg, !bits, bits)
    }

    /// `reg = (reg & mask) ^ xor` of a number in the machine's order.
    #[must_use]
    pub fn mask_xor(reg: Reg, mask: u32, xor: u32) -> Self {
        Self {
            sreg: reg,
            dreg: reg,
            mask: Value::host(mask),
            xor: Value::host(xor),
        }
    }

    /// `reg = reg & mask` of bytes, such as an address.
    pub fn and_bytes(reg: Reg, mask: impl Into<Value>) -> Self {
        let mask = mask.into();
        Self {
            sreg: reg,
            dreg: reg,
            xor: Value::from(&vec![0; mask.len()][..]),
            mask,
        }
    }
}

impl Expression for Bitwise {
    const NAME: &'static str = "bitwise";

    fn encode(&self, w: &mut Writer) {
        self.sreg.encode(nft::NFTA_BITWISE_SREG, w);
        self.dreg.encode(nft::NFTA_BITWISE_DREG, w);
        // No value is longer than 64 bytes.
        w.be32(nft::NFTA_BITWISE_LEN, self.mask.len() as u32);
        encode_value(nft::NFTA_BITWISE_MASK, &self.mask, w);
        encode_value(nft::NFTA_BITWISE_XOR, &self.xor, w);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut sreg, mut dreg, mut mask, mut xor) = (None, None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_BITWISE_SREG => sreg = Some(Reg::decode(attribute)?),
                nft::NFTA_BITWISE_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_BITWISE_MASK => mask = Some(decode_value(attribute)?.into()),
                nft::NFTA_BITWISE_XOR => xor = Some(decode_value(attribute)?.into()),
                _ => {}
            }
        }
        Ok(Self {
            sreg: need(sreg, "NFTA_BITWISE_SREG")?,
            dreg: need(dreg, "NFTA_BITWISE_DREG")?,
            mask: need(mask, "NFTA_BITWISE_MASK")?,
            xor: need(xor, "NFTA_BITWISE_XOR")?,
        })
    }
}
