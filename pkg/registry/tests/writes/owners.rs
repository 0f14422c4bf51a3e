//! Who owns what through all the ways in: the ideas of upstream's `test/integration/apiserver/apply`.

use kedge_machinery::Status;
use kedge_registry::{Patch, PatchKind, Target, WriteOptions, Written};
use serde_json::{Value, json};

use crate::common::{self, World, object, parse};

/// Writes in the name of managers.
struct Story {
    world: World,
    target: Target,
}

impl Story {
    async fn of(plural: &str) -> Self {
        let world = common::world().await;
        let target = world.target(plural, "x");
        Self { world, target }
    }

    fn named(&self, mut body: Value) -> Value {
        let kind = &self.target.kind;
        body["apiVersion"] = kind.api_version().into();
        body["kind"] = kind.kind.as_str().into();
        body["metadata"]["name"] = "x".into();
        body
    }

    async fn create(&self, manager: &str, body: Value) -> Result<Written, Status> {
        let target = Target {
            name: String::new(),
            ..self.target.clone()
        };
        let body = object(self.named(body));
        let options = by(manager);
        self.world.registry.create(&target, body, &options).await
    }

    async fn put(&self, manager: &str, body: Value) -> Result<Value, Status> {
        let body = object(self.named(body));
        let options = by(manager);
        let written = self.world.registry.update(&self.target, body, &options);
        Ok(parse(&written.await?.value))
    }

    async fn apply(&self, manager: &str, body: Value) -> Result<Value, Status> {
        self.patch(PatchKind::Apply, "", manager, self.named(body))
            .await
    }

    async fn merge(&self, manager: &str, body: Value) -> Value {
        self.patch(PatchKind::Merge, "", manager, body)
            .await
            .unwrap()
    }

    async fn patch(
        &self,
        kind: PatchKind,
        subresource: &str,
        manager: &str,
        body: Value,
    ) -> Result<Value, Status> {
        let target = self.target.clone().subresource(subresource);
        let body = body.to_string().into();
        let patch = Patch { kind, body };
        let options = by(manager);
        let written = self.world.registry.patch(&target, patch, &options).await?;
        Ok(parse(&written.value))
    }

    fn live(&self) -> Value {
        self.world.get(&self.target.kind.plural, "x").unwrap()
    }

    /// Each owner as `manager/operation/subresource fields`.
    fn owners(&self) -> Vec<String> {
        let live = self.live();
        let entries = live["metadata"]["managedFields"].as_array();
        let entry = |entry: &Value| {
            let text = |key: &str| entry[key].as_str().unwrap_or_default().to_string();
            let (manager, way) = (text("manager"), text("operation"));
            let fields = &entry["fieldsV1"];
            format!("{manager}/{way}/{} {fields}", text("subresource"))
        };
        entries.into_iter().flatten().map(entry).collect()
    }
}

fn by(manager: &str) -> WriteOptions {
    WriteOptions {
        field_manager: manager.into(),
        ..WriteOptions::default()
    }
}

fn labels(labels: Value) -> Value {
    json!({"metadata": {"labels": labels}})
}

fn pod() -> Value {
    json!({"spec": {"containers": [{"name": "c", "image": "i"}]}})
}

fn deployment(spec: Value, template: Value) -> Value {
    let mut made = json!({"metadata": {"labels": {"app": "n"}}, "spec": spec});
    made["spec"]["selector"] = json!({"matchLabels": {"app": "n"}});
    made["spec"]["template"] = json!({"metadata": {"labels": {"app": "n"}}, "spec": template});
    made
}

fn container() -> Value {
    json!({"containers": [{"name": "c", "image": "i"}]})
}

#[tokio::test]
async fn what_says_nothing_owns_nothing() {
    let story = Story::of("configmaps").await;
    story.apply("a", json!({})).await.unwrap();
    let unwritten = json!({"metadata": {"creationTimestamp": null, "resourceVersion": null}});
    let again = story.apply("a", unwritten).await.unwrap();
    assert_eq!(again, story.live());
    assert!(story.owners().is_empty());
}

#[tokio::test]
async fn an_object_with_a_uid_is_not_made() {
    let story = Story::of("configmaps").await;
    let refused = story.apply("a", json!({"metadata": {"uid": "u"}})).await;
    assert!(refused.unwrap_err().is_conflict());
}

#[tokio::test]
async fn every_way_in_can_forget_the_owners() {
    let whole = json!({"metadata": {"labels": {"l": "1"}}, "data": {"k": "v"}});
    let forgets = |entries: Value| json!({"metadata": {"managedFields": entries}});
    let replaces = json!([{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]);
    for (kind, body) in [
        (PatchKind::Merge, forgets(json!([{}]))),
        (PatchKind::Merge, forgets(json!([]))),
        (PatchKind::Strategic, forgets(json!([{}]))),
        (PatchKind::Json, replaces),
    ] {
        let story = Story::of("configmaps").await;
        story.apply("a", whole.clone()).await.unwrap();
        story.patch(kind, "", "u", body.clone()).await.unwrap();
        assert!(story.owners().is_empty(), "{body}");
        assert_eq!(story.live()["metadata"]["labels"], json!({"l": "1"}));
    }
    for entries in [json!([{}]), json!([])] {
        let story = Story::of("configmaps").await;
        story.apply("a", whole.clone()).await.unwrap();
        let mut body = whole.clone();
        body["metadata"]["managedFields"] = entries;
        story.put("u", body).await.unwrap();
        story.merge("u", labels(json!({"l": "2"}))).await;
        assert!(story.owners().is_empty());
    }
}

#[tokio::test]
async fn owners_that_cannot_be_read_refuse_nothing() {
    let mut body = json!({"metadata": {"labels": {"l": "1"}}, "data": {"k": "v"}});
    body["metadata"]["managedFields"] = json!([{
        "manager": "a", "operation": "Apply", "apiVersion": "v1", "time": "2019-07-08T09:31:18Z", "fieldsType": "",
        "fieldsV1": {},
    }]);
    let story = Story::of("configmaps").await;
    story.create("a", body.clone()).await.unwrap();
    story.put("a", body.clone()).await.unwrap();
    let entries = body["metadata"]["managedFields"].clone();
    let replaces = json!([{"op": "replace", "path": "/metadata/managedFields", "value": entries}]);
    let patched = story.patch(PatchKind::Json, "", "a", replaces).await;
    assert!(patched.is_ok());
}

#[tokio::test]
async fn owners_renamed_to_one_are_one() {
    let rename = |live: Value| {
        let mut live = live;
        for entry in live["metadata"]["managedFields"].as_array_mut().unwrap() {
            entry["manager"] = "one".into();
        }
        live
    };
    let last = r#"{"f:metadata":{"f:labels":{"f:b":{}}}}"#;

    let story = Story::of("pods").await;
    let mut first = pod();
    first["metadata"] = json!({"labels": {"a": "1"}});
    story.apply("m", first).await.unwrap();
    let second = labels(json!({"b": "2"}));
    story.apply("n", second.clone()).await.unwrap();
    story.put("u", rename(story.live())).await.unwrap();
    assert_eq!(story.owners(), [format!("one/Apply/ {last}")]);

    let story = Story::of("pods").await;
    story.apply("first", pod()).await.unwrap();
    story.merge("m", labels(json!({"a": "1"}))).await;
    story.merge("n", second).await;
    story.put("u", rename(story.live())).await.unwrap();
    let owners = story.owners();
    assert_eq!(owners.len(), 2, "{owners:?}");
    assert_eq!(owners[1], format!("one/Update/ {last}"));
}

/// Of other kinds, a new object has none that a client gives it.
#[tokio::test]
async fn a_node_is_made_with_its_status_which_nobody_owns() {
    let made = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "x"}, "status": {"phase": "Running"}});
    let mut story = Story::of("pods").await;
    story.target = story.world.cluster_target("nodes", "x");
    let node = story.patch(PatchKind::Apply, "", "one", made.clone()).await;
    assert_eq!(node.unwrap()["status"]["phase"], "Running");
    let mut other = made;
    other["status"]["phase"] = json!("Pending");
    let node = story.patch(PatchKind::Apply, "", "one", other).await;
    assert_eq!(node.unwrap()["status"]["phase"], "Running");
    let owners = story.owners();
    assert!(
        !owners.iter().any(|owner| owner.contains("f:status")),
        "{owners:?}"
    );
}

#[tokio::test]
async fn owners_of_a_subresource_are_others_until_it_is_forgotten() {
    let forget = |mut live: Value| {
        for entry in live["metadata"]["managedFields"].as_array_mut().unwrap() {
            entry.as_object_mut().unwrap().remove("subresource");
        }
        live
    };

    let story = Story::of("pods").await;
    story.apply("first", pod()).await.unwrap();
    story.apply("l", labels(json!({"a": "1"}))).await.unwrap();
    let status = story.named(labels(json!({"b": "2"})));
    let applied = story.patch(PatchKind::Apply, "status", "l", status).await;
    assert_eq!(
        applied.unwrap()["metadata"]["labels"],
        json!({"a": "1", "b": "2"})
    );
    let of_b = r#"{"f:metadata":{"f:labels":{"f:b":{}}}}"#;
    let of_a = r#"{"f:metadata":{"f:labels":{"f:a":{}}}}"#;
    let want = [format!("l/Apply/ {of_a}"), format!("l/Apply/status {of_b}")];
    assert_eq!(story.owners()[1..], want);
    story.put("u", forget(story.live())).await.unwrap();
    assert_eq!(story.owners()[1..], [format!("l/Apply/ {of_b}")]);

    let story = Story::of("pods").await;
    story.apply("first", pod()).await.unwrap();
    story.merge("m", labels(json!({"a": "2"}))).await;
    let running = json!({"status": {"phase": "Running"}});
    let running = story.patch(PatchKind::Merge, "status", "m", running).await;
    assert_eq!(running.unwrap()["status"]["phase"], "Running");
    let of_phase = r#"{"f:status":{"f:phase":{}}}"#;
    let owners = story.owners();
    assert_eq!(owners.len(), 3, "{owners:?}");
    assert_eq!(owners[2], format!("m/Update/status {of_phase}"));
    story.put("u", forget(story.live())).await.unwrap();
    assert_eq!(story.owners()[1..], [format!("m/Update/ {of_phase}")]);
}

#[tokio::test]
async fn a_scale_is_owned_through_its_subresource() {
    let story = Story::of("deployments").await;
    let three = deployment(json!({"replicas": 3}), container());
    story.apply("m", three).await.unwrap();
    let more = json!({"spec": {"replicas": 32}});
    let scaled = story.patch(PatchKind::Merge, "scale", "m", more).await;
    scaled.unwrap();
    let owners = story.owners();
    assert_eq!(owners.len(), 2, "{owners:?}");
    assert!(owners[0].starts_with("m/Apply/ "), "{owners:?}");
    assert_eq!(owners[1], r#"m/Update/scale {"f:spec":{"f:replicas":{}}}"#);
}

#[tokio::test]
async fn owners_in_a_version_that_is_not_served_are_forgotten() {
    let story = Story::of("deployments").await;
    let mut made = deployment(json!({}), container());
    made["metadata"]["managedFields"] = json!([{
        "manager": "a", "operation": "Apply", "apiVersion": "extensions/v1beta1", "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:s": {}}}},
    }]);
    story.create("u", made).await.unwrap();
    let owners = story.owners();
    assert_eq!(owners.len(), 1, "{owners:?}");
    let beside = json!({"containers": [{"name": "s", "image": "s"}]});
    let config =
        json!({"metadata": {"labels": {"s": "1"}}, "spec": {"template": {"spec": beside}}});
    story.apply("a", config).await.unwrap();
    let owners = story.owners();
    assert_eq!(owners.len(), 2, "{owners:?}");
    let item = r#"{"k:{\"name\":\"s\"}":{".":{},"f:image":{},"f:name":{}}}"#;
    let spec = format!(r#"{{"f:template":{{"f:spec":{{"f:containers":{item}}}}}}}"#);
    let fields = format!(r#"{{"f:metadata":{{"f:labels":{{"f:s":{{}}}}}},"f:spec":{spec}}}"#);
    let found = owners.iter().find(|owner| owner.starts_with("a/Apply/"));
    assert_eq!(found, Some(&format!("a/Apply/ {fields}")));
}

#[tokio::test]
async fn what_goes_gets_its_default_back_unless_others_have_it() {
    let more = || {
        let mut template = container();
        template["hostname"] = "h".into();
        deployment(json!({"replicas": 3}), template)
    };
    let less = || deployment(json!({}), container());
    let kept = |live: &Value| {
        let spec = &live["spec"];
        (
            spec["replicas"].clone(),
            spec["template"]["spec"]["hostname"].clone(),
        )
    };

    let story = Story::of("deployments").await;
    story.apply("a", more()).await.unwrap();
    let live = story.apply("a", less()).await.unwrap();
    assert_eq!(kept(&live), (json!(1), Value::Null), "nobody else");

    let story = Story::of("deployments").await;
    story.apply("a", more()).await.unwrap();
    story.apply("b", more()).await.unwrap();
    let live = story.apply("a", less()).await.unwrap();
    assert_eq!(kept(&live), (json!(3), json!("h")), "another applier");

    let story = Story::of("deployments").await;
    let mut live = story.apply("a", more()).await.unwrap();
    live["spec"]["replicas"] = 4.into();
    story.put("u", live).await.unwrap();
    let live = story.apply("a", less()).await.unwrap();
    assert_eq!(kept(&live), (json!(4), Value::Null), "an updater");
}

#[tokio::test]
async fn an_item_goes_with_its_applier_whatever_others_wrote_in_it() {
    let story = Story::of("deployments").await;
    let mut live = story
        .apply("a", deployment(json!({}), container()))
        .await
        .unwrap();
    live["spec"]["template"]["spec"]["containers"][0]["workingDir"] = "/w".into();
    story.put("u", live).await.unwrap();
    let other = json!({"containers": [{"name": "other", "image": "i"}]});
    let live = story.apply("a", deployment(json!({}), other)).await;
    let live = live.unwrap();
    let containers = live["spec"]["template"]["spec"]["containers"].as_array();
    let names = containers.unwrap().iter().map(|c| c["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn a_key_that_is_left_out_is_its_default() {
    let with = |port: Value| {
        let container = json!({"name": "c", "image": "i", "ports": [port]});
        deployment(json!({}), json!({"containers": [container]}))
    };
    let story = Story::of("deployments").await;
    let unsaid = with(json!({"name": "foo", "containerPort": 80}));
    story.apply("a", unsaid).await.unwrap();
    let said = with(json!({"name": "bar", "containerPort": 80, "protocol": "TCP"}));
    let refused = story.apply("b", said).await.unwrap_err();
    assert!(refused.is_conflict());
    assert_eq!(refused.details.unwrap().causes.len(), 1);
}

#[tokio::test]
async fn what_is_said_in_other_words_writes_nothing() {
    let body = || {
        let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1024Mi"}}});
        let mut container = container();
        container["containers"][0]["resources"] = json!({"limits": {"memory": "2048Mi"}});
        let mut body = deployment(json!({"serviceName": "x"}), container);
        body["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "x"}, "spec": claim}]);
        body
    };
    let story = Story::of("statefulsets").await;
    let first = story.apply("a", body()).await.unwrap();
    assert_eq!(story.apply("a", body()).await.unwrap(), first);

    let story = Story::of("statefulsets").await;
    story.create("a", body()).await.unwrap();
    let first = story.live();
    assert_eq!(story.put("a", body()).await.unwrap(), first);
    assert_eq!(story.put("a", first.clone()).await.unwrap(), first);
}
