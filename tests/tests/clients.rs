//! Clients that people use besides kubectl, each as a program of its users would use it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use kedge_tests::site::{Site, service};
use kedge_tests::skip::skip;
use kedge_tests::tool::run;
use serde_json::json;

/// What `scripts/test` found or fetched; a test without it is skipped aloud.
fn found(test: &str, variable: &str) -> Option<PathBuf> {
    let path = std::env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        let why = format!("${variable} is not set: scripts/test fetches what it names");
        skip(test, &why);
    }
    path
}

fn program(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("clients")
        .join(path)
}

/// A command on the site's node, as the administrator.
fn command(site: &Site, name: &PathBuf) -> Command {
    let mut command = site.lab.node.command(name);
    command
        .env("KUBECONFIG", site.server().kubeconfig())
        .env("HOME", site.lab.data());
    command
}

#[test]
fn the_python_client() {
    let Some(python) = found("the_python_client", "KEDGE_PYTHON") else {
        return;
    };
    let site = Site::new().unwrap();
    let mut command = command(&site, &python);
    let said = run(command.arg(program("python/api.py"))).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        said.lines().filter(|l| l.starts_with("ok ")).count(),
        10,
        "{said}"
    );
}

#[test]
fn the_javascript_client() {
    let Some(modules) = found("the_javascript_client", "KEDGE_NODE_CLIENT") else {
        return;
    };
    let site = Site::new().unwrap();
    let mut command = command(&site, &"node".into());
    command
        .env("KEDGE_NODE_CLIENT", modules)
        .arg(program("node/api.mjs"));
    let said = run(&mut command).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(
        said.lines().filter(|l| l.starts_with("ok ")).count(),
        4,
        "{said}"
    );
}

/// An operator that runs until it is dropped.
struct Operator(Child);

impl Operator {
    fn start(site: &Site, python: &PathBuf) -> Self {
        let mut command = command(site, python);
        command
            .args([
                "-m",
                "kopf",
                "run",
                "--standalone",
                "--namespace=default",
                "--verbose",
            ])
            .arg(program("python/service_facts.py"))
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let ready = log.by_ref().map_while(Result::ok).any(|line| {
            line.contains("Starting the watch-stream") || line.contains("watch-stream for services")
        });
        assert!(ready, "the operator does not follow Services");
        // Read on, so that it can write on.
        std::thread::spawn(move || log.map_while(Result::ok).for_each(drop));
        Self(child)
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_operator_made_with_kopf() {
    const NAME: &str = "an_operator_made_with_kopf";
    let Some(python) = found(NAME, "KEDGE_PYTHON") else {
        return;
    };
    if kedge_tests::kubectl::find().is_none() {
        return skip(NAME, "there is no kubectl on the PATH nor in $KUBECTL");
    }
    let mut site = Site::new().unwrap();
    let operator = Operator::start(&site, &python);
    let wanted = |name: &str, port: u16| {
        let mut wanted = service(name, json!({"ports": [{"port": port}]}));
        wanted["metadata"]["labels"] = json!({"operated": "yes"});
        wanted
    };
    let port_is = |site: &Site, name: &str, port: &str| {
        let facts = format!("{name}-facts");
        let right = |map: &serde_json::Value| map["data"]["port"] == port;
        site.until(&["configmap", &facts], right)
            .unwrap_or_else(|e| panic!("{e}"));
    };
    site.apply(&[wanted("web", 80)]).unwrap();
    port_is(&site, "web", "80");
    site.until(&["service", "web"], |web| {
        web["metadata"]["finalizers"] == json!(["example.com/facts"])
    })
    .unwrap();
    // A power cut of the server: the operator goes on where it was.
    site.kill();
    site.start().unwrap();
    site.apply(&[wanted("web", 81), wanted("late", 90)])
        .unwrap();
    port_is(&site, "web", "81");
    port_is(&site, "late", "90");
    site.kedge(&["delete", "service", "web"]).unwrap();
    let kubectl = site.kubectl().unwrap();
    let gone = [
        "wait",
        "--for=delete",
        "configmap/web-facts",
        "--timeout=30s",
    ];
    kubectl.run(&gone).unwrap_or_else(|e| panic!("{e}"));
    port_is(&site, "late", "90");
    site.until(&["events"], |event| {
        event["reason"] == "Recorded" && event["involvedObject"]["name"] == "web"
    })
    .unwrap();
    drop(operator);
}

const CHART: &str = "apiVersion: v2\nname: web\nversion: 0.1.0\nappVersion: '1'\n";
const VALUES: &str = "port: 80\nreplicas: 1\ngreeting: hello\n";
const TEMPLATES: &str = r#"
apiVersion: v1
kind: Service
metadata:
  name: {{ .Release.Name }}
  labels: {app: {{ .Release.Name }}}
spec:
  type: LoadBalancer
  selector: {app: {{ .Release.Name }}}
  ports:
  - {name: http, port: {{ .Values.port }}, targetPort: 8080}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-config}
data:
  greeting: {{ .Values.greeting | quote }}
  before: {{ (lookup "v1" "Service" .Release.Namespace "kubernetes").spec.clusterIP | default "none" | quote }}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-secret}
stringData: {password: geheim}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {{ .Release.Name }}}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: {{ .Release.Name }}}}
  template:
    metadata: {labels: {app: {{ .Release.Name }}}}
    spec:
      containers:
      - {name: web, image: "web:1", ports: [{containerPort: 8080}]}
"#;

#[test]
fn a_chart_of_helm() {
    let Some(helm) = found("a_chart_of_helm", "KEDGE_HELM") else {
        return;
    };
    let site = Site::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let chart = folder.path().join("web");
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), CHART).unwrap();
    std::fs::write(chart.join("values.yaml"), VALUES).unwrap();
    std::fs::write(chart.join("templates/all.yaml"), TEMPLATES).unwrap();
    let chart = chart.to_str().unwrap();
    let helm = |words: &[&str]| run(command(&site, &helm).args(words));
    let ok = |words: &[&str]| helm(words).unwrap_or_else(|e| panic!("{e}"));
    let port = |port: u16| {
        site.until(&["service", "web"], |web| {
            web["spec"]["ports"][0]["port"] == port
        })
        .unwrap()
    };

    let tried = ok(&["install", "web", chart, "--dry-run=server"]);
    assert!(tried.contains("before: \"10.43.0.1\""), "{tried}");
    assert!(ok(&["install", "web", chart]).contains("STATUS: deployed"));
    let address = port(80)["spec"]["clusterIP"].clone();
    let listed: serde_json::Value = serde_json::from_str(&ok(&["list", "-o", "json"])).unwrap();
    assert_eq!(listed[0]["name"], "web");
    assert_eq!(listed[0]["status"], "deployed");
    let secrets = site
        .until(&["secret", "sh.helm.release.v1.web.v1"], |s| {
            s["type"] == "helm.sh/release.v1"
        })
        .unwrap();
    assert_eq!(secrets["metadata"]["labels"]["owner"], "helm");

    ok(&["upgrade", "web", chart, "--set", "port=81,replicas=3"]);
    assert_eq!(port(81)["spec"]["clusterIP"], address);
    site.until(&["deployment", "web"], |web| web["spec"]["replicas"] == 3)
        .unwrap();
    let wrong = helm(&[
        "upgrade",
        "web",
        chart,
        "--set",
        "port=99999",
        "--rollback-on-failure",
        "--timeout=20s",
    ]);
    assert!(
        wrong
            .unwrap_err()
            .to_string()
            .contains("spec.ports[0].port")
    );
    port(81);
    ok(&["rollback", "web", "1"]);
    port(80);
    let history: serde_json::Value =
        serde_json::from_str(&ok(&["history", "web", "-o", "json"])).unwrap();
    let history = history.as_array().unwrap();
    assert!(history.len() >= 3, "{history:?}");
    assert_eq!(history.last().unwrap()["status"], "deployed");
    assert!(ok(&["get", "manifest", "web"]).contains("kind: Deployment"));
    ok(&[
        "upgrade",
        "web",
        chart,
        "--server-side=false",
        "--set",
        "greeting=bye",
    ]);
    site.until(&["configmap", "web-config"], |map| {
        map["data"]["greeting"] == "bye"
    })
    .unwrap();
    assert!(ok(&["uninstall", "web", "--wait"]).contains("uninstalled"));
    assert_eq!(ok(&["list", "-q"]).trim(), "");
    assert!(site.kedge(&["get", "service", "web"]).is_err());
}
