//! When what changed endpoints happened, as whoever wrote the EndpointSlice says.

use jiff::Timestamp;
use kedge_client::{Change, Resource};
use serde::Deserialize;

use crate::family::Family;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    address_type: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    annotations: Option<Annotations>,
}

#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "endpoints.kubernetes.io/last-change-trigger-time")]
    trigger: Option<Timestamp>,
}

/// The times of a batch's EndpointSlices that say one, with their family.
pub fn times(changes: &[Change]) -> Vec<(Family, Timestamp)> {
    changes
        .iter()
        .filter(|change| change.key.resource == Resource::ENDPOINTSLICES)
        .filter_map(|change| time(change.object.as_ref()?))
        .collect()
}

fn time(json: &[u8]) -> Option<(Family, Timestamp)> {
    let view: View = serde_json::from_slice(json).ok()?;
    let family = match view.address_type.as_str() {
        "IPv4" => Family::V4,
        "IPv6" => Family::V6,
        _ => return None,
    };
    Some((family, view.metadata.annotations?.trigger?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_may_say_when() {
        let at = |text: &str| time(text.as_bytes());
        let slice = r#"{"addressType":"IPv6","metadata":{"annotations":{"a":"b",
            "endpoints.kubernetes.io/last-change-trigger-time":"2026-01-02T03:04:05Z"}}}"#;
        assert_eq!(
            at(slice),
            Some((Family::V6, "2026-01-02T03:04:05Z".parse().unwrap()))
        );
        assert_eq!(
            at(r#"{"addressType":"IPv4","metadata":{"annotations":{"a":"b"}}}"#),
            None
        );
        assert_eq!(at(r#"{"addressType":"IPv4","metadata":{}}"#), None);
    }
}
