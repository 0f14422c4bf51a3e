//! The approver against a server in memory.

use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::certificates::testing::{csr, pem};
use crate::fake::Fake;

const USAGES: &[&str] = &["client auth", "digital signature"];

fn asked(user: &str, groups: &[&str], signer: &str) -> Value {
    let mut csr = csr(
        signer,
        &pem("system:nodes", "system:node:a", false),
        USAGES,
        &[],
    );
    csr["spec"]["username"] = json!(user);
    csr["spec"]["groups"] = json!(groups);
    csr
}

/// Lets a group create a subresource of requests.
fn allow(fake: &Fake, subresource: &str, group: &str) {
    let rules = json!([{"apiGroups": ["certificates.k8s.io"], "resources": [format!("certificatesigningrequests/{subresource}")], "verbs": ["create"]}]);
    fake.put(
        Resource::CLUSTERROLES,
        json!({"metadata": {"name": subresource}, "rules": rules}),
    );
    fake.put(Resource::CLUSTERROLEBINDINGS, json!({
        "metadata": {"name": subresource},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": subresource},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group}],
    }));
}

fn conditions(fake: &Fake) -> Value {
    let csr = fake.one(CSRS, "", "x").unwrap();
    csr.at(&["status", "conditions"])
        .cloned()
        .unwrap_or_default()
}

#[rstest]
#[case("nodeclient", "system:bootstrappers", "system:bootstrap:abcdef", OTHER.1)]
#[case("selfnodeclient", "system:nodes", "system:node:a", SELF.1)]
#[tokio::test]
async fn a_node_that_may_is_approved(
    #[case] way: &str,
    #[case] group: &str,
    #[case] user: &str,
    #[case] message: &str,
) {
    let fake = Fake::new();
    fake.put(CSRS, asked(user, &[group], "kube-apiserver-client-kubelet"));
    let _running = fake.run(Approver::default);
    assert!(fake.settled().await.is_empty(), "nobody says that it may");
    allow(&fake, way, group);
    fake.until(|fake| conditions(fake)[0].is_object()).await;
    let found = &conditions(&fake)[0];
    assert_eq!(
        (&found["type"], &found["reason"], &found["message"]),
        (&json!("Approved"), &json!("AutoApproved"), &json!(message))
    );
    assert_eq!(fake.settled().await.len(), 1);
}

#[rstest]
#[case(asked("system:node:b", &["system:nodes"], "kube-apiserver-client-kubelet"))]
#[case(asked("system:node:a", &["system:nodes"], "kube-apiserver-client"))]
#[case(asked("system:node:a", &["people"], "kube-apiserver-client-kubelet"))]
#[tokio::test]
async fn everything_else_waits_for_a_person(#[case] csr: Value) {
    let fake = Fake::new();
    allow(&fake, "selfnodeclient", "system:nodes");
    fake.put(CSRS, csr);
    let _running = fake.run(Approver::default);
    assert!(fake.settled().await.is_empty());
}

#[tokio::test]
async fn what_is_no_nodes_request_waits_whoever_asks() {
    let fake = Fake::new();
    let mut odd = asked("root", &["system:masters"], "kube-apiserver-client-kubelet");
    odd["spec"]["usages"] = json!(["server auth"]);
    fake.put(CSRS, odd);
    let _running = fake.run(Approver::default);
    assert!(fake.settled().await.is_empty());
}
