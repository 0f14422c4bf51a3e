//! `resourceVersion` and `resourceVersionMatch`, and what they may be together
//! (upstream: `ValidateListOptions`).

use kedge_machinery::{Cause, FieldError, Status};

use crate::request::{ListOptions, WatchOptions};

/// A revision out of the query of a get or a watch; empty is 0. What is none has no status of its own upstream: 500 without a reason.
pub(super) fn parse(text: &str) -> Result<u64, Status> {
    read(text).map_err(|why| Status::new(500, "", why))
}

/// The same of a list, which refuses it with 400.
pub(super) fn parse_listed(text: &str) -> Result<u64, Status> {
    read(text).map_err(|why| Status::bad_request(format!("invalid resource version: {why}")))
}

fn read(text: &str) -> Result<u64, String> {
    number(text).map_err(|why| FieldError::invalid("resourceVersion", text, why).to_string())
}

/// A revision as Go's `strconv.ParseUint` reads it, in its words where it is none; empty is 0.
pub(crate) fn number(text: &str) -> Result<u64, String> {
    if text.is_empty() {
        return Ok(0);
    }
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or_else(|| {
        let why = match digits {
            true => "value out of range",
            false => "invalid syntax",
        };
        format!("strconv.ParseUint: parsing {text:?}: {why}")
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

const MATCH: &str = "resourceVersionMatch";
const WITH_CONTINUE: &str = "resourceVersionMatch is forbidden when continue is provided";

fn forbidden(why: &str) -> FieldError {
    FieldError::forbidden(MATCH, why)
}

/// 422 of the query's options, with all that is wrong in them.
fn invalid(errors: &[FieldError]) -> Result<(), Status> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(Status::invalid("meta.k8s.io", "ListOptions", "", errors))
}

/// What a list's options may be together.
pub(super) fn check_list(options: &ListOptions) -> Result<(), Status> {
    let (word, version) = (
        options.resource_version_match.as_str(),
        options.resource_version.as_str(),
    );
    let mut errors = Vec::new();
    if !word.is_empty() {
        if version.is_empty() {
            errors.push(forbidden(
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ));
        }
        if !options.continue_token.is_empty() {
            errors.push(forbidden(WITH_CONTINUE));
        }
        if !matches!(word, "Exact" | "NotOlderThan") {
            let known = ["Exact", "NotOlderThan", ""];
            errors.push(FieldError::not_supported(MATCH, word, &known));
        }
        if word == "Exact" && version == "0" {
            errors.push(forbidden(
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ));
        }
    }
    if options.send_initial_events.is_some() {
        errors.push(FieldError::forbidden(
            "sendInitialEvents",
            "sendInitialEvents is forbidden for list",
        ));
    }
    invalid(&errors)
}

/// What a watch's options may be together (KEP-3157). One from the beginning that says no more counts as one that asks for the
/// state first (upstream: `SetListOptionsDefaults`).
pub(super) fn check_watch(options: &WatchOptions) -> Result<(), Status> {
    const WANTED: &str = "NotOlderThan";
    let mut word = options.resource_version_match.as_str();
    let mut initial = options.send_initial_events;
    let from_the_beginning = matches!(options.resource_version.as_str(), "" | "0");
    if word.is_empty() && initial.is_none() && from_the_beginning {
        (word, initial) = (WANTED, Some(true));
    }
    let mut errors = Vec::new();
    if initial.is_some() && word != WANTED {
        errors.push(forbidden(
            "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
        ));
    }
    if !word.is_empty() {
        if initial.is_none() {
            errors.push(forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ));
        }
        if word != WANTED {
            errors.push(FieldError::not_supported(MATCH, word, &[WANTED]));
        }
        if !options.continue_token.is_empty() {
            errors.push(forbidden(WITH_CONTINUE));
        }
    }
    invalid(&errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The causes, shortened: F forbidden, N not supported; `s` of `sendInitialEvents`.
    fn causes(result: Result<(), Status>) -> String {
        let Err(status) = result else {
            return String::new();
        };
        let causes = status.details.unwrap().causes;
        let short = |cause: &Cause| match (cause.field.as_str(), cause.reason.as_str()) {
            ("sendInitialEvents", "FieldValueForbidden") => "s",
            (MATCH, "FieldValueForbidden") => "F",
            (MATCH, "FieldValueNotSupported") => "N",
            _ => "?",
        };
        causes.iter().map(short).collect()
    }

    #[test]
    fn what_is_no_revision() {
        assert_eq!((parse("").unwrap(), parse("7").unwrap()), (0, 7));
        let told = "resourceVersion: Invalid value: \"-1\": strconv.ParseUint: parsing \"-1\": invalid syntax";
        let status = parse("-1").unwrap_err();
        assert_eq!(
            (status.code, status.reason, status.message.as_str()),
            (500, "", told)
        );
        let status = parse_listed("-1").unwrap_err();
        let told = format!("invalid resource version: {told}");
        assert_eq!(
            (status.code, status.reason, status.message),
            (400, "BadRequest", told)
        );
        assert!(parse("+1").is_err() && parse("1x").is_err());
        let status = parse("99999999999999999999").unwrap_err();
        assert!(
            status.message.ends_with("value out of range"),
            "{}",
            status.message
        );
    }

    #[test]
    fn list_options() {
        let rows = [
            ("", "", "", None, ""),
            ("", "5", "", None, ""),
            ("", "5", "t", None, ""),
            ("Exact", "5", "", None, ""),
            ("NotOlderThan", "0", "", None, ""),
            ("NotOlderThan", "5", "", None, ""),
            ("Exact", "0", "", None, "F"),
            ("Exact", "", "", None, "F"),
            ("NotOlderThan", "", "", None, "F"),
            ("NotOlderThan", "5", "t", None, "F"),
            ("NotOlderThan", "", "t", None, "FF"),
            ("Exact", "0", "t", None, "FF"),
            ("Odd", "5", "", None, "N"),
            ("Odd", "", "", None, "FN"),
            ("Odd", "", "t", None, "FFN"),
            ("", "", "", Some(true), "s"),
            ("", "", "", Some(false), "s"),
            ("Exact", "0", "", Some(true), "Fs"),
        ];
        for (word, version, token, initial, expected) in rows {
            let options = ListOptions {
                resource_version_match: word.into(),
                resource_version: version.into(),
                continue_token: token.into(),
                send_initial_events: initial,
                ..ListOptions::default()
            };
            assert_eq!(causes(check_list(&options)), expected, "{options:?}");
        }
    }

    #[test]
    fn watch_options() {
        let rows = [
            ("", "", "", None, ""),
            ("NotOlderThan", "", "", Some(true), ""),
            ("NotOlderThan", "5", "", Some(false), ""),
            ("", "", "", Some(true), "F"),
            ("", "5", "", Some(false), "F"),
            ("NotOlderThan", "", "", None, "F"),
            ("Exact", "5", "", None, "FN"),
            ("Exact", "", "", Some(true), "FN"),
            ("Odd", "", "", Some(false), "FN"),
            ("NotOlderThan", "", "t", Some(true), "F"),
            ("Odd", "", "t", Some(true), "FNF"),
            // From the beginning is with the state, and so with a match.
            ("", "", "t", None, "F"),
            ("", "0", "t", None, "F"),
            ("", "5", "t", None, ""),
        ];
        for (word, version, token, initial, expected) in rows {
            let options = WatchOptions {
                resource_version_match: word.into(),
                resource_version: version.into(),
                continue_token: token.into(),
                send_initial_events: initial,
                ..WatchOptions::default()
            };
            assert_eq!(causes(check_watch(&options)), expected, "{options:?}");
        }
    }
}
