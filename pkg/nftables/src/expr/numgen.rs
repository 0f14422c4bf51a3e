//! `numgen`: numbers, by turns or at random.

use super::{Expression, need};
use crate::bits::codes;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_ng_types`
    NumgenKind: u32 {
        /// One after the other.
        Incremental = nft::NFT_NG_INCREMENTAL;
        /// At random.
        Random = nft::NFT_NG_RANDOM;
    }
}

/// Loads a number of `offset` up to `offset + modulus - 1`, in the machine's byte order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Numgen {
    /// Where to.
    pub dreg: Reg,
    /// How.
    pub kind: NumgenKind,
    /// How many numbers there are; not 0.
    pub modulus: u32,
    /// The lowest.
    pub offset: u32,
}

impl Numgen {
    /// `dreg = numgen random mod N`
    #[must_use]
    pub const fn random(modulus: u32, dreg: Reg) -> Self {
        Self {
            dreg,
            kind: NumgenKind::Random,
            modulus,
            offset: 0,
        }
    }
}

impl Expression for Numgen {
    const NAME: &'static str = "numgen";

    fn encode(&self, w: &mut Writer) {
        self.dreg.encode(nft::NFTA_NG_DREG, w);
        w.be32(nft::NFTA_NG_MODULUS, self.modulus);
        w.be32(nft::NFTA_NG_TYPE, self.kind.code());
        w.be32(nft::NFTA_NG_OFFSET, self.offset);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut dreg, mut kind, mut modulus, mut offset) = (None, None, None, 0);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_NG_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_NG_MODULUS => modulus = Some(attribute.be32()?),
                nft::NFTA_NG_TYPE => kind = Some(NumgenKind::from_code(attribute.be32()?)),
                nft::NFTA_NG_OFFSET => offset = attribute.be32()?,
                _ => {}
            }
        }
        Ok(Self {
            dreg: need(dreg, "NFTA_NG_DREG")?,
            kind: need(kind, "NFTA_NG_TYPE")?,
            modulus: need(modulus, "NFTA_NG_MODULUS")?,
            offset,
        })
    }
}
