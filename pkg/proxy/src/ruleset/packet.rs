//! Expressions by family: where a packet's addresses are, and how they are compared.

use ipnet::IpNet;
use kedge_nftables::expr::{
    Bitwise, Cmp, CmpOp, Ct, CtDirection, CtKey, Fib, FibFlags, FibResult, Meta, MetaKey, Payload,
};
use kedge_nftables::{Expr, Reg, Rule, Value};

use crate::family::Family;

/// `RTN_LOCAL` of `linux/rtnetlink.h`: an address of this machine.
const RTN_LOCAL: u32 = 2;

impl Family {
    /// The table's family.
    pub fn table(self) -> kedge_nftables::Family {
        match self {
            Self::V4 => kedge_nftables::Family::Ip,
            Self::V6 => kedge_nftables::Family::Ip6,
        }
    }

    pub fn saddr(self, reg: Reg) -> Payload {
        match self {
            Self::V4 => Payload::ip_saddr(reg),
            Self::V6 => Payload::ip6_saddr(reg),
        }
    }

    pub fn daddr(self, reg: Reg) -> Payload {
        match self {
            Self::V4 => Payload::ip_daddr(reg),
            Self::V6 => Payload::ip6_daddr(reg),
        }
    }

    /// The destination before it was rewritten.
    pub fn original_daddr(self, reg: Reg) -> Ct {
        let key = match self {
            Self::V4 => CtKey::DstIp,
            Self::V6 => CtKey::DstIp6,
        };
        Ct::load_of(key, CtDirection::Original, reg)
    }

    /// The register after an address at `R0`, and the one after that.
    pub fn after_address(self) -> (Reg, Reg) {
        match self {
            Self::V4 => (Reg::R1, Reg::R2),
            Self::V6 => (Reg::R4, Reg::R5),
        }
    }
}

/// Which address of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    Source,
    Destination,
}

/// Adds `ip saddr CIDR` or the like to a rule.
pub fn in_range(rule: Rule, side: Side, op: CmpOp, cidr: IpNet) -> Rule {
    let family = Family::of(cidr.addr());
    let load = match side {
        Side::Source => family.saddr(Reg::R0),
        Side::Destination => family.daddr(Reg::R0),
    };
    let network = Value::from(cidr.network());
    let rule = match cidr.prefix_len() {
        // Whole bytes can be loaded alone, as `nft` does.
        prefix if prefix > 0 && prefix % 8 == 0 => {
            let len = u32::from(prefix / 8);
            let value = Value::new(&network.as_slice()[..usize::from(prefix / 8)]);
            return rule
                .with(Payload { len, ..load })
                .with(Cmp::new(Reg::R0, op, value));
        }
        _ => rule.with(load),
    };
    rule.with(Bitwise::and_bytes(Reg::R0, cidr.netmask()))
        .with(Cmp::new(Reg::R0, op, network))
}

/// `ct mark and MASK`, in a register.
pub fn mark(mask: u32, reg: Reg) -> [Expr; 2] {
    [
        Ct::load(CtKey::Mark, reg).into(),
        Bitwise::and(reg, mask).into(),
    ]
}

/// `fib saddr type` or `fib daddr type`, compared with "local".
pub fn local(side: Side, op: CmpOp) -> [Expr; 2] {
    let flags = match side {
        Side::Source => FibFlags::SADDR,
        Side::Destination => FibFlags::DADDR,
    };
    let fib = Fib {
        dreg: Reg::R0,
        result: FibResult::AddrType,
        flags,
    };
    [
        fib.into(),
        Cmp::new(Reg::R0, op, Value::host(RTN_LOCAL)).into(),
    ]
}

/// `meta l4proto`, in a register.
pub fn l4proto(reg: Reg) -> Meta {
    Meta::load(MetaKey::L4proto, reg)
}

/// Adds several expressions.
pub fn with_all(rule: Rule, expressions: impl IntoIterator<Item = Expr>) -> Rule {
    expressions.into_iter().fold(rule, Rule::with)
}
