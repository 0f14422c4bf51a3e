//! The `Status` out of an answer that is no success.

use kedge_machinery::Status;
use serde_json::Value;

/// Reasons that `meta/v1` names; an answer with another one keeps its code and text.
const REASONS: [&str; 16] = [
    "Unauthorized",
    "Forbidden",
    "NotFound",
    "AlreadyExists",
    "Conflict",
    "Gone",
    "Invalid",
    "ServerTimeout",
    "Timeout",
    "TooManyRequests",
    "BadRequest",
    "MethodNotAllowed",
    "NotAcceptable",
    "RequestEntityTooLarge",
    "UnsupportedMediaType",
    "Expired",
];

/// The `Status` in `body`; where there is none, one made of the code and the first line of the text.
pub(super) fn status(code: u16, body: &[u8]) -> Status {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &str| parsed.get(key).and_then(Value::as_str).unwrap_or_default();
    if text("kind") != "Status" {
        let line = String::from_utf8_lossy(body)
            .lines()
            .next()
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect::<String>();
        return Status::new(
            code,
            reason("", code),
            format!("the server answered {code}: {line}"),
        );
    }
    let mut status = Status::new(code, reason(text("reason"), code), text("message"));
    status.details = parsed
        .get("details")
        .and_then(|details| serde_json::from_value(details.clone()).ok())
        .map(Box::new);
    status
}

fn reason(given: &str, code: u16) -> &'static str {
    let by_code = match code {
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        429 => "TooManyRequests",
        503 => "ServiceUnavailable",
        _ => "InternalError",
    };
    REASONS
        .iter()
        .find(|reason| **reason == given)
        .copied()
        .unwrap_or(by_code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_keeps_what_it_said() {
        let sent = Status::conflict("", "services", "web", "changed");
        let read = status(409, sent.to_json().to_string().as_bytes());
        assert_eq!(read, sent);
        assert!(read.is_conflict());
    }

    #[test]
    fn anything_else_is_told_by_code_and_first_line() {
        let read = status(404, b"404 page not found\nmore");
        assert!(read.is_not_found());
        assert_eq!(read.message, "the server answered 404: 404 page not found");
    }
}
