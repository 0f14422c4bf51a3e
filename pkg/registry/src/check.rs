//! Checks of single values, with upstream's words and field errors
//! (`apimachinery/pkg/util/validation`, `apis/core/validation`).

use std::net::IpAddr;

use kedge_machinery::status::FieldErrorKind;
use kedge_machinery::{FieldError, names};
use serde_json::Value;

mod address;
mod condition;
mod csi_driver;
mod number;
mod prefixed_path;
pub(crate) mod resource;
mod selector;
mod toleration;

pub(crate) use address::{cidr, ip, loose_ip, loose_net, unusual_cidr, unusual_ip};
pub(crate) use condition::conditions;
pub(crate) use csi_driver::driver_name;
pub(crate) use number::{at_most_100_percent, int_or_percent, is_zero, non_negative};
pub(crate) use prefixed_path::prefixed_path;
pub(crate) use selector::selector;
pub(crate) use toleration::tolerations;

/// A list of messages about one value as field errors.
pub(crate) fn invalid(path: &str, value: &str, messages: Vec<String>) -> Vec<FieldError> {
    messages
        .into_iter()
        .map(|m| FieldError::invalid(path, value, m))
        .collect()
}

/// 1 to 65535.
pub(crate) fn port(path: &str, number: i64) -> Vec<FieldError> {
    let messages = names::port_number(number).into_iter();
    messages
        .map(|m| FieldError::invalid(path, number, m))
        .collect()
}

/// A port number, or the name of a container's port.
pub(crate) fn port_or_name(path: &str, value: &Value) -> Vec<FieldError> {
    match value {
        Value::String(name) => invalid(path, name, names::port_name(name)),
        other => port(path, other.as_i64().unwrap_or_default()),
    }
}

/// An address that traffic can be sent to from another host (upstream: `ValidateEndpointIP`).
pub(crate) fn ordinary_ip(path: &str, value: &str) -> Vec<FieldError> {
    match ip(path, value) {
        Ok(address) => special_ip(path, value, address),
        Err(error) => vec![error],
    }
}

/// What is wrong with an address that is spelled well.
pub(crate) fn special_ip(path: &str, value: &str, address: IpAddr) -> Vec<FieldError> {
    let (link_local, multicast) = match address {
        IpAddr::V4(a) => (a.is_link_local(), a.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(a) => (
            a.is_unicast_link_local(),
            a.segments()[0] & 0xff0f == 0xff02,
        ),
    };
    let unspecified = format!("may not be unspecified ({value})");
    let rules = [
        (address.is_unspecified(), unspecified.as_str()),
        (
            address.is_loopback(),
            "may not be in the loopback range (127.0.0.0/8, ::1/128)",
        ),
        (
            link_local,
            "may not be in the link-local range (169.254.0.0/16, fe80::/10)",
        ),
        (
            multicast,
            "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)",
        ),
    ];
    rules
        .iter()
        .filter(|(bad, _)| *bad)
        .map(|(_, text)| FieldError::invalid(path, value, *text))
        .collect()
}

pub(crate) fn label(path: &str, value: &str) -> Vec<FieldError> {
    invalid(path, value, names::dns1123_label(value))
}

pub(crate) fn subdomain(path: &str, value: &str) -> Vec<FieldError> {
    invalid(path, value, names::dns1123_subdomain(value))
}

/// What fits between two slashes.
pub(crate) fn path_segment(path: &str, value: &str) -> Vec<FieldError> {
    invalid(path, value, names::path_segment(value))
}

/// `prefix/name`, as label keys are.
pub(crate) fn qualified_name(path: &str, value: &str) -> Vec<FieldError> {
    invalid(path, value, names::qualified_name(value))
}

/// The key of an annotation and what is like it: a qualified name, though it may have capitals.
pub(crate) fn annotation_key(path: &str, key: &str) -> Vec<FieldError> {
    invalid(path, key, names::qualified_name(&key.to_lowercase()))
}

/// A map of labels, as selectors are.
pub(crate) fn labels<'a>(
    path: &str,
    pairs: impl Iterator<Item = (&'a str, &'a Value)>,
) -> Vec<FieldError> {
    pairs
        .flat_map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            let mut errors = invalid(path, key, names::qualified_name(key));
            errors.extend(invalid(path, value, names::label_value(value)));
            errors
        })
        .collect()
}

/// One of a few words: required when empty, not supported when another; `words` in the order that upstream tells.
pub(crate) fn one_of(path: &str, value: &str, words: &[&str]) -> Option<FieldError> {
    if value.is_empty() {
        Some(FieldError::required(path, ""))
    } else if words.contains(&value) {
        None
    } else {
        Some(FieldError::not_supported(path, value, words))
    }
}

/// What is named and is not there.
pub(crate) fn not_found(path: &str, value: &str) -> FieldError {
    FieldError::new(FieldErrorKind::NotFound, path, Some(value.into()), "")
}

/// A struct of upstream's own, whose fields have no other names than Go's, as an error shows it.
pub(crate) fn go_struct<const N: usize>(fields: [(&str, Value); N]) -> String {
    let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
    format!("{{{}}}", fields.join(","))
}

/// 422 for a field that must not change.
pub(crate) fn immutable(
    path: &str,
    new: Option<&Value>,
    old: Option<&Value>,
) -> Option<FieldError> {
    let (new, old) = (new.unwrap_or(&Value::Null), old.unwrap_or(&Value::Null));
    (new != old).then(|| FieldError::invalid(path, new.clone(), "field is immutable"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_that_no_endpoint_has() {
        for good in ["10.0.0.1", "2001:db8::1", "239.1.1.1"] {
            assert!(ordinary_ip("p", good).is_empty(), "{good}");
        }
        for bad in [
            "0.0.0.0",
            "::",
            "127.0.0.1",
            "::1",
            "169.254.1.1",
            "fe80::1",
            "224.0.0.5",
            "ff02::1",
            "1.2.3",
            "01.2.3.4",
        ] {
            assert_eq!(ordinary_ip("p", bad).len(), 1, "{bad}");
        }
    }
}
