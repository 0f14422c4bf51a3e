//! `cmp`: a register against a constant.

use super::{Expression, need};
use crate::bits::codes;
use crate::element::decode_value;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::value::{Value, encode_value};
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_cmp_ops`. Order is that of the bytes from the first on: of numbers only if they
    /// are in network order.
    CmpOp: u32 {
        /// `==`
        Eq = nft::NFT_CMP_EQ;
        /// `!=`
        Neq = nft::NFT_CMP_NEQ;
        /// `<`
        Lt = nft::NFT_CMP_LT;
        /// `<=`
        Lte = nft::NFT_CMP_LTE;
        /// `>`
        Gt = nft::NFT_CMP_GT;
        /// `>=`
        Gte = nft::NFT_CMP_GTE;
    }
}

/// Ends the rule unless the register compares so with the value. As many bytes are compared as the
/// value has: the first two bytes of an address are its /16.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Cmp {
    /// The register.
    pub sreg: Reg,
    /// How.
    pub op: CmpOp,
    /// With what.
    pub value: Value,
}

impl Cmp {
    /// `sreg == value`
    pub fn eq(sreg: Reg, value: impl Into<Value>) -> Self {
        Self::new(sreg, CmpOp::Eq, value)
    }

    /// `sreg != value`
    pub fn neq(sreg: Reg, value: impl Into<Value>) -> Self {
        Self::new(sreg, CmpOp::Neq, value)
    }

    /// `sreg OP value`
    pub fn new(sreg: Reg, op: CmpOp, value: impl Into<Value>) -> Self {
        Self {
            sreg,
            op,
            value: value.into(),
        }
    }
}

impl Expression for Cmp {
    const NAME: &'static str = "cmp";

    fn encode(&self, w: &mut Writer) {
        self.sreg.encode(nft::NFTA_CMP_SREG, w);
        w.be32(nft::NFTA_CMP_OP, self.op.code());
        encode_value(nft::NFTA_CMP_DATA, &self.value, w);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut sreg, mut op, mut value) = (None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_CMP_SREG => sreg = Some(Reg::decode(attribute)?),
                nft::NFTA_CMP_OP => op = Some(CmpOp::from_code(attribute.be32()?)),
                nft::NFTA_CMP_DATA => value = Some(decode_value(attribute)?.into()),
                _ => {}
            }
        }
        Ok(Self {
            sreg: need(sreg, "NFTA_CMP_SREG")?,
            op: need(op, "NFTA_CMP_OP")?,
            value: need(value, "NFTA_CMP_DATA")?,
        })
    }
}
