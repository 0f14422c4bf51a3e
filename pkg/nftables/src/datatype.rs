//! Types of keys and data, as `nft` prints and checks them. The kernel itself knows only their
//! lengths.

use crate::userdata as ud;

/// Bits of one type in the number of a concatenated type (`TYPE_BITS` of nft's `datatype.h`).
const TYPE_BITS: u32 = 6;

// enum byteorder of nft's `expression.h`
const BYTEORDER_INVALID: u32 = 0;
const BYTEORDER_HOST_ENDIAN: u32 = 1;
const BYTEORDER_BIG_ENDIAN: u32 = 2;

/// A data type (`enum datatypes` of nft's `datatype.h`), written as in `type ipv4_addr . inet_proto
/// . inet_service`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DataType {
    /// `ipv4_addr`, 4 bytes.
    Ipv4Addr,
    /// `ipv6_addr`, 16 bytes.
    Ipv6Addr,
    /// `ether_addr`, 6 bytes.
    EtherAddr,
    /// `inet_proto`, 1 byte.
    InetProto,
    /// `inet_service`, 2 bytes.
    InetService,
    /// `mark`, 4 bytes in the machine's order.
    Mark,
    /// `iface_index`, 4 bytes in the machine's order.
    IfaceIndex,
    /// `ifname`, 16 bytes.
    Ifname,
    /// `integer` of so many bytes in the machine's order. `nft` prints a set of it only if the set
    /// has a `typeof`.
    Integer(u8),
}

impl DataType {
    /// Number of the type.
    #[must_use]
    pub const fn id(self) -> u32 {
        match self {
            Self::Integer(_) => 4,
            Self::Ipv4Addr => 7,
            Self::Ipv6Addr => 8,
            Self::EtherAddr => 9,
            Self::InetProto => 12,
            Self::InetService => 13,
            Self::Mark => 19,
            Self::IfaceIndex => 20,
            Self::Ifname => 41,
        }
    }

    /// Length in bytes, without the padding that a field of a concatenation has.
    #[must_use]
    pub const fn len(self) -> u32 {
        match self {
            Self::InetProto => 1,
            Self::InetService => 2,
            Self::Ipv4Addr | Self::Mark | Self::IfaceIndex => 4,
            Self::EtherAddr => 6,
            Self::Ipv6Addr | Self::Ifname => 16,
            Self::Integer(len) => len as u32,
        }
    }

    /// Whether a value has no bytes: only an integer of width 0, which no set can have.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    const fn byteorder(self) -> u32 {
        match self {
            Self::Mark | Self::IfaceIndex | Self::Ifname | Self::Integer(_) => {
                BYTEORDER_HOST_ENDIAN
            }
            _ => BYTEORDER_BIG_ENDIAN,
        }
    }
}

/// An expression that a set takes its type from, written as in `typeof ct mark . ip saddr`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Typeof {
    /// `ct mark`
    CtMark,
    /// `meta mark`
    MetaMark,
    /// `meta l4proto`
    MetaL4proto,
    /// `iifname`
    Iifname,
    /// `numgen random mod N`; the modulus is for show.
    NumgenRandom(u32),
    /// `ip saddr`
    IpSaddr,
    /// `ip daddr`
    IpDaddr,
    /// `ip6 saddr`
    Ip6Saddr,
    /// `ip6 daddr`
    Ip6Daddr,
    /// `th sport`
    ThSport,
    /// `th dport`
    ThDport,
}

impl Typeof {
    /// The type of the expression's value.
    #[must_use]
    pub const fn data_type(self) -> DataType {
        match self {
            Self::CtMark | Self::MetaMark => DataType::Mark,
            Self::MetaL4proto => DataType::InetProto,
            Self::Iifname => DataType::Ifname,
            Self::NumgenRandom(_) => DataType::Integer(4),
            Self::IpSaddr | Self::IpDaddr => DataType::Ipv4Addr,
            Self::Ip6Saddr | Self::Ip6Daddr => DataType::Ipv6Addr,
            Self::ThSport | Self::ThDport => DataType::InetService,
        }
    }

    const fn byteorder(self) -> u32 {
        match self {
            // As `nft` sees it, unlike the protocol field of an IPv4 header.
            Self::MetaL4proto => BYTEORDER_HOST_ENDIAN,
            _ => self.data_type().byteorder(),
        }
    }

    /// The expression as `nft` keeps it in a set's userdata: `enum expr_types`, then the
    /// expression's own items.
    fn write(self, out: &mut Vec<u8>) {
        const PAYLOAD: u32 = 7;
        const META: u32 = 9;
        const CT: u32 = 12;
        const NUMGEN: u32 = 23;
        // enum proto_desc_id
        const TH: u32 = 11;
        const IP: u32 = 12;
        const IP6: u32 = 13;
        // The items of each expression, numbered from 0. `payload` has protocol and field
        // (TH_SPORT, IPHDR_SADDR, IP6HDR_SADDR and so on), `ct` key and direction (-1: none),
        // `numgen` type, modulus and offset.
        let (expression, items): (u32, &[u32]) = match self {
            Self::MetaMark => (META, &[3]),
            Self::MetaL4proto => (META, &[16]),
            Self::Iifname => (META, &[6]),
            Self::CtMark => (CT, &[3, u32::MAX]),
            Self::NumgenRandom(modulus) => (NUMGEN, &[1, modulus, 0]),
            Self::ThSport => (PAYLOAD, &[TH, 1]),
            Self::ThDport => (PAYLOAD, &[TH, 2]),
            Self::IpSaddr => (PAYLOAD, &[IP, 11]),
            Self::IpDaddr => (PAYLOAD, &[IP, 12]),
            Self::Ip6Saddr => (PAYLOAD, &[IP6, 8]),
            Self::Ip6Daddr => (PAYLOAD, &[IP6, 9]),
        };
        ud::put_u32(out, ud::TYPEOF_EXPR, expression);
        let mut data = Vec::with_capacity(items.len() * 6);
        for (kind, item) in items.iter().enumerate() {
            ud::put_u32(&mut data, kind as u8, *item);
        }
        ud::put(out, ud::TYPEOF_DATA, &data);
    }
}

/// The type of a key or datum: one field, or several concatenated.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SetType {
    fields: Vec<DataType>,
    expressions: Vec<Typeof>,
}

impl SetType {
    /// `type A . B . C`
    #[must_use]
    pub fn of(fields: &[DataType]) -> Self {
        Self {
            fields: fields.to_vec(),
            expressions: Vec::new(),
        }
    }

    /// `typeof A . B . C`
    #[must_use]
    pub fn of_expressions(expressions: &[Typeof]) -> Self {
        Self {
            fields: expressions.iter().map(|e| e.data_type()).collect(),
            expressions: expressions.to_vec(),
        }
    }

    /// Number of the type: of a concatenation, those of its fields side by side, the first the
    /// highest.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.fields
            .iter()
            .fold(0, |id, field| (id << TYPE_BITS) | field.id())
    }

    /// Length of a value in bytes: each field of a concatenation is padded to four.
    #[must_use]
    pub fn len(&self) -> u32 {
        match self.fields.as_slice() {
            [field] => field.len(),
            fields => fields.iter().map(|f| f.len().next_multiple_of(4)).sum(),
        }
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Whether there are several fields.
    #[must_use]
    pub fn is_concatenation(&self) -> bool {
        self.fields.len() > 1
    }

    /// Lengths of the fields in bytes, unpadded.
    #[must_use]
    pub fn field_lens(&self) -> Vec<u32> {
        self.fields.iter().map(|field| field.len()).collect()
    }

    pub(crate) fn byteorder(&self) -> u32 {
        match (self.fields.as_slice(), self.expressions.as_slice()) {
            (_, [expression]) => expression.byteorder(),
            ([field], _) => field.byteorder(),
            _ => BYTEORDER_INVALID,
        }
    }

    /// The `typeof` item of a set's userdata, if the type was given by expressions.
    pub(crate) fn write_typeof(&self, kind: u8, out: &mut Vec<u8>) {
        const CONCAT: u32 = 13;
        let mut item = Vec::new();
        match self.expressions.as_slice() {
            [] => return,
            [one] => one.write(&mut item),
            all => {
                ud::put_u32(&mut item, ud::TYPEOF_EXPR, CONCAT);
                let mut members = Vec::new();
                for (index, expression) in all.iter().enumerate() {
                    let mut member = Vec::new();
                    expression.write(&mut member);
                    ud::put(&mut members, index as u8, &member);
                }
                ud::put(&mut item, ud::TYPEOF_DATA, &members);
            }
        }
        ud::put(out, kind, &item);
    }
}

impl From<DataType> for SetType {
    fn from(field: DataType) -> Self {
        Self::of(&[field])
    }
}

impl<const N: usize> From<[DataType; N]> for SetType {
    fn from(fields: [DataType; N]) -> Self {
        Self::of(&fields)
    }
}

impl From<Typeof> for SetType {
    fn from(expression: Typeof) -> Self {
        Self::of_expressions(&[expression])
    }
}

impl<const N: usize> From<[Typeof; N]> for SetType {
    fn from(expressions: [Typeof; N]) -> Self {
        Self::of_expressions(&expressions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The bytes in these tests are what nft 1.0.6 itself sent for the sets named, on a
    // little-endian machine.
    fn le(data: &str) -> Vec<u8> {
        (0..data.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&data[i..i + 2], 16).unwrap())
            .collect()
    }

    #[test]
    fn a_concatenation_has_nfts_number_and_length() {
        let key = SetType::from([
            DataType::Ipv4Addr,
            DataType::InetProto,
            DataType::InetService,
        ]);
        assert_eq!((key.id(), key.len()), (0x730d, 12));
        let key = SetType::from([Typeof::CtMark, Typeof::NumgenRandom(65_536)]);
        assert_eq!((key.id(), key.len()), (0x4c4, 8));
        let data = SetType::from([Typeof::Ip6Daddr, Typeof::ThDport]);
        assert_eq!((data.id(), data.len()), (0x20d, 20));
        assert_eq!(SetType::from(DataType::InetService).len(), 2);
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn typeof_of_one_expression_is_what_nft_writes() {
        for (expression, want) in [
            (
                Typeof::IpSaddr,
                "0314000407000000010c00040c00000001040b000000",
            ),
            (
                Typeof::Ip6Saddr,
                "0314000407000000010c00040d000000010408000000",
            ),
            (
                Typeof::ThSport,
                "0314000407000000010c00040b000000010401000000",
            ),
            (Typeof::MetaL4proto, "030e0004090000000106000410000000"),
            (Typeof::MetaMark, "030e0004090000000106000403000000"),
            (Typeof::Iifname, "030e0004090000000106000406000000"),
        ] {
            let mut out = Vec::new();
            SetType::from(expression).write_typeof(ud::SET_KEY_TYPEOF, &mut out);
            assert_eq!(out, le(want), "{expression:?}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn typeof_of_a_concatenation_is_what_nft_writes() {
        let mut out = Vec::new();
        SetType::from([Typeof::CtMark, Typeof::NumgenRandom(65_536)])
            .write_typeof(ud::SET_KEY_TYPEOF, &mut out);
        SetType::from([Typeof::IpDaddr, Typeof::ThDport])
            .write_typeof(ud::SET_DATA_TYPEOF, &mut out);
        let want = "033a00040d0000000132001400040c000000010c0004030000000104ffffffff011a000417000000\
                    0112000401000000010400000100020400000000043400040d000000012c0014000407000000010c\
                    00040c00000001040c0000000114000407000000010c00040b000000010402000000";
        assert_eq!(out, le(want));
    }

    #[test]
    fn types_without_expressions_have_no_typeof() {
        let mut out = Vec::new();
        SetType::from([DataType::Ipv4Addr, DataType::Ipv4Addr])
            .write_typeof(ud::SET_KEY_TYPEOF, &mut out);
        assert!(out.is_empty());
    }
}
