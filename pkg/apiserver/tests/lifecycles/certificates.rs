//! A CertificateSigningRequest, by each of its three ways in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::Lab;
use crate::typed::{MERGE, Typed};

/// `O=people, CN=jo`, made once.
const REQUEST: &str = include_str!("request.pem");

fn condition(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "Tried", "message": "by a test"})
}

fn kinds(object: &Value) -> Vec<&str> {
    let conditions = object["status"]["conditions"].as_array().unwrap();
    let kinds = conditions
        .iter()
        .filter_map(|condition| condition["type"].as_str());
    kinds.collect()
}

#[tokio::test]
async fn a_request_is_approved_and_answered() {
    let lab = Lab::start().await;
    let requests = Typed::new(
        &lab.admin,
        "certificates.k8s.io/v1",
        "CertificateSigningRequest",
        "certificatesigningrequests",
    );
    let request = json!({
        "metadata": {"generateName": "tried-"},
        "spec": {
            "request": STANDARD.encode(REQUEST), "signerName": "example.com/tried", "expirationSeconds": 3600,
            "usages": ["digital signature", "key encipherment", "server auth"],
        },
    });
    for _ in 0..2 {
        requests.create(&request).await.unwrap();
    }
    let made = requests.create(&request).await.unwrap();
    let name = made["metadata"]["name"].as_str().unwrap();
    assert_eq!(requests.get(name).await.unwrap(), made);
    let by_signer = "fieldSelector=spec.signerName%3Dexample.com%2Ftried";
    let list = requests.list(by_signer).await.unwrap();
    assert_eq!(list["items"].as_array().unwrap().len(), 3);
    let from = list["metadata"]["resourceVersion"].as_str().unwrap();
    let query = format!("resourceVersion={from}&fieldSelector=metadata.name%3D{name}");
    let mut events = requests.watch(&query).await;

    let note = |key: &str| json!({"metadata": {"annotations": {key: "true"}}});
    let mut patched = requests.patch(name, MERGE, &note("patched")).await.unwrap();
    patched["metadata"]["annotations"]["updated"] = "true".into();
    requests.update(&patched, "").await.unwrap();
    for key in ["patched", "updated"] {
        let (event, object) = events.next().await;
        assert_eq!(event, "MODIFIED");
        assert_eq!(object["metadata"]["annotations"][key], "true");
    }

    let mut approval = note("patchedapproval");
    approval["status"] =
        json!({"conditions": [{"type": "ApprovalPatch", "status": "True", "reason": "tried"}]});
    let path = format!("{name}/approval");
    let mut approved = requests.patch(&path, MERGE, &approval).await.unwrap();
    assert_eq!(
        approved["metadata"]["annotations"]["patchedapproval"],
        "true"
    );
    let conditions = approved["status"]["conditions"].as_array_mut().unwrap();
    conditions.push(condition("Approved"));
    let approved = requests.update(&approved, "/approval").await.unwrap();
    assert_eq!(kinds(&approved), ["ApprovalPatch", "Approved"]);
    assert_eq!(requests.get(&path).await.unwrap(), approved);

    let certificate = STANDARD.encode(lab.authority.pem());
    let mut status = note("patchedstatus");
    status["status"] = json!({"certificate": certificate});
    let path = format!("{name}/status");
    let mut answered = requests.patch(&path, MERGE, &status).await.unwrap();
    assert_eq!(answered["status"]["certificate"], json!(certificate));
    assert_eq!(answered["metadata"]["annotations"]["patchedstatus"], "true");
    let conditions = answered["status"]["conditions"].as_array_mut().unwrap();
    conditions.push(condition("StatusUpdate"));
    let answered = requests.update(&answered, "/status").await.unwrap();
    assert_eq!(
        kinds(&answered),
        ["ApprovalPatch", "Approved", "StatusUpdate"]
    );

    requests.delete(name, json!({})).await.unwrap();
    assert_eq!(requests.names(by_signer).await.len(), 2);
    requests
        .delete_collection(by_signer, json!({}))
        .await
        .unwrap();
    assert!(requests.names(by_signer).await.is_empty());
}
