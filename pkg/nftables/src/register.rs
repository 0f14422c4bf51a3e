//! Registers of the rule interpreter.

use crate::error::Error;
use crate::uapi::nf_tables::{NFT_REG_1, NFT_REG_4, NFT_REG32_00, NFT_REG32_15};
use crate::wire::{Attribute, Writer};

/// One of the sixteen four-byte data registers, `NFT_REG32_00` to `NFT_REG32_15`.
///
/// A longer value occupies consecutive ones: an IPv6 address at [`Reg::R0`] fills `R0` to `R3`, and
/// the next field of a concatenated key is loaded at `R4`. The sixteen-byte registers of `nft`
/// (`reg 1` to `reg 4`) are `R0`, `R4`, `R8` and `R12`; the kernel reports those by the old
/// numbers, which decode to the same `Reg`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reg(u8);

#[rustfmt::skip]
impl Reg {
    pub const R0: Self = Self(0);
    pub const R1: Self = Self(1);
    pub const R2: Self = Self(2);
    pub const R3: Self = Self(3);
    pub const R4: Self = Self(4);
    pub const R5: Self = Self(5);
    pub const R6: Self = Self(6);
    pub const R7: Self = Self(7);
    pub const R8: Self = Self(8);
    pub const R9: Self = Self(9);
    pub const R10: Self = Self(10);
    pub const R11: Self = Self(11);
    pub const R12: Self = Self(12);
    pub const R13: Self = Self(13);
    pub const R14: Self = Self(14);
    pub const R15: Self = Self(15);
}

impl Reg {
    /// Register number `index`, 0 to 15.
    #[must_use]
    pub const fn new(index: u8) -> Option<Self> {
        if index < 16 { Some(Self(index)) } else { None }
    }

    /// 0 to 15.
    #[must_use]
    pub const fn index(self) -> u8 {
        self.0
    }

    /// The register after a field of `len` bytes that starts at this one.
    #[must_use]
    pub const fn after(self, len: u8) -> Option<Self> {
        Self::new(self.0 + len.div_ceil(4))
    }

    /// The kernel's number: the sixteen-byte name where there is one, as `nft` itself writes it.
    pub(crate) const fn code(self) -> u32 {
        let index = self.0 as u32;
        if index.is_multiple_of(4) {
            NFT_REG_1 + index / 4
        } else {
            NFT_REG32_00 + index
        }
    }

    pub(crate) fn encode(self, kind: u16, w: &mut Writer) {
        w.be32(kind, self.code());
    }

    pub(crate) fn decode(attribute: Attribute<'_>) -> Result<Self, Error> {
        let index = match attribute.be32()? {
            code @ NFT_REG_1..=NFT_REG_4 => (code - NFT_REG_1) * 4,
            code @ NFT_REG32_00..=NFT_REG32_15 => code - NFT_REG32_00,
            _ => return Err(attribute.malformed("not a data register")),
        };
        // At most 15 by the ranges above.
        Ok(Self(index as u8))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Attributes;

    #[test]
    fn both_names_of_a_register_are_one() {
        for (code, want) in [
            (1, Reg::R0),
            (8, Reg::R0),
            (2, Reg::R4),
            (9, Reg::R1),
            (23, Reg::R15),
        ] {
            let mut w = Writer::default();
            w.be32(1, code);
            let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
            assert_eq!(Reg::decode(attribute).unwrap(), want);
        }
        assert_eq!(Reg::R4.code(), 2);
        assert_eq!(Reg::R1.code(), 9);
    }

    #[test]
    fn the_verdict_register_holds_no_data() {
        for code in [0, 5, 24] {
            let mut w = Writer::default();
            w.be32(1, code);
            let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
            assert!(Reg::decode(attribute).is_err());
        }
    }

    #[test]
    fn fields_are_padded_to_registers() {
        assert_eq!(Reg::R0.after(4), Some(Reg::R1));
        assert_eq!(Reg::R1.after(1), Some(Reg::R2));
        assert_eq!(Reg::R0.after(16), Some(Reg::R4));
        assert_eq!(Reg::R15.after(2), None);
    }
}
