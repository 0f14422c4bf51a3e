//! A linear, borrowing reader of attributes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::error::Error;
use crate::uapi::nfnetlink::{NLA_HDRLEN, NLA_TYPE_MASK};

/// Reads attributes one after the other. Each byte is looked at once; nothing is copied.
///
/// After an error the iterator is at its end.
#[derive(Debug, Clone)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

/// One attribute: its type without the flag bits, and its value without padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// `nla_type` under `NLA_TYPE_MASK`.
    pub kind: u16,
    /// The value.
    pub value: &'a [u8],
}

impl<'a> Attributes<'a> {
    /// Reads the attributes that `bytes` consists of.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Result<Attribute<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let [a, b, c, d, ..] = *rest else {
            return Some(Err(Error::Truncated("attribute header")));
        };
        let len = usize::from(u16::from_ne_bytes([a, b]));
        let kind = u16::from_ne_bytes([c, d]) & NLA_TYPE_MASK;
        let Some(value) = rest.get(NLA_HDRLEN..len) else {
            return Some(Err(Error::Truncated("attribute value")));
        };
        self.rest = rest.get(super::align(len)..).unwrap_or(&[]);
        Some(Ok(Attribute { kind, value }))
    }
}

impl<'a> Attribute<'a> {
    /// The attributes inside.
    #[must_use]
    pub fn nested(&self) -> Attributes<'a> {
        Attributes::new(self.value)
    }

    /// The first attribute inside of type `kind`.
    ///
    /// # Errors
    /// The attributes before it are cut short.
    pub fn child(&self, kind: u16) -> Result<Option<Attribute<'a>>, Error> {
        for attribute in self.nested() {
            let attribute = attribute?;
            if attribute.kind == kind {
                return Ok(Some(attribute));
            }
        }
        Ok(None)
    }

    /// One byte.
    ///
    /// # Errors
    /// The value has another length; so for the other numbers below.
    pub fn u8(&self) -> Result<u8, Error> {
        self.array().map(|[byte]: [u8; 1]| byte)
    }

    /// A big-endian 16-bit number.
    ///
    /// # Errors
    /// The value is not two bytes long.
    pub fn be16(&self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    /// A big-endian 32-bit number.
    ///
    /// # Errors
    /// The value is not four bytes long.
    pub fn be32(&self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// A big-endian 64-bit number.
    ///
    /// # Errors
    /// The value is not eight bytes long.
    pub fn be64(&self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A string, with or without its terminating NUL.
    ///
    /// # Errors
    /// The bytes are not UTF-8.
    pub fn str(&self) -> Result<&'a str, Error> {
        let bytes = match self.value.iter().position(|byte| *byte == 0) {
            Some(end) => &self.value[..end],
            None => self.value,
        };
        std::str::from_utf8(bytes).map_err(|_| self.malformed("not a UTF-8 string"))
    }

    /// A string that need not be UTF-8, as names of other programs' tables need not.
    #[must_use]
    pub fn text(&self) -> String {
        let end = self.value.iter().position(|byte| *byte == 0);
        let bytes = &self.value[..end.unwrap_or(self.value.len())];
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// An IPv4 or IPv6 address, told apart by length.
    ///
    /// # Errors
    /// The value is neither 4 nor 16 bytes long.
    pub fn address(&self) -> Result<IpAddr, Error> {
        if let Ok(octets) = <[u8; 4]>::try_from(self.value) {
            return Ok(Ipv4Addr::from(octets).into());
        }
        self.array()
            .map(|octets: [u8; 16]| Ipv6Addr::from(octets).into())
    }

    fn array<const N: usize>(&self) -> Result<[u8; N], Error> {
        self.value
            .try_into()
            .map_err(|_| self.malformed("unexpected length"))
    }

    pub(crate) fn malformed(&self, why: &'static str) -> Error {
        Error::Malformed {
            attribute: self.kind,
            why,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Writer;

    #[test]
    fn numbers_strings_and_nests_are_read_back() {
        let mut w = Writer::default();
        w.u8(1, 0xab);
        w.be16(2, 0x1234);
        w.be32(3, 0x1234_5678);
        w.be64(4, 0x1234_5678_9abc_def0);
        w.string(5, "eps");
        w.nested(6, |w| w.bytes(9, &[10, 43, 0, 1]));
        let all: Vec<_> = Attributes::new(w.as_bytes())
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(all[0].u8().unwrap(), 0xab);
        assert_eq!(all[1].be16().unwrap(), 0x1234);
        assert_eq!(all[2].be32().unwrap(), 0x1234_5678);
        assert_eq!(all[3].be64().unwrap(), 0x1234_5678_9abc_def0);
        assert_eq!(all[4].str().unwrap(), "eps");
        let inner = all[5].child(9).unwrap().unwrap();
        assert_eq!(inner.address().unwrap().to_string(), "10.43.0.1");
        assert!(all[5].child(8).unwrap().is_none());
    }

    #[test]
    fn a_number_of_the_wrong_length_is_an_error_that_names_the_attribute() {
        let mut w = Writer::default();
        w.be16(3, 1);
        let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
        let error = attribute.be32().unwrap_err();
        assert!(matches!(error, Error::Malformed { attribute: 3, .. }));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec(
            (0u16..0x3fff, proptest::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let mut w = Writer::default();
            for (kind, value) in &values {
                w.bytes(*kind, value);
            }
            let read: Vec<(u16, Vec<u8>)> = Attributes::new(w.as_bytes())
                .map(|a| a.map(|a| (a.kind, a.value.to_vec())))
                .collect::<Result<_, _>>()
                .unwrap();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn arbitrary_bytes_end_in_finitely_many_steps(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let steps = Attributes::new(&bytes).count();
            prop_assert!(steps <= bytes.len() / NLA_HDRLEN + 1);
        }
    }
}
