//! Elements of sets and maps.

use std::time::Duration;

use crate::error::Error;
use crate::set::millis;
use crate::uapi::nf_tables as nft;
use crate::value::{Value, encode_value};
use crate::verdict::Verdict;
use crate::wire::{Attribute, Writer};

/// What an element of a map holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Data {
    /// Bytes.
    Value(Value),
    /// A verdict.
    Verdict(Verdict),
}

/// The same, borrowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DataRef<'a> {
    /// Bytes.
    Value(&'a [u8]),
    /// A verdict.
    Verdict(Verdict<&'a str>),
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Element {
    /// The key, or the first of a range.
    pub key: Value,
    /// The last key of a range, in a set of concatenated ranges.
    pub key_end: Option<Value>,
    /// Set in a map.
    pub data: Option<Data>,
    /// In a set of single-field ranges: this key is the first that no longer belongs to the range
    /// before it.
    pub interval_end: bool,
    /// The element's own timeout, in milliseconds.
    pub timeout: Option<Duration>,
    /// Time left when it was read. Not sent.
    pub expiration: Option<Duration>,
}

/// The same, borrowed: what is encoded from and decoded to, without an allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ElementRef<'a> {
    /// See [`Element::key`].
    pub key: &'a [u8],
    /// See [`Element::key_end`].
    pub key_end: Option<&'a [u8]>,
    /// See [`Element::data`].
    pub data: Option<DataRef<'a>>,
    /// See [`Element::interval_end`].
    pub interval_end: bool,
    /// See [`Element::timeout`].
    pub timeout: Option<Duration>,
    /// See [`Element::expiration`].
    pub expiration: Option<Duration>,
}

impl Element {
    /// An element of a set.
    pub fn new(key: impl Into<Value>) -> Self {
        Self {
            key: key.into(),
            key_end: None,
            data: None,
            interval_end: false,
            timeout: None,
            expiration: None,
        }
    }

    /// An element of a map.
    pub fn value(key: impl Into<Value>, value: impl Into<Value>) -> Self {
        let mut element = Self::new(key);
        element.data = Some(Data::Value(value.into()));
        element
    }

    /// An element of a verdict map.
    pub fn verdict(key: impl Into<Value>, verdict: Verdict) -> Self {
        let mut element = Self::new(key);
        element.data = Some(Data::Verdict(verdict));
        element
    }

    /// A range of concatenated keys, both ends within it.
    pub fn range(first: impl Into<Value>, last: impl Into<Value>) -> Self {
        let mut element = Self::new(first);
        element.key_end = Some(last.into());
        element
    }

    /// A range of keys of one field: an element where it begins, and one at the first key after it.
    /// A range that goes on to the greatest key has no end: pass `None`.
    pub fn interval(first: impl Into<Value>, after: Option<Value>) -> impl Iterator<Item = Self> {
        let end = after.map(|key| Self {
            interval_end: true,
            ..Self::new(key)
        });
        std::iter::once(Self::new(first)).chain(end)
    }

    /// The same element with a timeout of its own.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_ref(&self) -> ElementRef<'_> {
        ElementRef {
            key: &self.key,
            key_end: self.key_end.as_deref(),
            data: self.data.as_ref().map(|data| match data {
                Data::Value(value) => DataRef::Value(value),
                Data::Verdict(verdict) => DataRef::Verdict(verdict.as_deref()),
            }),
            interval_end: self.interval_end,
            timeout: self.timeout,
            expiration: self.expiration,
        }
    }
}

impl<'a> From<&'a Element> for ElementRef<'a> {
    fn from(element: &'a Element) -> Self {
        element.as_ref()
    }
}

impl<'a> ElementRef<'a> {
    /// An element of a set.
    #[must_use]
    pub fn new(key: &'a [u8]) -> Self {
        Self {
            key,
            key_end: None,
            data: None,
            interval_end: false,
            timeout: None,
            expiration: None,
        }
    }

    /// An element of a map.
    #[must_use]
    pub fn value(key: &'a [u8], value: &'a [u8]) -> Self {
        Self {
            data: Some(DataRef::Value(value)),
            ..Self::new(key)
        }
    }

    /// An element of a verdict map.
    #[must_use]
    pub fn verdict(key: &'a [u8], verdict: Verdict<&'a str>) -> Self {
        Self {
            data: Some(DataRef::Verdict(verdict)),
            ..Self::new(key)
        }
    }

    /// The same with bytes of its own.
    #[must_use]
    pub fn to_owned(&self) -> Element {
        Element {
            key: self.key.into(),
            key_end: self.key_end.map(Value::from),
            data: self.data.map(|data| match data {
                DataRef::Value(value) => Data::Value(value.into()),
                DataRef::Verdict(verdict) => Data::Verdict(verdict.to_owned()),
            }),
            interval_end: self.interval_end,
            timeout: self.timeout,
            expiration: self.expiration,
        }
    }

    /// Writes a member of `NFTA_SET_ELEM_LIST_ELEMENTS`. A deletion names the key alone.
    pub(crate) fn encode(&self, key_only: bool, w: &mut Writer) {
        w.nested(nft::NFTA_LIST_ELEM, |w| {
            if self.interval_end {
                w.be32(nft::NFTA_SET_ELEM_FLAGS, nft::NFT_SET_ELEM_INTERVAL_END);
            }
            encode_value(nft::NFTA_SET_ELEM_KEY, self.key, w);
            if let Some(end) = self.key_end {
                encode_value(nft::NFTA_SET_ELEM_KEY_END, end, w);
            }
            if key_only {
                return;
            }
            match self.data {
                None => {}
                Some(DataRef::Value(value)) => encode_value(nft::NFTA_SET_ELEM_DATA, value, w),
                Some(DataRef::Verdict(verdict)) => verdict.encode(nft::NFTA_SET_ELEM_DATA, w),
            }
            if let Some(timeout) = self.timeout {
                w.be64(nft::NFTA_SET_ELEM_TIMEOUT, millis(timeout));
            }
        });
    }

    pub(crate) fn decode(element: Attribute<'a>) -> Result<Self, Error> {
        // The catch-all element of a set has no key.
        let mut out = Self::new(&[]);
        for part in element.nested() {
            let part = part?;
            match part.kind {
                nft::NFTA_SET_ELEM_FLAGS => {
                    out.interval_end = part.be32()? & nft::NFT_SET_ELEM_INTERVAL_END != 0;
                }
                nft::NFTA_SET_ELEM_KEY => out.key = decode_value(part)?,
                nft::NFTA_SET_ELEM_KEY_END => out.key_end = Some(decode_value(part)?),
                nft::NFTA_SET_ELEM_DATA => out.data = Some(DataRef::decode(part)?),
                nft::NFTA_SET_ELEM_TIMEOUT => {
                    out.timeout = Some(Duration::from_millis(part.be64()?));
                }
                nft::NFTA_SET_ELEM_EXPIRATION => {
                    out.expiration = Some(Duration::from_millis(part.be64()?));
                }
                _ => {}
            }
        }
        Ok(out)
    }
}

impl<'a> DataRef<'a> {
    pub(crate) fn decode(data: Attribute<'a>) -> Result<Self, Error> {
        for part in data.nested() {
            let part = part?;
            match part.kind {
                nft::NFTA_DATA_VALUE => return Ok(Self::Value(part.value)),
                nft::NFTA_DATA_VERDICT => return Verdict::decode(part).map(Self::Verdict),
                _ => {}
            }
        }
        Err(Error::Missing("NFTA_DATA_VALUE and NFTA_DATA_VERDICT"))
    }
}

/// The bytes of a datum that cannot be a verdict.
pub(crate) fn decode_value(data: Attribute<'_>) -> Result<&[u8], Error> {
    data.child(nft::NFTA_DATA_VALUE)?
        .map(|value| value.value)
        .ok_or(Error::Missing("NFTA_DATA_VALUE"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::Attributes;

    fn round_trip(element: &Element) -> Element {
        let mut w = Writer::default();
        element.as_ref().encode(false, &mut w);
        let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
        ElementRef::decode(attribute).unwrap().to_owned()
    }

    #[test]
    fn a_map_element_is_laid_out_as_the_kernel_reads_it() {
        let mut w = Writer::default();
        ElementRef::value(&[0, 80], &[1, 2, 3, 4]).encode(false, &mut w);
        let n = |n: u16| n.to_ne_bytes();
        let mut want = [n(28), n(0x8001), n(12), n(0x8001), n(6), n(1)].concat();
        want.extend_from_slice(&[0, 80, 0, 0]);
        want.extend_from_slice(&[n(12), n(0x8002), n(8), n(1)].concat());
        want.extend_from_slice(&[1, 2, 3, 4]);
        assert_eq!(w.as_bytes(), want);
    }

    #[test]
    fn a_deletion_carries_the_key_alone() {
        let element =
            Element::value(Value::host(1), Value::host(2)).with_timeout(Duration::from_secs(1));
        let mut w = Writer::default();
        element.as_ref().encode(true, &mut w);
        let attribute = Attributes::new(w.as_bytes()).next().unwrap().unwrap();
        let read = ElementRef::decode(attribute).unwrap().to_owned();
        assert_eq!(read, Element::new(Value::host(1)));
    }

    #[test]
    fn an_interval_is_two_elements_unless_it_is_open() {
        let after = Value::port(21);
        let pair: Vec<_> = Element::interval(Value::port(10), Some(after)).collect();
        assert_eq!(pair.len(), 2);
        assert!(!pair[0].interval_end);
        assert!(pair[1].interval_end);
        assert_eq!(round_trip(&pair[1]), pair[1]);
        assert_eq!(Element::interval(Value::port(10), None).count(), 1);
    }

    #[test]
    fn a_verdict_comes_back() {
        let element = Element::verdict(Value::host(3), Verdict::goto("n3"));
        assert_eq!(round_trip(&element), element);
    }

    proptest! {
        #[test]
        fn an_element_comes_back(
            key in proptest::collection::vec(any::<u8>(), 1..64),
            key_end in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..64)),
            data in proptest::option::of(proptest::collection::vec(any::<u8>(), 1..64)),
            timeout in proptest::option::of(1u64..1_000_000_000)) {
            let mut element = Element::new(&key[..]);
            element.key_end = key_end.as_deref().map(Value::from);
            element.data = data.as_deref().map(|d| Data::Value(d.into()));
            element.timeout = timeout.map(Duration::from_millis);
            prop_assert_eq!(round_trip(&element), element);
        }
    }
}
