//! Names, labels and what else must be spelled a certain way (apimachinery `util/validation`).
//!
//! Each rule gives the messages of what is wrong; an empty list is a good name.

use std::ops::RangeInclusive;

const DNS_LABEL_MAX: usize = 63;
const DNS_SUBDOMAIN_MAX: usize = 253;
const LABEL_VALUE_MAX: usize = 63;
/// Characters of a generated suffix: no vowels and nothing that looks like another (apimachinery `util/rand`).
const SUFFIX_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
const SUFFIX_LENGTH: usize = 5;
/// A generated name must still be a label.
const GENERATED_BASE_MAX: usize = DNS_LABEL_MAX - SUFFIX_LENGTH;

const LABEL_RULE: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const SUBDOMAIN_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const UNDERSCORE_RULE: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?(\\._?[a-z0-9]([-_a-z0-9]*[a-z0-9])?)*')";
const WILDCARD_RULE: &str = "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used for validation is '\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const DNS_1035_RULE: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const QUALIFIED_RULE: &str = "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const LABEL_VALUE_RULE: &str = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const PORT_NAME_RULES: [&str; 4] = [
    "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
    "must contain at least one letter (a-z)",
    "must not contain consecutive hyphens",
    "must not begin or end with a hyphen",
];

fn too_long(most: usize) -> String {
    format!("must be no more than {most} bytes")
}

fn is_lower_alphanumeric(b: u8) -> bool {
    b.is_ascii_lowercase() || b.is_ascii_digit()
}

/// Letters and digits at both ends, these and `inner` between.
fn framed(text: &str, end: impl Fn(u8) -> bool, inner: impl Fn(u8) -> bool) -> bool {
    let bytes = text.as_bytes();
    match bytes {
        [] => false,
        [first, .., last] => {
            end(*first) && end(*last) && bytes.iter().all(|b| end(*b) || inner(*b))
        }
        [one] => end(*one),
    }
}

fn is_label(text: &str) -> bool {
    framed(text, is_lower_alphanumeric, |b| b == b'-')
}

/// RFC 1123 label: at most 63 of lower case letters, digits, `-`.
#[must_use]
pub fn dns1123_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_LABEL_MAX {
        errors.push(too_long(DNS_LABEL_MAX));
    }
    if !is_label(text) {
        let rule = if text.split('.').all(is_label) {
            "must not contain dots"
        } else {
            LABEL_RULE
        };
        errors.push(rule.into());
    }
    errors
}

/// RFC 1123 subdomain: labels with dots between, 253 in all.
#[must_use]
pub fn dns1123_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_SUBDOMAIN_MAX {
        errors.push(too_long(DNS_SUBDOMAIN_MAX));
    }
    if !text.split('.').all(is_label) {
        errors.push(SUBDOMAIN_RULE.into());
    }
    errors
}

/// A subdomain whose labels may have underscores in them and before them, as names of services have.
#[must_use]
pub fn underscored_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_SUBDOMAIN_MAX {
        errors.push(too_long(DNS_SUBDOMAIN_MAX));
    }
    let is_label = |label: &str| {
        let rest = label.strip_prefix('_').unwrap_or(label);
        framed(rest, is_lower_alphanumeric, |b| matches!(b, b'-' | b'_'))
    };
    if !text.split('.').all(is_label) {
        errors.push(UNDERSCORE_RULE.into());
    }
    errors
}

/// A subdomain below any label: `*.` and an RFC 1123 subdomain, 253 in all.
#[must_use]
pub fn wildcard_subdomain(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_SUBDOMAIN_MAX {
        errors.push(too_long(DNS_SUBDOMAIN_MAX));
    }
    let rest = text.strip_prefix("*.");
    if !rest.is_some_and(|rest| rest.split('.').all(is_label)) {
        errors.push(WILDCARD_RULE.into());
    }
    errors
}

/// RFC 1035 label: as an RFC 1123 label, but beginning with a letter.
#[must_use]
pub fn dns1035_label(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > DNS_LABEL_MAX {
        errors.push(too_long(DNS_LABEL_MAX));
    }
    if !is_label(text) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        errors.push(DNS_1035_RULE.into());
    }
    errors
}

/// A name that only has to be one segment of a path.
#[must_use]
pub fn path_segment(text: &str) -> Vec<String> {
    match text {
        "." => return vec!["may not be '.'".into()],
        ".." => return vec!["may not be '..'".into()],
        _ => {}
    }
    ["/", "%"]
        .iter()
        .filter(|bad| text.contains(**bad))
        .map(|bad| format!("may not contain '{bad}'"))
        .collect()
}

/// `name` or `prefix/name`, as label keys, annotation keys and finalizers are.
#[must_use]
pub fn qualified_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    let name = match text.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                errors.push("prefix part must be non-empty".into());
            } else {
                errors.extend(
                    dns1123_subdomain(prefix)
                        .into_iter()
                        .map(|message| format!("prefix part {message}")),
                );
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]') with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        errors.push("name part must be non-empty".into());
    } else if name.len() > DNS_LABEL_MAX {
        errors.push(format!("name part {}", too_long(DNS_LABEL_MAX)));
    }
    if !is_qualified(name) {
        errors.push(QUALIFIED_RULE.into());
    }
    errors
}

fn is_qualified(text: &str) -> bool {
    framed(
        text,
        |b| b.is_ascii_alphanumeric(),
        |b| matches!(b, b'-' | b'_' | b'.'),
    )
}

/// Empty, or at most 63 characters as of a qualified name.
#[must_use]
pub fn label_value(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > LABEL_VALUE_MAX {
        errors.push(too_long(LABEL_VALUE_MAX));
    }
    if !text.is_empty() && !is_qualified(text) {
        errors.push(LABEL_VALUE_RULE.into());
    }
    errors
}

/// The name of a port (RFC 6335, 5.1): at most 15 of lower case letters, digits, `-`, with a letter among them.
#[must_use]
pub fn port_name(text: &str) -> Vec<String> {
    let mut errors = Vec::new();
    if text.len() > 15 {
        errors.push(too_long(15));
    }
    let broken = [
        text.is_empty() || !text.bytes().all(|b| is_lower_alphanumeric(b) || b == b'-'),
        !text.bytes().any(|b| b.is_ascii_lowercase()),
        text.contains("--"),
        text.starts_with('-') || text.ends_with('-'),
    ];
    errors.extend(
        PORT_NAME_RULES
            .iter()
            .zip(broken)
            .filter(|(_, broken)| *broken)
            .map(|(rule, _)| (*rule).into()),
    );
    errors
}

/// A port number, 1 to 65535.
#[must_use]
pub fn port_number(port: i64) -> Vec<String> {
    const PORTS: RangeInclusive<i64> = 1..=65535;
    if PORTS.contains(&port) {
        Vec::new()
    } else {
        vec!["must be between 1 and 65535, inclusive".into()]
    }
}

/// A name out of `generateName`: the base, cut if need be, and five characters drawn from `random`.
#[must_use]
pub fn generate(base: &str, random: u128) -> String {
    let mut cut = base.len().min(GENERATED_BASE_MAX);
    while !base.is_char_boundary(cut) {
        cut -= 1;
    }
    let mut name = base[..cut].to_string();
    let mut rest = random;
    let count = SUFFIX_ALPHABET.len() as u128;
    for _ in 0..SUFFIX_LENGTH {
        name.push(char::from(SUFFIX_ALPHABET[(rest % count) as usize]));
        rest /= count;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("web", true, true, true)]
    #[case("1web", true, true, false)]
    #[case("web.shop", false, true, false)]
    #[case("Web", false, false, false)]
    #[case("-web", false, false, false)]
    #[case("web-", false, false, false)]
    #[case("", false, false, false)]
    #[case("a..b", false, false, false)]
    fn dns_names(
        #[case] text: &str,
        #[case] label: bool,
        #[case] subdomain: bool,
        #[case] dns1035: bool,
    ) {
        assert_eq!(dns1123_label(text).is_empty(), label);
        assert_eq!(dns1123_subdomain(text).is_empty(), subdomain);
        assert_eq!(dns1035_label(text).is_empty(), dns1035);
    }

    #[rstest]
    #[case("app", true)]
    #[case("app.kubernetes.io/name", true)]
    #[case("My_App.v1", true)]
    #[case("/name", false)]
    #[case("prefix/", false)]
    #[case("Prefix/name", false)]
    #[case("a/b/c", false)]
    #[case("-app", false)]
    fn qualified(#[case] text: &str, #[case] good: bool) {
        assert_eq!(qualified_name(text).is_empty(), good);
    }

    #[test]
    fn what_is_wrong_with_a_label() {
        assert_eq!(dns1123_label("web.shop"), ["must not contain dots"]);
        for other in ["web.", "Web.shop", "a_b", ""] {
            assert_eq!(dns1123_label(other), [LABEL_RULE], "{other}");
        }
        let long = format!("{}.b", "a".repeat(63));
        let both = ["must be no more than 63 bytes", "must not contain dots"];
        assert_eq!(dns1123_label(&long), both);
        assert!(qualified_name("a/b/c")[0].starts_with("a valid label key must consist of"));
    }

    #[test]
    fn underscores() {
        for good in ["a_b.c", "_sip._tcp.example.com", "a-b"] {
            assert!(underscored_subdomain(good).is_empty(), "{good}");
        }
        for bad in ["", "a.", "__a", "a_", "A", "a..b"] {
            assert_eq!(underscored_subdomain(bad), [UNDERSCORE_RULE], "{bad}");
        }
    }

    #[test]
    fn wildcards() {
        for good in ["*.example.com", "*.com", "*.a-1.b"] {
            assert!(wildcard_subdomain(good).is_empty(), "{good}");
        }
        for bad in ["*", "*.", "*.*.com", "*a.com", "a.*.com", "*..com", "*.Com"] {
            assert_eq!(wildcard_subdomain(bad), [WILDCARD_RULE], "{bad}");
        }
        let long = format!("*.{}com", "a.".repeat(126));
        assert_eq!(
            wildcard_subdomain(&long),
            ["must be no more than 253 bytes"]
        );
    }

    #[test]
    fn lengths_are_bounded() {
        assert_eq!(
            dns1123_label(&"a".repeat(64)),
            ["must be no more than 63 bytes"]
        );
        assert!(dns1123_subdomain(&"a.".repeat(126)).len() == 1);
        assert_eq!(
            label_value(&"a".repeat(64)),
            ["must be no more than 63 bytes"]
        );
    }

    #[test]
    fn ports() {
        assert!(
            port_name("http").is_empty()
                && port_name("8080").len() == 1
                && port_name("a--b").len() == 1
        );
        assert!(
            port_number(80).is_empty()
                && port_number(0).len() == 1
                && port_number(65536).len() == 1
        );
    }

    #[test]
    fn generated_names_are_labels() {
        for random in [0, 7, u128::MAX] {
            let name = generate(&"x".repeat(100), random);
            assert!(
                name.len() == 63 && dns1123_label(&name).is_empty(),
                "{name}"
            );
        }
        assert_ne!(generate("web-", 1), generate("web-", 2));
    }
}
