//! Refusals that HTTP itself calls for, worded as upstream words them (`api/errors`, `endpoints/handlers/negotiation`).

use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode, Uri};
use kedge_machinery::Status;
use kedge_machinery::status::Details;

use crate::answer::{self, Answer};

/// What a body may be encoded in.
const BODIES: &str = "application/json, application/yaml, application/vnd.kubernetes.protobuf";
/// The languages of a patch of a custom resource.
const CUSTOM_PATCHES: &str =
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";

/// A status whose `details` are there but empty, as the generic errors of upstream's router are.
fn bare(code: u16, reason: &'static str, message: impl Into<String>) -> Status {
    let mut status = Status::new(code, reason, message);
    status.details = Some(Box::new(Details::default()));
    status
}

/// 404 for what a kubelet would answer out of a Pod's containers.
pub(crate) fn no_containers(subresource: &str) -> Status {
    bare(
        404,
        "NotFound",
        format!(
            "pods have no {subresource:?} here: kedge runs no containers, ask whoever runs this one"
        ),
    )
}

/// 500 in plain text for an address that says what to do and not with what: `/api/v1/watch`.
pub(crate) fn cut_short(address: &Uri) -> Answer {
    let address = address.path_and_query().map_or("/", |path| path.as_str());
    let text = format!(
        "Internal Server Error: {address:?}: failed to create RequestInfo: \
         unable to determine kind and namespace from url, {address}\n"
    );
    answer::plain(StatusCode::INTERNAL_SERVER_ERROR, escaped(&text))
}

/// What a client sent must not be taken for markup by whoever shows it.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// 405 for a path that is served, but not with this method.
pub(crate) fn method_not_allowed() -> Status {
    bare(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )
}

/// 415 for a body in an encoding that is not read here.
pub(crate) fn unsupported_body() -> Status {
    unsupported(BODIES)
}

/// 415 for a patch in a language that is not known: upstream's router tells it.
pub(crate) fn unsupported_patch() -> Status {
    bare(415, "UnsupportedMediaType", "415: Unsupported Media Type")
}

/// The same of a custom resource.
pub(crate) fn unsupported_custom_patch() -> Status {
    unsupported(CUSTOM_PATCHES)
}

fn unsupported(accepted: &str) -> Status {
    Status::new(
        415,
        "UnsupportedMediaType",
        format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        ),
    )
}

/// 413.
pub(crate) fn too_large(limit: usize) -> Status {
    Status::new(
        413,
        "RequestEntityTooLarge",
        format!("Request entity too large: limit is {limit}"),
    )
}

/// 429 in plain text, with the time after which trying again makes sense (upstream: `server/filters/maxinflight.go`).
pub(crate) fn too_many_requests() -> Answer {
    let text = "Too many requests, please try again later.\n";
    let mut answer = answer::plain(StatusCode::TOO_MANY_REQUESTS, text);
    let seconds = HeaderValue::from_static("1");
    answer.headers_mut().insert(RETRY_AFTER, seconds);
    answer
}

/// 504: the time that the client gave is over; whether the request was carried out is not known.
pub(crate) fn deadline() -> Status {
    bare(
        504,
        "Timeout",
        "Timeout: request did not complete within requested timeout - context deadline exceeded",
    )
}

/// 504: the body did not arrive in time.
pub(crate) fn body_timeout() -> Status {
    bare(
        504,
        "Timeout",
        "request did not complete within the allowed duration: its body did not arrive",
    )
}

/// 400 for a body that cannot be read from the connection.
pub(crate) fn broken_body(detail: &str) -> Status {
    Status::bad_request(format!(
        "the body of the request could not be read: {detail}"
    ))
}
