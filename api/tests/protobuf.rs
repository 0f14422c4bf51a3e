//! Protobuf bodies against real encodings. In `data/protobuf`, `kubectl-*.pb` are the bodies that kubectl 1.32 posted for
//! `kubectl create`; the others were made by the crate k8s-pb, with the zero values that a Go client sends. Beside
//! each stands the JSON that it comes to, checked by hand.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::path::PathBuf;

use kedge_api::{Catalog, ProtobufError, protobuf};
use proptest::prelude::*;
use serde_json::Value;

fn bodies() -> Vec<(PathBuf, Vec<u8>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/protobuf");
    let paths = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|e| e == "pb"))
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    found.sort();
    found
}

#[test]
fn real_bodies_are_the_json_that_they_stand_for() {
    let catalog = Catalog::builtin();
    let bodies = bodies();
    assert_eq!(bodies.len(), 14);
    for (path, body) in bodies {
        let expected: Value =
            serde_json::from_slice(&std::fs::read(path.with_extension("json")).unwrap()).unwrap();
        let found = protobuf::decode(&catalog, &body).unwrap().into_value();
        assert_eq!(found, expected, "{}", path.display());
    }
}

#[test]
fn what_is_decoded_has_no_field_that_the_schema_does_not_know() {
    let catalog = Catalog::builtin();
    for (path, body) in bodies() {
        let object = protobuf::decode(&catalog, &body).unwrap();
        let (group, version) = object
            .api_version()
            .split_once('/')
            .unwrap_or(("", object.api_version()));
        let Some(kind) = catalog.find_kind(group, version, object.kind()) else {
            continue;
        };
        let value = object.into_value();
        let found = support::problems(catalog.definitions(), catalog.schema(kind), &value);
        assert!(found.is_empty(), "{}: {found:?}", path.display());
    }
}

/// A field of bytes: text, or a message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [
        &[number << 3 | 2, u8::try_from(bytes.len()).unwrap()],
        bytes,
    ]
    .concat()
}

#[test]
fn a_list_in_a_map_is_a_message_of_its_own() {
    let values = [field(1, b"a"), field(1, b"b")].concat();
    let full = [field(1, b"k"), field(2, &values)].concat();
    let empty = field(1, b"none");
    let spec = [field(6, &full), field(6, &empty)].concat();
    let body = envelope(
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        &field(2, &spec),
    );
    let found = protobuf::decode(&Catalog::builtin(), &body).unwrap();
    let expected = serde_json::json!({"k": ["a", "b"], "none": []});
    assert_eq!(found.at(&["spec", "extra"]), Some(&expected));
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
    [b"k8s\0".to_vec(), field(1, &meta), field(2, raw)].concat()
}

#[test]
fn what_is_wrong_is_said() {
    let catalog = Catalog::builtin();
    let error = |body: &[u8]| protobuf::decode(&catalog, body).unwrap_err();
    assert_eq!(error(b"{}"), ProtobufError::Prefix);
    assert_eq!(error(b""), ProtobufError::Prefix);
    assert!(matches!(
        error(b"k8s\0\x0a\x05"),
        ProtobufError::Malformed(_)
    ));
    let unknown = error(&envelope("example.com/v1", "Gadget", &[]));
    assert_eq!(
        unknown.to_string(),
        "no kind \"Gadget\" in version \"example.com/v1\" is read from protobuf: send JSON"
    );
    let text = error(&envelope("v1", "Secret", b"\x1a\x01\xff"));
    assert_eq!(text.to_string(), "core/Secret.type is not UTF-8 text");
    // A number where text should be.
    assert_eq!(
        error(&envelope("v1", "Secret", &[0x18, 1])),
        ProtobufError::Malformed("core/Secret.type".into())
    );
    // Field 99 is of a version to come.
    let newer = protobuf::decode(&catalog, &envelope("v1", "Secret", &[0x98, 0x06, 1])).unwrap();
    assert_eq!(newer.0.len(), 2);
}

proptest! {
    #[test]
    fn damaged_bodies_never_panic(at in 0_usize..14, cut in 0_usize..700, flips in proptest::collection::vec((0_usize..700, any::<u8>()), 0..4)) {
        let (_, mut body) = bodies().swap_remove(at);
        body.truncate(cut);
        for (place, byte) in flips {
            if let Some(target) = body.get_mut(place) {
                *target = byte;
            }
        }
        if let Ok(object) = protobuf::decode(&Catalog::builtin(), &body) {
            prop_assert!(!object.kind().is_empty());
        }
    }
}
