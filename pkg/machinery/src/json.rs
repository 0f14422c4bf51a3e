//! JSON as Go's `encoding/json` writes it, which clients compare byte by byte: a number is in plain digits from 1e-6 up to 1e21, and a whole
//! one has no fraction.

mod syntax;

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

pub use syntax::problem;

/// Below this, and from [`LARGE`] on, a number has an exponent.
const SMALL: f64 = 1e-6;
const LARGE: f64 = 1e21;

/// Appends a value, without white space.
pub fn append<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Memory takes every byte, and what is written here has strings for keys: there is nothing that can fail.
    let written = value.serialize(&mut Serializer::with_formatter(out, Compact));
    debug_assert!(written.is_ok());
}

/// A value without white space.
#[must_use]
pub fn bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, value);
    out
}

/// The same, as text.
#[must_use]
pub fn text(value: &Value) -> String {
    into_text(bytes(value))
}

/// A value with line breaks, indented by two spaces.
#[must_use]
pub fn pretty(value: &Value) -> String {
    let mut out = Vec::new();
    let formatter = Pretty(PrettyFormatter::new());
    let written = value.serialize(&mut Serializer::with_formatter(&mut out, formatter));
    debug_assert!(written.is_ok());
    into_text(out)
}

pub(crate) fn into_text(json: Vec<u8>) -> String {
    // A serializer writes nothing but UTF-8.
    String::from_utf8(json).unwrap_or_default()
}

/// The digits of a finite number.
#[must_use]
pub fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (SMALL..LARGE).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => text,
    }
}

struct Compact;

impl Formatter for Compact {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        writer.write_all(number(value).as_bytes())
    }
}

/// serde_json's own form for people, but for its numbers.
struct Pretty<'a>(PrettyFormatter<'a>);

impl Formatter for Pretty<'_> {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        Compact.write_f64(writer, value)
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(0.0, "0")]
    #[case(1.0, "1")]
    #[case(-1.5, "-1.5")]
    #[case(1e16, "10000000000000000")]
    #[case(9_223_372_036_854_775_808.0, "9223372036854776000")]
    #[case(18_446_744_073_709_551_616.0, "18446744073709552000")]
    #[case(1.5e20, "150000000000000000000")]
    #[case(1e21, "1e+21")]
    #[case(-1.25e300, "-1.25e+300")]
    #[case(0.001, "0.001")]
    #[case(1e-6, "0.000001")]
    #[case(9.5e-7, "9.5e-7")]
    #[case(1e-10, "1e-10")]
    fn numbers_are_gos(#[case] value: f64, #[case] expected: &str) {
        assert_eq!(number(value), expected);
        assert_eq!(
            text(&json!({"n": [value]})),
            format!("{{\"n\":[{expected}]}}")
        );
    }

    #[test]
    fn all_but_numbers_is_as_serde_json_has_it() {
        let value =
            json!({"a": [], "b": {}, "c": [1, {"d": null}, "x\n"], "e": {"f": true, "g": -3}});
        assert_eq!(text(&value), value.to_string());
        assert_eq!(pretty(&value), format!("{value:#}"));
        assert_eq!(pretty(&json!([1e19])), "[\n  10000000000000000000\n]");
    }

    proptest! {
        #[test]
        fn a_number_is_read_as_it_was(value in proptest::num::f64::NORMAL) {
            prop_assert_eq!(number(value).parse::<f64>().unwrap(), value);
        }
    }
}
