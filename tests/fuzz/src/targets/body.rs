//! Bodies in JSON and YAML, as requests have them.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use kedge_apiserver::body;
use serde_json::Value;

use super::CATALOG;
use crate::corpus::{OBJECTS, bodies};

fn decode(media: &'static str, input: &[u8]) -> Option<body::Decoded> {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(media))]);
    body::object(&CATALOG, &headers, input).ok()
}

pub(super) fn json_seeds() -> Vec<Vec<u8>> {
    OBJECTS
        .iter()
        .map(|object| object.to_string().into_bytes())
        .collect()
}

/// The tree is the one that any reader of JSON makes of it; keys given twice are told.
pub(super) fn json(input: &[u8]) {
    let Some(decoded) = decode("application/json", input) else {
        return;
    };
    match serde_json::from_slice::<Value>(input) {
        Ok(plain) => assert_eq!(decoded.object.into_value(), plain),
        Err(error) => panic!("what is no JSON was taken for it: {error}"),
    }
}

pub(super) fn yaml_seeds() -> Vec<Vec<u8>> {
    let plain = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  labels: &l {a: b}\ndata:\n  k: |\n    v\n  l: >-\n    a\n    b\n".to_vec();
    let merged = b"kind: ConfigMap\nbase: &b\n  a: 1\nother:\n  <<: *b\n  c: [1, 2.5, ~, true, 0x1f, 2026-01-01]\n".to_vec();
    [
        bodies("application/apply-patch"),
        bodies("application/yaml"),
        vec![plain, merged],
    ]
    .concat()
}

/// Aliases make no more of it than a small body can be worth.
pub(super) fn yaml(input: &[u8]) {
    let Some(decoded) = decode("application/yaml", input) else {
        return;
    };
    let size = decoded.object.into_value().to_string().len();
    assert!(
        size < (4 << 20) + 64 * input.len(),
        "{size} bytes out of {}",
        input.len()
    );
}
