//! One object in its envelope.

use std::borrow::Cow;

use serde::Deserialize;

use super::ProtobufError;
use super::encode::message;
use super::envelope::around;
use super::plan::Plan;
use crate::{Kind, table};

/// What an object says of itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TypeMeta<'a> {
    #[serde(borrow, default)]
    api_version: Cow<'a, str>,
    #[serde(borrow, default)]
    kind: Cow<'a, str>,
}

/// A built-in object, given as its JSON, as a protobuf body. Its kind and version are those that it names.
///
/// # Errors
/// [`ProtobufError::UnknownKind`] for what has no message, [`ProtobufError::Unwritable`] for what is not as the kind has it.
pub fn encode(json: &[u8]) -> Result<Vec<u8>, ProtobufError> {
    let TypeMeta { api_version, kind } =
        serde_json::from_slice(json).map_err(|error| unwritable("?", "an object", &error))?;
    let plan = plan(&api_version, &kind).ok_or_else(|| unknown(&api_version, &kind))?;
    let mut raw = Vec::with_capacity(json.len());
    message(plan, json, &mut raw).map_err(|error| unwritable(&api_version, &kind, &error))?;
    let (mut body, tail) = around(&api_version, &kind, raw.len());
    body.reserve_exact(raw.len() + tail.len());
    body.extend_from_slice(&raw);
    body.extend_from_slice(tail);
    Ok(body)
}

/// Whether objects of the kind have a message: those of other projects, and custom ones, are JSON alone.
#[must_use]
pub fn has_message(kind: &Kind) -> bool {
    kind.custom.is_none() && plan(&kind.api_version(), &kind.kind).is_some()
}

/// The plan of a built-in kind: packages are named by the first word of the group, if that is one of Kubernetes' own.
pub(super) fn plan(api_version: &str, kind: &str) -> Option<&'static Plan> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    if (group, kind) == ("meta.k8s.io", "PartialObjectMetadata") {
        return Plan::partial();
    }
    let package = match group.split('.').next() {
        None | Some("") => "core",
        Some(package) => package,
    };
    let rest = group.strip_prefix(package).unwrap_or_default();
    if !matches!(rest, "" | ".k8s.io" | ".authorization.k8s.io") {
        return None;
    }
    let of = |package: &str| {
        let definition = table::definition(&format!("{package}/{kind}"))?;
        Plan::of(definition.name)
    };
    // `Status` is of version v1, as core kinds are.
    of(package).or_else(|| of("meta").filter(|_| package == "core"))
}

pub(super) fn unknown(api_version: &str, kind: &str) -> ProtobufError {
    ProtobufError::UnknownKind {
        api_version: api_version.into(),
        kind: kind.into(),
    }
}

pub(super) fn unwritable(
    api_version: &str,
    kind: &str,
    why: &impl std::string::ToString,
) -> ProtobufError {
    ProtobufError::Unwritable {
        api_version: api_version.into(),
        kind: kind.into(),
        why: why.to_string(),
    }
}
