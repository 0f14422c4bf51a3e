//! What is wrong with a text that is no JSON, in the words of Go's scanner (`encoding/json/scanner.go`).

use std::borrow::Cow;

/// What is begun and not ended yet.
#[derive(Clone, Copy)]
enum Part {
    /// An object, up to the colon behind a key.
    Key,
    /// An object, behind it.
    Field,
    Array,
}

#[derive(Clone, Copy)]
enum State {
    /// Before a value, or the end of an array where that `may_end`.
    Value {
        may_end: bool,
    },
    /// Before a key, or the end of its object.
    Key {
        may_end: bool,
    },
    Text,
    Escape,
    /// So many digits of `\u` are left.
    Hexadecimal(u8),
    Minus,
    Zero,
    Digits,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    /// In a word, of which so much was read.
    Word(&'static str, usize),
    /// Behind a value.
    End,
}

/// The first thing that is wrong; `None` for JSON.
#[must_use]
pub fn problem(text: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut state = State::Value { may_end: false };
    for c in text {
        match step(&mut parts, state, *c) {
            Ok(next) => state = next,
            Err(place) => return Some(format!("invalid character {} {place}", quoted(*c))),
        }
    }
    let is_value = matches!(
        state,
        State::End | State::Zero | State::Digits | State::Fraction | State::ExponentDigits
    );
    (!is_value || !parts.is_empty()).then(|| "unexpected end of JSON input".into())
}

/// What follows after a byte, or where it should not stand.
fn step(parts: &mut Vec<Part>, state: State, c: u8) -> Result<State, Cow<'static, str>> {
    use State::*;
    Ok(match (state, c) {
        (Value { .. } | Key { .. }, b' ' | b'\t' | b'\r' | b'\n') => state,
        (Value { may_end: true }, b']') | (Key { may_end: true }, b'}') => {
            parts.pop();
            End
        }
        (Value { .. }, b'{') => {
            parts.push(Part::Key);
            Key { may_end: true }
        }
        (Value { .. }, b'[') => {
            parts.push(Part::Array);
            Value { may_end: true }
        }
        (Value { .. } | Key { .. }, b'"') => Text,
        (Value { .. }, b'-') => Minus,
        (Value { .. } | Minus, b'0') => Zero,
        (Value { .. } | Minus | Digits, b'1'..=b'9') | (Digits, b'0') => Digits,
        (Value { .. }, b't') => Word("true", 1),
        (Value { .. }, b'f') => Word("false", 1),
        (Value { .. }, b'n') => Word("null", 1),
        (Value { .. }, _) => return Err("looking for beginning of value".into()),
        (Key { .. }, _) => return Err("looking for beginning of object key string".into()),
        (Text, b'"') => End,
        (Text, b'\\') => Escape,
        (Text, 0..b' ') => return Err("in string literal".into()),
        (Text, _) => Text,
        (Escape, b'u') => Hexadecimal(4),
        (Escape, b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => Text,
        (Escape, _) => return Err("in string escape code".into()),
        (Hexadecimal(left), _) if c.is_ascii_hexdigit() => match left {
            1 => Text,
            _ => Hexadecimal(left - 1),
        },
        (Hexadecimal(_), _) => return Err("in \\u hexadecimal character escape".into()),
        (Minus, _) => return Err("in numeric literal".into()),
        (Zero | Digits, b'.') => Point,
        (Point | Fraction, b'0'..=b'9') => Fraction,
        (Point, _) => return Err("after decimal point in numeric literal".into()),
        (Zero | Digits | Fraction, b'e' | b'E') => Exponent,
        (Exponent, b'+' | b'-') => ExponentSign,
        (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => ExponentDigits,
        (Exponent | ExponentSign, _) => return Err("in exponent of numeric literal".into()),
        (Word(word, at), _) => match &word.as_bytes()[at..] {
            [expected] if *expected == c => End,
            [expected, ..] if *expected == c => Word(word, at + 1),
            rest => {
                let expected = rest.first().copied().map_or(' ', char::from);
                return Err(format!("in literal {word} (expecting '{expected}')").into());
            }
        },
        (Zero | Digits | Fraction | ExponentDigits | End, _) => return behind(parts, c),
    })
}

/// What follows behind a value.
fn behind(parts: &mut Vec<Part>, c: u8) -> Result<State, Cow<'static, str>> {
    if matches!(c, b' ' | b'\t' | b'\r' | b'\n') {
        return Ok(State::End);
    }
    let Some(part) = parts.last_mut() else {
        return Err("after top-level value".into());
    };
    match (*part, c) {
        (Part::Key, b':') => {
            *part = Part::Field;
            Ok(State::Value { may_end: false })
        }
        (Part::Field, b',') => {
            *part = Part::Key;
            Ok(State::Key { may_end: false })
        }
        (Part::Array, b',') => Ok(State::Value { may_end: false }),
        (Part::Field, b'}') | (Part::Array, b']') => {
            parts.pop();
            Ok(State::End)
        }
        (Part::Key, _) => Err("after object key".into()),
        (Part::Field, _) => Err("after object key:value pair".into()),
        (Part::Array, _) => Err("after array element".into()),
    }
}

/// A byte as Go shows it.
fn quoted(c: u8) -> String {
    match c {
        b'\'' => r"'\''".into(),
        b'"' => "'\"'".into(),
        b'\\' => r"'\\'".into(),
        b'\n' => r"'\n'".into(),
        b'\r' => r"'\r'".into(),
        b'\t' => r"'\t'".into(),
        0x07 => r"'\a'".into(),
        0x08 => r"'\b'".into(),
        0x0b => r"'\v'".into(),
        0x0c => r"'\f'".into(),
        b' '..=b'~' => format!("'{}'", char::from(c)),
        // What Latin-1 has beyond its controls, the soft hyphen and the space apart, can be printed.
        0xa1..=0xac | 0xae.. => format!("'{}'", char::from(c)),
        0x80.. => format!("'\\u{c:04x}'"),
        _ => format!("'\\x{c:02x}'"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::problem;

    #[rstest]
    #[case("", "unexpected end of JSON input")]
    #[case("{", "unexpected end of JSON input")]
    #[case("[1, 2", "unexpected end of JSON input")]
    #[case("\"a", "unexpected end of JSON input")]
    #[case("-", "unexpected end of JSON input")]
    #[case("tru", "unexpected end of JSON input")]
    #[case("x", "invalid character 'x' looking for beginning of value")]
    #[case("[1,]", "invalid character ']' looking for beginning of value")]
    #[case(
        "{a: 1}",
        "invalid character 'a' looking for beginning of object key string"
    )]
    #[case(
        "{\"a\": 1,}",
        "invalid character '}' looking for beginning of object key string"
    )]
    #[case("{\"a\" 1}", "invalid character '1' after object key")]
    #[case(
        "{\"a\": 1 \"b\": 2}",
        "invalid character '\"' after object key:value pair"
    )]
    #[case("[1 2]", "invalid character '2' after array element")]
    #[case("{} {}", "invalid character '{' after top-level value")]
    #[case("01", "invalid character '1' after top-level value")]
    #[case(
        "{'a': 1}",
        r"invalid character '\'' looking for beginning of object key string"
    )]
    #[case("\"a\nb\"", r"invalid character '\n' in string literal")]
    #[case("\"\\x\"", "invalid character 'x' in string escape code")]
    #[case(
        "\"\\u12g4\"",
        "invalid character 'g' in \\u hexadecimal character escape"
    )]
    #[case("-a", "invalid character 'a' in numeric literal")]
    #[case("1.", "unexpected end of JSON input")]
    #[case("1.x", "invalid character 'x' after decimal point in numeric literal")]
    #[case("1ex", "invalid character 'x' in exponent of numeric literal")]
    #[case("trap", "invalid character 'a' in literal true (expecting 'u')")]
    #[case("nul1", "invalid character '1' in literal null (expecting 'l')")]
    #[case("é", "invalid character 'Ã' looking for beginning of value")]
    #[case("\u{1}", r"invalid character '\x01' looking for beginning of value")]
    fn texts_that_are_no_json(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(problem(text.as_bytes()).as_deref(), Some(expected));
    }

    proptest! {
        /// It agrees with the reader about what is JSON.
        #[test]
        fn nothing_else_is_refused(text in r#"[\[\]{}:," \-+.0-9eEtrufalsn\\]{0,12}"#) {
            let read = serde_json::from_str::<serde_json::Value>(&text).err();
            // Numbers too large for us are none of syntax.
            let is_syntax = read.as_ref().is_some_and(|error| !error.to_string().contains("out of range"));
            prop_assert_eq!(problem(text.as_bytes()).is_some(), is_syntax, "{:?}", read);
        }
    }
}
