//! `lookup`: registers in a set or map.

use super::{Expression, need};
use crate::error::Error;
use crate::register::Reg;
use crate::set::SetRef;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

/// What a lookup is for. Where there is no result, the rule ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupResult {
    /// Goes on if the key is in the set.
    Found,
    /// Goes on if the key is not in the set.
    NotFound,
    /// Loads the element's data.
    Data(Reg),
    /// Carries out the element's verdict (`vmap`).
    Verdict,
}

/// Looks up the key that starts at `sreg`; the set knows its length.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// The set or map.
    pub set: SetRef,
    /// First register of the key.
    pub sreg: Reg,
    /// What for.
    pub result: LookupResult,
}

impl Lookup {
    /// `sreg @set`
    pub fn found(sreg: Reg, set: impl Into<SetRef>) -> Self {
        Self::new(sreg, set, LookupResult::Found)
    }

    /// `sreg != @set`
    pub fn not_found(sreg: Reg, set: impl Into<SetRef>) -> Self {
        Self::new(sreg, set, LookupResult::NotFound)
    }

    /// `dreg = sreg map @set`
    pub fn data(sreg: Reg, set: impl Into<SetRef>, dreg: Reg) -> Self {
        Self::new(sreg, set, LookupResult::Data(dreg))
    }

    /// `sreg vmap @set`
    pub fn verdict(sreg: Reg, set: impl Into<SetRef>) -> Self {
        Self::new(sreg, set, LookupResult::Verdict)
    }

    fn new(sreg: Reg, set: impl Into<SetRef>, result: LookupResult) -> Self {
        Self {
            set: set.into(),
            sreg,
            result,
        }
    }
}

impl Expression for Lookup {
    const NAME: &'static str = "lookup";

    fn encode(&self, w: &mut Writer) {
        self.set
            .encode(nft::NFTA_LOOKUP_SET, nft::NFTA_LOOKUP_SET_ID, w);
        self.sreg.encode(nft::NFTA_LOOKUP_SREG, w);
        match self.result {
            LookupResult::Found => {}
            LookupResult::NotFound => w.be32(nft::NFTA_LOOKUP_FLAGS, nft::NFT_LOOKUP_F_INV),
            LookupResult::Data(dreg) => dreg.encode(nft::NFTA_LOOKUP_DREG, w),
            LookupResult::Verdict => w.be32(nft::NFTA_LOOKUP_DREG, nft::NFT_REG_VERDICT),
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut set, mut sreg, mut result) = (None, None, LookupResult::Found);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_LOOKUP_SET => set = Some(SetRef::decode(attribute)),
                nft::NFTA_LOOKUP_SREG => sreg = Some(Reg::decode(attribute)?),
                nft::NFTA_LOOKUP_DREG if attribute.be32()? == nft::NFT_REG_VERDICT => {
                    result = LookupResult::Verdict;
                }
                nft::NFTA_LOOKUP_DREG => result = LookupResult::Data(Reg::decode(attribute)?),
                nft::NFTA_LOOKUP_FLAGS if attribute.be32()? & nft::NFT_LOOKUP_F_INV != 0 => {
                    result = LookupResult::NotFound;
                }
                _ => {}
            }
        }
        Ok(Self {
            set: need(set, "NFTA_LOOKUP_SET")?,
            sreg: need(sreg, "NFTA_LOOKUP_SREG")?,
            result,
        })
    }
}
