//! Expressions: what rules are made of. One type, one file, each as the kernel's interpreter has
//! it.

mod bitwise;
mod byteorder;
mod cmp;
mod counter;
mod ct;
mod dynset;
mod fib;
mod immediate;
mod lookup;
mod masquerade;
mod meta;
mod nat;
mod numgen;
mod payload;
mod range;
mod reject;

pub use bitwise::Bitwise;
pub use byteorder::{Byteorder, ByteorderOp};
pub use cmp::{Cmp, CmpOp};
pub use counter::Counter;
pub use ct::{Ct, CtDirection, CtKey};
pub use dynset::{Dynset, DynsetOp};
pub use fib::{Fib, FibFlags, FibResult};
pub use immediate::Immediate;
pub use lookup::{Lookup, LookupResult};
pub use masquerade::Masquerade;
pub use meta::{Meta, MetaKey};
pub use nat::{Nat, NatFlags, NatKind};
pub use numgen::{Numgen, NumgenKind};
pub use payload::{Payload, PayloadBase};
pub use range::Range;
pub use reject::Reject;

use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::verdict::Verdict;
use crate::wire::{Attribute, Attributes, Writer};

/// One expression of a rule.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Expr {
    /// Loads or sets something that the kernel knows of the packet.
    Meta(Meta),
    /// Loads or sets something of the packet's connection.
    Ct(Ct),
    /// Loads bytes of the packet.
    Payload(Payload),
    /// Goes on only if a register compares so.
    Cmp(Cmp),
    /// Goes on only if a register is within a range, or outside.
    Range(Range),
    /// Masks bits of registers.
    Bitwise(Bitwise),
    /// Swaps bytes of registers.
    Byteorder(Byteorder),
    /// Looks registers up in a set or map.
    Lookup(Lookup),
    /// Puts a constant into a register, or is a verdict.
    Immediate(Immediate),
    /// Rewrites source or destination.
    Nat(Nat),
    /// Rewrites the source to that of the outgoing link.
    Masquerade(Masquerade),
    /// Answers with an error.
    Reject(Reject),
    /// Makes a number.
    Numgen(Numgen),
    /// Adds to a set, or updates it.
    Dynset(Dynset),
    /// Asks the routing table.
    Fib(Fib),
    /// Counts packets and bytes.
    Counter(Counter),
    /// An expression that this crate has no type for, as the kernel describes it.
    Other {
        /// Its name.
        name: String,
        /// Its attributes.
        data: Vec<u8>,
    },
}

/// What each expression's type knows of itself.
trait Expression: Sized {
    /// Name in the kernel.
    const NAME: &'static str;

    /// Writes its attributes.
    fn encode(&self, w: &mut Writer);

    /// Reads its attributes.
    fn decode(attributes: Attributes<'_>) -> Result<Self, Error>;
}

/// Calls a macro with each variant that has a type.
macro_rules! for_each_expression {
    ($do:ident) => {
        $do!(
            Meta, Ct, Payload, Cmp, Range, Bitwise, Byteorder, Lookup, Immediate, Nat, Masquerade,
            Reject, Numgen, Dynset, Fib, Counter
        );
    };
}

macro_rules! conversions {
    ($($variant:ident),*) => {
        $(impl From<$variant> for Expr {
            fn from(expression: $variant) -> Self {
                Self::$variant(expression)
            }
        })*

        impl Expr {
            /// Its name in the kernel.
            #[must_use]
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $variant::NAME,)*
                    Self::Other { name, .. } => name,
                }
            }

            fn encode_data(&self, w: &mut Writer) {
                match self {
                    $(Self::$variant(expression) => w.nested(nft::NFTA_EXPR_DATA, |w| expression.encode(w)),)*
                    Self::Other { data, .. } => {
                        w.bytes(nft::NFTA_EXPR_DATA | crate::uapi::nfnetlink::NLA_F_NESTED, data);
                    }
                }
            }

            fn decode_data(name: &str, data: &[u8]) -> Self {
                let known = match name {
                    $($variant::NAME => $variant::decode(Attributes::new(data)).map(Self::$variant),)*
                    _ => return Self::other(name, data),
                };
                // A form of the expression that the type cannot hold (`bitwise` shifts, `payload`
                // writes).
                known.unwrap_or_else(|_| Self::other(name, data))
            }
        }
    };
}

for_each_expression!(conversions);

impl From<Verdict> for Expr {
    fn from(verdict: Verdict) -> Self {
        Self::Immediate(Immediate::Verdict(verdict))
    }
}

impl Expr {
    /// Writes a member of a list of expressions.
    pub(crate) fn encode(&self, w: &mut Writer) {
        w.nested(nft::NFTA_LIST_ELEM, |w| {
            w.string(nft::NFTA_EXPR_NAME, self.name());
            self.encode_data(w);
        });
    }

    pub(crate) fn decode(expression: Attribute<'_>) -> Result<Self, Error> {
        let mut name = None;
        let mut data: &[u8] = &[];
        for part in expression.nested() {
            let part = part?;
            match part.kind {
                nft::NFTA_EXPR_NAME => name = Some(part.str()?),
                nft::NFTA_EXPR_DATA => data = part.value,
                _ => {}
            }
        }
        let name = name.ok_or(Error::Missing("NFTA_EXPR_NAME"))?;
        Ok(Self::decode_data(name, data))
    }

    fn other(name: &str, data: &[u8]) -> Self {
        Self::Other {
            name: name.to_owned(),
            data: data.to_vec(),
        }
    }
}

/// An attribute that an expression must have.
fn need<T>(value: Option<T>, name: &'static str) -> Result<T, Error> {
    value.ok_or(Error::Missing(name))
}

#[cfg(test)]
mod tests;
