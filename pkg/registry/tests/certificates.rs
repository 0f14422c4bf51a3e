//! CertificateSigningRequests, from the question to the answer.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{World, build_with, object, options, parse};
use kedge_machinery::Status;
use kedge_registry::admission::{
    Admission, CertificateApproval, CertificateSigning, CertificateSubjectRestriction,
};
use kedge_registry::{Target, User, WriteOptions};
use serde_json::{Value, json};

/// `O=people, O=system:masters, CN=jo`.
const MASTERS: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIeU1JR1pBZ0VBTURjeER6QU5CZ05WQkFvTUJuQmxiM0JzWlRFWE1CVUdBMVVFQ2d3T2MzbHpkR1Z0T20xaApjM1JsY25NeEN6QUpCZ05WQkFNTUFtcHZNRmt3RXdZSEtvWkl6ajBDQVFZSUtvWkl6ajBEQVFjRFFnQUVDQ0M4CkV5M0JPTkhxQmRTaHpSMjkvQmFITVJiL1k0Z1hWYWxiY2pGbDFGWEx4WVg0TXp5akw2VXRWbHBOblFjZEIyU3IKNUhpOTVtL0YvSXlPemtCNW9xQUFNQW9HQ0NxR1NNNDlCQU1DQTBnQU1FVUNJR0Y1YlNKTUhJQk1UcnJRSDJHdgp2K0J0eFE1RmRZLzV4RExaanZQd3cvMStBaUVBME15djNoMXU4REZ3OHdHTnBRSWtCbTBGSGhMQ09RVXFXeENTCmhXODgwUmc9Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=";
/// `O=people, CN=jo`.
const PEOPLE: &str = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWU1JR0FBZ0VBTUI0eER6QU5CZ05WQkFvTUJuQmxiM0JzWlRFTE1Ba0dBMVVFQXd3Q2FtOHdXVEFUQmdjcQpoa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVFJSUx3VExjRTQwZW9GMUtITkhiMzhGb2N4RnY5amlCZFZxVnR5Ck1XWFVWY3ZGaGZnelBLTXZwUzFXV2syZEJ4MEhaS3ZrZUwzbWI4WDhqSTdPUUhtaW9BQXdDZ1lJS29aSXpqMEUKQXdJRFJ3QXdSQUlnSStIK2wyK0NPcWREa0dzQ2s1SCtnQjVLRFh6NGNBKzVWQWcwWVY5N0ZsZ0NJRjRONHpBcAowT3FCcWliT0JzdElta2Y5dTlwLzZ3VVNSWmliM21BdytwaDIKLS0tLS1FTkQgQ0VSVElGSUNBVEUgUkVRVUVTVC0tLS0tCg==";

async fn world() -> World {
    let plugins: Vec<Box<dyn Admission>> = vec![
        Box::new(CertificateApproval),
        Box::new(CertificateSigning),
        Box::new(CertificateSubjectRestriction),
    ];
    build_with(&["10.43.0.0/28"], 100, plugins).await
}

fn by(name: &str) -> WriteOptions {
    WriteOptions {
        user: Some(Arc::new(User {
            name: name.into(),
            groups: vec!["people".into()],
            ..User::default()
        })),
        ..options()
    }
}

fn master() -> WriteOptions {
    let mut options = by("root");
    let master = User {
        groups: vec!["system:masters".into()],
        ..User::default()
    };
    options.user = Some(Arc::new(master));
    options
}

fn target(world: &World, name: &str) -> Target {
    let catalog = world.registry.catalog();
    let kind = catalog.find("certificates.k8s.io", "v1", "certificatesigningrequests");
    Target::new(Arc::clone(kind.unwrap()), "", name)
}

async fn ask(world: &World, request: &str, signer: &str) -> Result<Value, Status> {
    let csr = json!({
        "metadata": {"name": "system:jo"},
        "spec": {"request": request, "signerName": signer, "usages": ["client auth"], "username": "root"},
        "status": {"certificate": "eA=="},
    });
    let made = world
        .registry
        .create(&target(world, ""), object(csr), &by("jo"))
        .await?;
    Ok(parse(&made.value))
}

#[tokio::test]
async fn nobody_asks_for_everything() {
    let world = world().await;
    let refused = ask(&world, MASTERS, "kubernetes.io/kube-apiserver-client")
        .await
        .unwrap_err();
    let text = "use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed";
    assert!(
        refused.code == 403 && refused.message.ends_with(text),
        "{}",
        refused.message
    );
    ask(&world, MASTERS, "example.com/other").await.unwrap();
}

#[tokio::test]
async fn a_request_goes_its_way() {
    let world = world().await;
    let made = ask(&world, PEOPLE, "kubernetes.io/kube-apiserver-client")
        .await
        .unwrap();
    assert_eq!(
        (&made["spec"]["username"], &made["spec"]["groups"]),
        (&json!("jo"), &json!(["people"]))
    );
    assert_eq!(made["status"], json!({}));
    let fields = &made["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert!(
        fields.get("f:request").is_some() && fields.get("f:username").is_none(),
        "{fields}"
    );

    let named = target(&world, "system:jo");
    let mut changed = made.clone();
    changed["spec"]["usages"] = json!(["any"]);
    changed["status"] = json!({"conditions": [{"type": "Approved", "status": "True"}]});
    let same = world
        .registry
        .update(&named, object(changed.clone()), &by("jo"))
        .await
        .unwrap();
    assert_eq!(parse(&same.value)["spec"], made["spec"]);

    let status = named.clone().subresource("status");
    let refused = world
        .registry
        .update(&status, object(changed.clone()), &by("jo"))
        .await
        .unwrap_err();
    assert!(
        refused.code == 422 && refused.message.contains("may not add a condition"),
        "{}",
        refused.message
    );
    let approval = named.clone().subresource("approval");
    let approved = world
        .registry
        .update(&approval, object(changed), &master())
        .await
        .unwrap();
    let approved = parse(&approved.value);
    assert_eq!(approved["spec"], made["spec"]);
    let condition = &approved["status"]["conditions"][0];
    assert!(condition["lastUpdateTime"].is_string() && condition["lastTransitionTime"].is_string());
}

/// Allows `jo` a verb on a signer.
async fn allow(world: &World, verb: &str, signer: &str) {
    let role = json!({"metadata": {"name": verb}, "rules": [
        {"apiGroups": ["certificates.k8s.io"], "resources": ["signers"], "resourceNames": [signer], "verbs": [verb]}]});
    let binding = json!({"metadata": {"name": verb},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": verb},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jo"}]});
    for (plural, body) in [("clusterroles", role), ("clusterrolebindings", binding)] {
        let catalog = world.registry.catalog();
        let kind = catalog
            .find("rbac.authorization.k8s.io", "v1", plural)
            .unwrap();
        let target = Target::new(Arc::clone(kind), "", "");
        world
            .registry
            .create(&target, object(body), &options())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn who_decides_must_be_allowed_to_for_that_signer() {
    let world = world().await;
    let mut csr = ask(&world, PEOPLE, "example.com/signer").await.unwrap();
    let approval = target(&world, "system:jo").subresource("approval");
    let status = target(&world, "system:jo").subresource("status");
    csr["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("resourceVersion");
    csr["status"] = json!({"conditions": [{"type": "Approved", "status": "True"}]});
    let refused = world
        .registry
        .update(&approval, object(csr.clone()), &by("jo"))
        .await
        .unwrap_err();
    let text = "user not permitted to approve requests with signerName \"example.com/signer\"";
    assert!(
        refused.code == 403 && refused.message.ends_with(text),
        "{}",
        refused.message
    );
    allow(&world, "approve", "example.com/*").await;
    let approved = world
        .registry
        .update(&approval, object(csr.clone()), &by("jo"))
        .await
        .unwrap();
    csr["status"] = parse(&approved.value)["status"].clone();

    // A write that changes neither is not signing.
    world
        .registry
        .update(&status, object(csr.clone()), &by("jo"))
        .await
        .unwrap();
    let failed = json!({"type": "Failed", "status": "True"});
    csr["status"]["conditions"]
        .as_array_mut()
        .unwrap()
        .push(failed);
    let refused = world
        .registry
        .update(&status, object(csr.clone()), &by("jo"))
        .await
        .unwrap_err();
    let text = "user not permitted to sign requests with signerName \"example.com/signer\"";
    assert!(
        refused.code == 403 && refused.message.ends_with(text),
        "{}",
        refused.message
    );
    allow(&world, "sign", "example.com/signer").await;
    world
        .registry
        .update(&status, object(csr), &by("jo"))
        .await
        .unwrap();
}
