//! The way of a write: decode, default, own, change, allocate, prepare, validate, check, commit.
//!
//! Allocation only chooses, and stands before validation because validation looks at what was chosen, as upstream's does.
//! What was chosen is claimed by the commit, under the condition that nobody else claimed it meanwhile; who
//! loses that race goes through the steps again from the latest state.

mod collection;
mod commit;
mod create;
mod decode;
mod delete;
mod deletion;
mod finish;
mod lifecycle;
mod metadata;
mod patch;
pub(crate) mod review;
mod scale;
mod shape;
mod update;

use kedge_machinery::Object;
use kedge_store::{Encoded, Entry};
use serde_json::Value;

/// How often a write begins again from the latest state. Whoever loses a race loses to a write that
/// succeeded, so this ends only when others succeed all the time.
const ATTEMPTS: usize = 64;

/// The object of an entry.
pub(crate) fn parse(entry: &Entry) -> Result<Object, kedge_machinery::Status> {
    let parsed: Result<Value, _> = serde_json::from_slice(&entry.value);
    parsed.ok().and_then(Object::from_value).ok_or_else(|| {
        kedge_machinery::Status::internal(format!("{}: the stored value is no object", entry.key))
    })
}

/// An object as it is stored.
fn encode(object: Object) -> Encoded {
    Encoded::object(&object.into_value())
}
