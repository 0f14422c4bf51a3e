//! The signer against a server in memory.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kedge_pki::check_certificate;
use rstest::rstest;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Value, json};

use super::*;
use crate::certificates::testing::{csr, pem};
use crate::fake::{Fake, Running};

fn run(fake: &Fake) -> Running {
    let folder = tempfile::tempdir().unwrap();
    let authority = Arc::new(Authority::load_or_create(folder.path(), Timestamp::now()).unwrap());
    fake.run(move || Signer::new(Arc::clone(&authority)))
}

fn one(fake: &Fake) -> Value {
    fake.one(Resource::CERTIFICATESIGNINGREQUESTS, "", "x")
        .unwrap()
        .into_value()
}

const CLIENT: &[&str] = &["client auth", "digital signature"];

#[rstest]
#[case("kube-apiserver-client", pem("people", "jo", false), &["client auth"])]
#[case(
    "kube-apiserver-client-kubelet",
    pem("system:nodes", "system:node:a", false),
    CLIENT
)]
#[case("kubelet-serving", pem("system:nodes", "system:node:a", true), &["server auth", "digital signature"])]
#[tokio::test]
async fn what_is_approved_is_signed(
    #[case] signer: &str,
    #[case] pem: String,
    #[case] usages: &[&str],
) {
    let fake = Fake::new();
    let _running = run(&fake);
    let put = |conditions: &[&str]| {
        fake.put(
            Resource::CERTIFICATESIGNINGREQUESTS,
            csr(signer, &pem, usages, conditions),
        )
    };
    put(&[]);
    assert!(fake.settled().await.is_empty(), "nobody has approved it");
    put(&["Denied"]);
    assert!(fake.settled().await.is_empty(), "it was denied");
    put(&["Approved"]);
    fake.until(|fake| one(fake)["status"]["certificate"].is_string())
        .await;
    let text = STANDARD
        .decode(one(&fake)["status"]["certificate"].as_str().unwrap())
        .unwrap();
    let der = CertificateDer::from_pem_slice(&text).unwrap();
    check_certificate(&der).unwrap();
    assert_eq!(fake.settled().await.len(), 1, "signed once");
}

#[rstest]
#[case("kube-apiserver-client", pem("people", "jo", false), &["server auth"], "invalid usage for client certificate: server auth")]
#[case("kube-apiserver-client", pem("people", "jo", false), &["digital signature"], "missing required usage for client certificate: client auth")]
#[case(
    "kube-apiserver-client-kubelet",
    pem("people", "system:node:a", false),
    CLIENT,
    "subject organization is not system:nodes"
)]
#[case(
    "kube-apiserver-client-kubelet",
    pem("system:nodes", "jo", false),
    CLIENT,
    "subject common name does not begin with system:node:"
)]
#[case(
    "kube-apiserver-client-kubelet",
    pem("system:nodes", "system:node:a", true),
    CLIENT,
    "DNS subjectAltNames are not allowed"
)]
#[case("kube-apiserver-client-kubelet", pem("system:nodes", "system:node:a", false), &["client auth"], "usages did not match [client auth digital signature key encipherment]")]
#[case("kubelet-serving", pem("system:nodes", "system:node:a", false), &["server auth", "digital signature"], "DNS or IP subjectAltName is required")]
#[tokio::test]
async fn what_a_signer_does_not_take_fails(
    #[case] signer: &str,
    #[case] pem: String,
    #[case] usages: &[&str],
    #[case] why: &str,
) {
    let fake = Fake::new();
    let _running = run(&fake);
    fake.put(
        Resource::CERTIFICATESIGNINGREQUESTS,
        csr(signer, &pem, usages, &["Approved"]),
    );
    fake.until(|fake| one(fake)["status"]["conditions"][1].is_object())
        .await;
    let failed = &one(&fake)["status"]["conditions"][1];
    assert_eq!(
        (&failed["type"], &failed["message"]),
        (&json!("Failed"), &json!(why))
    );
    assert_eq!(fake.settled().await.len(), 1);
}

#[tokio::test]
async fn other_signers_are_others_business() {
    let fake = Fake::new();
    let _running = run(&fake);
    let mut other = csr(
        "x",
        &pem("people", "jo", false),
        &["client auth"],
        &["Approved"],
    );
    other["spec"]["signerName"] = json!("example.com/other");
    fake.put(Resource::CERTIFICATESIGNINGREQUESTS, other);
    assert!(fake.settled().await.is_empty());
}
