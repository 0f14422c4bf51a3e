//! `payload`: bytes of the packet.

use super::{Expression, need};
use crate::bits::codes;
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// Where an offset counts from (`enum nft_payload_bases`).
    PayloadBase: u32 {
        /// The link layer's header.
        Link = nft::NFT_PAYLOAD_LL_HEADER;
        /// The IPv4 or IPv6 header.
        Network = nft::NFT_PAYLOAD_NETWORK_HEADER;
        /// The TCP, UDP, SCTP or ICMP header.
        Transport = nft::NFT_PAYLOAD_TRANSPORT_HEADER;
    }
}

/// Loads bytes of the packet into registers, as they are: in network order. The rule ends if the
/// packet has no such bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Payload {
    /// Where to.
    pub dreg: Reg,
    /// Where the offset counts from.
    pub base: PayloadBase,
    /// Offset in bytes.
    pub offset: u32,
    /// Length in bytes.
    pub len: u32,
}

impl Payload {
    /// Bytes of the network header.
    #[must_use]
    pub const fn network(offset: u32, len: u32, dreg: Reg) -> Self {
        Self {
            dreg,
            base: PayloadBase::Network,
            offset,
            len,
        }
    }

    /// Bytes of the transport header.
    #[must_use]
    pub const fn transport(offset: u32, len: u32, dreg: Reg) -> Self {
        Self {
            dreg,
            base: PayloadBase::Transport,
            offset,
            len,
        }
    }

    /// `ip saddr`
    #[must_use]
    pub const fn ip_saddr(dreg: Reg) -> Self {
        Self::network(12, 4, dreg)
    }

    /// `ip daddr`
    #[must_use]
    pub const fn ip_daddr(dreg: Reg) -> Self {
        Self::network(16, 4, dreg)
    }

    /// `ip6 saddr`
    #[must_use]
    pub const fn ip6_saddr(dreg: Reg) -> Self {
        Self::network(8, 16, dreg)
    }

    /// `ip6 daddr`
    #[must_use]
    pub const fn ip6_daddr(dreg: Reg) -> Self {
        Self::network(24, 16, dreg)
    }

    /// `th sport`
    #[must_use]
    pub const fn th_sport(dreg: Reg) -> Self {
        Self::transport(0, 2, dreg)
    }

    /// `th dport`
    #[must_use]
    pub const fn th_dport(dreg: Reg) -> Self {
        Self::transport(2, 2, dreg)
    }
}

impl Expression for Payload {
    const NAME: &'static str = "payload";

    fn encode(&self, w: &mut Writer) {
        self.dreg.encode(nft::NFTA_PAYLOAD_DREG, w);
        w.be32(nft::NFTA_PAYLOAD_BASE, self.base.code());
        w.be32(nft::NFTA_PAYLOAD_OFFSET, self.offset);
        w.be32(nft::NFTA_PAYLOAD_LEN, self.len);
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut dreg, mut base, mut offset, mut len) = (None, None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_PAYLOAD_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_PAYLOAD_BASE => {
                    base = Some(PayloadBase::from_code(attribute.be32()?));
                }
                nft::NFTA_PAYLOAD_OFFSET => offset = Some(attribute.be32()?),
                nft::NFTA_PAYLOAD_LEN => len = Some(attribute.be32()?),
                _ => {}
            }
        }
        Ok(Self {
            dreg: need(dreg, "NFTA_PAYLOAD_DREG")?,
            base: need(base, "NFTA_PAYLOAD_BASE")?,
            offset: need(offset, "NFTA_PAYLOAD_OFFSET")?,
            len: need(len, "NFTA_PAYLOAD_LEN")?,
        })
    }
}
