//! Which names are the cluster's.

use std::net::IpAddr;

use ipnet::IpNet;

/// The cluster's domain, and the zones of the reverse names of these ranges; all without a dot at the end. A range that
/// does not end between two labels of a reverse name has several zones (RFC 1035, 3.5; RFC 3596, 2.5).
#[must_use]
pub fn domains(cluster_domain: &str, ranges: &[IpNet]) -> Vec<String> {
    let zones = ranges.iter().flat_map(reverse_zones);
    std::iter::once(cluster_domain.to_string())
        .chain(zones)
        .collect()
}

fn reverse_zones(range: &IpNet) -> Vec<String> {
    let step: u8 = match range {
        IpNet::V4(_) => 8,
        IpNet::V6(_) => 4,
    };
    let end = range.prefix_len().div_ceil(step) * step;
    let zones = range.subnets(end).into_iter().flatten();
    zones
        .map(|zone| reverse_name(zone.addr(), usize::from(end / step)))
        .collect()
}

/// The reverse name of the first `count` labels of an address.
fn reverse_name(address: IpAddr, count: usize) -> String {
    let (labels, suffix): (Vec<String>, &str) = match address {
        IpAddr::V4(v4) => {
            let octets = v4.octets();
            (
                octets.iter().map(ToString::to_string).collect(),
                "in-addr.arpa",
            )
        }
        IpAddr::V6(v6) => {
            let octets = v6.octets();
            let nibbles = octets.iter().flat_map(|octet| [octet >> 4, octet & 15]);
            (nibbles.map(|n| format!("{n:x}")).collect(), "ip6.arpa")
        }
    };
    let known = labels.iter().take(count).rev();
    known.map(|label| format!("{label}.")).collect::<String>() + suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_the_zones_that_hold_it() {
        for (range, zones) in [
            ("10.43.0.0/16", vec!["43.10.in-addr.arpa"]),
            ("10.0.0.0/8", vec!["10.in-addr.arpa"]),
            (
                "10.42.254.0/23",
                vec!["254.42.10.in-addr.arpa", "255.42.10.in-addr.arpa"],
            ),
            (
                "192.0.2.128/31",
                vec!["128.2.0.192.in-addr.arpa", "129.2.0.192.in-addr.arpa"],
            ),
            ("fd43::/16", vec!["3.4.d.f.ip6.arpa"]),
            ("fd00:43::/30", {
                let zones = ["0", "1", "2", "3"];
                zones
                    .map(|n| format!("{n}.4.0.0.0.0.d.f.ip6.arpa").leak() as &str)
                    .to_vec()
            }),
        ] {
            // Bits beyond the mask do not count.
            let range: IpNet = range.parse().unwrap();
            assert_eq!(domains("cluster.local", &[range])[1..], zones, "{range}");
        }
        assert_eq!(domains("cluster.local", &[]), ["cluster.local"]);
    }
}
