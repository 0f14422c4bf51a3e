//! The real kubectl with tokens and certificates instead of the administrator's.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kedge_tests::kubectl::Kubectl;
use kedge_tests::lab::Lab;
use kedge_tests::site::Site;
use kedge_tests::skip::skip;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use serde_json::{Value, json};

/// A site, or nothing where there is no kubectl.
fn site(test: &str) -> Option<Site> {
    if kedge_tests::kubectl::find().is_none() {
        skip(test, "there is no kubectl on the PATH nor in $KUBECTL");
        return None;
    }
    Some(Site::new().unwrap())
}

/// Runs kubectl and fails with its words.
fn ok(kubectl: &Kubectl<'_>, words: &[&str]) -> String {
    kubectl.run(words).unwrap_or_else(|e| panic!("{e}"))
}

/// Flags of somebody who is not the administrator.
fn stranger(site: &Site) -> Vec<String> {
    let authority = site.lab.data().join("pki/ca.crt");
    vec![
        "--kubeconfig=/dev/null".into(),
        "--server=https://127.0.0.1:6443".into(),
        format!("--certificate-authority={}", authority.display()),
    ]
}

/// kubectl as the bearer of a token: what it printed, and what it complained of.
fn bearer(site: &Site, token: &str, words: &[&str]) -> (bool, String) {
    let kubectl = site.kubectl().unwrap();
    let mut flags = stranger(site);
    flags.push(format!("--token={token}"));
    let mut all: Vec<&str> = flags.iter().map(String::as_str).collect();
    all.extend(words);
    let output = kubectl.finish(&all).unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(text).unwrap())
}

const UNAUTHORIZED: &str = "error: You must be logged in to the server (Unauthorized)";

#[test]
fn a_created_token_is_its_account() {
    let Some(site) = site("a_created_token_is_its_account") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let me = ok(&kubectl, &["auth", "whoami"]);
    assert!(
        me.contains("kubernetes-admin") && me.contains("X509SHA256="),
        "{me}"
    );
    ok(&kubectl, &["create", "serviceaccount", "robot"]);
    let token = ok(&kubectl, &["create", "token", "robot"]);
    let (good, me) = bearer(&site, token.trim(), &["auth", "whoami", "-o", "json"]);
    assert!(good, "{me}");
    let me: Value = serde_json::from_str(&me).unwrap();
    let user = &me["status"]["userInfo"];
    assert_eq!(user["username"], "system:serviceaccount:default:robot");
    let groups = json!([
        "system:serviceaccounts",
        "system:serviceaccounts:default",
        "system:authenticated"
    ]);
    assert_eq!(user["groups"], groups);

    let (good, refused) = bearer(&site, token.trim(), &["get", "services"]);
    let text = "User \"system:serviceaccount:default:robot\" cannot list resource \"services\" in API group \"\" in the namespace \"default\"";
    assert!(!good && refused.contains(text), "{refused}");
    let role = [
        "create",
        "role",
        "reader",
        "--verb=get,list",
        "--resource=services",
    ];
    ok(&kubectl, &role);
    let binding = [
        "create",
        "rolebinding",
        "robot",
        "--role=reader",
        "--serviceaccount=default:robot",
    ];
    ok(&kubectl, &binding);
    let (good, services) = bearer(&site, token.trim(), &["get", "services", "-o", "name"]);
    assert!(
        good && services.contains("service/kubernetes"),
        "{services}"
    );
    let (good, refused) = bearer(&site, token.trim(), &["get", "secrets"]);
    assert!(!good && refused.contains("Forbidden"), "{refused}");

    ok(&kubectl, &["delete", "serviceaccount", "robot"]);
    let (good, refused) = bearer(&site, token.trim(), &["auth", "whoami"]);
    assert!(!good && refused.contains(UNAUTHORIZED), "{refused}");
    let log = site.server().log();
    assert!(!log.contains(token.trim()), "the log holds a token");
}

#[test]
fn a_bound_token_goes_with_what_it_is_bound_to() {
    let Some(site) = site("a_bound_token_goes_with_what_it_is_bound_to") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    ok(&kubectl, &["create", "secret", "generic", "lock"]);
    let bound = [
        "create",
        "token",
        "default",
        "--duration=10m",
        "--bound-object-kind=Secret",
        "--bound-object-name=lock",
    ];
    let token = ok(&kubectl, &bound);
    assert!(bearer(&site, token.trim(), &["auth", "whoami"]).0);
    ok(&kubectl, &["delete", "secret", "lock"]);
    let (good, refused) = bearer(&site, token.trim(), &["auth", "whoami"]);
    assert!(!good && refused.contains(UNAUTHORIZED), "{refused}");
    let short = kubectl
        .run(&["create", "token", "default", "--duration=1m"])
        .unwrap_err()
        .to_string();
    assert!(
        short.contains("may not specify a duration less than 10 minutes"),
        "{short}"
    );
    let vault = ok(
        &kubectl,
        &["create", "token", "default", "--audience=vault"],
    );
    let (good, refused) = bearer(&site, vault.trim(), &["auth", "whoami"]);
    assert!(!good && refused.contains(UNAUTHORIZED), "{refused}");
}

#[test]
fn a_namespace_comes_with_its_account_and_pods_run_as_it() {
    if kedge_tests::kubectl::find().is_none() {
        let name = "a_namespace_comes_with_its_account_and_pods_run_as_it";
        return skip(name, "there is no kubectl on the PATH nor in $KUBECTL");
    }
    let on = ["--enable-admission-plugins", "ServiceAccount"];
    let site = Site::with(Lab::new().unwrap(), &on).unwrap();
    let kubectl = site.kubectl().unwrap();
    ok(&kubectl, &["create", "namespace", "shop"]);
    ok(&kubectl, &["run", "web", "--image=web", "-n", "shop"]);
    let pod: Value = serde_json::from_str(&ok(
        &kubectl,
        &["get", "pod", "web", "-n", "shop", "-o", "json"],
    ))
    .unwrap();
    assert_eq!(pod["spec"]["serviceAccountName"], "default");
    let mount = &pod["spec"]["containers"][0]["volumeMounts"][0];
    assert_eq!(
        mount["mountPath"],
        "/var/run/secrets/kubernetes.io/serviceaccount"
    );
    assert_eq!(mount["name"], pod["spec"]["volumes"][0]["name"]);
    let wait = ["configmap", "kube-root-ca.crt", "-n", "shop"];
    let found = site
        .until(&wait, |map| map["data"]["ca.crt"].is_string())
        .unwrap();
    let authority = std::fs::read_to_string(site.lab.data().join("pki/ca.crt")).unwrap();
    assert_eq!(found["data"]["ca.crt"], authority);
    site.until(&["serviceaccount", "default", "-n", "shop"], |account| {
        account["metadata"]["uid"].is_string()
    })
    .unwrap();

    let secret = "apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata:\n  name: old\n  namespace: shop\n  annotations: {kubernetes.io/service-account.name: default}\n";
    kubectl.with_input(&["create"], secret).unwrap();
    site.until(&["secret", "old", "-n", "shop"], |secret| {
        secret["data"]["token"].is_string()
    })
    .unwrap();
    let token = ok(
        &kubectl,
        &[
            "get",
            "secret",
            "old",
            "-n",
            "shop",
            "-o",
            "go-template={{.data.token | base64decode}}",
        ],
    );
    let (good, me) = bearer(&site, &token, &["auth", "whoami"]);
    assert!(
        good && me.contains("system:serviceaccount:shop:default"),
        "{me}"
    );
}

/// A request for a certificate, and its key.
fn request(name: &str) -> (String, String) {
    request_in("people", name)
}

fn request_in(organization: &str, name: &str) -> (String, String) {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::OrganizationName, organization);
    params.distinguished_name.push(DnType::CommonName, name);
    let key = KeyPair::generate().unwrap();
    (
        params.serialize_request(&key).unwrap().pem().unwrap(),
        key.serialize_pem(),
    )
}

fn csr(name: &str, pem: &str) -> String {
    use base64::Engine;
    let request = base64::engine::general_purpose::STANDARD.encode(pem);
    format!(
        "apiVersion: certificates.k8s.io/v1\nkind: CertificateSigningRequest\nmetadata: {{name: {name}}}\nspec:\n  request: {request}\n  signerName: kubernetes.io/kube-apiserver-client\n  usages: [client auth]\n  expirationSeconds: 3600\n"
    )
}

#[test]
fn an_approved_certificate_is_its_user() {
    let Some(site) = site("an_approved_certificate_is_its_user") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let (pem, key) = request("jo");
    kubectl.with_input(&["create"], &csr("jo", &pem)).unwrap();
    let list = ok(&kubectl, &["get", "csr", "jo", "--no-headers"]);
    assert!(
        list.contains("kubernetes-admin") && list.contains("Pending"),
        "{list}"
    );
    ok(&kubectl, &["certificate", "approve", "jo"]);
    let words = ["certificatesigningrequest", "jo"];
    site.until(&words, |csr| csr["status"]["certificate"].is_string())
        .unwrap();
    assert!(ok(&kubectl, &["get", "csr", "jo", "--no-headers"]).contains("Approved,Issued"));
    let certificate = ok(
        &kubectl,
        &[
            "get",
            "csr",
            "jo",
            "-o",
            "go-template={{.status.certificate | base64decode}}",
        ],
    );

    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("jo.crt"), certificate).unwrap();
    std::fs::write(path("jo.key"), key).unwrap();
    let mut flags = stranger(&site);
    flags.push(format!("--client-certificate={}", path("jo.crt")));
    flags.push(format!("--client-key={}", path("jo.key")));
    let mut words: Vec<&str> = flags.iter().map(String::as_str).collect();
    words.extend(["auth", "whoami"]);
    let me = ok(&kubectl, &words);
    assert!(
        me.contains("jo") && me.contains("[people system:authenticated]"),
        "{me}"
    );

    let (pem, _) = request("eve");
    kubectl.with_input(&["create"], &csr("eve", &pem)).unwrap();
    ok(&kubectl, &["certificate", "deny", "eve"]);
    assert!(ok(&kubectl, &["get", "csr", "eve", "--no-headers"]).contains("Denied"));
    let changed = kubectl
        .run(&["certificate", "approve", "eve"])
        .unwrap_err()
        .to_string();
    assert!(changed.contains("already Denied"), "{changed}");
}

#[test]
fn a_node_joins_with_a_bootstrap_token() {
    let Some(site) = site("a_node_joins_with_a_bootstrap_token") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let secret = "apiVersion: v1\nkind: Secret\ntype: bootstrap.kubernetes.io/token\nmetadata: {name: bootstrap-token-abcdef, namespace: kube-system}\nstringData: {token-id: abcdef, token-secret: 0123456789abcdef, usage-bootstrap-authentication: 'true'}\n";
    kubectl.with_input(&["create"], secret).unwrap();
    let bind = |name: &str, role: &str| {
        let role = format!("--clusterrole={role}");
        ok(
            &kubectl,
            &[
                "create",
                "clusterrolebinding",
                name,
                &role,
                "--group=system:bootstrappers",
            ],
        );
    };
    bind("bootstrap", "system:node-bootstrapper");
    let (pem, key) = request_in("system:nodes", "system:node:two");
    let manifest = csr("two", &pem)
        .replace("kube-apiserver-client", "kube-apiserver-client-kubelet")
        .replace("[client auth]", "[client auth, digital signature]");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("csr.yaml"), manifest).unwrap();
    let token = "abcdef.0123456789abcdef";
    let (good, text) = bearer(
        &site,
        token,
        &["create", "--validate=false", "-f", &path("csr.yaml")],
    );
    assert!(good, "{text}");
    let list = ok(&kubectl, &["get", "csr", "two", "--no-headers"]);
    assert!(
        list.contains("system:bootstrap:abcdef") && list.contains("Pending"),
        "{list}"
    );
    // From here on roles say that it may.
    bind(
        "approve",
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    );
    let signed = site
        .until(&["certificatesigningrequest", "two"], |csr| {
            csr["status"]["certificate"].is_string()
        })
        .unwrap();
    assert_eq!(signed["status"]["conditions"][0]["reason"], "AutoApproved");
    let certificate = ok(
        &kubectl,
        &[
            "get",
            "csr",
            "two",
            "-o",
            "go-template={{.status.certificate | base64decode}}",
        ],
    );
    std::fs::write(path("two.crt"), certificate).unwrap();
    std::fs::write(path("two.key"), key).unwrap();
    let mut flags = stranger(&site);
    flags.push(format!("--client-certificate={}", path("two.crt")));
    flags.push(format!("--client-key={}", path("two.key")));
    let mut words: Vec<&str> = flags.iter().map(String::as_str).collect();
    words.extend(["auth", "whoami"]);
    let me = ok(&kubectl, &words);
    assert!(
        me.contains("system:node:two") && me.contains("[system:nodes system:authenticated]"),
        "{me}"
    );
    ok(
        &kubectl,
        &[
            "delete",
            "secret",
            "bootstrap-token-abcdef",
            "-n",
            "kube-system",
        ],
    );
    let (good, refused) = bearer(&site, token, &["auth", "whoami"]);
    assert!(!good && refused.contains(UNAUTHORIZED), "{refused}");
}
