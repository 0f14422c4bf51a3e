//! What is written as protobuf, read back.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use kedge_api::{Catalog, ProtobufError, protobuf};
use kedge_machinery::schema::{Definitions, Schema, Shape};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

#[test]
fn the_bodies_of_other_programs_come_back() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/protobuf");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "json") {
            continue;
        }
        let json = std::fs::read(&path).unwrap();
        let body = match protobuf::encode(&json) {
            // A body of deletions: nothing that is ever answered.
            Err(ProtobufError::UnknownKind { kind, .. }) if kind == "DeleteOptions" => continue,
            body => body.unwrap(),
        };
        let back = protobuf::decode(&Catalog::builtin(), &body)
            .unwrap()
            .into_value();
        assert_eq!(
            back,
            serde_json::from_slice::<Value>(&json).unwrap(),
            "{}",
            path.display()
        );
        seen += 1;
    }
    assert_eq!(seen, 13);
}

#[test]
fn what_has_no_message_is_told_by_its_name() {
    // MetalLB's kinds have no protobuf definitions; of definitions, only what is plain would fit into a table.
    let catalog = Catalog::builtin();
    let without = catalog
        .kinds()
        .iter()
        .filter(|kind| !protobuf::has_message(kind));
    let groups: BTreeSet<_> = without.map(|kind| kind.group.as_str()).collect();
    assert_eq!(
        groups,
        BTreeSet::from(["apiextensions.k8s.io", "metallb.io"])
    );
    let error =
        protobuf::encode(br#"{"apiVersion":"example.com/v1","kind":"Gadget"}"#).unwrap_err();
    assert!(matches!(error, ProtobufError::UnknownKind { kind, .. } if kind == "Gadget"));
    let error = protobuf::encode(br#"{"apiVersion":"v1","kind":"Service","spec":[]}"#).unwrap_err();
    assert!(matches!(error, ProtobufError::Unwritable { kind, .. } if kind == "Service"));
}

#[test]
fn a_list_is_its_items() {
    let mut list = protobuf::List::new("v1", "Secret", br#"{"resourceVersion":"7"}"#).unwrap();
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"k": "dg=="}});
    for _ in 0..2000 {
        list.push(secret.to_string().as_bytes()).unwrap();
    }
    let pieces = list.finish();
    assert!(pieces.iter().all(|piece| piece.len() < 64 << 10) && pieces.len() > 2);
    let whole = pieces.concat();
    assert!(whole.starts_with(b"k8s\0\x0a\x10\x0a\x02v1\x12\x0aSecretList"));
    assert!(whole.ends_with(&[0x1a, 0, 0x22, 0]));
}

/// A number that follows from the one before.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Whether the wire has no number for a field of this name, in some definition at least.
fn is_unsent(name: &str) -> bool {
    static NAMES: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
        let table = include_str!("../data/definitions.txt");
        let unsent = table.lines().filter_map(|line| line.strip_prefix("- "));
        let name = |line: &'static str| line.split(' ').next();
        unsent
            .filter_map(name)
            .map(|name| name.trim_end_matches(['!', '*']))
            .collect()
    });
    NAMES.contains(name)
}

/// Some value of a schema, none of them zero: what is zero and left out has tests of its own.
fn some(all: &Definitions, schema: &Schema, state: &mut u64, depth: usize) -> Value {
    match &all.resolve(schema).shape {
        Shape::Struct { fields, .. } => {
            let mut object = Map::new();
            for (name, field) in fields {
                let scalar = !matches!(
                    all.resolve(field).shape,
                    Shape::Struct { .. } | Shape::List { .. } | Shape::Map { .. }
                );
                if !is_unsent(name) && (scalar || depth > 0) && !next(state).is_multiple_of(3) {
                    object.insert(
                        name.clone(),
                        some(all, field, state, depth.saturating_sub(1)),
                    );
                }
            }
            object.into()
        }
        Shape::List { item, .. } => (0..=next(state) % 3)
            .map(|_| some(all, item, state, depth))
            .collect::<Vec<_>>()
            .into(),
        Shape::Map { value, .. } => {
            let pairs = (0..=next(state) % 3)
                .map(|n| (format!("key-{n}\u{e9}\n"), some(all, value, state, depth)));
            Value::Object(pairs.collect())
        }
        Shape::Integer { format } => {
            let number = next(state).cast_signed() % 1_000_000 + 1;
            let sign = if next(state).is_multiple_of(2) { 1 } else { -1 };
            let scale = if *format == "int64" { 4_000_000_000 } else { 1 };
            (number * sign * scale).into()
        }
        Shape::Number => (next(state) as f64 / 8.0 + 1.0).into(),
        Shape::Boolean => true.into(),
        Shape::IntOrString if next(state).is_multiple_of(2) => 8080.into(),
        Shape::Time { micro: true } => format!(
            "2026-01-02T03:04:{:02}.{:06}Z",
            next(state) % 60,
            next(state) % 1_000_000
        )
        .into(),
        Shape::Time { micro: false } => {
            format!("19{:02}-01-02T03:04:05Z", 10 + next(state) % 90).into()
        }
        Shape::Quantity => format!("{}Mi", next(state)).into(),
        Shape::Bytes => "AAEC/w==".into(),
        Shape::Any => json!({"f:metadata": {"f:labels": {".": {}}}}),
        _ => format!("text {} \"\\ \u{1f980}", next(state)).into(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn any_object_of_any_kind_comes_back(seed: u64, at in 0_usize..1000) {
        let catalog = Catalog::builtin();
        let kinds: Vec<_> = catalog
            .kinds()
            .iter()
            .filter(|kind| protobuf::has_message(kind))
            .collect();
        let kind = kinds[at % kinds.len()];
        let mut state = seed;
        let mut object = some(catalog.definitions(), catalog.schema(kind), &mut state, 6);
        object["apiVersion"] = kind.api_version().into();
        object["kind"] = kind.kind.as_str().into();
        let body = protobuf::encode(object.to_string().as_bytes()).unwrap();
        let back = protobuf::decode(&catalog, &body).unwrap().into_value();
        prop_assert_eq!(back, object);
    }
}
