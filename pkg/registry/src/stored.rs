//! The form in which objects are stored, where it is not the one they are served in: one object that two kinds show,
//! or a custom resource in another version, or by an older schema.

use std::sync::Arc;

use bytes::Bytes;
use kedge_api::Kind;
use kedge_machinery::{Object, Status, json};
use kedge_store::{Encoded, Entry};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::strategy::event::conversion as event;

/// A kind that shows what another kind stores.
pub(crate) struct Shown {
    /// Group and plural of the kind whose keys and form are stored.
    pub(crate) group: &'static str,
    pub(crate) plural: &'static str,
    to_stored: fn(&mut Object),
    to_served: fn(&mut Object),
}

const EVENTS: Shown = Shown {
    group: "",
    plural: "events",
    to_stored: event::to_core,
    to_served: event::to_events,
};

/// What the kind shows, if it stores nothing of its own.
pub(crate) fn shown(kind: &Kind) -> Option<&'static Shown> {
    let is_event = kind.group == "events.k8s.io" && kind.kind == "Event";
    is_event.then_some(&EVENTS)
}

/// True where the bytes of an entry are not those that the kind shows.
fn differs(kind: &Kind, entry: &Entry) -> bool {
    match &kind.custom {
        Some(custom) => custom.differs(&kind.version, entry.revision),
        None => shown(kind).is_some(),
    }
}

/// The object of an entry, in the kind's form. 500 when what is stored is no object.
pub(crate) fn read(kind: &Kind, entry: &Entry) -> Result<Object, Status> {
    let mut object = parse(entry)?;
    if let Some(custom) = kind.custom.as_ref().filter(|_| differs(kind, entry)) {
        let mut tree = object.into_value();
        custom.schema.prune(None, &mut tree);
        custom.schema.fill(&mut tree);
        object = Object::from_value(tree).unwrap_or_default();
        object
            .0
            .insert("apiVersion".into(), kind.api_version().into());
    }
    if let Some(shown) = shown(kind) {
        (shown.to_served)(&mut object);
    }
    Ok(object)
}

/// The object of an entry, as it is stored.
pub(crate) fn parse(entry: &Entry) -> Result<Object, Status> {
    let parsed: Result<Value, _> = serde_json::from_slice(&entry.value());
    parsed
        .ok()
        .and_then(Object::from_value)
        .ok_or_else(|| Status::internal(format!("{}: the stored value is no object", entry.key)))
}

/// Of stored metadata no more than whether the object is going: for who asks that with every write.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Going {
    deletion_timestamp: Option<IgnoredAny>,
}

impl Going {
    pub(crate) fn is_terminating(&self) -> bool {
        self.deletion_timestamp.is_some()
    }
}

/// An object of the kind, as it is stored.
pub(crate) fn encode(kind: &Kind, mut object: Object) -> Encoded {
    if let Some(custom) = &kind.custom {
        let version = kedge_api::api_version(&kind.group, &custom.storage);
        object.0.insert("apiVersion".into(), version.into());
    }
    if let Some(shown) = shown(kind) {
        (shown.to_stored)(&mut object);
    }
    Encoded::object(&object.into_value())
}

/// The bytes of an entry, in the kind's form.
pub(crate) fn value(kind: &Kind, entry: &Arc<Entry>) -> Bytes {
    other_value(kind, entry).map_or_else(|| entry.bytes(), Bytes::from)
}

/// An entry whose bytes are in the kind's form.
pub(crate) fn entry(kind: &Kind, entry: Arc<Entry>) -> Arc<Entry> {
    match other_value(kind, &entry) {
        Some(value) => Arc::new(entry.with_value(value)),
        None => entry,
    }
}

/// The kind's form, where it is not what is stored.
fn other_value(kind: &Kind, entry: &Entry) -> Option<Vec<u8>> {
    // What cannot be read is shown as it is rather than not at all.
    let object = differs(kind, entry).then(|| read(kind, entry).ok())??;
    Some(json::bytes(&object.0))
}
