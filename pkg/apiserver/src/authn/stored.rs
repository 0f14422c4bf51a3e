//! What authentication reads of objects: only what it needs, at each request anew.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kedge_machinery::Status;
use kedge_registry::Registry;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An object, as far as whether it still is the one that was meant.
#[derive(Debug, Deserialize)]
pub(super) struct Stored {
    pub metadata: Meta,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub uid: String,
    pub deletion_timestamp: Option<Timestamp>,
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

/// A Secret.
#[derive(Debug, Deserialize)]
pub(super) struct Secret {
    pub metadata: Meta,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    data: BTreeMap<String, String>,
}

impl Secret {
    /// A value, decoded; empty when there is none.
    pub(super) fn value(&self, key: &str) -> Vec<u8> {
        self.data
            .get(key)
            .and_then(|text| STANDARD.decode(text).ok())
            .unwrap_or_default()
    }

    /// A value that is text; empty when there is none.
    pub(super) fn text(&self, key: &str) -> String {
        String::from_utf8(self.value(key)).unwrap_or_default()
    }
}

/// An object of the core group; 404 as a client would be told.
pub(super) fn find<T: DeserializeOwned>(
    registry: &Registry,
    plural: &str,
    namespace: &str,
    name: &str,
) -> Result<T, Status> {
    let entry = registry
        .entry("", plural, namespace, name)
        .ok_or_else(|| Status::not_found("", plural, name))?;
    serde_json::from_slice(&entry.value()).map_err(|error| Status::internal(error.to_string()))
}
