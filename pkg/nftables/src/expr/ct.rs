//! `ct`: the connection that a packet belongs to.

use super::{Expression, need};
use crate::bits::codes;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_ct_keys`
    CtKey: u32 {
        /// State bits: 1 invalid, 2 established, 4 related, 8 new.
        State = nft::NFT_CT_STATE;
        /// Direction of the packet, 1 byte.
        Direction = nft::NFT_CT_DIRECTION;
        /// `IPS_*` bits.
        Status = nft::NFT_CT_STATUS;
        /// The connection's mark.
        Mark = nft::NFT_CT_MARK;
        /// `NFPROTO_*`, 1 byte.
        L3protocol = nft::NFT_CT_L3PROTOCOL;
        /// Transport protocol of a direction, 1 byte.
        Protocol = nft::NFT_CT_PROTOCOL;
        /// Source port of a direction.
        ProtoSrc = nft::NFT_CT_PROTO_SRC;
        /// Destination port of a direction.
        ProtoDst = nft::NFT_CT_PROTO_DST;
        /// Zone, 2 bytes.
        Zone = nft::NFT_CT_ZONE;
        /// IPv4 source of a direction.
        SrcIp = nft::NFT_CT_SRC_IP;
        /// IPv4 destination of a direction.
        DstIp = nft::NFT_CT_DST_IP;
        /// IPv6 source of a direction.
        SrcIp6 = nft::NFT_CT_SRC_IP6;
        /// IPv6 destination of a direction.
        DstIp6 = nft::NFT_CT_DST_IP6;
    }
}

codes! {
    /// Direction of a connection that a key is asked of (`enum ip_conntrack_dir`).
    CtDirection: u8 {
        /// As the first packet went.
        Original = 0;
        /// The way back.
        Reply = 1;
    }
}

/// Loads or sets something of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ct {
    /// `dreg = ct [DIRECTION] KEY`
    Load {
        /// What.
        key: CtKey,
        /// Of which direction, for addresses and ports.
        direction: Option<CtDirection>,
        /// Where to.
        dreg: Reg,
    },
    /// `ct KEY = sreg`
    Set {
        /// What.
        key: CtKey,
        /// Of which direction, for zones.
        direction: Option<CtDirection>,
        /// Where from.
        sreg: Reg,
    },
}

impl Ct {
    /// `dreg = ct KEY`
    #[must_use]
    pub const fn load(key: CtKey, dreg: Reg) -> Self {
        Self::Load {
            key,
            direction: None,
            dreg,
        }
    }

    /// `dreg = ct DIRECTION KEY`
    #[must_use]
    pub const fn load_of(key: CtKey, direction: CtDirection, dreg: Reg) -> Self {
        Self::Load {
            key,
            direction: Some(direction),
            dreg,
        }
    }

    /// `ct KEY = sreg`
    #[must_use]
    pub const fn set(key: CtKey, sreg: Reg) -> Self {
        Self::Set {
            key,
            direction: None,
            sreg,
        }
    }
}

impl Expression for Ct {
    const NAME: &'static str = "ct";

    fn encode(&self, w: &mut Writer) {
        let (key, direction) = match self {
            Self::Load { key, direction, .. } | Self::Set { key, direction, .. } => {
                (key, direction)
            }
        };
        w.be32(nft::NFTA_CT_KEY, key.code());
        match self {
            Self::Load { dreg, .. } => dreg.encode(nft::NFTA_CT_DREG, w),
            Self::Set { sreg, .. } => sreg.encode(nft::NFTA_CT_SREG, w),
        }
        if let Some(direction) = direction {
            w.u8(nft::NFTA_CT_DIRECTION, direction.code());
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut key, mut direction, mut dreg, mut sreg) = (None, None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_CT_KEY => key = Some(CtKey::from_code(attribute.be32()?)),
                nft::NFTA_CT_DIRECTION => {
                    direction = Some(CtDirection::from_code(attribute.u8()?));
                }
                nft::NFTA_CT_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_CT_SREG => sreg = Some(Reg::decode(attribute)?),
                _ => {}
            }
        }
        let key = need(key, "NFTA_CT_KEY")?;
        match (dreg, sreg) {
            (_, Some(sreg)) => Ok(Self::Set {
                key,
                direction,
                sreg,
            }),
            (dreg, None) => Ok(Self::Load {
                key,
                direction,
                dreg: need(dreg, "NFTA_CT_DREG")?,
            }),
        }
    }
}
