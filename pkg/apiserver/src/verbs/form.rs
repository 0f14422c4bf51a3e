//! Answers in the form that was negotiated: the object, its metadata alone, or a Table.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use jiff::Timestamp;
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_registry::table::table;
use kedge_registry::{MetaVersion, TableOptions};
use serde_json::{Map, Value};

use super::Ask;
use crate::answer::{Answer, Items, Reply};
use crate::members;
use crate::negotiate::{Form, Forms};
use crate::options;

/// What the verbs of an object can turn it into.
pub(super) const FORMS: Forms = Forms::All;

/// One object in the form that was negotiated.
pub(super) fn object(
    ask: &Ask<'_>,
    reply: Reply,
    code: StatusCode,
    json: Bytes,
) -> Result<Answer, Status> {
    match reply.media.form {
        Form::Itself => reply.object(code, json),
        Form::PartialMetadata(_) if reply.media.list => Err(no_list(&ask.target.kind)),
        Form::PartialMetadata(version) => {
            let mut partial = Vec::new();
            members::push_partial(&mut partial, &json, version);
            reply.object(code, partial.into())
        }
        Form::Table(version) => {
            let options = table_options(ask, version)?;
            let metadata = metadata_of(&json);
            let rows = std::iter::once(json.as_ref());
            reply.value(
                code,
                &table(&ask.target.kind, rows, metadata, options, true),
            )
        }
    }
}

/// The metadata of a table of one object: its resource version.
pub(super) fn metadata_of(json: &[u8]) -> Map<String, Value> {
    let member = |json, key: &[u8]| {
        members::members(json)
            .find(|member| member.key == key)
            .map(|member| member.value)
    };
    let version: Option<Value> = member(json, b"metadata")
        .and_then(|metadata| member(metadata, b"resourceVersion"))
        .and_then(|value| serde_json::from_slice(value).ok());
    version
        .map(|version| ("resourceVersion".to_string(), version))
        .into_iter()
        .collect()
}

/// What a list answers with, in the form that was negotiated.
pub(super) fn items(ask: &Ask<'_>, reply: Reply) -> Result<Items, Status> {
    Ok(match reply.media.form {
        Form::Itself => Items::Whole,
        Form::PartialMetadata(_) if !reply.media.list => return Err(a_list(&ask.target.kind)),
        Form::PartialMetadata(version) => Items::Partial(version),
        Form::Table(version) => Items::Rows {
            kind: Arc::clone(&ask.target.kind),
            options: table_options(ask, version)?,
        },
    })
}

/// 406 for the metadata of a list out of what is none.
fn no_list(kind: &Kind) -> Status {
    let found = go_type(kind, "");
    not_acceptable(format!(
        "you requested PartialObjectMetadataList, but the requested object is not a list ({found})"
    ))
}

/// 406 for the metadata of one object out of a list.
fn a_list(kind: &Kind) -> Status {
    let found = go_type(kind, "List");
    not_acceptable(format!(
        "you requested PartialObjectMetadata, but the requested object is a list ({found})"
    ))
}

fn not_acceptable(message: String) -> Status {
    Status::new(406, "NotAcceptable", message)
}

/// How upstream names what it found: by its Go type, whose package is the first word of the group.
fn go_type(kind: &Kind, suffix: &str) -> String {
    let package = match kind.group.split('.').next().unwrap_or_default() {
        "" | "events" => "core",
        package => package,
    };
    match kind.custom {
        Some(_) => format!("*unstructured.Unstructured{suffix}"),
        None => format!("*{package}.{}{suffix}", kind.kind),
    }
}

fn table_options(ask: &Ask<'_>, version: MetaVersion) -> Result<TableOptions, Status> {
    Ok(TableOptions {
        version,
        include: options::include_object(ask.query())?,
        now: Timestamp::now(),
    })
}
