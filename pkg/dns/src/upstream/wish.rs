//! A resolver as a person names it: `[DOMAIN=][tls://]ADDRESS[:PORT][#NAME]`, or `RANGE=` for the reverse names of a range.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

use crate::name::WireName;

/// One resolver, and the domain that it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// Names in this domain go there; the root is every name that no other domain has.
    pub domain: WireName,
    pub address: SocketAddr,
    /// DNS over TLS (RFC 7858), with the name that the certificate must have; without one, it must have the address.
    pub tls: Option<Option<String>>,
}

/// A text that names no resolver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} names no resolver: give [DOMAIN=][tls://]ADDRESS[:PORT][#NAME], such as 192.0.2.1, corp.example=10.0.0.53 or tls://192.0.2.1#dns.example; for reverse names a range of whole labels, 192.168.0.0/16=192.168.1.1"
)]
pub struct UpstreamError {
    text: String,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        read(text.trim()).ok_or_else(|| UpstreamError { text: text.into() })
    }
}

fn read(text: &str) -> Option<Upstream> {
    let (domain, rest) = match text.split_once('=') {
        Some((text, rest)) => (domain(text)?, rest),
        None => (WireName::root(), text),
    };
    let (secure, rest) = match rest.strip_prefix("tls://") {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let (address, name) = match rest.split_once('#') {
        Some((address, name)) if secure && !name.is_empty() => (address, Some(name.to_string())),
        Some(_) => return None,
        None => (rest, None),
    };
    let port = if secure { 853 } else { 53 };
    let bare = address.trim_start_matches('[').trim_end_matches(']');
    let address = match bare.parse::<IpAddr>() {
        Ok(address) => SocketAddr::new(address, port),
        Err(_) => address.parse().ok()?,
    };
    Some(Upstream {
        domain,
        address,
        tls: secure.then_some(name),
    })
}

/// A range must end where a label of its reverse names does: the resolver would be asked for others' names too.
fn domain(text: &str) -> Option<WireName> {
    let Ok(range) = text.parse::<IpNet>() else {
        // A slash in the last label is of a range that is none; others may have one (RFC 2317).
        let last = text.rsplit('.').next().unwrap_or_default();
        return WireName::parse(text).filter(|_| !last.contains('/'));
    };
    let label = if range.addr().is_ipv4() { 8 } else { 4 };
    let whole = range.trunc() == range && range.prefix_len() % label == 0;
    whole.then(|| WireName::reverse_zone(range))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resolvers_as_people_name_them() {
        for (text, domain, address, tls) in [
            ("192.0.2.1", ".", "192.0.2.1:53", None),
            ("192.0.2.1:5353", ".", "192.0.2.1:5353", None),
            ("2001:db8::1", ".", "[2001:db8::1]:53", None),
            ("[2001:db8::1]:5353", ".", "[2001:db8::1]:5353", None),
            (
                "Corp.example=10.0.0.53",
                "corp.example",
                "10.0.0.53:53",
                None,
            ),
            (
                "192.168.0.0/16=192.168.1.1",
                "168.192.in-addr.arpa",
                "192.168.1.1:53",
                None,
            ),
            (
                "fd00:1::/32=[fd00:1::1]:5353",
                "1.0.0.0.0.0.d.f.ip6.arpa",
                "[fd00:1::1]:5353",
                None,
            ),
            ("tls://192.0.2.1", ".", "192.0.2.1:853", Some(None)),
            (
                "corp.example=tls://[2001:db8::1]:8853#dns.corp.example",
                "corp.example",
                "[2001:db8::1]:8853",
                Some(Some("dns.corp.example".to_string())),
            ),
        ] {
            let expected = Upstream {
                domain: WireName::parse(domain).unwrap(),
                address: address.parse().unwrap(),
                tls,
            };
            assert_eq!(text.parse(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_resolver() {
        for text in [
            "",
            "dns.example",
            "192.0.2.1#name",
            "tls://192.0.2.1#",
            "a..b=192.0.2.1",
            "https://192.0.2.1",
            "10.96.0.0/12=192.0.2.1",
            "10.96.0.1/16=192.0.2.1",
            "10.0.0.0/33=192.0.2.1",
        ] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
    }
}
