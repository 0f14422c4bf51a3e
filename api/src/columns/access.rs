//! Columns of `rbac.authorization.k8s.io` and `certificates.k8s.io`.

use kedge_machinery::Object;
use serde_json::Value;

use super::age::human_duration;
use super::{AGE, Column, NAME, field, list_at, text, text_at, wide};

pub(super) const BINDING: &[Column] = &[
    NAME,
    text("Role", "The role that is given."),
    AGE,
    wide("Users", "Users that it is given to."),
    wide("Groups", "Groups that it is given to."),
    wide("ServiceAccounts", "Service accounts that it is given to."),
];
pub(super) const CERTIFICATE_REQUEST: &[Column] = &[
    NAME,
    AGE,
    text("SignerName", "Who is to sign."),
    text("Requestor", "Who asked for it."),
    text(
        "RequestedDuration",
        "How long the certificate is to be good.",
    ),
    text("Condition", "What became of it."),
];

pub(super) fn binding(binding: &Object, age: Value) -> Vec<Value> {
    let subjects = |kind: &str| -> Value {
        let names: Vec<String> = list_at(binding, &["subjects"])
            .iter()
            .filter(|subject| field(subject, "kind") == kind)
            .map(|subject| match kind {
                "ServiceAccount" => {
                    format!("{}/{}", field(subject, "namespace"), field(subject, "name"))
                }
                _ => field(subject, "name").to_string(),
            })
            .collect();
        names.join(", ").into()
    };
    let role = binding.at(&["roleRef"]).unwrap_or(&Value::Null);
    vec![
        binding.name().into(),
        format!("{}/{}", field(role, "kind"), field(role, "name")).into(),
        age,
        subjects("User"),
        subjects("Group"),
        subjects("ServiceAccount"),
    ]
}

pub(super) fn certificate_request(request: &Object, age: Value) -> Vec<Value> {
    let seconds = request
        .at(&["spec", "expirationSeconds"])
        .and_then(Value::as_i64);
    let duration = seconds.map_or("<none>".to_string(), human_duration);
    vec![
        request.name().into(),
        age,
        text_at(request, &["spec", "signerName"]).into(),
        text_at(request, &["spec", "username"]).into(),
        duration.into(),
        condition(request).into(),
    ]
}

fn condition(request: &Object) -> String {
    let conditions = list_at(request, &["status", "conditions"]);
    let is = |name: &str| conditions.iter().any(|c| field(c, "type") == name);
    let decided = if is("Denied") {
        "Denied"
    } else if is("Approved") {
        "Approved"
    } else {
        "Pending"
    };
    let failed = if is("Failed") { ",Failed" } else { "" };
    let issued = match text_at(request, &["status", "certificate"]) {
        "" => "",
        _ => ",Issued",
    };
    format!("{decided}{failed}{issued}")
}

#[cfg(test)]
mod tests {
    use super::super::tests::row;
    use rstest::rstest;
    use serde_json::{Value, json};

    #[test]
    fn a_binding() {
        let cells = row(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "b", "creationTimestamp": "2026-01-01T00:06:40Z"},
            "roleRef": {"kind": "ClusterRole", "name": "view"},
            "subjects": [
                {"kind": "User", "name": "jo"}, {"kind": "User", "name": "al"}, {"kind": "Group", "name": "ops"},
                {"kind": "ServiceAccount", "name": "robot", "namespace": "ns"},
            ],
        }));
        assert_eq!(
            json!(cells),
            json!([
                "b",
                "ClusterRole/view",
                "3m20s",
                "jo, al",
                "ops",
                "ns/robot"
            ])
        );
    }

    #[rstest]
    #[case(json!({}), "Pending")]
    #[case(json!({"conditions": [{"type": "Approved"}]}), "Approved")]
    #[case(json!({"conditions": [{"type": "Approved"}], "certificate": "eA=="}), "Approved,Issued")]
    #[case(json!({"conditions": [{"type": "Approved"}, {"type": "Failed"}]}), "Approved,Failed")]
    #[case(json!({"conditions": [{"type": "Denied"}]}), "Denied")]
    fn a_certificate_request(#[case] status: Value, #[case] condition: &str) {
        let cells = row(json!({
            "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest",
            "metadata": {"name": "c", "creationTimestamp": "2026-01-01T00:06:40Z"}, "status": status,
            "spec": {"signerName": "kubernetes.io/kube-apiserver-client", "username": "jo", "expirationSeconds": 86400},
        }));
        assert_eq!(
            json!(cells),
            json!([
                "c",
                "3m20s",
                "kubernetes.io/kube-apiserver-client",
                "jo",
                "24h",
                condition
            ])
        );
    }
}
