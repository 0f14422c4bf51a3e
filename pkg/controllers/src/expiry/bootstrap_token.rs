//! Bootstrap tokens that have expired (upstream: `tokencleaner`, `pkg/controller/bootstrap`). They let nobody in any more.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kedge_client::{Json, Resource};
use serde::Deserialize;

use super::{End, Mortal};
use crate::view;

const NAMESPACE: &str = "kube-system";
const TYPE: &str = "bootstrap.kubernetes.io/token";

/// Secrets of bootstrap tokens.
pub(crate) struct BootstrapToken;

#[derive(Deserialize)]
struct View {
    metadata: Metadata,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default, deserialize_with = "view::nullable")]
    data: Data,
}

#[derive(Deserialize)]
struct Metadata {
    uid: String,
    namespace: String,
}

#[derive(Deserialize, Default)]
struct Data {
    /// Base64.
    expiration: Option<String>,
}

impl Mortal for BootstrapToken {
    const NAME: &'static str = "token-cleaner";
    const RESOURCE: Resource = Resource::SECRETS;

    fn end(&self, object: &Json) -> Option<End> {
        let secret = view::read::<View>(object)?;
        let ours = secret.kind == TYPE && secret.metadata.namespace == NAMESPACE;
        let expiration = secret
            .data
            .expiration
            .filter(|text| ours && !text.is_empty())?;
        Some(End {
            // What is no time is over, as upstream has it: such a token lets nobody in.
            at: time(&expiration).unwrap_or(Timestamp::MIN),
            uid: secret.metadata.uid,
        })
    }
}

fn time(expiration: &str) -> Option<Timestamp> {
    let text = STANDARD.decode(expiration).ok()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(TYPE, NAMESPACE, Some("2026-01-01T00:00:30Z"), Some("2026-01-01T00:00:30Z".parse().unwrap()))]
    #[case(TYPE, NAMESPACE, Some("2026-01-01T02:00:30+02:00"), Some("2026-01-01T00:00:30Z".parse().unwrap()))]
    #[case(TYPE, NAMESPACE, Some("soon"), Some(Timestamp::MIN))]
    #[case(TYPE, NAMESPACE, Some(""), None)]
    #[case(TYPE, NAMESPACE, None, None)]
    #[case(TYPE, "default", Some("2026-01-01T00:00:30Z"), None)]
    #[case("Opaque", NAMESPACE, Some("2026-01-01T00:00:30Z"), None)]
    fn tokens_end_when_they_say(
        #[case] kind: &str,
        #[case] namespace: &str,
        #[case] expiration: Option<&str>,
        #[case] at: Option<Timestamp>,
    ) {
        let data = expiration.map(|text| json!({"expiration": STANDARD.encode(text)}));
        let secret =
            json!({"metadata": {"namespace": namespace, "uid": "u"}, "type": kind, "data": data});
        let end = BootstrapToken.end(&secret.to_string().into());
        assert_eq!(end.map(|end| end.at), at);
    }
}
