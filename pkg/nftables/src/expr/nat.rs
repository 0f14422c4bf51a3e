//! `nat`: rewrites addresses and ports.

use super::{Expression, need};
use crate::bits::{bits, codes};
use crate::error::Error;
use crate::family::Family;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::uapi::nfnetlink as nf;
use crate::wire::{Attributes, Writer};

codes! {
    /// `enum nft_nat_types`
    NatKind: u32 {
        /// Rewrites the source.
        Snat = nft::NFT_NAT_SNAT;
        /// Rewrites the destination.
        Dnat = nft::NFT_NAT_DNAT;
    }
}

bits! {
    /// Those of `NF_NAT_RANGE_*` that a rule chooses.
    NatFlags {
        /// `random`: the port is taken at random.
        RANDOM = nf::NF_NAT_RANGE_PROTO_RANDOM;
        /// `fully-random`: the same with a better generator.
        FULLY_RANDOM = nf::NF_NAT_RANGE_PROTO_RANDOM_FULLY;
        /// `persistent`: a client gets the same address each time.
        PERSISTENT = nf::NF_NAT_RANGE_PERSISTENT;
    }
}

impl NatFlags {
    /// The flags of a number from the kernel, without those that it sets itself when addresses or
    /// ports are given.
    pub(super) const fn chosen(bits: u32) -> Self {
        Self::from_bits(bits & !(nf::NF_NAT_RANGE_MAP_IPS | nf::NF_NAT_RANGE_PROTO_SPECIFIED))
    }
}

/// Rewrites source or destination to what registers hold. Works in chains of type nat alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Nat {
    /// Source or destination.
    pub kind: NatKind,
    /// Of which addresses.
    pub family: Family,
    /// The address, or the lowest of a range.
    pub addr: Option<Reg>,
    /// The highest address of a range.
    pub addr_max: Option<Reg>,
    /// The port, or the lowest of a range.
    pub proto: Option<Reg>,
    /// The highest port of a range.
    pub proto_max: Option<Reg>,
    /// How.
    pub flags: NatFlags,
}

impl Nat {
    /// `dnat FAMILY to addr : proto`
    #[must_use]
    pub const fn dnat(family: Family, addr: Reg, proto: Reg) -> Self {
        Self::new(NatKind::Dnat, family, Some(addr), Some(proto))
    }

    /// `snat FAMILY to addr`
    #[must_use]
    pub const fn snat(family: Family, addr: Reg) -> Self {
        Self::new(NatKind::Snat, family, Some(addr), None)
    }

    const fn new(kind: NatKind, family: Family, addr: Option<Reg>, proto: Option<Reg>) -> Self {
        Self {
            kind,
            family,
            addr,
            addr_max: None,
            proto,
            proto_max: None,
            flags: NatFlags::empty(),
        }
    }
}

impl Expression for Nat {
    const NAME: &'static str = "nat";

    fn encode(&self, w: &mut Writer) {
        w.be32(nft::NFTA_NAT_TYPE, self.kind.code());
        w.be32(nft::NFTA_NAT_FAMILY, u32::from(self.family.code()));
        for (kind, reg) in [
            (nft::NFTA_NAT_REG_ADDR_MIN, self.addr),
            (nft::NFTA_NAT_REG_ADDR_MAX, self.addr_max),
            (nft::NFTA_NAT_REG_PROTO_MIN, self.proto),
            (nft::NFTA_NAT_REG_PROTO_MAX, self.proto_max),
        ] {
            if let Some(reg) = reg {
                reg.encode(kind, w);
            }
        }
        if !self.flags.is_empty() {
            w.be32(nft::NFTA_NAT_FLAGS, self.flags.bits());
        }
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut kind, mut family) = (None, None);
        let mut nat = Self::new(NatKind::Dnat, Family::Ip, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_NAT_TYPE => kind = Some(NatKind::from_code(attribute.be32()?)),
                nft::NFTA_NAT_FAMILY => {
                    let code = u8::try_from(attribute.be32()?)
                        .map_err(|_| attribute.malformed("not a family"))?;
                    family = Some(Family::from_code(code));
                }
                nft::NFTA_NAT_REG_ADDR_MIN => nat.addr = Some(Reg::decode(attribute)?),
                nft::NFTA_NAT_REG_ADDR_MAX => nat.addr_max = Some(Reg::decode(attribute)?),
                nft::NFTA_NAT_REG_PROTO_MIN => nat.proto = Some(Reg::decode(attribute)?),
                nft::NFTA_NAT_REG_PROTO_MAX => nat.proto_max = Some(Reg::decode(attribute)?),
                nft::NFTA_NAT_FLAGS => nat.flags = NatFlags::chosen(attribute.be32()?),
                _ => {}
            }
        }
        nat.kind = need(kind, "NFTA_NAT_TYPE")?;
        nat.family = need(family, "NFTA_NAT_FAMILY")?;
        // The kernel reports a single address or port as a range of one.
        nat.addr_max = nat.addr_max.filter(|max| Some(*max) != nat.addr);
        nat.proto_max = nat.proto_max.filter(|max| Some(*max) != nat.proto);
        Ok(nat)
    }
}
