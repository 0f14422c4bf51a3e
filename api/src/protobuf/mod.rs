//! Protobuf bodies, as Go clients post and ask for them for built-in kinds: an envelope, and in it the message of
//! a kind, read by the table of definitions into the JSON form, and written by it from there.
//!
//! The wire says less than JSON does. A field that is no pointer in Go is always sent, zero or not, while its JSON leaves a
//! zero out unless the field is required; a pointer is sent when it is set. The table knows which is which, so that
//! the tree is the one that the same client would have posted as JSON.

use kedge_machinery::Object;
use serde_json::Map;

use crate::{Catalog, table};

mod encode;
mod envelope;
mod list;
mod message;
mod object;
pub mod openapi;
mod plan;
mod watch;
mod wire;
mod wire_out;

use envelope::Envelope;

pub use list::List;
pub use object::{encode, has_message};
pub use watch::event;

/// What a protobuf body begins with (`apimachinery/pkg/runtime/serializer/protobuf`).
const PREFIX: &[u8] = b"k8s\0";

/// A body that is not what it says it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    #[error(
        "the body does not begin with the prefix of a Kubernetes protobuf message (6b 38 73 00)"
    )]
    Prefix,
    #[error("the protobuf message of {0} is cut off or malformed: send it again, or send JSON")]
    Malformed(String),
    #[error("no kind \"{kind}\" in version \"{api_version}\" is read from protobuf: send JSON")]
    UnknownKind { api_version: String, kind: String },
    #[error("{kind} of {api_version} cannot be written as protobuf: {why}")]
    Unwritable {
        api_version: String,
        kind: String,
        why: String,
    },
    #[error("{field} is not {expected}")]
    Value {
        field: String,
        expected: &'static str,
    },
}

/// The object in a body made of the `k8s\0` prefix and a `runtime.Unknown`: a served kind, or the `DeleteOptions` of
/// a deletion, whose version may be that of any group.
pub fn decode(catalog: &Catalog, body: &[u8]) -> Result<Object, ProtobufError> {
    let body = body.strip_prefix(PREFIX).ok_or(ProtobufError::Prefix)?;
    let envelope =
        Envelope::read(body).ok_or_else(|| ProtobufError::Malformed("the envelope".into()))?;
    let Envelope {
        api_version,
        kind,
        raw,
    } = envelope;
    let unknown = || ProtobufError::UnknownKind {
        api_version: api_version.into(),
        kind: kind.into(),
    };
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let definition = match catalog.find_kind(group, version, kind) {
        Some(kind) => table::definition_of(&kind.definition),
        None if kind == "DeleteOptions" => table::definition("meta/DeleteOptions"),
        None => None,
    };
    let definition = definition.ok_or_else(unknown)?;
    let mut object = Map::new();
    object.insert("apiVersion".into(), api_version.into());
    object.insert("kind".into(), kind.into());
    message::read(definition, raw, &mut object)?;
    Ok(Object(object))
}
