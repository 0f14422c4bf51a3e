//! Names in the form of the wire, in lower case: what questions are compared by, without memory of their own.

use std::fmt;
use std::net::IpAddr;

use domain::base::{Name, ToName};
use ipnet::IpNet;

/// The longest name (RFC 1035, 2.3.4), its root label with it.
const LONGEST: usize = 255;
/// The longest label.
const LONGEST_LABEL: usize = 63;

/// A whole name: length and octets of each label, then the root's zero. ASCII letters are lower case.
#[derive(Clone, Copy)]
pub struct WireName {
    octets: [u8; LONGEST],
    length: u8,
}

impl WireName {
    /// The root.
    #[must_use]
    pub const fn root() -> Self {
        Self {
            octets: [0; LONGEST],
            length: 1,
        }
    }

    /// A name of a message.
    #[must_use]
    pub fn of(name: &impl ToName) -> Self {
        let mut wire = Self::root();
        for label in name.iter_labels().filter(|label| !label.is_root()) {
            wire.push(label.as_slice());
        }
        wire
    }

    /// Dotted text, with or without the last dot; `None` for what cannot be a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut wire = Self::root();
        let text = text.strip_suffix('.').unwrap_or(text);
        for label in text.split('.').filter(|_| !text.is_empty()) {
            if label.is_empty() || !wire.push(label.as_bytes()) {
                return None;
            }
        }
        Some(wire)
    }

    /// Adds a label before the root; false, and nothing added, where it is too long or the name becomes so.
    pub fn push(&mut self, label: &[u8]) -> bool {
        let at = usize::from(self.length) - 1;
        let end = at + 1 + label.len();
        if label.len() > LONGEST_LABEL || end >= LONGEST {
            return false;
        }
        self.octets[at] = label.len() as u8;
        let place = &mut self.octets[at + 1..end];
        place.copy_from_slice(label);
        place.make_ascii_lowercase();
        self.octets[end] = 0;
        self.length = end as u8 + 1;
        true
    }

    /// Adds the labels of another name in wire form.
    pub fn append(&mut self, other: &[u8]) -> bool {
        labels(other).all(|label| self.push(label))
    }

    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// For the library of messages; the root should this not be a name, which cannot be.
    #[must_use]
    pub fn as_name(&self) -> &Name<[u8]> {
        Name::from_slice(self.as_bytes()).unwrap_or(Name::root_slice())
    }

    /// True for `domain` (wire form, lower case) itself and every name below it.
    #[must_use]
    pub fn is_within(&self, domain: &[u8]) -> bool {
        self.below(domain).is_some()
    }

    /// The labels above `domain`, the one next to it first; `None` outside of it. Names with more labels than are
    /// ever looked at (see [`Below`]) end in `deeper`.
    #[must_use]
    pub fn below(&self, domain: &[u8]) -> Option<Below<'_>> {
        let wire = self.as_bytes();
        let mut below = Below::default();
        let mut at = 0;
        while wire.len() - at > domain.len() {
            let end = at + 1 + usize::from(wire[at]);
            below.push(&wire[at + 1..end]);
            at = end;
        }
        if &wire[at..] != domain {
            return None;
        }
        below.reverse();
        Some(below)
    }

    /// The zone of a range's reverse names: where its bits end within a label, the one that has the whole label.
    #[must_use]
    pub fn reverse_zone(range: IpNet) -> Self {
        let mut wire = Self::root();
        match range.network() {
            IpAddr::V4(first) => {
                let whole = usize::from(range.prefix_len()) / 8;
                for octet in first.octets()[..whole].iter().rev() {
                    let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|d| d + b'0');
                    let leading = digits[..2].iter().take_while(|d| **d == b'0').count();
                    wire.push(&digits[leading..]);
                }
                wire.append(b"\x07in-addr\x04arpa\0");
            }
            IpAddr::V6(first) => {
                let whole = u32::from(range.prefix_len()) / 4;
                for at in (0..whole).rev() {
                    let nibble = (u128::from(first) >> (124 - 4 * at) & 0xf) as usize;
                    wire.push(&b"0123456789abcdef"[nibble..=nibble]);
                }
                wire.append(b"\x03ip6\x04arpa\0");
            }
        }
        wire
    }

    /// The address of a whole name under `in-addr.arpa` (RFC 1035, 3.5) or `ip6.arpa` (RFC 3596, 2.5).
    #[must_use]
    pub fn reverse_address(&self) -> Option<IpAddr> {
        let wire = self.as_bytes();
        if let Some(octets) = wire.strip_suffix(b"\x07in-addr\x04arpa\0") {
            let mut address = [0u8; 4];
            let mut places = address.iter_mut().rev();
            for label in labels(octets) {
                *places.next()? = std::str::from_utf8(label).ok()?.parse().ok()?;
            }
            return places.next().is_none().then(|| address.into());
        }
        let nibbles = wire.strip_suffix(b"\x03ip6\x04arpa\0")?;
        // Each nibble is a label of one octet: thirty-two of them, the last one first.
        if nibbles.len() != 64 {
            return None;
        }
        let mut value = 0u128;
        for pair in nibbles.chunks_exact(2).rev() {
            let digit = char::from(pair[1]).to_digit(16).filter(|_| pair[0] == 1)?;
            value = value << 4 | u128::from(digit);
        }
        Some(IpAddr::from(value.to_be_bytes()))
    }
}

impl PartialEq for WireName {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl Eq for WireName {}

impl fmt::Debug for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Dotted, without the last dot.
impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_name())
    }
}

/// The labels of a name in wire form, the leftmost first, without the root.
pub fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first()?;
        let (label, after) = after.split_at_checked(usize::from(*length))?;
        rest = after;
        (!label.is_empty()).then_some(label)
    })
}

/// Labels above a domain. No name of the cluster has more than these: `_port._tcp.service.namespace.svc`.
#[derive(Debug, Default)]
pub struct Below<'n> {
    labels: [&'n [u8]; 5],
    count: usize,
}

impl<'n> Below<'n> {
    fn push(&mut self, label: &'n [u8]) {
        if let Some(place) = self.labels.get_mut(self.count) {
            *place = label;
        }
        self.count += 1;
    }

    fn reverse(&mut self) {
        let count = self.count.min(self.labels.len());
        self.labels[..count].reverse();
    }

    /// The labels, the one next to the domain first; `None` when there are more than a name of the cluster has.
    #[must_use]
    pub fn labels(&self) -> Option<&[&'n [u8]]> {
        self.labels.get(..self.count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn below(name: &str, domain: &str) -> Option<Vec<String>> {
        let (name, domain) = (WireName::parse(name)?, WireName::parse(domain)?);
        let below = name.below(domain.as_bytes())?;
        let shown = below.labels()?.iter();
        Some(
            shown
                .map(|l| String::from_utf8_lossy(l).into_owned())
                .collect(),
        )
    }

    #[test]
    fn labels_above_a_domain() {
        assert_eq!(
            below("Web.shop.svc.Cluster.LOCAL.", "cluster.local").unwrap(),
            ["svc", "shop", "web"]
        );
        assert_eq!(
            below("cluster.local", "cluster.local").unwrap(),
            [""; 0] as [&str; 0]
        );
        assert_eq!(below("example.com", "").unwrap(), ["com", "example"]);
        for outside in ["local", "notcluster.local", "cluster.local.example"] {
            assert_eq!(below(outside, "cluster.local"), None, "{outside}");
        }
        let deep = WireName::parse("a.b.c.d.e.f.cluster.local").unwrap();
        let domain = WireName::parse("cluster.local").unwrap();
        assert!(deep.below(domain.as_bytes()).unwrap().labels().is_none());
    }

    #[test]
    fn reverse_names_of_addresses() {
        for (name, address) in [
            ("1.0.43.10.in-addr.arpa", Some("10.43.0.1")),
            (
                "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.3.4.0.0.0.0.D.F.ip6.arpa",
                Some("fd00:43::1"),
            ),
            ("43.10.in-addr.arpa", None),
            ("5.1.0.43.10.in-addr.arpa", None),
            ("256.0.43.10.in-addr.arpa", None),
            ("example.com", None),
        ] {
            let found = WireName::parse(name).unwrap().reverse_address();
            assert_eq!(found, address.map(|a| a.parse().unwrap()), "{name}");
        }
    }

    #[test]
    fn reverse_zones_of_ranges() {
        for (range, zone) in [
            ("10.43.0.0/16", "43.10.in-addr.arpa"),
            ("10.96.0.0/12", "10.in-addr.arpa"),
            ("192.168.105.7/32", "7.105.168.192.in-addr.arpa"),
            ("0.0.0.0/0", "in-addr.arpa"),
            ("fd00:43::/32", "3.4.0.0.0.0.d.f.ip6.arpa"),
            ("fd00:43::/31", "4.0.0.0.0.d.f.ip6.arpa"),
        ] {
            let found = WireName::reverse_zone(range.parse().unwrap());
            assert_eq!(found.to_string(), zone, "{range}");
        }
    }

    #[test]
    fn what_cannot_be_a_name() {
        assert!(WireName::parse("a..b").is_none());
        assert!(WireName::parse(&"a".repeat(64)).is_none());
        assert!(WireName::parse(&vec!["abcdefg"; 32].join(".")).is_none());
        assert_eq!(WireName::parse("."), Some(WireName::root()));
    }

    proptest! {
        #[test]
        fn text_and_back(labels in proptest::collection::vec("[a-z0-9_-]{1,20}", 0..12)) {
            let text = labels.join(".");
            let name = WireName::parse(&text).unwrap();
            if !text.is_empty() {
                prop_assert_eq!(name.to_string(), text);
            }
            prop_assert_eq!(WireName::of(&name.as_name()), name);
        }
    }
}
