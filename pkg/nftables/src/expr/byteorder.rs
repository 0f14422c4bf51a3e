//! `byteorder`: swaps bytes.

use super::{Expression, need};
use crate::bits::codes;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_byteorder_ops`
    ByteorderOp: u32 {
        /// From network order to the machine's.
        Ntoh = nft::NFT_BYTEORDER_NTOH;
        /// From the machine's order to the network's.
        Hton = nft::NFT_BYTEORDER_HTON;
    }
}

/// Changes the byte order of numbers in registers. Sets of ranges need it: they compare byte by
/// byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Byteorder {
    /// Where from.
    pub sreg: Reg,
    /// Where to.
    pub dreg: Reg,
    /// Which way.
    pub op: ByteorderOp,
    /// Length of the data in bytes.
    pub len: u32,
    /// Size of one number in bytes: 2, 4 or 8.
    pub size: u32,
}

impl Byteorder {
    /// A four-byte number in place, from the machine's order to the network's.
    #[must_use]
    pub const fn hton(reg: Reg) -> Self {
        Self {
            sreg: reg,
            dreg: reg,
            op: ByteorderOp::Hton,
            len: 4,
            size: 4,
        }
    }
}

impl Expression for Byteorder {
    const NAME: &'static str = "byteorder";

    fn encode(&self, w: &mut Writer) {
        self.sreg.encode(nft::NFTA_BYTEORDER_SREG, w);
        self.dreg.encode(nft::NFTA_BYTEORDER_DREG, w);
        w.be32(nft::NFTA_BYTEORDER_OP, self.op.code());
        w.be32(nft::NFTA_BYTEORDER_LEN, self.len);
        w.be32(nft::NFTA_BYTEORDER_SIZE, self.size);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut sreg, mut dreg, mut op, mut len, mut size) = (None, None, None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_BYTEORDER_SREG => sreg = Some(Reg::decode(attribute)?),
                nft::NFTA_BYTEORDER_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_BYTEORDER_OP => op = Some(ByteorderOp::from_code(attribute.be32()?)),
                nft::NFTA_BYTEORDER_LEN => len = Some(attribute.be32()?),
                nft::NFTA_BYTEORDER_SIZE => size = Some(attribute.be32()?),
                _ => {}
            }
        }
        Ok(Self {
            sreg: need(sreg, "NFTA_BYTEORDER_SREG")?,
            dreg: need(dreg, "NFTA_BYTEORDER_DREG")?,
            op: need(op, "NFTA_BYTEORDER_OP")?,
            len: need(len, "NFTA_BYTEORDER_LEN")?,
            size: need(size, "NFTA_BYTEORDER_SIZE")?,
        })
    }
}
