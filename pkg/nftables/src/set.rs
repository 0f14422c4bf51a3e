//! Sets and maps.

use std::time::Duration;

use crate::bits::bits;
use crate::datatype::SetType;
use crate::error::Error;
use crate::uapi::nf_tables as nft;
use crate::userdata as ud;
use crate::wire::{Attribute, Attributes, Writer};

bits! {
    /// `enum nft_set_flags`. `MAP`, `TIMEOUT` and `CONCAT` are set by the constructors of [`Set`].
    SetFlags {
        /// Named by the kernel, gone with the rule that uses it.
        ANONYMOUS = nft::NFT_SET_ANONYMOUS;
        /// Its elements do not change once a rule uses it.
        CONSTANT = nft::NFT_SET_CONSTANT;
        /// Its keys are ranges.
        INTERVAL = nft::NFT_SET_INTERVAL;
        /// It is a map.
        MAP = nft::NFT_SET_MAP;
        /// Its elements may expire.
        TIMEOUT = nft::NFT_SET_TIMEOUT;
        /// Rules may add elements (`flags dynamic`).
        EVAL = nft::NFT_SET_EVAL;
        /// Its data are names of stateful objects.
        OBJECT = nft::NFT_SET_OBJECT;
        /// Its keys are ranges in several fields.
        CONCAT = nft::NFT_SET_CONCAT;
    }
}

/// How an expression or a list of elements names a set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SetRef {
    /// By its name.
    Named(String),
    /// An anonymous set of the same transaction, by the number that
    /// [`Batch::add_set`](crate::Batch::add_set) gave it.
    Anonymous(u32),
}

/// What the kernel is told as the name of an anonymous set: a format for its own name.
pub(crate) const ANONYMOUS_NAME: &str = "__set%d";
/// The same for a map.
pub(crate) const ANONYMOUS_MAP_NAME: &str = "__map%d";

impl SetRef {
    pub(crate) fn encode(&self, name_kind: u16, id_kind: u16, w: &mut Writer) {
        match self {
            Self::Named(name) => w.string(name_kind, name),
            Self::Anonymous(id) => {
                w.string(name_kind, ANONYMOUS_NAME);
                w.be32(id_kind, *id);
            }
        }
    }

    pub(crate) fn decode(attribute: Attribute<'_>) -> Self {
        Self::Named(attribute.text())
    }
}

impl From<&str> for SetRef {
    fn from(name: &str) -> Self {
        Self::Named(name.to_owned())
    }
}

impl From<String> for SetRef {
    fn from(name: String) -> Self {
        Self::Named(name)
    }
}

impl From<&Set> for SetRef {
    fn from(set: &Set) -> Self {
        Self::Named(set.name.clone())
    }
}

impl From<&SetRef> for SetRef {
    fn from(set: &SetRef) -> Self {
        set.clone()
    }
}

/// What the elements of a map hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MapData {
    /// Values: number of the type, length in bytes.
    Value {
        /// Number of the type, for `nft`.
        type_id: u32,
        /// Length in bytes.
        len: u32,
    },
    /// Verdicts.
    Verdict,
}

/// A set or map of one table, in the form that the kernel keeps: what is dumped equals what was
/// sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Set {
    /// The name; empty for an anonymous set that is yet to be made.
    pub name: String,
    /// The flags.
    pub flags: SetFlags,
    /// Number of the key's type, for `nft`.
    pub key_type: u32,
    /// Length of a key in bytes.
    pub key_len: u32,
    /// Lengths in bytes of the key's fields, where it is a concatenation of ranges.
    pub key_fields: Vec<u32>,
    /// Set for a map.
    pub data: Option<MapData>,
    /// Greatest number of elements.
    pub size: Option<u32>,
    /// After which time elements expire, unless they have a time of their own. In milliseconds.
    pub timeout: Option<Duration>,
    /// What `nft` prints the set by (see [`crate::SetType`]), and a comment.
    pub userdata: Vec<u8>,
}

impl Set {
    /// A set: hashed, of single keys.
    // Beside `map` and `verdict_map`, this is the word for it.
    #[allow(clippy::self_named_constructors)]
    pub fn set(name: impl Into<String>, key: impl Into<SetType>) -> Self {
        let key = key.into();
        let mut userdata = Vec::new();
        ud::put_u32(&mut userdata, ud::SET_KEY_BYTEORDER, key.byteorder());
        key.write_typeof(ud::SET_KEY_TYPEOF, &mut userdata);
        Self {
            name: name.into(),
            flags: SetFlags::empty(),
            key_type: key.id(),
            key_len: key.len(),
            key_fields: Vec::new(),
            data: None,
            size: None,
            timeout: None,
            userdata,
        }
    }

    /// A map to values.
    pub fn map(name: impl Into<String>, key: impl Into<SetType>, data: impl Into<SetType>) -> Self {
        let (key, data) = (key.into(), data.into());
        let mut set = Self::set(name, key.clone());
        set.flags |= SetFlags::MAP;
        set.data = Some(MapData::Value {
            type_id: data.id(),
            len: data.len(),
        });
        set.userdata.clear();
        ud::put_u32(&mut set.userdata, ud::SET_KEY_BYTEORDER, key.byteorder());
        ud::put_u32(&mut set.userdata, ud::SET_DATA_BYTEORDER, data.byteorder());
        key.write_typeof(ud::SET_KEY_TYPEOF, &mut set.userdata);
        data.write_typeof(ud::SET_DATA_TYPEOF, &mut set.userdata);
        set
    }

    /// A map to verdicts.
    pub fn verdict_map(name: impl Into<String>, key: impl Into<SetType>) -> Self {
        let mut set = Self::set(name, key);
        set.flags |= SetFlags::MAP;
        set.data = Some(MapData::Verdict);
        set
    }

    /// An anonymous, constant set, which lives as long as the rule that uses it. Rules name it by
    /// what [`Batch::add_set`](crate::Batch::add_set) returns.
    pub fn anonymous(key: impl Into<SetType>) -> Self {
        Self::set("", key).with_flags(SetFlags::ANONYMOUS | SetFlags::CONSTANT)
    }

    /// The same with more flags.
    #[must_use]
    pub fn with_flags(mut self, flags: SetFlags) -> Self {
        self.flags |= flags;
        self
    }

    /// The same with ranges as keys. `key` is the type that it was made of: of a concatenation the
    /// kernel must know each field.
    #[must_use]
    pub fn with_intervals(mut self, key: impl Into<SetType>) -> Self {
        let key = key.into();
        self.flags |= SetFlags::INTERVAL;
        if key.is_concatenation() {
            self.flags |= SetFlags::CONCAT;
            self.key_fields = key.field_lens();
        }
        self
    }

    /// The same with elements that expire after `timeout`, to the millisecond. A zero timeout lets
    /// elements have times of their own only.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.flags |= SetFlags::TIMEOUT;
        self.timeout = (!timeout.is_zero()).then_some(timeout);
        self
    }

    /// The same with at most `size` elements.
    #[must_use]
    pub fn with_size(mut self, size: u32) -> Self {
        self.size = Some(size);
        self
    }

    /// The same with a comment, which `nft` shows.
    #[must_use]
    pub fn with_comment(mut self, comment: &str) -> Self {
        ud::put_comment(&mut self.userdata, ud::SET_COMMENT, comment);
        self
    }

    /// The comment.
    #[must_use]
    pub fn comment(&self) -> Option<String> {
        ud::find_comment(ud::SET_COMMENT, &self.userdata)
    }

    pub(crate) fn encode(&self, table: &str, id: u32, w: &mut Writer) {
        w.string(nft::NFTA_SET_TABLE, table);
        let anonymous = self.flags.contains(SetFlags::ANONYMOUS) && self.name.is_empty();
        match (anonymous, self.flags.contains(SetFlags::MAP)) {
            (false, _) => w.string(nft::NFTA_SET_NAME, &self.name),
            (true, false) => w.string(nft::NFTA_SET_NAME, ANONYMOUS_NAME),
            (true, true) => w.string(nft::NFTA_SET_NAME, ANONYMOUS_MAP_NAME),
        }
        w.be32(nft::NFTA_SET_FLAGS, self.flags.bits());
        w.be32(nft::NFTA_SET_KEY_TYPE, self.key_type);
        w.be32(nft::NFTA_SET_KEY_LEN, self.key_len);
        match self.data {
            None => {}
            Some(MapData::Value { type_id, len }) => {
                w.be32(nft::NFTA_SET_DATA_TYPE, type_id);
                w.be32(nft::NFTA_SET_DATA_LEN, len);
            }
            Some(MapData::Verdict) => w.be32(nft::NFTA_SET_DATA_TYPE, nft::NFT_DATA_VERDICT_TYPE),
        }
        w.be32(nft::NFTA_SET_ID, id);
        if let Some(timeout) = self.timeout {
            w.be64(nft::NFTA_SET_TIMEOUT, millis(timeout));
        }
        if self.size.is_some() || !self.key_fields.is_empty() {
            w.nested(nft::NFTA_SET_DESC, |w| self.encode_desc(w));
        }
        if !self.userdata.is_empty() {
            w.bytes(nft::NFTA_SET_USERDATA, &self.userdata);
        }
    }

    fn encode_desc(&self, w: &mut Writer) {
        if let Some(size) = self.size {
            w.be32(nft::NFTA_SET_DESC_SIZE, size);
        }
        if !self.key_fields.is_empty() {
            w.nested(nft::NFTA_SET_DESC_CONCAT, |w| {
                for len in &self.key_fields {
                    w.nested(nft::NFTA_LIST_ELEM, |w| {
                        w.be32(nft::NFTA_SET_FIELD_LEN, *len);
                    });
                }
            });
        }
    }

    pub(crate) fn decode(attributes: Attributes<'_>) -> Result<Self, Error> {
        let mut set = Self {
            name: String::new(),
            flags: SetFlags::empty(),
            key_type: 0,
            key_len: 0,
            key_fields: Vec::new(),
            data: None,
            size: None,
            timeout: None,
            userdata: Vec::new(),
        };
        let (mut data_type, mut data_len) = (None, 0);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                nft::NFTA_SET_NAME => set.name = attribute.text(),
                nft::NFTA_SET_FLAGS => set.flags = SetFlags::from_bits(attribute.be32()?),
                nft::NFTA_SET_KEY_TYPE => set.key_type = attribute.be32()?,
                nft::NFTA_SET_KEY_LEN => set.key_len = attribute.be32()?,
                nft::NFTA_SET_DATA_TYPE => data_type = Some(attribute.be32()?),
                nft::NFTA_SET_DATA_LEN => data_len = attribute.be32()?,
                nft::NFTA_SET_TIMEOUT => {
                    set.timeout = Some(Duration::from_millis(attribute.be64()?));
                }
                nft::NFTA_SET_DESC => set.decode_desc(attribute)?,
                nft::NFTA_SET_USERDATA => set.userdata = attribute.value.to_vec(),
                _ => {}
            }
        }
        set.data = data_type.map(|type_id| match type_id {
            nft::NFT_DATA_VERDICT_TYPE => MapData::Verdict,
            type_id => MapData::Value {
                type_id,
                len: data_len,
            },
        });
        Ok(set)
    }

    fn decode_desc(&mut self, desc: Attribute<'_>) -> Result<(), Error> {
        for part in desc.nested() {
            let part = part?;
            match part.kind {
                nft::NFTA_SET_DESC_SIZE => self.size = Some(part.be32()?),
                nft::NFTA_SET_DESC_CONCAT => {
                    for field in part.nested() {
                        if let Some(len) = field?.child(nft::NFTA_SET_FIELD_LEN)? {
                            self.key_fields.push(len.be32()?);
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Whole milliseconds, as the kernel counts timeouts.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::datatype::{DataType, Typeof};

    fn round_trip(set: &Set) -> Set {
        let mut w = Writer::default();
        set.encode("kedge", 7, &mut w);
        assert_eq!(w.oversized(), None);
        Set::decode(Attributes::new(w.as_bytes())).unwrap()
    }

    #[test]
    fn every_kind_of_set_comes_back() {
        let source = [Typeof::CtMark, Typeof::Ip6Saddr];
        for set in [
            Set::set("cluster-ips", DataType::Ipv4Addr).with_comment("addresses"),
            Set::set("ranges", DataType::InetService).with_intervals(DataType::InetService),
            Set::set("src", source).with_intervals(source),
            Set::map(
                "svc",
                [DataType::Ipv6Addr, DataType::InetService],
                DataType::Mark,
            ),
            Set::verdict_map("class", DataType::Mark).with_size(256),
            Set::map("aff", Typeof::IpSaddr, Typeof::IpDaddr)
                .with_flags(SetFlags::EVAL)
                .with_timeout(Duration::from_millis(10_800_000)),
        ] {
            assert_eq!(round_trip(&set), set);
        }
    }

    #[test]
    fn concatenated_ranges_describe_their_fields() {
        let key = [DataType::Mark, DataType::Ipv6Addr, DataType::InetService];
        let set = Set::set("s", key).with_intervals(key);
        assert!(set.flags.contains(SetFlags::INTERVAL | SetFlags::CONCAT));
        assert_eq!((set.key_len, set.key_fields), (24, vec![4, 16, 2]));
        let plain = Set::set("s", key);
        assert!(plain.key_fields.is_empty());
        let single = Set::set("s", DataType::Mark).with_intervals(DataType::Mark);
        assert_eq!(single.flags, SetFlags::INTERVAL);
    }

    #[test]
    fn an_anonymous_set_is_named_by_the_kernel() {
        let mut w = Writer::default();
        Set::anonymous(DataType::InetProto).encode("kedge", 1, &mut w);
        let sent = Set::decode(Attributes::new(w.as_bytes())).unwrap();
        assert_eq!(sent.name, ANONYMOUS_NAME);
        let mut w = Writer::default();
        Set::verdict_map("", DataType::Mark)
            .with_flags(SetFlags::ANONYMOUS)
            .encode("kedge", 1, &mut w);
        let sent = Set::decode(Attributes::new(w.as_bytes())).unwrap();
        assert_eq!(sent.name, ANONYMOUS_MAP_NAME);
    }

    #[test]
    fn a_comment_is_found_among_the_other_userdata() {
        let set = Set::map("m", Typeof::CtMark, Typeof::IpDaddr).with_comment("why");
        assert_eq!(set.comment().as_deref(), Some("why"));
        assert_eq!(Set::set("s", Typeof::CtMark).comment(), None);
    }

    proptest! {
        #[test]
        fn a_set_comes_back(
            name in "[a-z][a-z0-9-]{0,30}", flags in 0u32..0x200, key: (u32, u32), data: Option<(u32, u32)>,
            size: Option<u32>, timeout in proptest::option::of(1u64..u64::MAX / 2),
            fields in proptest::collection::vec(1u32..17, 0..6),
            userdata in proptest::collection::vec(any::<u8>(), 0..256)) {
            let data = data.map(|(type_id, len)| match type_id {
                nft::NFT_DATA_VERDICT_TYPE => MapData::Verdict,
                type_id => MapData::Value { type_id, len },
            });
            let set = Set {
                name, data, size, userdata,
                flags: SetFlags::from_bits(flags),
                key_type: key.0,
                key_len: key.1,
                key_fields: fields,
                timeout: timeout.map(Duration::from_millis),
            };
            prop_assert_eq!(round_trip(&set), set);
        }
    }
}
