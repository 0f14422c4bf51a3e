//! An EndpointSlice, as far as it matters where endpoints are.

use serde::Deserialize;

use super::{Meta, nullable};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct EndpointSlice {
    pub metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    pub endpoints: Vec<Endpoint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Endpoint {
    #[serde(deserialize_with = "nullable")]
    pub node_name: String,
    #[serde(deserialize_with = "nullable")]
    pub conditions: Conditions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Conditions {
    ready: Option<bool>,
    serving: Option<bool>,
}

impl Endpoint {
    /// Traffic is sent to it: it is ready, or it is going and still serves (KEP-1669).
    pub(crate) fn can_serve(&self) -> bool {
        let Conditions { ready, serving } = self.conditions;
        ready.unwrap_or(true) || serving.unwrap_or(false)
    }
}
