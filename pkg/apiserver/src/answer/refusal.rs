//! Refusals: made in JSON where something is wrong, and put into the form that the client likes when the answer goes out.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use kedge_machinery::Status;
use serde_json::Value;

use super::{Answer, Reply, is_pretty, line, text};
use crate::negotiate::{self, Encoding};

/// The JSON of a refusal, beside its answer: for [`Wish::refused`].
#[derive(Clone)]
struct Refused(Bytes);

/// A refusal whose body says more than its status.
pub(crate) fn refusal(status: &Status, body: &Value) -> Answer {
    let code = StatusCode::from_u16(status.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let json = Bytes::from(body.to_string());
    let mut answer = text(code, "application/json", line(&json));
    answer.extensions_mut().insert(Refused(json));
    answer
}

/// A refusal, in JSON.
pub(crate) fn refuse(status: &Status) -> Answer {
    let mut answer = refusal(status, &status.to_json());
    if let Some(seconds) = status
        .details
        .as_ref()
        .and_then(|details| details.retry_after_seconds)
    {
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// How a request would like to be refused: kept from it as it came, and read only if it is.
pub(crate) struct Wish {
    accept: Option<HeaderValue>,
    agent: Option<HeaderValue>,
    uri: Uri,
}

impl Wish {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let header = |name| request.headers().get(name).cloned();
        Self {
            accept: header(ACCEPT),
            agent: header(USER_AGENT),
            uri: request.uri().clone(),
        }
    }

    /// A refusal as the client likes it, whatever the verb, and in JSON for who accepts nothing of what there is; every other
    /// answer as it is.
    pub(crate) fn refused(&self, mut answer: Answer) -> Answer {
        let Some(Refused(json)) = answer.extensions_mut().remove() else {
            return answer;
        };
        let mut reply = self.reply();
        if answer.status() == StatusCode::NOT_ACCEPTABLE {
            reply = reply.in_json();
        }
        if (reply.media.encoding, reply.pretty) == (Encoding::Json, false) {
            return answer;
        }
        let Ok(made) = reply.object(answer.status(), json) else {
            return answer;
        };
        let (parts, body) = made.into_parts();
        // That of the first one, where the router has told it already.
        answer.headers_mut().remove(CONTENT_LENGTH);
        answer.headers_mut().extend(parts.headers);
        answer.map(|_| body)
    }

    fn reply(&self) -> Reply {
        let text = |value: &Option<HeaderValue>| {
            let text = value.as_ref().and_then(|value| value.to_str().ok());
            text.unwrap_or_default().to_string()
        };
        let media = negotiate::resource(&text(&self.accept), || negotiate::REFUSAL);
        let media = media.unwrap_or_default();
        Reply {
            media,
            pretty: media.pretty || is_pretty(&text(&self.agent), &self.uri),
            gzip: false,
        }
    }
}
