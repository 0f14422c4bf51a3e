//! Quantities (`resource.Quantity`): `100m`, `1.5Gi`, `12e6`.

use std::cmp::Ordering;

/// No quantity; the text is upstream's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
)]
pub struct BadQuantity;

/// A number with the family of suffixes that it is written in, which does not count when two are compared.
#[derive(Debug, Clone, Copy)]
pub struct Quantity {
    /// In units of 10^-9, the finest that there is.
    nanos: i128,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Decimal,
    Binary,
    Exponent,
}

const NANO: i128 = 1_000_000_000;
const THOUSANDTH: i128 = NANO / 1000;
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];
const BINARY: [(&str, u32); 6] = [
    ("Ki", 10),
    ("Mi", 20),
    ("Gi", 30),
    ("Ti", 40),
    ("Pi", 50),
    ("Ei", 60),
];

impl Quantity {
    /// Reads a quantity; finer than nano is rounded up, as upstream does.
    ///
    /// # Errors
    /// The text is none, or too large to hold.
    pub fn parse(text: &str) -> Result<Self, BadQuantity> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(BadQuantity);
        }
        let digits: i128 = format!("{whole}{fraction}")
            .parse()
            .map_err(|_| BadQuantity)?;
        let (form, power, shift) = scale(suffix)?;
        let power = power - i32::try_from(fraction.len()).map_err(|_| BadQuantity)? + 9;
        let shifted = digits
            .checked_mul(1i128.checked_shl(shift).ok_or(BadQuantity)?)
            .ok_or(BadQuantity)?;
        let ten = |n: i32| 10i128.checked_pow(n.unsigned_abs());
        let nanos = if power >= 0 {
            shifted
                .checked_mul(ten(power).ok_or(BadQuantity)?)
                .ok_or(BadQuantity)?
        } else {
            ten(power).map_or(i128::from(shifted > 0), |by| {
                shifted / by + i128::from(shifted % by > 0)
            })
        };
        Ok(Self {
            nanos: if negative { -nanos } else { nanos },
            form,
        })
    }

    /// More than 0.
    #[must_use]
    pub fn is_positive(&self) -> bool {
        self.nanos > 0
    }

    /// Less than 0.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        self.nanos < 0
    }

    /// How many, a fraction rounded up.
    #[must_use]
    pub fn count(&self) -> i128 {
        self.nanos.div_euclid(NANO) + i128::from(self.nanos.rem_euclid(NANO) > 0)
    }

    /// In whole thousandths, away from 0: as fine as lists of resources count.
    #[must_use]
    pub fn to_thousandths(self) -> Self {
        let away = (THOUSANDTH - 1) * self.nanos.signum();
        Self {
            nanos: (self.nanos + away) / THOUSANDTH * THOUSANDTH,
            ..self
        }
    }

    /// Without a fraction, counted in thousandths that are rounded up, as upstream does.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        (self.nanos + THOUSANDTH - 1).div_euclid(THOUSANDTH) % 1000 == 0
    }
}

fn scale(suffix: &str) -> Result<(Form, i32, u32), BadQuantity> {
    if let Some((_, power)) = DECIMAL.iter().find(|(s, _)| *s == suffix) {
        return Ok((Form::Decimal, *power, 0));
    }
    if let Some((_, shift)) = BINARY.iter().find(|(s, _)| *s == suffix) {
        return Ok((Form::Binary, 0, *shift));
    }
    let exponent = suffix.strip_prefix(['e', 'E']).ok_or(BadQuantity)?;
    let power = exponent
        .strip_prefix('+')
        .unwrap_or(exponent)
        .parse()
        .map_err(|_| BadQuantity)?;
    if (-30..=30).contains(&power) {
        Ok((Form::Exponent, power, 0))
    } else {
        Err(BadQuantity)
    }
}

/// The sum, written as the first of the two is; what is too large to hold stays the largest.
impl std::ops::Add for Quantity {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            nanos: self.nanos.saturating_add(other.nanos),
            ..self
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

/// The canonical form: the largest suffix that leaves no fraction.
impl std::fmt::Display for Quantity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let whole = self.nanos % NANO == 0;
        if self.form == Form::Binary && whole && (self.nanos / NANO).abs() >= 1024 {
            let value = self.nanos / NANO;
            let fit = BINARY
                .iter()
                .rev()
                .find(|(_, shift)| value % (1i128 << shift) == 0);
            return match fit {
                Some((suffix, shift)) => write!(f, "{}{suffix}", value >> shift),
                None => write!(f, "{value}"),
            };
        }
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let fit = DECIMAL.iter().rev().find_map(|(suffix, power)| {
            let unit = 10i128.pow((power + 9).unsigned_abs());
            (self.nanos % unit == 0).then(|| (self.nanos / unit, *suffix, *power))
        });
        match fit {
            Some((value, _, power)) if self.form == Form::Exponent && power != 0 => {
                write!(f, "{value}e{power}")
            }
            Some((value, suffix, _)) => write!(f, "{value}{suffix}"),
            None => write!(f, "{}n", self.nanos),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("0", "0")]
    #[case("100m", "100m")]
    #[case("0.1", "100m")]
    #[case("1000m", "1")]
    #[case("1.5Gi", "1536Mi")]
    #[case("1024Ki", "1Mi")]
    #[case("512", "512")]
    #[case("12e6", "12e6")]
    #[case("12E6", "12e6")]
    #[case("1000k", "1M")]
    #[case("-5", "-5")]
    #[case("0.5Ki", "512")]
    fn canonical(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(Quantity::parse(text).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case("")]
    #[case(".")]
    #[case("1.2.3")]
    #[case("1x")]
    #[case("Gi")]
    #[case("1 Gi")]
    fn none(#[case] text: &str) {
        assert!(Quantity::parse(text).is_err());
    }

    #[test]
    fn order() {
        let parse = |text: &str| Quantity::parse(text).unwrap();
        assert!(parse("1Gi") > parse("1G"));
        assert_eq!(parse("1Ki"), parse("1024"));
        assert_eq!(
            parse("0.0000000001"),
            parse("1n"),
            "finer than nano is rounded up"
        );
    }

    #[test]
    fn signs_and_fractions() {
        let parse = |text: &str| Quantity::parse(text).unwrap();
        assert!(parse("1m").is_positive() && !parse("0").is_positive());
        assert!(parse("-1").is_negative() && !parse("0").is_negative());
        for (text, whole) in [
            ("1", true),
            ("1500m", false),
            ("0.0001", false),
            ("-2", true),
            ("1Ki", true),
        ] {
            assert_eq!(parse(text).is_whole(), whole, "{text}");
        }
    }

    #[rstest]
    #[case("1", 1, "1")]
    #[case("1m", 1, "1m")]
    #[case("1u", 1, "1m")]
    #[case("1500u", 1, "2m")]
    #[case("-1u", 0, "-1m")]
    #[case("-1500m", -1, "-1500m")]
    #[case("2Ki", 2048, "2Ki")]
    fn counts_and_thousandths(#[case] text: &str, #[case] count: i128, #[case] rounded: &str) {
        let quantity = Quantity::parse(text).unwrap();
        assert_eq!(quantity.count(), count);
        assert_eq!(quantity.to_thousandths().to_string(), rounded);
    }

    #[test]
    fn sums() {
        let parse = |text: &str| Quantity::parse(text).unwrap();
        assert_eq!((parse("1Gi") + parse("512Mi")).to_string(), "1536Mi");
        assert_eq!((parse("250m") + parse("750m")).to_string(), "1");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[-+]?[0-9]{0,40}[.]?[0-9]{0,40}(n|m|k|Gi|Ei|e-?[0-9]{1,2})?") {
            if let Ok(quantity) = Quantity::parse(&text) {
                let canonical = quantity.to_string();
                prop_assert_eq!(Quantity::parse(&canonical).unwrap(), quantity, "{}", canonical);
            }
        }
    }
}
