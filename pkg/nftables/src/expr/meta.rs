//! `meta`: what the kernel knows of a packet beside its bytes.

use super::{Expression, need};
use crate::bits::codes;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_meta_keys`
    MetaKey: u32 {
        /// Length of the packet.
        Len = nft::NFT_META_LEN;
        /// Ethernet type, 2 bytes in network order.
        Protocol = nft::NFT_META_PROTOCOL;
        /// The packet's mark.
        Mark = nft::NFT_META_MARK;
        /// Index of the incoming link.
        Iif = nft::NFT_META_IIF;
        /// Index of the outgoing link.
        Oif = nft::NFT_META_OIF;
        /// Name of the incoming link, 16 bytes.
        Iifname = nft::NFT_META_IIFNAME;
        /// Name of the outgoing link, 16 bytes.
        Oifname = nft::NFT_META_OIFNAME;
        /// Whether the packet is traced, 1 byte.
        Nftrace = nft::NFT_META_NFTRACE;
        /// `NFPROTO_*`, 1 byte.
        Nfproto = nft::NFT_META_NFPROTO;
        /// Transport protocol, 1 byte.
        L4proto = nft::NFT_META_L4PROTO;
        /// A random number.
        Prandom = nft::NFT_META_PRANDOM;
    }
}

/// Loads or sets packet metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Meta {
    /// `dreg = meta KEY`
    Load {
        /// What.
        key: MetaKey,
        /// Where to.
        dreg: Reg,
    },
    /// `meta KEY = sreg`
    Set {
        /// What.
        key: MetaKey,
        /// Where from.
        sreg: Reg,
    },
}

impl Meta {
    /// `dreg = meta KEY`
    #[must_use]
    pub const fn load(key: MetaKey, dreg: Reg) -> Self {
        Self::Load { key, dreg }
    }

    /// `meta KEY = sreg`
    #[must_use]
    pub const fn set(key: MetaKey, sreg: Reg) -> Self {
        Self::Set { key, sreg }
    }
}

impl Expression for Meta {
    const NAME: &'static str = "meta";

    fn encode(&self, w: &mut Writer) {
        match self {
            Self::Load { key, dreg } => {
                w.be32(nft::NFTA_META_KEY, key.code());
                dreg.encode(nft::NFTA_META_DREG, w);
            }
            Self::Set { key, sreg } => {
                w.be32(nft::NFTA_META_KEY, key.code());
                sreg.encode(nft::NFTA_META_SREG, w);
            }
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut key, mut dreg, mut sreg) = (None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_META_KEY => key = Some(MetaKey::from_code(attribute.be32()?)),
                nft::NFTA_META_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_META_SREG => sreg = Some(Reg::decode(attribute)?),
                _ => {}
            }
        }
        let key = need(key, "NFTA_META_KEY")?;
        match (dreg, sreg) {
            (_, Some(sreg)) => Ok(Self::Set { key, sreg }),
            (dreg, None) => Ok(Self::Load {
                key,
                dreg: need(dreg, "NFTA_META_DREG")?,
            }),
        }
    }
}
