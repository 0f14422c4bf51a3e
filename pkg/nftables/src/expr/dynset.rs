//! `dynset`: packets that write sets.

use std::time::Duration;

use super::{Expression, need};
use crate::bits::codes;
use crate::error::Error;
use crate::register::Reg;
use crate::set::{SetRef, millis};
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_dynset_ops`
    DynsetOp: u32 {
        /// Adds an element; one that is there stays as it is.
        Add = nft::NFT_DYNSET_OP_ADD;
        /// Adds an element; one that is there gets its timeout anew, and keeps its data.
        Update = nft::NFT_DYNSET_OP_UPDATE;
        /// Deletes an element.
        Delete = nft::NFT_DYNSET_OP_DELETE;
    }
}

/// Writes an element. The rule ends if the set is full.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Dynset {
    /// The set or map; it has flag `EVAL`.
    pub set: SetRef,
    /// What to do.
    pub op: DynsetOp,
    /// First register of the key.
    pub key: Reg,
    /// First register of a map's data.
    pub data: Option<Reg>,
    /// The element's timeout, in milliseconds; the set's own if `None`.
    pub timeout: Option<Duration>,
    /// Goes on if it could not be done, instead of if it could.
    pub inverted: bool,
}

impl Dynset {
    /// `update @set { key timeout T : data }`
    pub fn update(
        set: impl Into<SetRef>,
        key: Reg,
        data: Option<Reg>,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            set: set.into(),
            op: DynsetOp::Update,
            key,
            data,
            timeout,
            inverted: false,
        }
    }
}

impl Expression for Dynset {
    const NAME: &'static str = "dynset";

    fn encode(&self, w: &mut Writer) {
        self.set
            .encode(nft::NFTA_DYNSET_SET_NAME, nft::NFTA_DYNSET_SET_ID, w);
        w.be32(nft::NFTA_DYNSET_OP, self.op.code());
        self.key.encode(nft::NFTA_DYNSET_SREG_KEY, w);
        if let Some(data) = self.data {
            data.encode(nft::NFTA_DYNSET_SREG_DATA, w);
        }
        if let Some(timeout) = self.timeout {
            w.be64(nft::NFTA_DYNSET_TIMEOUT, millis(timeout));
        }
        if self.inverted {
            w.be32(nft::NFTA_DYNSET_FLAGS, nft::NFT_DYNSET_F_INV);
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut set, mut op, mut key) = (None, None, None);
        let (mut data, mut timeout, mut inverted) = (None, None, false);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_DYNSET_SET_NAME => set = Some(SetRef::decode(attribute)),
                nft::NFTA_DYNSET_OP => op = Some(DynsetOp::from_code(attribute.be32()?)),
                nft::NFTA_DYNSET_SREG_KEY => key = Some(Reg::decode(attribute)?),
                nft::NFTA_DYNSET_SREG_DATA => data = Some(Reg::decode(attribute)?),
                nft::NFTA_DYNSET_TIMEOUT => {
                    // The kernel reports a timeout of its own, or 0 for the set's.
                    timeout = match attribute.be64()? {
                        0 => None,
                        millis => Some(Duration::from_millis(millis)),
                    };
                }
                nft::NFTA_DYNSET_FLAGS => {
                    inverted = attribute.be32()? & nft::NFT_DYNSET_F_INV != 0;
                }
                nft::NFTA_DYNSET_EXPR | nft::NFTA_DYNSET_EXPRESSIONS => {
                    return Err(attribute.malformed("elements with expressions have no type here"));
                }
                _ => {}
            }
        }
        Ok(Self {
            set: need(set, "NFTA_DYNSET_SET_NAME")?,
            op: need(op, "NFTA_DYNSET_OP")?,
            key: need(key, "NFTA_DYNSET_SREG_KEY")?,
            data,
            timeout,
            inverted,
        })
    }
}
