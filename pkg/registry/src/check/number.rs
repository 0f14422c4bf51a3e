//! Numbers, and shares of a number.

use kedge_machinery::FieldError;
use serde_json::Value;

const MAX_PERCENT: u64 = 100;

/// 0 or more.
pub(crate) fn non_negative(path: &str, number: i64) -> Option<FieldError> {
    let detail = "must be greater than or equal to 0";
    (number < 0).then(|| FieldError::invalid(path, number, detail))
}

/// A number of 0 or more, or a percentage.
pub(crate) fn int_or_percent(path: &str, value: &Value) -> Option<FieldError> {
    match value {
        Value::String(share) if percent(share).is_none() => {
            let detail = "a valid percent string must be a numeric string followed by an ending '%' \
                (e.g. '1%', or '93%', regex used for validation is '[0-9]+%')";
            Some(FieldError::invalid(path, share.as_str(), detail))
        }
        Value::String(_) => None,
        number => non_negative(path, number.as_i64().unwrap_or_default()),
    }
}

/// A percentage is of a whole; a number passes.
pub(crate) fn at_most_100_percent(path: &str, value: &Value) -> Option<FieldError> {
    let share = value.as_str().and_then(percent)?;
    (share > MAX_PERCENT)
        .then(|| FieldError::invalid(path, value.clone(), "must not be greater than 100%"))
}

/// True for 0 and 0%, and for what says no number.
pub(crate) fn is_zero(value: &Value) -> bool {
    match value {
        Value::String(share) => percent(share).unwrap_or(0) == 0,
        number => number.as_i64().unwrap_or(0) == 0,
    }
}

/// The number in a percentage; one too large to count reads as the largest.
fn percent(text: &str) -> Option<u64> {
    let digits = text.strip_suffix('%')?;
    let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    all.then(|| digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!(0), true, true)]
    #[case(json!(-1), false, true)]
    #[case(json!("0%"), true, true)]
    #[case(json!("100%"), true, true)]
    #[case(json!("101%"), true, false)]
    #[case(json!("99999999999999999999%"), true, false)]
    #[case(json!("5"), false, true)]
    #[case(json!("%"), false, true)]
    #[case(json!("-5%"), false, true)]
    fn shares(#[case] value: Value, #[case] form: bool, #[case] size: bool) {
        assert_eq!(int_or_percent("p", &value).is_none(), form);
        assert_eq!(at_most_100_percent("p", &value).is_none(), size);
    }
}
