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
#[case("roles", 4)]
#[case("rolebindings", 4)]
#[case("deployments", 3)]
#[case("replicasets", 4)]
#[case("daemonsets", 4)]
#[case("statefulsets", 3)]
#[case("jobs", 4)]
#[case("servicecidrs", 4)]
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
