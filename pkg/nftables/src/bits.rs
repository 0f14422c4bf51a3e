//! Sets of flag bits as the kernel has them, typed.

/// Declares a set of flags over the bits of a `u32`.
macro_rules! bits {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $flag:ident = $value:expr;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(u32);

        impl $name {
            $($(#[$inner])* pub const $flag: Self = Self($value);)*

            /// No flag.
            #[must_use]
            pub const fn empty() -> Self {
                Self(0)
            }

            /// The flags of a number from the kernel; unknown ones are kept.
            #[must_use]
            pub const fn from_bits(bits: u32) -> Self {
                Self(bits)
            }

            /// The number for the kernel.
            #[must_use]
            pub const fn bits(self) -> u32 {
                self.0
            }

            /// Whether every flag of `other` is set.
            #[must_use]
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether no flag is set.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) {
                self.0 |= other.0;
            }
        }
    };
}

pub(crate) use bits;

/// Declares an enum of the kernel's numbers, with a variant for those that this crate has no name
/// for.
macro_rules! codes {
    ($(#[$outer:meta])* $name:ident: $repr:ty { $($(#[$inner:meta])* $variant:ident = $value:expr;)* }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$inner])* $variant,)*
            /// A number without a name here.
            Other($repr),
        }

        impl $name {
            /// The kernel's number.
            #[must_use]
            pub const fn code(self) -> $repr {
                match self {
                    $(Self::$variant => $value,)*
                    Self::Other(code) => code,
                }
            }

            /// What the kernel's number means.
            #[must_use]
            pub const fn from_code(code: $repr) -> Self {
                $(if code == $value {
                    return Self::$variant;
                })*
                Self::Other(code)
            }
        }
    };
}

pub(crate) use codes;

#[cfg(test)]
mod tests {
    bits! {
        /// Flags.
        Flags { A = 0x1; B = 0x4; }
    }
    codes! {
        /// Codes.
        Code: u8 { One = 1; Two = 2; }
    }

    #[test]
    fn unknown_bits_and_codes_are_kept() {
        let flags = Flags::A | Flags::from_bits(0x40);
        assert_eq!(flags.bits(), 0x41);
        assert!(flags.contains(Flags::A));
        assert!(!flags.contains(Flags::B));
        assert!(Flags::empty().is_empty());
        assert_eq!(Code::from_code(2), Code::Two);
        assert_eq!(Code::from_code(7).code(), 7);
    }
}
