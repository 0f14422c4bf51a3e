//! Netlink's framing: attributes and messages, written and read in one pass.

mod attribute;
mod message;
mod writer;

pub use attribute::{Attribute, Attributes};
pub use message::{Header, Message, Messages};
pub use writer::Writer;

/// `len` rounded up to netlink's alignment of four bytes.
#[must_use]
pub const fn align(len: usize) -> usize {
    (len + 3) & !3
}
