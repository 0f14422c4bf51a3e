//! `immediate`: a constant or a verdict.

use super::{Expression, need};
use crate::element::DataRef;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::value::{Value, encode_value};
use crate::verdict::Verdict;
use crate::wire::{Attributes, Writer};

/// Puts a constant into registers, or is a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Immediate {
    /// `dreg = value`
    Value {
        /// Where to.
        dreg: Reg,
        /// What.
        value: Value,
    },
    /// The verdict.
    Verdict(Verdict),
}

impl Immediate {
    /// `dreg = value`
    pub fn value(dreg: Reg, value: impl Into<Value>) -> Self {
        Self::Value {
            dreg,
            value: value.into(),
        }
    }
}

impl Expression for Immediate {
    const NAME: &'static str = "immediate";

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Value { dreg, value } => {
                dreg.encode(nft::NFTA_IMMEDIATE_DREG, w);
                encode_value(nft::NFTA_IMMEDIATE_DATA, value, w);
            }
            Self::Verdict(verdict) => {
                w.be32(nft::NFTA_IMMEDIATE_DREG, nft::NFT_REG_VERDICT);
                verdict.as_deref().encode(nft::NFTA_IMMEDIATE_DATA, w);
            }
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut dreg, mut data) = (None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_IMMEDIATE_DREG => dreg = Some(attribute),
                nft::NFTA_IMMEDIATE_DATA => data = Some(DataRef::decode(attribute)?),
                _ => {}
            }
        }
        match need(data, "NFTA_IMMEDIATE_DATA")? {
            DataRef::Verdict(verdict) => Ok(Self::Verdict(verdict.to_owned())),
            DataRef::Value(value) => Ok(Self::Value {
                dreg: Reg::decode(need(dreg, "NFTA_IMMEDIATE_DREG")?)?,
                value: value.into(),
            }),
        }
    }
}
