//! How often upstream tells what is wrong with metadata: a cause each time that it looks.

use rstest::rstest;
use serde_json::{Value, json};

use crate::common::{causes, world};

fn good(plural: &str) -> Value {
    let template = json!({
        "metadata": {"labels": {"app": "a"}},
        "spec": {"containers": [{"name": "c", "image": "i"}]},
    });
    let selector = json!({"matchLabels": {"app": "a"}});
    let mut object = match plural {
        "pods" => json!({"spec": template["spec"]}),
        "podtemplates" => json!({"template": template}),
        "services" => json!({"spec": {"ports": [{"port": 80}]}}),
        "deployments" | "replicasets" | "daemonsets" | "statefulsets" => {
            json!({"spec": {"selector": selector, "template": template}})
        }
        "jobs" => {
            let mut template = template;
            template["spec"]["restartPolicy"] = "Never".into();
            json!({"spec": {"template": template}})
        }
        "servicecidrs" => json!({"spec": {"cidrs": ["10.99.0.0/24"]}}),
        "controllerrevisions" => json!({"data": {}}),
        "endpointslices" => json!({"addressType": "IPv4", "endpoints": []}),
        "events" => json!({"involvedObject": {"namespace": "default"}}),
        "ingresses" => json!({"spec": {"rules": [{"host": "a"}]}}),
        "networkpolicies" => json!({"spec": {}}),
        "configmaps" => json!({"immutable": true, "data": {"a": "1"}}),
        "secrets" => json!({"immutable": true, "data": {"a": "MQ=="}}),
        "nodes" => json!({"spec": {"podCIDR": "10.42.0.0/24"}}),
        "runtimeclasses" => json!({"handler": "a"}),
        "storageclasses" => json!({"provisioner": "a"}),
        "ingressclasses" => json!({"spec": {"controller": "a/b"}}),
        "rolebindings" => json!({"roleRef": {"kind": "Role", "name": "r"}}),
        _ => json!({}),
    };
    object["metadata"] = json!({"name": "x"});
    object
}

#[rstest]
#[case("configmaps", 4)]
#[case("secrets", 4)]
#[case("serviceaccounts", 4)]
#[case("pods", 4)]
#[case("podtemplates", 3)]
#[case("services", 3)]
#[case("endpoints", 4)]
#[case("events", 2)]
#[case("leases", 3)]
#[case("endpointslices", 3)]
#[case("ingresses", 4)]
#[case("networkpolicies", 4)]
#[case("roles", 5)]
#[case("rolebindings", 5)]
#[case("deployments", 3)]
#[case("replicasets", 4)]
#[case("daemonsets", 4)]
#[case("statefulsets", 3)]
#[case("jobs", 4)]
#[case("servicecidrs", 3)]
#[case("controllerrevisions", 4)]
#[case("poddisruptionbudgets", 2)]
#[tokio::test]
async fn a_bad_label_of_a_change(#[case] plural: &str, #[case] looks: usize) {
    let world = world().await;
    world.create(plural, good(plural)).await.unwrap();
    let patch = json!({"metadata": {"labels": {"a": "b c"}}});
    let refused = world.merge(&world.target(plural, "x"), patch).await;
    assert_eq!(
        causes(refused.unwrap_err()),
        vec!["metadata.labels"; looks],
        "{plural}"
    );
}

/// `m` is the metadata.
#[rstest]
#[case("configmaps", json!({"data": {"a": "2", "b c": "3"}}), "m m m data m data[b c]")]
#[case("secrets", json!({"data": {"a": "Mg==", "b c": "Mw=="}}), "m m m data m data[b c]")]
#[case("pods", json!({"spec": {"hostname": "b c"}}), "m m m m spec.hostname spec")]
#[case("services", json!({"spec": {"clusterIP": "None", "ports": [{"port": 0}]}}), "m m m spec.clusterIPs[0] spec.ports[0].port spec.ports[0].targetPort")]
#[case("networkpolicies", json!({"spec": {"ingress": [{"ports": [{"port": 0}]}]}}), "m m m spec.ingress[0].ports[0].port m spec.ingress[0].ports[0].port")]
#[case("roles", json!({"rules": [{"apiGroups": [""], "resources": ["pods"]}]}), "m m m rules[0].verbs m rules[0].verbs m")]
#[case("rolebindings", json!({"roleRef": {"kind": "Robot"}}), "m m m roleRef.kind m roleRef.kind m roleRef")]
#[case("daemonsets", json!({"spec": {"minReadySeconds": -1}}), "m m m spec.minReadySeconds m spec.minReadySeconds")]
#[case("deployments", json!({"spec": {"minReadySeconds": -1}}), "m m m spec.minReadySeconds")]
#[case("jobs", json!({"spec": {"parallelism": -1}}), "m m m spec.parallelism m spec.parallelism")]
#[case("nodes", json!({"spec": {"podCIDR": "10.0.0.0/8", "taints": [{"key": "a", "effect": "b"}]}}), "m m m metadata.taints[0].effect m spec.podCIDRs metadata.taints[0].effect")]
#[case("runtimeclasses", json!({"handler": "a.b"}), "m m m handler m handler")]
#[case("storageclasses", json!({"provisioner": "a/b/c"}), "m m m provisioner m provisioner")]
#[case("ingressclasses", json!({"spec": {"controller": "a"}}), "m m m spec.controller m spec.controller")]
#[case("servicecidrs", json!({"spec": {"cidrs": ["10.98.0.0/24"]}}), "m m m spec.cidrs[0]")]
#[tokio::test]
async fn what_is_told_of_metadata_and_the_rest(
    #[case] plural: &str,
    #[case] patch: Value,
    #[case] order: &str,
) {
    let world = world().await;
    world.create(plural, good(plural)).await.unwrap();
    let mut patch = patch;
    patch["metadata"] = json!({"labels": {"a": "b c"}});
    let refused = world.merge(&world.target(plural, "x"), patch).await;
    let found = causes(refused.unwrap_err());
    let shown = found.iter().map(|field| match field.as_str() {
        "metadata.labels" => "m",
        field => field,
    });
    assert_eq!(Vec::from_iter(shown).join(" "), order, "{plural}");
}

#[tokio::test]
async fn the_message_tells_it_once() {
    let world = world().await;
    world
        .create("configmaps", good("configmaps"))
        .await
        .unwrap();
    let patch = json!({"metadata": {"labels": {"a": "b c"}}});
    let refused = world.merge(&world.target("configmaps", "x"), patch).await;
    let said = refused.unwrap_err().message;
    assert_eq!(said.matches("metadata.labels").count(), 1, "{said}");
}

#[tokio::test]
async fn finalizers_of_a_change() {
    let world = world().await;
    world
        .create("configmaps", good("configmaps"))
        .await
        .unwrap();
    let target = world.target("configmaps", "x");
    let put = |finalizers: Value| {
        let target = target.clone();
        let world = &world;
        async move {
            let patch = json!({"metadata": {"finalizers": finalizers}});
            causes(world.merge(&target, patch).await.unwrap_err())
        }
    };
    let (list, first) = ("metadata.finalizers", "metadata.finalizers[0]");
    assert_eq!(put(json!(["mine"])).await, [first, first]);
    assert_eq!(put(json!(["a/b/c"])).await, [list, list]);
    assert_eq!(put(json!(["a b"])).await, [list, first, list, first]);
}

#[tokio::test]
async fn what_the_server_gave() {
    let world = world().await;
    let made = world.create("configmaps", good("configmaps")).await;
    let (target, given) = (world.target("configmaps", "x"), made.unwrap());
    let refused = world
        .merge(&target, json!({"metadata": {"uid": "u"}}))
        .await;
    assert_eq!(causes(refused.unwrap_err()), ["metadata.uid"; 2]);
    let older = json!({"metadata": {"creationTimestamp": "2020-01-01T00:00:00Z"}});
    assert_eq!(world.merge(&target, older).await.unwrap(), given);
}

/// Their strategies say nothing of names, so that every name does which a path can hold.
#[rstest]
#[case("events")]
#[case("poddisruptionbudgets")]
#[tokio::test]
async fn odd_names(#[case] plural: &str) {
    let world = world().await;
    let named = |name: &str| {
        let mut object = good(plural);
        object["metadata"]["name"] = name.into();
        object
    };
    world.create(plural, named("Odd_Name")).await.unwrap();
    let refused = world.create(plural, named("a%b")).await.unwrap_err();
    assert_eq!(causes(refused), ["metadata.name"]);
}

#[tokio::test]
async fn what_every_kind_is_asked_comes_last() {
    let world = world().await;
    let mut budget = good("poddisruptionbudgets");
    budget["metadata"]["labels"] = json!({"a": "b c"});
    budget["spec"] = json!({"minAvailable": -1});
    let create = async |budget: &Value| {
        let made = world.create("poddisruptionbudgets", budget.clone()).await;
        causes(made.unwrap_err())
    };
    assert_eq!(create(&budget).await, ["spec.minAvailable"]);
    budget["spec"] = json!({"minAvailable": 1});
    assert_eq!(create(&budget).await, ["metadata.labels"]);
}
