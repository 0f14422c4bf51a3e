//! Query strings and percent-encoding.

use std::borrow::Cow;
use std::num::{IntErrorKind, ParseIntError};

use kedge_machinery::Status;

/// The decoded pairs of a query, in order; `key` alone has an empty value. Those with a semicolon or a broken escape are
/// left out (Go: `net/url`).
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.contains(';') && is_encoded(pair))
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(key, true), decode(value, true))
        })
}

/// The pairs that count where a parameter is no list: the first of each key.
pub(crate) fn firsts(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    let mut seen = Vec::new();
    pairs(query).filter(move |(key, _)| {
        let is_first = !seen.contains(key);
        if is_first {
            seen.push(key.clone());
        }
        is_first
    })
}

/// The first value of a key.
pub(crate) fn first<'q>(query: &'q str, key: &str) -> Option<Cow<'q, str>> {
    let found = pairs(query).find(|(other, _)| other == key);
    found.map(|(_, value)| value)
}

/// True where every percent sign begins an escape.
fn is_encoded(text: &str) -> bool {
    let mut parts = text.split('%');
    parts.next();
    parts.all(|part| matches!(part.as_bytes(), [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

/// A path, decoded. What is no percent-encoding stays as it is.
pub(crate) fn decode_path(path: &str) -> String {
    decode(path, false).into_owned()
}

/// A boolean parameter, as apimachinery converts one (`runtime/conversion.go`): anything is true but these.
pub(crate) fn truth(value: &str) -> bool {
    !(value == "0" || value.eq_ignore_ascii_case("false"))
}

/// A boolean as Go's `strconv.ParseBool` reads it; what it cannot read is false.
pub(crate) fn parse_bool(value: &str) -> bool {
    matches!(value, "1" | "t" | "T" | "true" | "TRUE" | "True")
}

/// A whole number parameter; 400 in the words of Go's `strconv` when it is none.
pub(crate) fn number(value: &str) -> Result<i64, Status> {
    value.parse().map_err(|error: ParseIntError| {
        let why = match error.kind() {
            IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => "value out of range",
            _ => "invalid syntax",
        };
        Status::bad_request(format!("strconv.ParseInt: parsing {value:?}: {why}"))
    })
}

fn decode(text: &str, plus_is_space: bool) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    let hex = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.as_bytes();
    loop {
        bytes = match bytes {
            [] => break,
            [b'%', high, low, rest @ ..] if hex(*high).is_some() && hex(*low).is_some() => {
                out.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest
            }
            [b'+', rest @ ..] if plus_is_space => {
                out.push(b' ');
                rest
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
        };
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn pairs_are_decoded_once() {
        let all: Vec<_> = pairs("a=1&&b&c=x%3Dy%2525&d+e=f+g&%zz=1&h=%&i=%4&j=1;k=2").collect();
        let all: Vec<_> = all.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        assert_eq!(
            all,
            [("a", "1"), ("b", ""), ("c", "x=y%25"), ("d e", "f g"),]
        );
    }

    #[test]
    fn the_first_of_a_key_counts() {
        let all: Vec<_> = firsts("a=1&b=2&a=3&b=&c").collect();
        let all: Vec<_> = all.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        assert_eq!(all, [("a", "1"), ("b", "2"), ("c", "")]);
        assert_eq!(first("x=1&a=2&a=3", "a").as_deref(), Some("2"));
        assert_eq!(first("x=1", "a"), None);
    }

    #[test]
    fn two_ways_to_read_a_boolean() {
        let read = |text: &str| (truth(text), parse_bool(text));
        for text in ["1", "true", "True", "TRUE", "t"] {
            assert_eq!(read(text), (true, true), "{text}");
        }
        for text in ["0", "false", "False", "FALSE"] {
            assert_eq!(read(text), (false, false), "{text}");
        }
        for text in ["", "yes", "tRUE", "2"] {
            assert_eq!(read(text), (true, false), "{text}");
        }
    }

    #[test]
    fn a_plus_in_a_path_is_a_plus() {
        assert_eq!(decode_path("a+b%20c"), "a+b c");
    }

    #[test]
    fn numbers_are_refused_in_gos_words() {
        assert_eq!(number("17").unwrap(), 17);
        assert_eq!(
            number("x").unwrap_err().message,
            "strconv.ParseInt: parsing \"x\": invalid syntax"
        );
        assert_eq!(number("").unwrap_err().code, 400);
        assert!(
            number("99999999999999999999")
                .unwrap_err()
                .message
                .ends_with("value out of range")
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_comes_back(text in "\\PC{0,40}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode_path(&encoded), text);
        }

        #[test]
        fn anything_is_taken(text in "[%0-9a-f+&=]{0,40}") {
            let _ = pairs(&text).count();
        }
    }
}
