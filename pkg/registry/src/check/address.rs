//! Addresses and ranges, as strict as upstream is since 1.36 (KEP-4858, `apimachinery/pkg/util/validation/ip.go`), and
//! what is said of forms that are right and not canonical.

use std::net::IpAddr;

use ipnet::IpNet;
use kedge_machinery::FieldError;

/// An address of either family, in any form but that of the one within the other.
pub(crate) fn ip(path: &str, value: &str) -> Result<IpAddr, FieldError> {
    let address: IpAddr = value.parse().map_err(|_| {
        FieldError::invalid(
            path,
            value,
            "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
        )
    })?;
    if is_mapped(address) {
        let detail = "must not be an IPv4-mapped IPv6 address";
        return Err(FieldError::invalid(path, value, detail));
    }
    Ok(address)
}

/// An address and a prefix length, and no bits after the prefix.
pub(crate) fn cidr(path: &str, value: &str) -> Option<FieldError> {
    let detail = match net(value) {
        None => "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
        Some(net) if is_mapped(net.addr()) => "must not have an IPv4-mapped IPv6 address",
        Some(net) if net.addr() != net.network() => {
            "must not have bits set beyond the prefix length"
        }
        Some(_) => return None,
    };
    Some(FieldError::invalid(path, value, detail))
}

/// `ipnet` reads numbers with leading zeros, which some programs take for octal.
fn net(value: &str) -> Option<IpNet> {
    let (address, length) = value.split_once('/')?;
    let is_plain = length == "0" || length.starts_with(|c: char| ('1'..='9').contains(&c));
    let length = length.parse().ok().filter(|_| is_plain)?;
    IpNet::new(address.parse().ok()?, length).ok()
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// A warning about an IPv6 address that RFC 5952 writes in another way.
pub(crate) fn unusual_ip(path: &str, value: &str) -> Option<String> {
    let address = value.parse::<IpAddr>().ok()?.to_string();
    (address != value).then(|| {
        format!("{path}: IPv6 address \"{value}\" should be in RFC 5952 canonical format (\"{address}\")")
    })
}

/// The same of a range.
pub(crate) fn unusual_cidr(path: &str, value: &str) -> Option<String> {
    let range = net(value)?.to_string();
    (range != value).then(|| {
        format!("{path}: IPv6 CIDR value \"{value}\" should be in RFC 5952 canonical format (\"{range}\")")
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("10.0.0.1", true, None)]
    #[case("010.0.0.1", false, None)]
    #[case("::ffff:10.0.0.1", false, None)]
    #[case("2001:db8::1", true, None)]
    #[case("2001:DB8:0::1", true, Some("2001:db8::1"))]
    fn addresses(#[case] text: &str, #[case] right: bool, #[case] usual: Option<&str>) {
        assert_eq!(ip("p", text).is_ok(), right);
        let said = unusual_ip("p", text).filter(|_| right);
        assert_eq!(said.is_some(), usual.is_some());
        assert!(
            said.zip(usual)
                .is_none_or(|(said, usual)| said.contains(usual))
        );
    }

    #[rstest]
    #[case("10.0.0.0/8", true, false)]
    #[case("10.0.0.1/8", false, false)]
    #[case("10.0.0.1/32", true, false)]
    #[case("10.0.0.0/33", false, false)]
    #[case("010.0.0.0/8", false, false)]
    #[case("10.0.0.0/08", false, false)]
    #[case("10.0.0.0/+8", false, false)]
    #[case("0.0.0.0/0", true, false)]
    #[case("10.0.0.0", false, false)]
    #[case("::ffff:10.0.0.0/104", false, false)]
    #[case("2001:DB8::/64", true, true)]
    fn ranges(#[case] text: &str, #[case] right: bool, #[case] unusual: bool) {
        assert_eq!(cidr("p", text).is_none(), right);
        assert_eq!(right && unusual_cidr("p", text).is_some(), unusual);
    }
}
