//! Elements as the kernel has them. Numbers in marks and slots are in the machine's order,
//! addresses and ports in the network's.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use kedge_nftables::{DataRef, ElementRef, Verdict};

use super::name::{SetName, class_chain, learn_chain, learn_seconds};
use crate::family::{Endpoint, Family, Protocol};
use crate::layout::{Class, Element, Group, Key, Mark, ServiceKey, Value};

/// Longest key: two IPv6 addresses.
const KEY: usize = 32;
/// Longest value: an IPv6 address and a port.
const VALUE: usize = 20;

/// An encoded element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    key: Bytes<KEY>,
    /// The last key of a range.
    end: Option<Bytes<KEY>>,
    data: Data,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Data {
    None,
    Bytes(Bytes<VALUE>),
    Goto(String),
    Jump(String),
}

/// A few bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bytes<const N: usize> {
    bytes: [u8; N],
    len: u8,
}

impl<const N: usize> Default for Bytes<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }
}

impl<const N: usize> Bytes<N> {
    /// Adds a field, padded to 4 bytes as fields of a concatenation are. What does not fit is not
    /// there to begin with.
    fn field(mut self, field: &[u8]) -> Self {
        let start = usize::from(self.len);
        let end = start + field.len().next_multiple_of(4);
        if let Some(room) = self.bytes.get_mut(start..start + field.len()) {
            room.copy_from_slice(field);
            self.len = end.min(N) as u8;
        }
        self
    }

    fn number(self, number: u32) -> Self {
        self.field(&number.to_ne_bytes())
    }

    fn address(self, address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => self.field(&v4.octets()),
            IpAddr::V6(v6) => self.field(&v6.octets()),
        }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Encoded {
    pub fn new((key, value): &Element) -> Self {
        let (encoded, end) = encode_key(key);
        Self {
            key: encoded,
            end,
            data: encode_value(key, value),
        }
    }

    pub fn as_ref(&self) -> ElementRef<'_> {
        let mut element = ElementRef::new(self.key.as_slice());
        element.key_end = self.end.as_ref().map(Bytes::as_slice);
        element.data = match &self.data {
            Data::None => None,
            Data::Bytes(bytes) => Some(DataRef::Value(bytes.as_slice())),
            Data::Goto(chain) => Some(DataRef::Verdict(Verdict::Goto(chain))),
            Data::Jump(chain) => Some(DataRef::Verdict(Verdict::Jump(chain))),
        };
        element
    }
}

impl<'a> From<&'a Encoded> for ElementRef<'a> {
    fn from(encoded: &'a Encoded) -> Self {
        encoded.as_ref()
    }
}

fn encode_key(key: &Key) -> (Bytes<KEY>, Option<Bytes<KEY>>) {
    let empty = Bytes::default();
    let encoded = match key {
        Key::Service(key) => empty
            .address(key.address)
            .field(&[key.protocol.code()])
            .field(&key.port.to_be_bytes()),
        Key::ClusterIp(address) => empty.address(*address),
        Key::Slot(group, slot) => empty.number(group.bits()).number((*slot).into()),
        Key::Live(group, endpoint) => empty
            .number(group.bits())
            .address(endpoint.address)
            .field(&endpoint.port.to_be_bytes()),
        Key::Hairpin(address) => empty.address(*address).address(*address),
        Key::SourceRange(group, range) => {
            // Ranges are compared byte by byte, so that the number must be in network order.
            let field = |address: IpAddr| empty.field(&group.bits().to_be_bytes()).address(address);
            return (field(range.network()), Some(field(range.broadcast())));
        }
        Key::AfterRanges(group)
        | Key::FromInside(group)
        | Key::FromOutside(group)
        | Key::Learn(group) => empty.number(group.bits()),
        Key::Sticky(_, bits) => empty.number(*bits),
        Key::Dispatch(_, _, class) => empty.number(class.code().into()),
    };
    (encoded, None)
}

fn encode_value(key: &Key, value: &Value) -> Data {
    let empty = Bytes::default();
    match (value, key) {
        (Value::Mark(mark), _) => Data::Bytes(empty.number(mark.0)),
        (Value::Endpoint(endpoint), _) => Data::Bytes(
            empty
                .address(endpoint.address)
                .field(&endpoint.port.to_be_bytes()),
        ),
        (Value::Learn(seconds), _) => Data::Jump(learn_chain(*seconds)),
        (Value::Chain, Key::Dispatch(_, _, class)) => Data::Goto(class_chain(*class).into_owned()),
        (Value::Chain | Value::Member | Value::Foreign, _) => Data::None,
    }
}

/// Reads an element of `set`. `None` for what the proxy never wrote.
pub fn decode(family: Family, set: SetName, element: &ElementRef<'_>) -> Option<Element> {
    let mut fields = Fields(element.key);
    let group = |bits: u32| Group {
        family,
        id: Mark(bits).group_id(),
    };
    let key = match set {
        SetName::Services => Key::Service(ServiceKey {
            address: fields.address(family)?,
            protocol: Protocol::from_code(fields.take::<4>()?[0])?,
            port: fields.port()?,
        }),
        SetName::ClusterIps => Key::ClusterIp(fields.address(family)?),
        SetName::Slots => Key::Slot(group(fields.number()?), fields.number()?.try_into().ok()?),
        SetName::Hairpins => {
            let address = fields.address(family)?;
            Key::Hairpin(Some(address).filter(|_| fields.address(family) == Some(address))?)
        }
        SetName::SourceRanges => {
            let group = group(u32::from_be_bytes(fields.take()?));
            let mut end = Fields(element.key_end?);
            end.take::<4>()?;
            Key::SourceRange(group, range(fields.address(family)?, end.address(family)?)?)
        }
        SetName::AfterRanges => Key::AfterRanges(group(fields.number()?)),
        SetName::FromInside => Key::FromInside(group(fields.number()?)),
        SetName::FromOutside => Key::FromOutside(group(fields.number()?)),
        SetName::Sticky => Key::Sticky(family, fields.number()?),
        SetName::Learn => Key::Learn(group(fields.number()?)),
        SetName::Live => Key::Live(group(fields.number()?), fields.endpoint(family)?),
        SetName::Dispatch(dispatch) => Key::Dispatch(
            family,
            dispatch,
            Class::from_code(fields.number()?.try_into().ok()?),
        ),
    };
    // What else the key holds, bits or padding, must be as it was written.
    let written = encode_key(&key).0;
    (written.as_slice() == element.key).then(|| (key, decode_value(family, &key, element.data)))
}

fn decode_value(family: Family, key: &Key, data: Option<DataRef<'_>>) -> Value {
    let value = match (key, data) {
        (_, None) => Some(Value::Member),
        (Key::Slot(..), Some(DataRef::Value(bytes))) => {
            endpoint(family, bytes).map(Value::Endpoint)
        }
        (Key::Learn(_), Some(DataRef::Verdict(Verdict::Jump(chain)))) => {
            learn_seconds(chain).map(Value::Learn)
        }
        (Key::Dispatch(_, _, class), Some(DataRef::Verdict(Verdict::Goto(chain)))) => {
            (chain == class_chain(*class)).then_some(Value::Chain)
        }
        (_, Some(DataRef::Value(bytes))) => {
            Fields(bytes).number().map(|mark| Value::Mark(Mark(mark)))
        }
        (_, Some(DataRef::Verdict(_))) => None,
    };
    value.unwrap_or(Value::Foreign)
}

fn endpoint(family: Family, bytes: &[u8]) -> Option<Endpoint> {
    Fields(bytes).endpoint(family)
}

/// An element of the map that packets write: whose client, and its endpoint.
pub fn decode_affinity(family: Family, element: &ElementRef<'_>) -> Option<(Group, Endpoint)> {
    let bits = Fields(element.key).number()?;
    let Some(DataRef::Value(bytes)) = element.data else {
        return None;
    };
    let group = Group {
        family,
        id: Mark(bits).group_id(),
    };
    Some((group, endpoint(family, bytes)?))
}

/// The range from one address to another, if it is that of a prefix.
fn range(first: IpAddr, last: IpAddr) -> Option<IpNet> {
    let net = match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            let differing = u32::from(first) ^ u32::from(last);
            IpNet::V4(Ipv4Net::new(first, differing.leading_zeros() as u8).ok()?)
        }
        (IpAddr::V6(first), IpAddr::V6(last)) => {
            let differing = u128::from(first) ^ u128::from(last);
            IpNet::V6(Ipv6Net::new(first, differing.leading_zeros() as u8).ok()?)
        }
        _ => return None,
    };
    (net.network() == first && net.broadcast() == last).then_some(net)
}

/// What is left of a key or value.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn number(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    fn port(&mut self) -> Option<u16> {
        self.take::<4>()
            .map(|[a, b, ..]| u16::from_be_bytes([a, b]))
    }

    fn endpoint(&mut self, family: Family) -> Option<Endpoint> {
        Some(Endpoint {
            address: self.address(family)?,
            port: self.port()?,
        })
    }

    fn address(&mut self, family: Family) -> Option<IpAddr> {
        Some(match family {
            Family::V4 => self.take::<4>()?.into(),
            Family::V6 => self.take::<16>()?.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::{Flags, fixed_elements};

    fn address() -> impl Strategy<Value = IpAddr> {
        prop_oneof![
            any::<[u8; 4]>().prop_map(IpAddr::from),
            any::<[u8; 16]>().prop_map(IpAddr::from)
        ]
    }

    fn group(family: Family) -> impl Strategy<Value = Group> {
        (1..=Group::MAX_ID).prop_map(move |id| Group { family, id })
    }

    fn element() -> impl Strategy<Value = Element> {
        (
            address(),
            address(),
            any::<u16>(),
            any::<u32>(),
            0u8..=32,
            0usize..3,
            0usize..11,
        )
            .prop_flat_map(|(address, other, port, number, prefix, protocol, which)| {
                let family = Family::of(address);
                let to = if Family::of(other) == family {
                    other
                } else {
                    address
                };
                group(family).prop_map(move |group| {
                    let mark = Value::Mark(Mark(number));
                    match which {
                        0 => {
                            let protocol = Protocol::ALL[protocol];
                            (
                                Key::Service(ServiceKey {
                                    address,
                                    protocol,
                                    port,
                                }),
                                mark,
                            )
                        }
                        1 => (Key::ClusterIp(address), Value::Member),
                        2 => (
                            Key::Slot(group, port),
                            Value::Endpoint(Endpoint { address: to, port }),
                        ),
                        3 => (Key::Hairpin(address), Value::Member),
                        4 => {
                            let range = IpNet::new(address, prefix).unwrap().trunc();
                            (Key::SourceRange(group, range), Value::Member)
                        }
                        5 => (Key::AfterRanges(group), mark),
                        6 => (Key::FromInside(group), mark),
                        7 => (Key::FromOutside(group), mark),
                        8 => {
                            let endpoint = Endpoint { address: to, port };
                            (Key::Live(group, endpoint), Value::Member)
                        }
                        9 => (
                            Key::Sticky(family, group.bits() | Flags::MASQUERADE.bits()),
                            mark,
                        ),
                        _ => (Key::Learn(group), Value::Learn(number)),
                    }
                })
            })
    }

    proptest! {
        #[test]
        fn an_element_comes_back(element in element()) {
            let encoded = Encoded::new(&element);
            let family = element.0.family();
            let decoded = decode(family, SetName::of(&element.0), &encoded.as_ref());
            prop_assert_eq!(decoded, Some(element));
        }

        #[test]
        fn foreign_bytes_never_panic(
            key in proptest::collection::vec(any::<u8>(), 0..40),
            data in proptest::collection::vec(any::<u8>(), 0..24),
        ) {
            for family in Family::ALL {
                for set in SetName::ALL {
                    let _ = decode(family, set, &ElementRef::value(&key, &data));
                }
                let _ = decode_affinity(family, &ElementRef::value(&key, &data));
            }
        }
    }

    #[test]
    fn fixed_elements_come_back() {
        for family in Family::ALL {
            for element in fixed_elements(family) {
                let encoded = Encoded::new(&element);
                let decoded = decode(family, SetName::of(&element.0), &encoded.as_ref());
                assert_eq!(decoded, Some(element));
            }
        }
    }

    #[test]
    fn bytes_are_laid_out_as_packets_have_them() {
        let key = Key::Service(ServiceKey {
            address: [10, 43, 0, 1].into(),
            protocol: Protocol::Udp,
            port: 53,
        });
        let encoded = Encoded::new(&(key, Value::Mark(Mark(0x1003))));
        assert_eq!(
            encoded.as_ref().key,
            [10, 43, 0, 1, 17, 0, 0, 0, 0, 53, 0, 0]
        );
        assert_eq!(
            encoded.as_ref().data,
            Some(DataRef::Value(&0x1003u32.to_ne_bytes()))
        );
    }
}
