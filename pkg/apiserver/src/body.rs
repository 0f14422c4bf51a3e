//! Request bodies: read within bounds, then decoded by `Content-Type`.

mod repeated;

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use kedge_api::Catalog;
use kedge_machinery::{Object, Status, decode, json};
use serde_json::Value;

use crate::refusal;

const JSON: &str = "application/json";
const YAML: &str = "application/yaml";
const PROTOBUF: &str = "application/vnd.kubernetes.protobuf";
/// What a body may be encoded in.
const TYPES: [&str; 3] = [JSON, YAML, PROTOBUF];

/// What a body was read into, with what a strict reader would have refused.
#[derive(Debug)]
pub struct Decoded {
    pub object: Object,
    /// For `WriteOptions::duplicates`.
    pub duplicates: Vec<String>,
}

/// The whole body: 413 above `limit` bytes, 504 when it is not there in `time`.
pub(crate) async fn read(
    body: Body,
    headers: &HeaderMap,
    limit: usize,
    time: Duration,
) -> Result<Bytes, Status> {
    let announced = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(refusal::too_large(limit));
    }
    match tokio::time::timeout(time, Limited::new(body, limit).collect()).await {
        Err(_) => Err(refusal::body_timeout()),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(refusal::too_large(limit)),
        Ok(Err(error)) => Err(refusal::broken_body(&error.to_string())),
    }
}

/// The media type of the body, without parameters; JSON where the client says nothing.
pub(crate) fn media_type(headers: &HeaderMap) -> &str {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    match given.split(';').next().map(str::trim) {
        None | Some("") => JSON,
        Some(media) => media,
    }
}

/// 415 for a body of a type that is not read here.
pub(crate) fn check_type(headers: &HeaderMap) -> Result<(), Status> {
    match TYPES.contains(&media_type(headers)) {
        true => Ok(()),
        false => Err(refusal::unsupported_body()),
    }
}

/// What Go's decoder looks for in a body first.
const TYPED: &str = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;

/// 400 of a body that cannot be read, as upstream tells it of one that should be of a kind (`handlers/rest.go`): with why, and what it
/// begins with.
pub(crate) fn unrecognized(kind: &str, why: &str, body: &[u8]) -> Status {
    const SHOWN: usize = 30;
    let (begin, more) = match body.get(..SHOWN) {
        Some(begin) if body.len() > SHOWN => (begin, " ..."),
        _ => (body, ""),
    };
    let shown = match body.first() {
        None => "<empty>".into(),
        Some(b'{') => String::from_utf8_lossy(begin).into_owned(),
        Some(_) => begin.iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({shown}{more})"
    ))
}

/// Decodes an object of JSON, YAML or protobuf; 415 for anything else, 400 with why for what cannot be read.
pub fn object(catalog: &Catalog, headers: &HeaderMap, body: &[u8]) -> Result<Decoded, Status> {
    let (value, duplicates) = match media_type(headers) {
        JSON => of_json(body)?,
        YAML => yaml(body)?,
        PROTOBUF => {
            let object = kedge_api::protobuf::decode(catalog, body)
                .map_err(|error| Status::bad_request(error.to_string()))?;
            return Ok(Decoded {
                object,
                duplicates: Vec::new(),
            });
        }
        _ => return Err(refusal::unsupported_body()),
    };
    let found = match &value {
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
        Value::Null | Value::Object(_) => "null",
    };
    let object = Object::from_value(value).ok_or_else(|| {
        unparsed(&format!(
            "json: cannot unmarshal {found} into Go value of type {TYPED}"
        ))
    })?;
    Ok(Decoded { object, duplicates })
}

fn of_json(body: &[u8]) -> Result<(Value, Vec<String>), Status> {
    let decoded = decode::json(body).map_err(|error| {
        // What is deeper than we go is JSON to Go.
        let why = json::problem(body).unwrap_or_else(|| error.to_string());
        unparsed(&why)
    })?;
    Ok((decoded.value, decoded.duplicates))
}

fn unparsed(why: &str) -> Status {
    Status::bad_request(format!(
        "couldn't get version/kind; json parse error: {why}"
    ))
}

/// YAML into a tree. A key given twice keeps its last value and is told, as upstream's parser does it.
pub(crate) fn yaml(body: &[u8]) -> Result<(Value, Vec<String>), Status> {
    let refuse = |error: &serde_saphyr::Error| {
        let text = error.without_snippet().to_string();
        Status::bad_request(format!(
            "error converting YAML to JSON: {}",
            text.lines().next().unwrap_or_default()
        ))
    };
    let strict = serde_saphyr::from_slice(body);
    match strict
        .as_ref()
        .map_err(serde_saphyr::Error::without_snippet)
    {
        Ok(_) => strict
            .map(|value| (value, Vec::new()))
            .map_err(|error| refuse(&error)),
        Err(serde_saphyr::Error::DuplicateMappingKey { .. }) => {
            let mut options = serde_saphyr::Options::default();
            options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::LastWins;
            let value = serde_saphyr::from_slice_with_options(body, options)
                .map_err(|error| refuse(&error))?;
            let told = repeated::keys(body).map_err(|error| refuse(&error))?;
            Ok((value, told))
        }
        Err(error) => Err(refuse(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use serde_json::json;

    fn typed(media: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))])
    }

    fn decode(media: &'static str, body: &str) -> Result<Decoded, Status> {
        object(&Catalog::builtin(), &typed(media), body.as_bytes())
    }

    #[test]
    fn json_and_yaml_give_the_same_tree() {
        let expected = Object::from_value(json!({"kind": "X", "data": {"a": "1"}})).unwrap();
        assert_eq!(
            decode("application/json", r#"{"kind":"X","data":{"a":"1"}}"#)
                .unwrap()
                .object,
            expected
        );
        assert_eq!(
            decode(
                "application/json; charset=utf-8",
                r#"{"kind":"X","data":{"a":"1"}}"#
            )
            .unwrap()
            .object,
            expected
        );
        assert_eq!(
            decode("application/yaml", "kind: X\ndata:\n  a: \"1\"\n")
                .unwrap()
                .object,
            expected
        );
        assert_eq!(
            object(
                &Catalog::builtin(),
                &HeaderMap::new(),
                br#"{"kind":"X","data":{"a":"1"}}"#
            )
            .unwrap()
            .object,
            expected
        );
    }

    #[test]
    fn duplicates_are_told_and_the_last_wins() {
        let decoded = decode(
            "application/yaml",
            "kind: X\ndata:\n  a: \"1\"\n  a: \"2\"\n",
        )
        .unwrap();
        assert_eq!(decoded.object.at(&["data", "a"]), Some(&json!("2")));
        assert_eq!(decoded.duplicates, ["line 4: key \"a\" already set in map"]);
        let decoded = decode(
            "application/json",
            r#"{"metadata":{"name":"a","name":"b"}}"#,
        )
        .unwrap();
        assert_eq!(decoded.object.name(), "b");
        assert_eq!(decoded.duplicates.len(), 1);
    }

    #[test]
    fn what_cannot_be_read_is_400_and_what_is_not_known_415() {
        assert_eq!(decode("application/json", "{").unwrap_err().code, 400);
        assert_eq!(decode("application/json", "[]").unwrap_err().code, 400);
        assert_eq!(decode("application/yaml", "a: b: c").unwrap_err().code, 400);
        assert_eq!(
            decode("application/vnd.kubernetes.protobuf", "nonsense")
                .unwrap_err()
                .code,
            400
        );
        assert_eq!(decode("application/cbor", "").unwrap_err().code, 415);
        assert_eq!(decode("text/plain", "").unwrap_err().code, 415);
    }

    #[tokio::test]
    async fn a_body_is_bounded_in_size_and_time() {
        let time = Duration::from_millis(50);
        let all = read(Body::from("12345"), &HeaderMap::new(), 5, time)
            .await
            .unwrap();
        assert_eq!(all, "12345");
        assert_eq!(
            read(Body::from("123456"), &HeaderMap::new(), 5, time)
                .await
                .unwrap_err()
                .code,
            413
        );
        let never =
            Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(
            read(never, &HeaderMap::new(), 5, time)
                .await
                .unwrap_err()
                .code,
            504
        );
    }
}
