//! CertificateSigningRequests that nobody needs any more: nodes make one at each renewal, for ever (upstream: `csrcleaner`,
//! `pkg/controller/certificates/cleaner`).

use jiff::{SignedDuration, Timestamp};
use kedge_client::{Json, Resource};
use serde::Deserialize;

use super::{End, Mortal};
use crate::view;

/// After it was answered, denied, or could not be answered.
const DECIDED: SignedDuration = SignedDuration::from_hours(1);
/// After it was made, as long as nobody has decided, or nobody signs what was approved.
const PENDING: SignedDuration = SignedDuration::from_hours(24);

/// Requests for certificates.
pub(crate) struct CertificateRequest;

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(default, deserialize_with = "view::nullable")]
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    uid: String,
    creation_timestamp: Timestamp,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Status {
    #[serde(deserialize_with = "view::nullable")]
    conditions: Vec<Condition>,
    #[serde(deserialize_with = "view::nullable")]
    certificate: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    last_update_time: Option<Timestamp>,
}

impl Status {
    /// When the last word was said.
    fn decided(&self) -> Option<Timestamp> {
        let issued = !self.certificate.is_empty();
        let last_words = self.conditions.iter().filter(|condition| {
            matches!(condition.kind.as_str(), "Denied" | "Failed")
                || (issued && condition.kind == "Approved")
        });
        last_words
            .filter_map(|condition| condition.last_update_time)
            .min()
    }
}

impl Mortal for CertificateRequest {
    const NAME: &'static str = "certificate-cleaner";
    const RESOURCE: Resource = Resource::CERTIFICATESIGNINGREQUESTS;

    fn end(&self, object: &Json) -> Option<End> {
        let View { metadata, status } = view::read(object)?;
        let (from, life) = match status.decided() {
            Some(decided) => (decided, DECIDED),
            None => (metadata.creation_timestamp, PENDING),
        };
        Some(End {
            at: from.saturating_add(life).ok()?,
            uid: metadata.uid,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    #[rstest]
    #[case::nobody_decided(json!({}), "2026-01-02T00:00:00Z")]
    #[case::nobody_signs(json!({"conditions": [{"type": "Approved", "lastUpdateTime": "2026-01-01T06:00:00Z"}]}), "2026-01-02T00:00:00Z")]
    #[case::issued(json!({"certificate": "eA==", "conditions": [{"type": "Approved", "lastUpdateTime": "2026-01-01T06:00:00Z"}]}), "2026-01-01T07:00:00Z")]
    #[case::denied(json!({"conditions": [{"type": "Denied", "lastUpdateTime": "2026-01-01T06:00:00Z"}]}), "2026-01-01T07:00:00Z")]
    #[case::failed(
        json!({"conditions": [
            {"type": "Approved", "lastUpdateTime": "2026-01-01T06:00:00Z"},
            {"type": "Failed", "lastUpdateTime": "2026-01-01T06:00:01Z"},
        ]}),
        "2026-01-01T07:00:01Z"
    )]
    fn requests_end(#[case] status: Value, #[case] at: Timestamp) {
        let made = json!({"uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"});
        let csr = json!({"metadata": made, "status": status});
        let end = CertificateRequest.end(&csr.to_string().into());
        assert_eq!(
            end,
            Some(End {
                at,
                uid: "u".into()
            })
        );
    }
}
