//! The real kubectl, every verb that people use on Services.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kedge_tests::kubectl::Kubectl;
use kedge_tests::site::{Site, pods, service};
use kedge_tests::skip::skip;
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

const WEB: &str = "
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {tier: front}
spec:
  selector: {app: web}
  ports:
  - {name: http, port: 80, targetPort: 8080}
";

#[test]
fn a_cluster_as_kubectl_expects_it() {
    let Some(site) = site("a_cluster_as_kubectl_expects_it") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let namespaces = ok(&kubectl, &["get", "namespaces", "-o", "name"]);
    for name in ["default", "kube-system", "kube-public"] {
        assert!(
            namespaces.contains(&format!("namespace/{name}\n")),
            "{namespaces}"
        );
    }
    let nodes = ok(&kubectl, &["get", "nodes", "--no-headers"]);
    assert!(
        nodes.starts_with("node ") && nodes.contains(" Ready "),
        "{nodes}"
    );
    let services = ok(&kubectl, &["get", "services", "--no-headers"]);
    assert!(
        services.contains("kubernetes")
            && services.contains("10.43.0.1")
            && services.contains("443/TCP"),
        "{services}"
    );
    let slice = ok(
        &kubectl,
        &[
            "get",
            "endpointslices",
            "kubernetes",
            "-o",
            "jsonpath={.endpoints[0].addresses[0]}:{.ports[0].port}",
        ],
    );
    assert_eq!(slice, "192.168.50.10:6443");
    let resources = ok(&kubectl, &["api-resources"]);
    for line in [
        "services",
        "endpointslices",
        "configmaps",
        "nodes",
        "pods",
        "serviceaccounts",
    ] {
        assert!(resources.contains(line), "{resources}");
    }
    assert!(ok(&kubectl, &["version"]).contains("Server Version: v1."));
    assert!(ok(&kubectl, &["api-versions"]).contains("discovery.k8s.io/v1"));
    let explained = ok(&kubectl, &["explain", "service.spec.ports.nodePort"]);
    assert!(
        explained.contains("FIELD: nodePort <integer>"),
        "{explained}"
    );
    assert!(ok(&kubectl, &["explain", "endpointslice.endpoints.conditions"]).contains("ready"));
    // By the document of version 2, which kubectl reads in protobuf.
    let words = ["explain", "service.spec.ports.nodePort"];
    let explained = ok(
        &kubectl,
        &[&words[..], &["--output=plaintext-openapiv2"]].concat(),
    );
    assert!(
        explained.contains("FIELD:    nodePort <integer>"),
        "{explained}"
    );
}

#[test]
fn apply_diff_edit_patch_and_label() {
    let Some(site) = site("apply_diff_edit_patch_and_label") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let apply = |text: &str, flags: &[&str]| {
        let mut words = vec!["apply"];
        words.extend(flags);
        kubectl
            .with_input(&words, text)
            .unwrap_or_else(|e| panic!("{e}"))
    };
    assert_eq!(apply(WEB, &[]), "service/web created\n");
    assert_eq!(apply(WEB, &[]), "service/web unchanged\n");
    let changed = WEB
        .replace("port: 80,", "port: 81,")
        .replace("front", "back");
    let diff = kubectl
        .with_input(&["diff"], &changed)
        .unwrap_err()
        .to_string();
    assert!(
        diff.contains("-  - name: http") || diff.contains("port: 81"),
        "{diff}"
    );
    assert_eq!(
        apply(&changed, &["--dry-run=server"]),
        "service/web configured (server dry run)\n"
    );
    assert_eq!(apply(&changed, &[]), "service/web configured\n");
    let shown = ok(
        &kubectl,
        &[
            "get",
            "service",
            "web",
            "-o",
            "jsonpath={.spec.ports[*].port} {.metadata.labels.tier}",
        ],
    );
    assert_eq!(shown, "81 back");
    assert_eq!(
        apply(&changed, &["--server-side", "--force-conflicts"]),
        "service/web serverside-applied\n"
    );

    let conflict = kubectl.with_input(
        &["apply", "--server-side", "--field-manager=other"],
        "apiVersion: v1\nkind: Service\nmetadata: {name: web, labels: {tier: mine}}\n",
    );
    let conflict = conflict.unwrap_err().to_string();
    assert!(
        conflict.contains("conflict") && conflict.contains(".metadata.labels.tier"),
        "{conflict}"
    );

    ok(&kubectl, &["label", "service", "web", "site=one"]);
    ok(&kubectl, &["annotate", "service", "web", "note=two"]);
    ok(
        &kubectl,
        &[
            "patch",
            "service",
            "web",
            "-p",
            r#"{"spec":{"ports":[{"port":82,"name":"more"}]}}"#,
        ],
    );
    ok(
        &kubectl,
        &[
            "patch",
            "service",
            "web",
            "--type=merge",
            "-p",
            r#"{"metadata":{"labels":{"site":null}}}"#,
        ],
    );
    ok(
        &kubectl,
        &[
            "patch",
            "service",
            "web",
            "--type=json",
            "-p",
            r#"[{"op":"add","path":"/metadata/labels/json","value":"yes"}]"#,
        ],
    );
    let web: Value =
        serde_json::from_str(&ok(&kubectl, &["get", "service", "web", "-o", "json"])).unwrap();
    let ports: Vec<_> = web["spec"]["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["port"].as_u64().unwrap())
        .collect();
    assert!(
        ports.contains(&81) && ports.contains(&82),
        "strategic merge adds a port: {ports:?}"
    );
    assert_eq!(
        web["metadata"]["labels"],
        json!({"tier": "back", "json": "yes"})
    );

    let edited = kubectl
        .edit(&["service", "web"], "s/tier: back/tier: edited/")
        .unwrap();
    assert_eq!(edited, "service/web edited\n");
    assert_eq!(
        ok(
            &kubectl,
            &[
                "get",
                "service",
                "web",
                "-o",
                "jsonpath={.metadata.labels.tier}"
            ]
        ),
        "edited"
    );
    assert_eq!(
        ok(
            &kubectl,
            &["get", "services", "-l", "tier=edited", "-o", "name"]
        ),
        "service/web\n"
    );
    assert_eq!(
        ok(
            &kubectl,
            &[
                "get",
                "services",
                "--field-selector",
                "metadata.name=web",
                "-o",
                "name"
            ]
        ),
        "service/web\n"
    );
    // Later versions name the namespace too.
    let deleted = ok(&kubectl, &["delete", "service", "web"]);
    assert!(deleted.starts_with("service \"web\" deleted"), "{deleted}");
    let gone = kubectl
        .run(&["get", "service", "web"])
        .unwrap_err()
        .to_string();
    assert!(gone.contains("services \"web\" not found"), "{gone}");
}

#[test]
fn create_posts_protobuf_and_is_answered() {
    let Some(site) = site("create_posts_protobuf_and_is_answered") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    for (words, said) in [
        (
            vec!["create", "namespace", "shop"],
            "namespace/shop created\n",
        ),
        (
            vec![
                "create",
                "-n",
                "shop",
                "configmap",
                "settings",
                "--from-literal=a=1",
            ],
            "configmap/settings created\n",
        ),
        (
            vec![
                "create",
                "-n",
                "shop",
                "secret",
                "generic",
                "key",
                "--from-literal=k=v",
            ],
            "secret/key created\n",
        ),
        (
            vec!["create", "-n", "shop", "serviceaccount", "robot"],
            "serviceaccount/robot created\n",
        ),
        (
            vec![
                "create",
                "-n",
                "shop",
                "service",
                "clusterip",
                "c",
                "--tcp=80:8080",
            ],
            "service/c created\n",
        ),
        (
            vec![
                "create",
                "-n",
                "shop",
                "service",
                "nodeport",
                "n",
                "--tcp=80:8080",
                "--node-port=30123",
            ],
            "service/n created\n",
        ),
        (
            vec![
                "create",
                "-n",
                "shop",
                "service",
                "loadbalancer",
                "l",
                "--tcp=80:8080",
            ],
            "service/l created\n",
        ),
        (
            vec![
                "create",
                "-n",
                "shop",
                "service",
                "externalname",
                "e",
                "--external-name=example.com",
            ],
            "service/e created\n",
        ),
    ] {
        assert_eq!(ok(&kubectl, &words), said);
    }
    let secret = ok(
        &kubectl,
        &[
            "get",
            "-n",
            "shop",
            "secret",
            "key",
            "-o",
            "jsonpath={.data.k} {.type}",
        ],
    );
    assert_eq!(secret, "dg== Opaque");
    assert_eq!(
        ok(
            &kubectl,
            &[
                "get",
                "-n",
                "shop",
                "service",
                "n",
                "-o",
                "jsonpath={.spec.ports[0].nodePort}"
            ]
        ),
        "30123"
    );
    let table = ok(&kubectl, &["get", "-n", "shop", "services", "e"]);
    assert!(
        table.contains("ExternalName") && table.contains("example.com"),
        "{table}"
    );
    let twice = kubectl
        .run(&["create", "-n", "shop", "configmap", "settings"])
        .unwrap_err()
        .to_string();
    assert!(twice.contains("already exists"), "{twice}");
    ok(&kubectl, &["delete", "namespace", "shop"]);
    assert!(
        !ok(&kubectl, &["get", "configmaps", "-A"]).contains("settings"),
        "its objects went with the namespace"
    );
}

#[test]
fn describe_wait_watch_and_events() {
    let Some(site) = site("describe_wait_watch_and_events") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    site.apply(&pods()).unwrap();
    let spec = json!({"type": "LoadBalancer", "ipFamilyPolicy": "SingleStack"});
    site.apply(&[service("web", spec)]).unwrap();
    ok(
        &kubectl,
        &[
            "wait",
            "--for=jsonpath={.status.loadBalancer.ingress[0].ip}",
            "service/web",
            "--timeout=10s",
        ],
    );
    ok(
        &kubectl,
        &[
            "wait",
            "--for=condition=Ready",
            "pod/web-1",
            "--timeout=10s",
        ],
    );
    site.until_endpoints("web", "IPv4", 3).unwrap();
    let described = ok(&kubectl, &["describe", "service", "web"]);
    for line in [
        "LoadBalancer Ingress:",
        "10.42.0.11:8080",
        "Session Affinity:",
    ] {
        assert!(described.contains(line), "{described}");
    }
    assert!(ok(&kubectl, &["describe", "node", "node"]).contains("InternalIP"));
    assert!(ok(&kubectl, &["describe", "pod", "web-1"]).contains("10.42.0.11"));
    let waited = kubectl.run(&[
        "delete",
        "pod",
        "web-1",
        "--grace-period=1",
        "--timeout=10s",
    ]);
    assert!(
        waited.unwrap().contains("web-1"),
        "nothing but its grace holds a Pod"
    );
    let wide = ok(&kubectl, &["get", "services", "web", "-o", "wide"]);
    assert!(wide.contains("app=web"), "{wide}");
    ok(&kubectl, &["events"]);
    ok(&kubectl, &["get", "events", "-A"]);
    ok(&kubectl, &["get", "all"]);
}

#[test]
fn what_is_wrong_is_said_as_kubernetes_says_it() {
    let Some(site) = site("what_is_wrong_is_said_as_kubernetes_says_it") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let says = |text: &str| {
        kubectl
            .with_input(&["apply"], text)
            .unwrap_err()
            .to_string()
    };
    let bad_port = says(&WEB.replace("port: 80,", "port: 80000,"));
    assert!(
        bad_port.contains("spec.ports[0].port: Invalid value: 80000: must be between 1 and 65535"),
        "{bad_port}"
    );
    let unknown = says(&WEB.replace("selector:", "selektor:"));
    assert!(
        unknown.contains("unknown field \"spec.selektor\""),
        "{unknown}"
    );
    let taken = says(&WEB.replace("spec:", "spec:\n  clusterIP: 10.43.0.1"));
    assert!(
        taken.contains("provided IP is already allocated"),
        "{taken}"
    );
    let outside = says(
        &WEB.replace("port: 80,", "port: 80, nodePort: 99,")
            .replace("spec:", "spec:\n  type: NodePort"),
    );
    assert!(
        outside.contains("provided port is not in the valid range"),
        "{outside}"
    );
    let nowhere = says(&WEB.replace("name: web", "name: web\n  namespace: nowhere"));
    assert!(
        nowhere.contains("namespaces \"nowhere\" not found"),
        "{nowhere}"
    );
}

#[test]
fn ingresses_are_created_shown_and_refused() {
    let Some(site) = site("ingresses_are_created_shown_and_refused") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let say = |words: &str| ok(&kubectl, &words.split_whitespace().collect::<Vec<_>>());
    // Posted as protobuf.
    assert_eq!(
        say(
            "create ingress shop --class=edge --rule=shop.example.com/*=web:80,tls=shop-cert --default-backend=web:http"
        ),
        "ingress.networking.k8s.io/shop created\n"
    );
    let table = say("get ingress shop");
    let row: Vec<&str> = table
        .lines()
        .nth(1)
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    // The address is empty.
    assert_eq!(
        row[..5],
        ["shop", "edge", "shop.example.com", "80,", "443"],
        "{table}"
    );
    let described = say("describe ingress shop");
    for part in [
        "Ingress Class:    edge",
        "shop-cert terminates shop.example.com",
        "web:80",
        "web:http",
    ] {
        assert!(described.contains(part), "{part}: {described}");
    }
    let refused = kubectl
        .run(&[
            "patch",
            "ingress",
            "shop",
            "--type=json",
            "-p",
            r#"[{"op": "replace", "path": "/spec/rules/0/host", "value": "10.0.0.1"}]"#,
        ])
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("spec.rules[0].host: Invalid value")
            && refused.contains("must be a DNS name, not an IP address"),
        "{refused}"
    );
    let class = r#"{"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "edge"},
        "spec": {"controller": "example.com/edge", "parameters": {"kind": "Settings", "name": "s"}}}"#;
    kubectl.with_input(&["apply", "-f", "-"], class).unwrap();
    assert!(say("get ingressclass edge").contains("example.com/edge"));
    assert_eq!(
        say("get ingressclass edge -o jsonpath={.spec.parameters.scope}"),
        "Cluster"
    );
}
