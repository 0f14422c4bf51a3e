//! `fib`: asks the routing table.

use super::{Expression, need};
use crate::bits::{bits, codes};
use crate::error::Error;
use crate::register::Reg;
use crate::uapi::nf_tables as nft;
use crate::wire::{Attributes, Writer};

codes! {
    /// What is asked for (`enum nft_fib_result`).
    FibResult: u32 {
        /// Index of the outgoing link.
        Oif = nft::NFT_FIB_RESULT_OIF;
        /// Name of the outgoing link, 16 bytes.
        Oifname = nft::NFT_FIB_RESULT_OIFNAME;
        /// Type of the address, `RTN_*` in the machine's order: 2 is an address of this machine.
        AddrType = nft::NFT_FIB_RESULT_ADDRTYPE;
    }
}

bits! {
    /// What it is asked by (`enum nft_fib_flags`).
    FibFlags {
        /// The source address.
        SADDR = nft::NFTA_FIB_F_SADDR;
        /// The destination address.
        DADDR = nft::NFTA_FIB_F_DADDR;
        /// The packet's mark too.
        MARK = nft::NFTA_FIB_F_MARK;
        /// The incoming link too.
        IIF = nft::NFTA_FIB_F_IIF;
        /// The outgoing link too.
        OIF = nft::NFTA_FIB_F_OIF;
        /// Only whether there is a route.
        PRESENT = nft::NFTA_FIB_F_PRESENT;
    }
}

/// Loads what the routing table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fib {
    /// Where to.
    pub dreg: Reg,
    /// What is asked for.
    pub result: FibResult,
    /// What it is asked by.
    pub flags: FibFlags,
}

impl Fib {
    /// `dreg = fib daddr type`
    #[must_use]
    pub const fn daddr_type(dreg: Reg) -> Self {
        Self {
            dreg,
            result: FibResult::AddrType,
            flags: FibFlags::DADDR,
        }
    }
}

impl Expression for Fib {
    const NAME: &'static str = "fib";

    fn encode(&self, w: &mut Writer) {
        self.dreg.encode(nft::NFTA_FIB_DREG, w);
        w.be32(nft::NFTA_FIB_RESULT, self.result.code());
        w.be32(nft::NFTA_FIB_FLAGS, self.flags.bits());
    }

    fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let (mut dreg, mut result, mut flags) = (None, None, None);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_FIB_DREG => dreg = Some(Reg::decode(attribute)?),
                nft::NFTA_FIB_RESULT => result = Some(FibResult::from_code(attribute.be32()?)),
                nft::NFTA_FIB_FLAGS => flags = Some(FibFlags::from_bits(attribute.be32()?)),
                _ => {}
            }
        }
        Ok(Self {
            dreg: need(dreg, "NFTA_FIB_DREG")?,
            result: need(result, "NFTA_FIB_RESULT")?,
            flags: need(flags, "NFTA_FIB_FLAGS")?,
        })
    }
}
