//! Every verb on every kind that is served, as nobody, a user without roles, readers, an editor and a node: what is in
//! the table is allowed, and everything else is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;

use http::Method;
use kedge_api::Kind;
use kedge_client::http::HttpClient;
use serde_json::{Value, json};
use support::{Lab, json};

const RBAC: &str = "/apis/rbac.authorization.k8s.io/v1";

/// Where a request goes; the namespace `home` is the one that roles are given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Cluster,
    Home,
    Elsewhere,
}

impl Place {
    fn namespace(self) -> &'static str {
        match self {
            Self::Cluster => "",
            Self::Home => "home",
            Self::Elsewhere => "elsewhere",
        }
    }
}

/// Lines of `VERBS RESOURCES`, resources as `GROUP:plural`, as in a rule.
type Table = &'static str;

/// What everybody who showed a credential may.
const EVERYONE: Table = "
create authorization.k8s.io:selfsubjectaccessreviews,selfsubjectrulesreviews
create authentication.k8s.io:selfsubjectreviews
";

/// The role `view`.
const VIEW: Table = "
get,list,watch :configmaps,endpoints,events,namespaces,namespaces/status,pods,pods/status,serviceaccounts,services,services/status
get,list,watch events.k8s.io:events
get,list,watch discovery.k8s.io:endpointslices
get,list,watch apps:controllerrevisions,daemonsets,daemonsets/status,deployments,deployments/status,deployments/scale
get,list,watch apps:replicasets,replicasets/status,replicasets/scale,statefulsets,statefulsets/status,statefulsets/scale
get,list,watch batch:cronjobs,cronjobs/status,jobs,jobs/status
get,list,watch networking.k8s.io:ingresses,ingresses/status,networkpolicies
get,list,watch policy:poddisruptionbudgets,poddisruptionbudgets/status
";

/// What the role `edit` has beside it.
const EDIT: Table = "
get,list,watch :secrets
get,list,watch coordination.k8s.io:leases
create,update,patch,delete,deletecollection :configmaps,events,pods,secrets,serviceaccounts,services
create :pods/eviction,serviceaccounts/token
create,update,patch,delete,deletecollection events.k8s.io:events
create,update,patch,delete,deletecollection apps:daemonsets,deployments,deployments/scale,replicasets,replicasets/scale,statefulsets,statefulsets/scale
create,update,patch,delete,deletecollection batch:cronjobs,jobs
create,update,patch,delete,deletecollection networking.k8s.io:ingresses,networkpolicies
create,update,patch,delete,deletecollection policy:poddisruptionbudgets
create,update,patch,delete,deletecollection coordination.k8s.io:leases
";

/// A node without Pods, of objects that are not its own.
const NODE: Table = "
get,list,watch :services
get,list,watch discovery.k8s.io:endpointslices
get :endpoints
create,update,patch :nodes
update,patch :nodes/status
create,delete :pods
update,patch :pods/status
create,update,patch :events
create,update,patch events.k8s.io:events
create,get,list,watch certificates.k8s.io:certificatesigningrequests
create storage.k8s.io:csinodes
get,list,watch storage.k8s.io:csidrivers
get,list,watch node.k8s.io:runtimeclasses
create :pods/eviction
create authentication.k8s.io:tokenreviews
create authorization.k8s.io:subjectaccessreviews,localsubjectaccessreviews
";

struct Role {
    name: &'static str,
    client: HttpClient,
    /// Tables, and where they hold; `None` is everywhere.
    may: Vec<(Table, Option<Place>)>,
}

fn parse(table: Table) -> BTreeSet<(String, String)> {
    let lines = table.lines().filter_map(|line| line.split_once(' '));
    lines
        .flat_map(|(verbs, resources)| {
            let (group, plurals) = resources.split_once(':').unwrap();
            let plurals: Vec<String> = plurals.split(',').map(|p| format!("{group}:{p}")).collect();
            verbs.split(',').flat_map(move |verb| {
                let verb = verb.to_string();
                plurals.clone().into_iter().map(move |p| (verb.clone(), p))
            })
        })
        .collect()
}

impl Role {
    fn may(&self, verb: &str, resource: &str, place: Place) -> bool {
        let asked = (verb.to_string(), resource.to_string());
        self.may
            .iter()
            .any(|(table, at)| at.is_none_or(|at| at == place) && parse(table).contains(&asked))
    }
}

/// Gives the whole roles what the controller would give them, from what their parts hold.
async fn aggregate(lab: &Lab) {
    let mut rules: Vec<Value> = Vec::new();
    for (part, whole) in [("view", "view"), ("edit", "edit")] {
        let path = format!("{RBAC}/clusterroles/system:aggregate-to-{part}");
        let own = json(
            &lab.admin
                .request(Method::GET, &path, &[], "")
                .await
                .unwrap(),
        );
        rules.extend(own["rules"].as_array().unwrap().iter().cloned());
        let path = format!("{RBAC}/clusterroles/{whole}");
        let headers = [("content-type", "application/merge-patch+json")];
        let body = json!({"rules": rules}).to_string();
        let done = lab
            .admin
            .request(Method::PATCH, &path, &headers, body)
            .await;
        assert_eq!(done.unwrap().status, 200);
    }
}

async fn roles(lab: &Lab) -> Vec<Role> {
    let bind = |name: &str, role: &str| {
        json!({
            "metadata": {"name": name}, "roleRef": {"kind": "ClusterRole", "name": role},
            "subjects": [{"kind": "User", "name": name}],
        })
    };
    let local = format!("{RBAC}/namespaces/home/rolebindings");
    for (path, body) in [
        (
            "/api/v1/namespaces".into(),
            json!({"metadata": {"name": "home"}}),
        ),
        (
            "/api/v1/namespaces".into(),
            json!({"metadata": {"name": "elsewhere"}}),
        ),
        (local.clone(), bind("local-reader", "view")),
        (local, bind("editor", "edit")),
        (
            format!("{RBAC}/clusterrolebindings"),
            bind("reader", "view"),
        ),
    ] {
        let made = lab
            .admin
            .request(Method::POST, &path, &[], body.to_string())
            .await
            .unwrap();
        assert_eq!(made.status, 201, "{}", json(&made));
    }
    aggregate(lab).await;
    let role = |name: &'static str, more: &[(Table, Option<Place>)]| Role {
        name,
        client: lab.user(
            name,
            if name.starts_with("system:node:") {
                "system:nodes"
            } else {
                "people"
            },
        ),
        may: [&[(EVERYONE, None)], more].concat(),
    };
    vec![
        Role {
            name: "nobody",
            client: lab.nobody(None),
            may: Vec::new(),
        },
        role("user", &[]),
        role("reader", &[(VIEW, None)]),
        role("local-reader", &[(VIEW, Some(Place::Home))]),
        role(
            "editor",
            &[(VIEW, Some(Place::Home)), (EDIT, Some(Place::Home))],
        ),
        role("system:node:n1", &[(NODE, None)]),
    ]
}

/// Whether the verb passes authorization: what becomes of it then does not count here.
async fn passes(client: &HttpClient, verb: &str, path: &str) -> bool {
    let (method, query, body, kind) = match verb {
        "create" => (Method::POST, "", "{}", "application/json"),
        "update" => (Method::PUT, "", "{}", "application/json"),
        "patch" => (Method::PATCH, "", "{}", "application/merge-patch+json"),
        "delete" | "deletecollection" => (Method::DELETE, "", "", "application/json"),
        // No watch stays open for a revision that is none.
        "watch" => (
            Method::GET,
            "?watch=true&resourceVersion=none",
            "",
            "application/json",
        ),
        _ => (Method::GET, "?limit=1", "", "application/json"),
    };
    let headers = [("content-type", kind)];
    let answer = client
        .request(method, &format!("{path}{query}"), &headers, body)
        .await
        .unwrap();
    if answer.status != 403 {
        return true;
    }
    let text = json(&answer)["message"].as_str().unwrap().to_string();
    !text.contains(&format!("cannot {verb} resource"))
}

fn path(kind: &Kind, place: Place, verb: &str, subresource: &str) -> Option<String> {
    let base = if kind.group.is_empty() {
        format!("/api/{}", kind.version)
    } else {
        format!("/apis/{}/{}", kind.group, kind.version)
    };
    let is_namespace = kind.plural == "namespaces";
    let collection = matches!(verb, "list" | "watch" | "deletecollection")
        || (verb == "create" && subresource.is_empty());
    let base = match (kind.namespaced, place) {
        (true, Place::Cluster) if matches!(verb, "list" | "watch") => {
            format!("{base}/{}", kind.plural)
        }
        (true, Place::Cluster) => return None,
        (true, place) => format!("{base}/namespaces/{}/{}", place.namespace(), kind.plural),
        // A namespace is itself a place; its collection is the cluster's.
        (false, Place::Cluster) if !is_namespace || collection => format!("{base}/{}", kind.plural),
        (false, place) if is_namespace && !collection && place != Place::Cluster => {
            let path = format!("{base}/namespaces/{}", place.namespace());
            return Some(if subresource.is_empty() {
                path
            } else {
                format!("{path}/{subresource}")
            });
        }
        _ => return None,
    };
    Some(match (collection, subresource) {
        (true, _) => base,
        (false, "") => format!("{base}/x"),
        (false, subresource) => format!("{base}/x/{subresource}"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_table_holds_and_nothing_else() {
    let lab = Lab::start().await;
    let roles = roles(&lab).await;
    let (mut asked, mut allowed, mut wrong) = (0, 0, Vec::new());
    let catalog = lab.registry.catalog();
    for kind in catalog.kinds() {
        let own = kind.verbs.iter().map(|verb| (*verb, ""));
        let below = kind.subresources.iter();
        let below = below.flat_map(|s| s.verbs.iter().map(|verb| (*verb, s.name.as_str())));
        for (verb, subresource) in own.chain(below) {
            // Who deletes a namespace takes the next questions' place away.
            if kind.plural == "namespaces" && verb == "delete" {
                continue;
            }
            for place in [Place::Cluster, Place::Home, Place::Elsewhere] {
                let Some(path) = path(kind, place, verb, subresource) else {
                    continue;
                };
                let slash = if subresource.is_empty() { "" } else { "/" };
                let resource = format!("{}:{}{slash}{subresource}", kind.group, kind.plural);
                for role in &roles {
                    let expected = role.may(verb, &resource, place);
                    let found = passes(&role.client, verb, &path).await;
                    asked += 1;
                    allowed += usize::from(found);
                    if found != expected {
                        wrong.push(format!("{} {verb} {path}: {found}", role.name));
                    }
                }
            }
        }
    }
    println!("{asked} requests, {allowed} allowed");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(asked > 3000, "{asked}");
}
