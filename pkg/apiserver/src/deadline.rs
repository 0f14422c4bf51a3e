//! `timeout=` in a request's query: how long the client waits for it (upstream: `endpoints/filters/request_deadline.go`).

use std::time::Duration;

use kedge_machinery::Status;

use crate::query;
use crate::request_info::RequestInfo;

/// What a request may take at most, and gets when it says 0.
const LONGEST: Duration = Duration::from_secs(60);

/// Units of a duration in Go's text form, with their nanoseconds.
const UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];

/// The time that the request asks for; `None` when it says nothing, or holds its connection anyway. 400 for
/// what is no duration.
pub(crate) fn of(request: &RequestInfo, query: &str) -> Result<Option<Duration>, Status> {
    let asked = query::pairs(query).find(|(key, _)| key == "timeout");
    let Some((_, text)) = asked.filter(|(_, text)| !text.is_empty()) else {
        return Ok(None);
    };
    if request.is_long_running() {
        return Ok(None);
    }
    let nanoseconds = parse(&text).map_err(|why| {
        Status::bad_request(format!(
            "invalid timeout specified in the request URL - time: {why}"
        ))
    })?;
    Ok(Some(if nanoseconds <= 0.0 {
        LONGEST
    } else {
        LONGEST.min(Duration::from_nanos(nanoseconds as u64))
    }))
}

/// Nanoseconds of a duration such as `1m30s` (Go: `time.ParseDuration`).
fn parse(text: &str) -> Result<f64, String> {
    let invalid = || format!("invalid duration {text:?}");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0.0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let (number, after) = split(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split(after, |c| !c.is_ascii_digit() && c != '.');
        let digits = number.bytes().any(|b| b.is_ascii_digit());
        let number: f64 = number.parse().ok().filter(|_| digits).ok_or_else(invalid)?;
        if unit.is_empty() {
            return Err(format!("missing unit in duration {text:?}"));
        }
        let unit = UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(|| format!("unknown unit {unit:?} in duration {text:?}"))?;
        total += number * unit.1;
        rest = after;
    }
    Ok(sign * total)
}

/// What `text` begins with, and the rest.
fn split(text: &str, is_in: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_in(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use proptest::prelude::*;
    use rstest::rstest;

    fn ask(query: &str) -> Result<Option<Duration>, Status> {
        let info = RequestInfo::parse(&Method::GET, "/api/v1/pods", query);
        of(&info, query)
    }

    #[rstest]
    #[case("", None)]
    #[case("timeout=", None)]
    #[case("timeout=1s", Some(1000))]
    #[case("timeout=1m", Some(60_000))]
    #[case("timeout=3h", Some(60_000))]
    #[case("timeout=0", Some(60_000))]
    #[case("timeout=0s", Some(60_000))]
    #[case("timeout=-5s", Some(60_000))]
    #[case("timeout=1.5s", Some(1500))]
    #[case("timeout=1s250ms", Some(1250))]
    #[case("timeout=x&watch=true", None)]
    fn the_time_of_a_request(#[case] query: &str, #[case] milliseconds: Option<u64>) {
        assert_eq!(ask(query).unwrap(), milliseconds.map(Duration::from_millis));
    }

    #[rstest]
    #[case("invalid", "invalid duration \"invalid\"")]
    #[case("5", "missing unit in duration \"5\"")]
    #[case("5d", "unknown unit \"d\" in duration \"5d\"")]
    #[case("-", "invalid duration \"-\"")]
    #[case(".s", "invalid duration \".s\"")]
    fn what_is_no_time(#[case] text: &str, #[case] why: &str) {
        let status = ask(&format!("timeout={text}")).unwrap_err();
        assert_eq!(status.code, 400);
        assert_eq!(
            status.message,
            format!("invalid timeout specified in the request URL - time: {why}")
        );
    }

    proptest! {
        #[test]
        fn anything_is_taken(text in "\\PC{0,20}") {
            let _ = parse(&text);
        }
    }
}
