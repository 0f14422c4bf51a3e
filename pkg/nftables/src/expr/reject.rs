//! `reject`: answers with an error.

use super::{Expression, need};
use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

/// Drops the packet and tells its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reject {
    /// With a TCP reset; the rule must have matched TCP.
    TcpReset,
    /// With ICMP (type 3) or ICMPv6 (type 1) unreachable of this code, by the table's family.
    Icmp(u8),
    /// In `inet` and `bridge` tables: with the one that fits, by `enum nft_reject_inet_code`.
    Icmpx(u8),
}

impl Reject {
    /// `reject with icmp type port-unreachable` (`ICMP_PORT_UNREACH`), for `ip` tables.
    pub const ICMP_PORT_UNREACHABLE: Self = Self::Icmp(3);
    /// `reject with icmpv6 type port-unreachable` (`ICMPV6_PORT_UNREACH`), for `ip6` tables.
    pub const ICMPV6_PORT_UNREACHABLE: Self = Self::Icmp(4);
}

impl Expression for Reject {
    const NAME: &'static str = "reject";

    fn encode(&self, w: &mut Writer) {
        let (kind, code) = match *self {
            Self::Icmp(code) => (nft::NFT_REJECT_ICMP_UNREACH, code),
            Self::TcpReset => (nft::NFT_REJECT_TCP_RST, 0),
            Self::Icmpx(code) => (nft::NFT_REJECT_ICMPX_UNREACH, code),
        };
        w.be32(nft::NFTA_REJECT_TYPE, kind);
        w.u8(nft::NFTA_REJECT_ICMP_CODE, code);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut kind, mut code) = (None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_REJECT_TYPE => kind = Some(attribute),
                nft::NFTA_REJECT_ICMP_CODE => code = Some(attribute.u8()?),
                _ => {}
            }
        }
        let kind = need(kind, "NFTA_REJECT_TYPE")?;
        match kind.be32()? {
            nft::NFT_REJECT_TCP_RST => Ok(Self::TcpReset),
            nft::NFT_REJECT_ICMP_UNREACH => need(code, "NFTA_REJECT_ICMP_CODE").map(Self::Icmp),
            nft::NFT_REJECT_ICMPX_UNREACH => need(code, "NFTA_REJECT_ICMP_CODE").map(Self::Icmpx),
            _ => Err(kind.malformed("not a kind of reject")),
        }
    }
}
