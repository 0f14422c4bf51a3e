//! Answers: statuses, objects and documents, in the encoding that was negotiated.

mod gzip;
mod items;
mod list;
mod messages;
mod pretty;
mod refusal;
mod warning;

use axum::body::Body;
use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, USER_AGENT, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode, Uri};
use kedge_api::{Kind, ProtobufError, protobuf};
use kedge_machinery::{Status, json};
use serde_json::Value;

use crate::negotiate::{self, Encoding, Forms, Media, Offer};
use crate::query;

pub(crate) use items::Items;
pub(crate) use refusal::{Wish, refusal, refuse};
pub(crate) use warning::warn;

pub(crate) type Answer = Response<Body>;

/// Answers shorter than this go as they are, as upstream's do.
const GZIP_FROM: usize = 128 << 10;

/// How a request wants to be answered.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reply {
    pub media: Media,
    pub pretty: bool,
    pub gzip: bool,
}

impl Reply {
    /// For a verb of a resource.
    pub(crate) fn negotiate(parts: &Parts, kind: &Kind, forms: Forms) -> Result<Self, Status> {
        Self::of(parts, || negotiate::object(kind, forms))
    }

    /// For a document that is no object of a kind.
    pub(crate) fn document(parts: &Parts) -> Result<Self, Status> {
        Self::of(parts, || negotiate::DOCUMENT)
    }

    /// For a watch.
    pub(crate) fn stream(parts: &Parts, kind: &Kind, forms: Forms) -> Result<Self, Status> {
        Self::of(parts, || negotiate::stream(kind, forms))
    }

    /// Reads `Accept`, `Accept-Encoding` and `?pretty`.
    fn of(parts: &Parts, offer: impl Fn() -> Offer) -> Result<Self, Status> {
        let media = negotiate::resource(header(&parts.headers, ACCEPT), offer)?;
        Ok(Self {
            media,
            pretty: media.pretty || is_pretty(header(&parts.headers, USER_AGENT), &parts.uri),
            gzip: negotiate::gzip(header(&parts.headers, ACCEPT_ENCODING)),
        })
    }

    /// In this encoding, packed where the client takes that.
    pub(crate) fn packed(headers: &HeaderMap, encoding: Encoding) -> Self {
        Self {
            media: Media {
                encoding,
                ..Media::default()
            },
            gzip: negotiate::gzip(header(headers, ACCEPT_ENCODING)),
            ..Self::default()
        }
    }

    /// A document that is in its encoding already.
    pub(crate) fn body(self, body: Bytes) -> Answer {
        self.finish(StatusCode::OK, body)
    }

    fn content_type(self) -> &'static str {
        self.media.encoding.media_type()
    }

    /// One object, given as its JSON.
    pub(crate) fn object(self, code: StatusCode, json: Bytes) -> Result<Answer, Status> {
        match self.media.encoding {
            Encoding::Json if !self.pretty => return Ok(self.finish(code, line(&json))),
            Encoding::Protobuf => return self.protobuf(code, json),
            _ => {}
        }
        let value: Value =
            serde_json::from_slice(&json).map_err(|error| Status::internal(error.to_string()))?;
        self.value(code, &value)
    }

    /// One object, given as a tree.
    pub(crate) fn value(self, code: StatusCode, value: &Value) -> Result<Answer, Status> {
        let text = match (self.media.encoding, self.pretty) {
            (Encoding::Yaml, _) => pretty::yaml(value)?.into_bytes(),
            (Encoding::Protobuf, _) => return self.protobuf(code, json::bytes(value).into()),
            (_, true) => json::pretty(value).into_bytes(),
            // Objects are never asked for in the encoding of a document.
            (Encoding::Json | Encoding::OpenApiV2, false) => {
                let mut line = json::bytes(value);
                line.push(b'\n');
                line
            }
        };
        Ok(self.finish(code, text.into()))
    }

    /// In protobuf; what has no message there goes as JSON, which the content type tells.
    fn protobuf(self, code: StatusCode, json: Bytes) -> Result<Answer, Status> {
        match protobuf::encode(&json) {
            Ok(body) => Ok(self.finish(code, body.into())),
            Err(ProtobufError::UnknownKind { .. }) => Ok(self.in_json().finish(code, line(&json))),
            Err(error) => Err(Status::internal(error.to_string())),
        }
    }

    fn in_json(mut self) -> Self {
        self.media.encoding = Encoding::Json;
        self
    }

    fn finish(self, code: StatusCode, body: Bytes) -> Answer {
        if !self.gzip || body.len() < GZIP_FROM {
            return text(code, self.content_type(), body);
        }
        let mut answer = text(code, self.content_type(), gzip::whole(body));
        mark_packed(&mut answer);
        answer
    }
}

/// JSON without line breaks ends with one, as Go's encoder has it; with them, it does not.
fn line(json: &[u8]) -> Bytes {
    let mut line = Vec::with_capacity(json.len() + 1);
    line.extend_from_slice(json);
    line.push(b'\n');
    line.into()
}

/// Whether line breaks are asked for. People at a terminal or a browser get them unasked, as upstream does it.
fn is_pretty(agent: &str, uri: &Uri) -> bool {
    let asked = query::first(uri.query().unwrap_or_default(), "pretty")
        .filter(|value| !value.is_empty())
        .map(|value| query::parse_bool(&value));
    let person = || {
        ["curl", "Wget", "Mozilla/5.0"]
            .iter()
            .any(|prefix| agent.starts_with(prefix))
    };
    asked.unwrap_or_else(person)
}

/// Says that the body is compressed, and that other clients get another one.
fn mark_packed(answer: &mut Answer) {
    let headers = answer.headers_mut();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
}

/// The text of a header; empty when there is none.
pub(crate) fn header(headers: &HeaderMap, name: http::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Any text.
pub(crate) fn text(code: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Answer {
    let mut answer = Response::new(body.into());
    *answer.status_mut() = code;
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache, private"));
    answer
}

/// Plain text for a person or a probe.
pub(crate) fn plain(code: StatusCode, body: impl Into<Body>) -> Answer {
    let mut answer = text(code, "text/plain; charset=utf-8", body);
    no_sniffing(&mut answer);
    answer
}

/// Says that the body is of the type that is named, and of no other.
pub(crate) fn no_sniffing(answer: &mut Answer) {
    answer.headers_mut().insert(
        http::header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
}

/// What stands at a path that nobody serves, as Go's multiplexer says it.
pub(crate) fn page_not_found() -> Answer {
    plain(StatusCode::NOT_FOUND, "404 page not found\n")
}
