//! `range`: a register against two constants.

use super::{Expression, need};
use crate::element::decode_value;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::value::{Value, encode_value};
use crate::wire::{Attributes, Writer};

/// Ends the rule unless the register is within the range, both ends included; or unless it is
/// outside.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Range {
    /// The register.
    pub sreg: Reg,
    /// Whether it must be outside.
    pub inverted: bool,
    /// The lowest value within.
    pub from: Value,
    /// The highest value within.
    pub to: Value,
}

impl Expression for Range {
    const NAME: &'static str = "range";

    fn encode(&self, w: &mut Writer) {
        self.sreg.encode(nft::NFTA_RANGE_SREG, w);
        let op = if self.inverted {
            nft::NFT_RANGE_NEQ
        } else {
            nft::NFT_RANGE_EQ
        };
        w.be32(nft::NFTA_RANGE_OP, op);
        encode_value(nft::NFTA_RANGE_FROM_DATA, &self.from, w);
        encode_value(nft::NFTA_RANGE_TO_DATA, &self.to, w);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut sreg, mut inverted, mut from, mut to) = (None, false, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_RANGE_SREG => sreg = Some(Reg::decode(attribute)?),
                nft::NFTA_RANGE_OP => inverted = attribute.be32()? == nft::NFT_RANGE_NEQ,
                nft::NFTA_RANGE_FROM_DATA => from = Some(decode_value(attribute)?.into()),
                nft::NFTA_RANGE_TO_DATA => to = Some(decode_value(attribute)?.into()),
                _ => {}
            }
        }
        Ok(Self {
            sreg: need(sreg, "NFTA_RANGE_SREG")?,
            inverted,
            from: need(from, "NFTA_RANGE_FROM_DATA")?,
            to: need(to, "NFTA_RANGE_TO_DATA")?,
        })
    }
}
