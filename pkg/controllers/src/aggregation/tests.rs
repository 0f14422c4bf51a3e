use super::*;
use crate::fake::Fake;

const GROUP: &str = "rbac.authorization.k8s.io";

fn rule(verb: &str, resource: &str) -> Value {
    json!({"verbs": [verb], "apiGroups": [""], "resources": [resource]})
}

fn part(name: &str, of: &str, rules: &[Value]) -> Value {
    let label = format!("{GROUP}/aggregate-to-{of}");
    json!({"metadata": {"name": name, "labels": {label: "true"}}, "rules": rules})
}

fn whole(name: &str, of: &[&str], labels: Value) -> Value {
    let selectors: Vec<Value> = of
        .iter()
        .map(|of| json!({"matchLabels": {format!("{GROUP}/aggregate-to-{of}"): "true"}}))
        .collect();
    json!({
        "metadata": {"name": name, "labels": labels}, "rules": null,
        "aggregationRule": {"clusterRoleSelectors": selectors},
    })
}

fn rules(fake: &Fake, name: &str) -> Value {
    let role = fake.one(Resource::CLUSTERROLES, "", name).unwrap();
    role.0["rules"].clone()
}

#[tokio::test]
async fn wholes_are_made_of_parts_and_of_wholes() {
    let fake = Fake::new();
    let put = |value| fake.put(Resource::CLUSTERROLES, value);
    put(part(
        "b",
        "view",
        &[rule("get", "pods"), rule("get", "services")],
    ));
    put(part("a", "view", &[rule("get", "services")]));
    put(part("c", "edit", &[rule("update", "pods")]));
    put(part("d", "other", &[rule("delete", "nodes")]));
    put(whole("edit", &["edit"], json!({})));
    let as_part = json!({format!("{GROUP}/aggregate-to-edit"): "true"});
    put(whole("view", &["view"], as_part));
    let _running = fake.run(Aggregation::default);
    let writes = fake.settled().await;
    assert_eq!(
        writes,
        ["apply ClusterRole /edit", "apply ClusterRole /view"]
    );
    let (pods, services) = (rule("get", "pods"), rule("get", "services"));
    assert_eq!(rules(&fake, "view"), json!([services, pods]));
    assert_eq!(
        rules(&fake, "edit"),
        json!([rule("update", "pods"), services, pods])
    );

    // A part that comes, and one that goes; nothing is written that is there.
    put(part("e", "view", &[rule("get", "pods")]));
    assert!(fake.settled().await.is_empty());
    fake.remove(Resource::CLUSTERROLES, "", "b");
    assert!(fake.settled().await.is_empty());
    fake.remove(Resource::CLUSTERROLES, "", "e");
    assert_eq!(fake.settled().await.len(), 2);
    assert_eq!(rules(&fake, "view"), json!([services]));
}

#[tokio::test]
async fn roles_in_a_circle_come_to_rest() {
    let fake = Fake::new();
    let put = |value| fake.put(Resource::CLUSTERROLES, value);
    put(whole(
        "x",
        &["x"],
        json!({format!("{GROUP}/aggregate-to-y"): "true"}),
    ));
    put(whole(
        "y",
        &["y"],
        json!({format!("{GROUP}/aggregate-to-x"): "true"}),
    ));
    put(part("p", "x", &[rule("get", "pods")]));
    let _running = fake.run(Aggregation::default);
    assert_eq!(fake.settled().await.len(), 2);
    assert_eq!(rules(&fake, "y"), json!([rule("get", "pods")]));
    assert!(fake.settled().await.is_empty());
}

#[tokio::test]
async fn what_somebody_writes_into_a_whole_does_not_stay() {
    let fake = Fake::new();
    fake.put(
        Resource::CLUSTERROLES,
        part("a", "view", &[rule("get", "pods")]),
    );
    let mut view = whole("view", &["view"], json!({}));
    fake.put(Resource::CLUSTERROLES, view.clone());
    let _running = fake.run(Aggregation::default);
    fake.settled().await;
    view["rules"] = json!([rule("delete", "pods")]);
    fake.put(Resource::CLUSTERROLES, view);
    fake.settled().await;
    assert_eq!(rules(&fake, "view"), json!([rule("get", "pods")]));
}
