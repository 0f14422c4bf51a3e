//! Addresses and ranges, as strict as upstream is since 1.36 (KEP-4858, `apimachinery/pkg/util/validation/ip.go`), and
//! what is said of forms that are right and not canonical.

use std::net::IpAddr;

use ipnet::IpNet;
use kedge_machinery::FieldError;

/// An address of either family, in any form but that of the one within the other.
pub(crate) fn ip(path: &str, value: &str) -> Result<IpAddr, FieldError> {
    let wrong = |detail| Err(FieldError::invalid(path, value, detail));
    match (value.parse(), loose_ip(value)) {
        (Ok(address), _) if is_mapped(address) => wrong("must not be an IPv4-mapped IPv6 address"),
        (Ok(address), _) => Ok(address),
        (Err(_), Some(_)) => wrong("must not have leading 0s"),
        (Err(_), None) => wrong("must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"),
    }
}

/// An address and a prefix length, and no bits after the prefix.
pub(crate) fn cidr(path: &str, value: &str) -> Option<FieldError> {
    let detail = match (net(value), loose_net(value)) {
        (Some(net), _) if is_mapped(net.addr()) => "must not have an IPv4-mapped IPv6 address",
        (Some(net), _) if net.addr() != net.network() => {
            "must not have bits set beyond the prefix length"
        }
        (Some(_), _) => return None,
        (None, Some(_)) => "must not have leading 0s in IP or prefix length",
        (None, None) => "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)",
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

/// As upstream read addresses before it was strict: numbers of an IPv4 address may begin with zeros.
pub(crate) fn loose_ip(value: &str) -> Option<IpAddr> {
    let start = value.rfind(':').map_or(0, |colon| colon + 1);
    let (head, tail) = value.split_at(start);
    if !tail.contains('.') {
        return value.parse().ok();
    }
    let trim = |octet: &str| match octet.trim_start_matches('0') {
        "" if !octet.is_empty() => "0".to_string(),
        trimmed => trimmed.to_string(),
    };
    let octets: Vec<String> = tail.split('.').map(trim).collect();
    format!("{head}{}", octets.join(".")).parse().ok()
}

/// The same of a range; the length may begin with zeros too.
pub(crate) fn loose_net(value: &str) -> Option<IpNet> {
    let (address, length) = value.split_once('/')?;
    let is_number = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
    let length = length.parse().ok().filter(|_| is_number)?;
    IpNet::new(loose_ip(address)?, length).ok()
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// A warning about an address that is written in an older form, which some fields still take, or, of IPv6, in another way
/// than RFC 5952's (`GetWarningsForIP`).
pub(crate) fn unusual_ip(path: &str, value: &str) -> Option<String> {
    let usual = loose_ip(value)?.to_canonical().to_string();
    match value.parse::<IpAddr>() {
        Ok(address) if !is_mapped(address) => (usual != value).then(|| {
            format!("{path}: IPv6 address \"{value}\" should be in RFC 5952 canonical format (\"{usual}\")")
        }),
        _ => Some(format!(
            "{path}: non-standard IP address \"{value}\" will be considered invalid in a future Kubernetes release: \
             use \"{usual}\""
        )),
    }
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
    #[case("010.0.0.1", false, Some("use \"10.0.0.1\""))]
    #[case("::ffff:10.0.0.1", false, Some("use \"10.0.0.1\""))]
    #[case("2001:db8::1", true, None)]
    #[case("2001:DB8:0::1", true, Some("(\"2001:db8::1\")"))]
    #[case("any", false, None)]
    fn addresses(#[case] text: &str, #[case] right: bool, #[case] usual: Option<&str>) {
        assert_eq!(ip("p", text).is_ok(), right);
        let said = unusual_ip("p", text);
        assert_eq!(said.is_some(), usual.is_some());
        assert!(
            said.zip(usual)
                .is_none_or(|(said, usual)| said.ends_with(usual))
        );
    }

    #[rstest]
    #[case("1.1.1.01", "must not have leading 0s")]
    #[case("::ffff:1.1.1.01", "must not have leading 0s")]
    #[case("::ffff:1.1.1.1", "must not be an IPv4-mapped IPv6 address")]
    #[case("::ffff:0a0a:0a0a", "must not be an IPv4-mapped IPv6 address")]
    #[case("", "must be a valid IP address")]
    #[case("aaaaaaa", "must be a valid IP address")]
    #[case("myhost.mydomain", "must be a valid IP address")]
    #[case("1.2.3.0/24", "must be a valid IP address")]
    #[case("1.2.3.4:80", "must be a valid IP address")]
    #[case("[1234::abcd]", "must be a valid IP address")]
    #[case("fe80::1%eth0", "must be a valid IP address")]
    #[case(" 1.2.3.4", "must be a valid IP address")]
    #[case("1..3.4", "must be a valid IP address")]
    #[case("1.2.3.0256", "must be a valid IP address")]
    fn what_is_wrong_with_an_address(#[case] text: &str, #[case] why: &str) {
        let error = ip("p", text).unwrap_err();
        assert!(error.detail.starts_with(why), "{error}");
    }

    #[rstest]
    #[case("192.168.007.0/24", "must not have leading 0s in IP or prefix length")]
    #[case("192.168.0.0/016", "must not have leading 0s in IP or prefix length")]
    #[case("::ffff:192.168.0.0/112", "must not have an IPv4-mapped IPv6 address")]
    #[case("192.168.0.1/16", "must not have bits set beyond the prefix length")]
    #[case("2001:db8::1/64", "must not have bits set beyond the prefix length")]
    #[case("1.2.3.4", "must be a valid CIDR value")]
    #[case("/24", "must be a valid CIDR value")]
    #[case("1.2.3.0/", "must be a valid CIDR value")]
    #[case("1.2.3.0/64", "must be a valid CIDR value")]
    #[case("2001:db8::/129", "must be a valid CIDR value")]
    #[case("1.2.3.0/24/8", "must be a valid CIDR value")]
    #[case("1.2.3.0/-1", "must be a valid CIDR value")]
    fn what_is_wrong_with_a_range(#[case] text: &str, #[case] why: &str) {
        let error = cidr("p", text).unwrap();
        assert!(error.detail.starts_with(why), "{error}");
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
