//! Server-side apply and the sets of fields that it keeps.

use jiff::Timestamp;
use kedge_machinery::apply::{Context, apply};
use kedge_machinery::fields::FieldSet;
use kedge_machinery::{Object, schema};
use serde_json::Value;

use super::{CATALOG, chosen, kind_of, object};
use crate::corpus::{OBJECTS, bodies};

pub(super) fn seeds() -> Vec<Vec<u8>> {
    let created = OBJECTS.iter().map(|object| object.to_string().into_bytes());
    let all: Vec<_> = bodies("application/apply-patch")
        .into_iter()
        .chain(created)
        .collect();
    chosen(&all)
}

/// Applying twice changes nothing, whoever owned what before.
pub(super) fn run(input: &[u8]) {
    let Some((live, _, body)) = object(input) else {
        return;
    };
    let Ok(config) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let Some(kind) = kind_of(&config) else { return };
    let (definitions, schema) = (CATALOG.definitions(), CATALOG.schema(kind));
    if schema::types::check(definitions, schema, &config).is_err() {
        return;
    }
    let context = |manager| Context {
        definitions,
        schema,
        api_version: kind.api_version(),
        also: Vec::new(),
        custom: false,
        status_apart: kind.subresource("status").is_some(),
        narrow: None,
        manager,
        subresource: "",
        force: true,
        now: Timestamp::UNIX_EPOCH,
    };
    let Some(config) = Object::from_value(config) else {
        return;
    };
    let live = (kind_of(live) == Some(kind))
        .then(|| Object::from_value(live.clone()))
        .flatten();
    let before = live.and_then(|live| apply(&context("before"), None, &live).ok());
    let Ok(once) = apply(&context("fuzz"), before.as_ref(), &config) else {
        return;
    };
    // What owns nothing leaves no trace: the next apply finds an object that nobody kept track of, here and upstream.
    if once.at(&["metadata", "managedFields"]).is_none() {
        return;
    }
    let twice = apply(&context("fuzz"), Some(&once), &config);
    assert_eq!(
        twice.as_ref(),
        Ok(&once),
        "the second apply changes something"
    );
}

pub(super) fn field_seeds() -> Vec<Vec<u8>> {
    let seeds = [
        r#"{"f:metadata":{"f:labels":{".":{},"f:a":{}}}}"#,
        r#"{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:port":{}},"v:\"a\"":{},"i:3":{}}}}"#,
    ];
    seeds.map(|seed| seed.as_bytes().to_vec()).to_vec()
}

/// A set of fields that is read is written so that it is read as the same.
pub(super) fn fields(input: &[u8]) {
    let Ok(tree) = serde_json::from_slice::<Value>(input) else {
        return;
    };
    let Ok(set) = FieldSet::from_json(&tree) else {
        return;
    };
    assert_eq!(FieldSet::from_json(&set.to_json()).as_ref(), Ok(&set));
    assert_eq!(set.union(&set), set);
    assert!(set.difference(&set).is_empty());
}
