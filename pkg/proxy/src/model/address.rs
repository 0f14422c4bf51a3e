//! Addresses and ranges in every form that an object may have them in.
//!
//! API servers have become strict by now (KEP-4858), but keep what was stored before: numbers with leading zeros, which
//! are decimal, and IPv4 addresses within IPv6.

use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;

/// Leading bits of an IPv4 address within IPv6.
const MAPPED: u8 = 96;

/// The address that a text means; `None` when it means none.
pub fn address(text: &str) -> Option<IpAddr> {
    literal(text).map(|address| address.to_canonical())
}

/// The range that a text means, without bits after its prefix; `None` when it means none.
pub fn range(text: &str) -> Option<IpNet> {
    let (address, length) = text.trim().split_once('/')?;
    let address = literal(address)?;
    let length = number(length)?;
    let range = match address.to_canonical() {
        inner @ IpAddr::V4(_) if address.is_ipv6() && length >= MAPPED => {
            IpNet::new(inner, length - MAPPED)
        }
        _ => IpNet::new(address, length),
    };
    range.ok().map(|range| range.trunc())
}

fn literal(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| padded(text))
}

/// An IPv4 address with leading zeros.
fn padded(text: &str) -> Option<IpAddr> {
    let numbers: Vec<u8> = text.split('.').map(number).collect::<Option<_>>()?;
    let octets: [u8; 4] = numbers.try_into().ok()?;
    Some(Ipv4Addr::from(octets).into())
}

fn number(text: &str) -> Option<u8> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.43.0.9", Some("10.43.0.9"))]
    #[case("010.43.000.09", Some("10.43.0.9"))]
    #[case("::ffff:10.43.0.9", Some("10.43.0.9"))]
    #[case("2001:DB8:0::9", Some("2001:db8::9"))]
    #[case("10.43.0.256", None)]
    #[case("10.43.0.+9", None)]
    #[case("10.43.9", None)]
    #[case("10.43.0.9.1", None)]
    #[case("10.43..9", None)]
    #[case(" 10.43.0.9", None)]
    #[case("None", None)]
    fn addresses(#[case] text: &str, #[case] meant: Option<&str>) {
        assert_eq!(address(text).map(|a| a.to_string()).as_deref(), meant);
    }

    #[rstest]
    #[case("192.0.2.0/24", Some("192.0.2.0/24"))]
    #[case(" 192.0.2.9/24 ", Some("192.0.2.0/24"))]
    #[case("192.000.002.0/024", Some("192.0.2.0/24"))]
    #[case("::ffff:192.0.2.0/120", Some("192.0.2.0/24"))]
    #[case("::ffff:192.0.2.0/64", Some("::/64"))]
    #[case("2001:db8::/32", Some("2001:db8::/32"))]
    #[case("192.0.2.0/33", None)]
    #[case("192.0.2.0/+8", None)]
    #[case("192.0.2.0", None)]
    fn ranges(#[case] text: &str, #[case] meant: Option<&str>) {
        assert_eq!(range(text).map(|r| r.to_string()).as_deref(), meant);
    }
}
