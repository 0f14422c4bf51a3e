//! `format` of strings: those that the API server checks (`apiserver/validation/formats.go`); others say nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use crate::{names, time};

/// Whether a text has a format; any text has one that is not known.
pub(super) fn fits(format: &str, text: &str) -> bool {
    match format {
        "date-time" | "datetime" => time::parse(text).is_some(),
        "date" => text.parse::<jiff::civil::Date>().is_ok() && text.len() == 10,
        "duration" => is_duration(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "ip" => text.parse::<IpAddr>().is_ok(),
        "cidr" => text.contains('/') && text.parse::<IpNet>().is_ok(),
        "mac" => is_mac(text),
        "uuid" | "uuid3" | "uuid4" | "uuid5" => is_uuid(text),
        "byte" => is_base64(text),
        "hostname" => {
            let labels = text.trim_end_matches('.').to_lowercase();
            !labels.is_empty() && names::dns1123_subdomain(&labels).is_empty()
        }
        "email" => text
            .split_once('@')
            .is_some_and(|(who, at)| !who.is_empty() && !at.is_empty() && !at.contains('@')),
        "uri" => text.starts_with('/') || text.split_once(':').is_some_and(|(s, _)| is_scheme(s)),
        "hexcolor" => {
            let digits = text.strip_prefix('#').unwrap_or(text);
            matches!(digits.len(), 3 | 6) && digits.bytes().all(|b| b.is_ascii_hexdigit())
        }
        "k8s-short-name" => names::dns1123_label(text).is_empty(),
        "k8s-long-name" => names::dns1123_subdomain(text).is_empty(),
        _ => true,
    }
}

/// Numbers with units, as Go writes them: `1h30m`, `1.5s`, `-2m`; or words, as `3 days`.
fn is_duration(text: &str) -> bool {
    const UNITS: [&str; 18] = [
        "ns", "us", "µs", "μs", "ms", "s", "m", "h", "d", "w", "hr", "min", "sec", "hours", "days",
        "minutes", "seconds", "weeks",
    ];
    let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    if rest.is_empty() {
        return false;
    }
    while !rest.is_empty() {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        if after.len() == rest.len() {
            return false;
        }
        let after = after.trim_start_matches(' ');
        let end = after
            .find(|c: char| c.is_ascii_digit() || c == ' ')
            .unwrap_or(after.len());
        let (unit, next) = after.split_at(end);
        if !UNITS.contains(&unit) && !UNITS.contains(&format!("{unit}s").as_str()) {
            return false;
        }
        rest = next.trim_start_matches(' ');
    }
    true
}

fn is_mac(text: &str) -> bool {
    let separator = if text.contains('-') { '-' } else { ':' };
    let parts: Vec<&str> = text.split(separator).collect();
    matches!(parts.len(), 6 | 8 | 20)
        && parts
            .iter()
            .all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn is_uuid(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let padding = text.len() - body.len();
    text.len().is_multiple_of(4)
        && padding <= 2
        && body
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        let good = [
            ("date-time", "2026-01-02T03:04:05Z"),
            ("date", "2026-01-02"),
            ("duration", "1h30m"),
            ("duration", "3 days"),
            ("ipv4", "10.0.0.1"),
            ("ipv6", "fd00::1"),
            ("cidr", "10.0.0.0/8"),
            ("mac", "00:11:22:33:44:55"),
            ("uuid", "d9428888-122b-11e1-b85c-61cd3cbb3210"),
            ("byte", "aGk="),
            ("hostname", "Example.com"),
            ("email", "a@b.c"),
            ("uri", "https://example.com/x"),
            ("k8s-short-name", "a-b"),
            ("nobody knows", "anything"),
        ];
        for (format, text) in good {
            assert!(fits(format, text), "{format} {text}");
        }
        let bad = [
            ("date-time", "2026-01-02"),
            ("date", "2026-1-2"),
            ("duration", "1x"),
            ("duration", ""),
            ("ipv4", "10.0.0.256"),
            ("ipv6", "10.0.0.1"),
            ("cidr", "10.0.0.1"),
            ("mac", "00:11"),
            ("uuid", "x"),
            ("byte", "a"),
            ("hostname", "a_b"),
            ("email", "a"),
            ("uri", "no scheme"),
            ("k8s-short-name", "a.b"),
        ];
        for (format, text) in bad {
            assert!(!fits(format, text), "{format} {text}");
        }
    }
}
