//! What annotations say to the dataplane.

use jiff::Timestamp;
use serde::Deserialize;

use super::weight::Weight;

/// Annotations of Nodes and EndpointSlices, as far as they count.
#[derive(Debug, Clone, Deserialize, Default)]
pub struct Annotations {
    #[serde(rename = "kedge.io/weight")]
    weight: Option<String>,
    #[serde(rename = "endpoints.kubernetes.io/last-change-trigger-time")]
    trigger: Option<String>,
}

impl Annotations {
    /// The weight that is said.
    ///
    /// # Errors
    /// The text that means none.
    pub fn weight(&self) -> Result<Weight, &str> {
        match self.weight.as_deref() {
            None => Ok(Weight::FULL),
            Some(text) => Weight::parse(text).ok_or(text),
        }
    }

    /// When that happened which has changed endpoints, as whoever wrote the EndpointSlice says.
    pub fn trigger(&self) -> Option<Timestamp> {
        self.trigger.as_ref()?.parse().ok()
    }
}
