//! Keys and data: short strings of bytes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Deref;

use crate::uapi::nf_tables::NFTA_DATA_VALUE;
use crate::wire::Writer;

const INLINE: usize = 30;

/// Bytes of a key, a datum or a constant. Up to 30 are held without an allocation: every key of
/// addresses, protocols, ports and marks is.
///
/// Addresses, ports and protocols are in network byte order; marks, `numgen` results and other
/// numbers that never were in a packet are in the machine's.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value(Repr);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    // Bytes beyond `len` are zero, so that the derived comparisons are right.
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl Value {
    /// These bytes.
    #[must_use]
    pub fn new(value: &[u8]) -> Self {
        if value.len() > INLINE {
            return Self(Repr::Heap(value.into()));
        }
        let mut bytes = [0; INLINE];
        bytes[..value.len()].copy_from_slice(value);
        Self(Repr::Inline {
            len: value.len() as u8,
            bytes,
        })
    }

    /// A concatenation: each field padded with zeros to a multiple of four bytes, as registers hold
    /// it.
    #[must_use]
    pub fn concat<'a>(fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        // The kernel takes no value longer than 64 bytes.
        let mut all = [0; crate::uapi::nf_tables::NFT_DATA_VALUE_MAXLEN];
        let mut len = 0;
        for field in fields {
            let end = len + crate::wire::align(field.len());
            if end > all.len() {
                // Too long for any key or datum; kept whole, for the kernel to refuse.
                let mut long = all[..len].to_vec();
                long.extend_from_slice(field);
                return Self::new(&long);
            }
            all[len..len + field.len()].copy_from_slice(field);
            len = end;
        }
        Self::new(&all[..len])
    }

    /// A number in the machine's byte order: a mark, a `numgen` result.
    #[must_use]
    pub fn host(number: u32) -> Self {
        Self::new(&number.to_ne_bytes())
    }

    /// A port, or another 16-bit number of a packet.
    #[must_use]
    pub fn port(number: u16) -> Self {
        Self::new(&number.to_be_bytes())
    }

    /// One byte: a transport protocol.
    #[must_use]
    pub fn byte(number: u8) -> Self {
        Self::new(&[number])
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }
}

/// Writes bytes as a datum (`nft_data_attributes`).
pub(crate) fn encode_value(kind: u16, bytes: &[u8], w: &mut Writer) {
    w.nested(kind, |w| w.bytes(NFTA_DATA_VALUE, bytes));
}

impl Deref for Value {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl AsRef<[u8]> for Value {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Value {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_slice().cmp(other.as_slice())
    }
}

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::new(bytes)
    }
}

impl From<Ipv4Addr> for Value {
    fn from(address: Ipv4Addr) -> Self {
        Self::new(&address.octets())
    }
}

impl From<Ipv6Addr> for Value {
    fn from(address: Ipv6Addr) -> Self {
        Self::new(&address.octets())
    }
}

impl From<IpAddr> for Value {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => address.into(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Hexadecimal digits, a space after every four bytes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        for (index, byte) in self.as_slice().iter().enumerate() {
            if index > 0 && index.is_multiple_of(4) {
                f.write_str(" ")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fields_of_a_concatenation_are_padded() {
        let key = Value::concat([&[10, 43, 0, 1][..], &[6], &80u16.to_be_bytes()]);
        assert_eq!(key.as_slice(), [10, 43, 0, 1, 6, 0, 0, 0, 0, 80, 0, 0]);
        assert_eq!(key.to_string(), "0x0a2b0001 06000000 00500000");
    }

    #[test]
    fn a_value_takes_half_a_cache_line() {
        assert_eq!(size_of::<Value>(), 32);
        assert_eq!(size_of::<Option<Value>>(), 32);
    }

    proptest! {
        #[test]
        fn bytes_survive_at_any_length(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let value = Value::new(&bytes);
            prop_assert_eq!(value.as_slice(), &bytes[..]);
            prop_assert_eq!(&value, &value.clone());
        }

        #[test]
        fn a_concatenation_has_every_field_at_its_register(
            fields in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..17), 1..5)) {
            let value = Value::concat(fields.iter().map(Vec::as_slice));
            let mut at = 0;
            for field in &fields {
                prop_assert_eq!(&value[at..at + field.len()], &field[..]);
                at += crate::wire::align(field.len());
            }
            if at <= 64 {
                prop_assert_eq!(value.len(), at);
            }
        }
    }
}
