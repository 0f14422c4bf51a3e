//! `resourceVersion` and `resourceVersionMatch`, and what they may be together
//! (upstream: `ValidateListOptions`).

use kedge_machinery::{Cause, FieldError, Status};

/// A revision out of a query; empty is 0.
pub(super) fn parse(text: &str) -> Result<u64, Status> {
    if text.is_empty() {
        return Ok(0);
    }
    text.parse().map_err(|_| {
        let error = FieldError::invalid(
            "resourceVersion",
            text,
            "strconv.ParseUint: parsing: invalid syntax",
        );
        Status::bad_request(format!("Invalid value: {}", error.body()))
    })
}

/// 504 for a revision that is not there yet: nothing here is ever behind, so nothing will make it come.
pub(super) fn too_large(asked: u64, current: u64) -> Status {
    let mut status = Status::new(
        504,
        "Timeout",
        format!("Too large resource version: {asked}, current: {current}"),
    );
    status.details = Some(Box::new(kedge_machinery::status::Details {
        causes: vec![Cause {
            reason: "ResourceVersionTooLarge".into(),
            message: "Too large resource version".into(),
            field: String::new(),
        }],
        retry_after_seconds: Some(1),
        ..Default::default()
    }));
    status
}

/// 422 of the query's options.
pub(super) fn invalid(error: FieldError) -> Status {
    Status::invalid("meta.k8s.io", "ListOptions", "", &[error])
}

/// The match word against the rest of a list's options.
pub(super) fn check_match(word: &str, version: &str, continued: bool) -> Result<(), Status> {
    const FIELD: &str = "resourceVersionMatch";
    let error = match word {
        "" => return Ok(()),
        _ if continued => FieldError::forbidden(
            FIELD,
            "resourceVersionMatch is forbidden when continue is provided",
        ),
        _ if version.is_empty() => FieldError::forbidden(
            FIELD,
            "resourceVersionMatch is forbidden unless resourceVersion is provided",
        ),
        "Exact" if version == "0" => FieldError::forbidden(
            FIELD,
            "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"",
        ),
        "Exact" | "NotOlderThan" => return Ok(()),
        other => FieldError::not_supported(FIELD, other, &["Exact", "NotOlderThan", ""]),
    };
    Err(invalid(error))
}

/// The match word against the rest of a watch's options (KEP-3157).
pub(super) fn check_watch(word: &str, initial: Option<bool>) -> Result<(), Status> {
    const FIELD: &str = "resourceVersionMatch";
    let error = match (word, initial) {
        ("", None) | ("NotOlderThan", Some(_)) => return Ok(()),
        (_, None) => FieldError::forbidden(
            FIELD,
            "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
        ),
        ("", Some(_)) => FieldError::forbidden(
            FIELD,
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ),
        (other, Some(_)) => FieldError::not_supported(FIELD, other, &["NotOlderThan"]),
    };
    Err(invalid(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(result: Result<(), Status>) -> Option<(String, String)> {
        let cause = result.err()?.details?.causes.remove(0);
        Some((cause.field, cause.reason))
    }

    #[test]
    fn list_options() {
        let word = "resourceVersionMatch".to_string();
        let forbidden = Some((word.clone(), "FieldValueForbidden".to_string()));
        assert_eq!(field(check_match("", "", false)), None);
        assert_eq!(field(check_match("Exact", "5", false)), None);
        assert_eq!(field(check_match("NotOlderThan", "0", false)), None);
        assert_eq!(field(check_match("Exact", "0", false)), forbidden);
        assert_eq!(field(check_match("Exact", "", false)), forbidden);
        assert_eq!(field(check_match("NotOlderThan", "5", true)), forbidden);
        assert_eq!(
            field(check_match("Odd", "5", false)),
            Some((word, "FieldValueNotSupported".into()))
        );
    }

    #[test]
    fn watch_options() {
        for good in [
            ("", None),
            ("NotOlderThan", Some(true)),
            ("NotOlderThan", Some(false)),
        ] {
            assert_eq!(check_watch(good.0, good.1), Ok(()));
        }
        for bad in [
            ("", Some(true)),
            ("NotOlderThan", None),
            ("Exact", Some(true)),
        ] {
            assert_eq!(check_watch(bad.0, bad.1).unwrap_err().code, 422);
        }
    }
}
