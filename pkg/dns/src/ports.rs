//! The ports of a Service or slice in one piece of memory: there are tens of thousands of them.

use std::str::FromStr;

/// Ports in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ports {
    /// For each: protocol, number (two octets, the higher one first), length of the name, name.
    encoded: Box<[u8]>,
}

/// One of them; `name` may be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Port<'p> {
    pub name: &'p str,
    pub protocol: Protocol,
    pub number: u16,
}

/// What a port speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// As objects write it.
impl FromStr for Protocol {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "TCP" => Ok(Self::Tcp),
            "UDP" => Ok(Self::Udp),
            "SCTP" => Ok(Self::Sctp),
            _ => Err(()),
        }
    }
}

impl Protocol {
    /// Of a label such as `_tcp`.
    #[must_use]
    pub fn of_label(label: &[u8]) -> Option<Self> {
        match label {
            b"_tcp" => Some(Self::Tcp),
            b"_udp" => Some(Self::Udp),
            b"_sctp" => Some(Self::Sctp),
            _ => None,
        }
    }
}

impl Ports {
    #[must_use]
    pub fn new<'p>(ports: impl Iterator<Item = (&'p str, Protocol, u16)>) -> Self {
        let mut encoded = Vec::new();
        for (name, protocol, number) in ports {
            // A name has at most 15 characters (RFC 6335, 5.1); what is longer cannot be asked for as a label.
            let name = name.get(..name.len().min(63)).unwrap_or_default();
            let [high, low] = number.to_be_bytes();
            encoded.extend([protocol as u8, high, low, name.len() as u8]);
            encoded.extend(name.as_bytes());
        }
        Self {
            encoded: encoded.into(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = Port<'_>> {
        let mut rest = &*self.encoded;
        std::iter::from_fn(move || {
            let ([protocol, high, low, length], after) = rest.split_first_chunk()?;
            let (name, after) = after.split_at_checked(usize::from(*length))?;
            rest = after;
            Some(Port {
                name: std::str::from_utf8(name).unwrap_or_default(),
                protocol: match protocol {
                    1 => Protocol::Udp,
                    2 => Protocol::Sctp,
                    _ => Protocol::Tcp,
                },
                number: u16::from_be_bytes([*high, *low]),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn protocol() -> impl Strategy<Value = Protocol> {
        prop_oneof![
            Just(Protocol::Tcp),
            Just(Protocol::Udp),
            Just(Protocol::Sctp)
        ]
    }

    proptest! {
        #[test]
        fn ports_come_back(ports in proptest::collection::vec(("[a-z0-9-]{0,15}", protocol(), any::<u16>()), 0..8)) {
            let kept = Ports::new(ports.iter().map(|(name, protocol, number)| (name.as_str(), *protocol, *number)));
            let back: Vec<_> = kept.iter().map(|p| (p.name.to_string(), p.protocol, p.number)).collect();
            prop_assert_eq!(back, ports);
        }
    }
}
