//! Who asks and what else there is, in the way of a write.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::{Arc, Mutex};

use common::{build_with, configmap, object, options, parse};
use kedge_machinery::{Object, Status};
use kedge_registry::admission::{self, Admission, Attributes, Operation};
use kedge_registry::{DeleteOptions, User, WriteOptions};
use serde_json::json;

type Seen = Arc<Mutex<Vec<String>>>;

/// Notes each round, stamps what is written, and keeps `mallory` out.
struct Recorder(Seen);

impl Recorder {
    fn note(&self, round: &str, a: &Attributes<'_>) {
        let user = a.user.map_or("", |user| user.name.as_str());
        let old = if a.old.is_some() { " old" } else { "" };
        self.0.lock().unwrap().push(format!(
            "{round} {:?} {} {user}{old}",
            a.operation, a.target.name
        ));
    }
}

impl Admission for Recorder {
    fn change(&self, a: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        if a.target.kind.kind != "ConfigMap" {
            return Ok(());
        }
        self.note("change", a);
        object.0.insert("data".into(), json!({"stamped": "yes"}));
        Ok(())
    }

    fn check(&self, a: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        if a.target.kind.kind != "ConfigMap" {
            return Ok(());
        }
        self.note("check", a);
        assert_eq!(object.is_none(), a.operation == Operation::Delete);
        assert!(a.view.entry("", "namespaces", "", "default").is_some());
        match a.user {
            Some(user) if user.name == "mallory" => Err(Status::forbidden(
                "",
                "configmaps",
                &a.target.name,
                "not you",
            )),
            _ => Ok(()),
        }
    }
}

fn by(name: &str) -> WriteOptions {
    WriteOptions {
        user: Some(Arc::new(User {
            name: name.into(),
            ..User::default()
        })),
        ..options()
    }
}

#[tokio::test]
async fn every_write_passes_both_rounds() {
    let seen = Seen::default();
    let recorder = Box::new(Recorder(Arc::clone(&seen)));
    let world = build_with(&["10.43.0.0/28"], 100, vec![recorder]).await;
    let target = world.target("configmaps", "");
    let made = world
        .registry
        .create(&target, object(configmap("a")), &by("jo"))
        .await
        .unwrap();
    let made = parse(&made.value);
    assert_eq!(made["data"], json!({"stamped": "yes"}));
    // What admission adds belongs to nobody.
    let fields = &made["metadata"]["managedFields"][0]["fieldsV1"]["f:data"];
    assert_eq!(fields["f:a"], json!({}));
    assert!(fields.get("f:stamped").is_none());

    let named = world.target("configmaps", "a");
    let refused = world
        .registry
        .update(&named, object(configmap("a")), &by("mallory"))
        .await
        .unwrap_err();
    assert_eq!(refused.code, 403);
    let delete = |name: &str| DeleteOptions {
        user: by(name).user,
        ..DeleteOptions::default()
    };
    let refused = world.registry.delete(&named, &delete("mallory")).await;
    assert_eq!(refused.unwrap_err().code, 403);
    world.registry.delete(&named, &delete("jo")).await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "change Create a jo",
            "check Create a jo",
            "change Update a mallory old",
            "check Update a mallory old",
            "check Delete a mallory old",
            "check Delete a jo old",
        ]
    );
}

#[tokio::test]
async fn an_ingress_without_a_class_gets_the_default_one() {
    let world = build_with(&["10.43.0.0/28"], 100, admission::builtin()).await;
    let classes = world.target("ingressclasses", "");
    let ingresses = world.target("ingresses", "");
    let class = json!({
        "metadata": {"name": "edge", "annotations": {"ingressclass.kubernetes.io/is-default-class": "true"}},
        "spec": {"controller": "example.com/edge"},
    });
    let ingress = |name: &str, more: serde_json::Value| {
        let mut body = json!({
            "metadata": {"name": name},
            "spec": {"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}},
        });
        body["spec"]
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        object(body)
    };
    let options = options();
    let create = |target, body| world.registry.create(target, body, &options);
    let before = create(&ingresses, ingress("before", json!({})))
        .await
        .unwrap();
    assert!(
        parse(&before.value)["spec"]
            .get("ingressClassName")
            .is_none()
    );
    create(&classes, object(class)).await.unwrap();
    let after = create(&ingresses, ingress("after", json!({})))
        .await
        .unwrap();
    assert_eq!(parse(&after.value)["spec"]["ingressClassName"], "edge");
    let own = create(
        &ingresses,
        ingress("own", json!({"ingressClassName": "other"})),
    )
    .await
    .unwrap();
    assert_eq!(parse(&own.value)["spec"]["ingressClassName"], "other");
}

#[tokio::test]
async fn a_pod_has_the_priority_of_its_class() {
    let world = build_with(&["10.43.0.0/28"], 100, admission::builtin()).await;
    let class = |name: &str, value: i64, default: bool| json!({"metadata": {"name": name}, "value": value, "globalDefault": default, "preemptionPolicy": "Never"});
    let pod = |name: &str, more: serde_json::Value| {
        let mut body = json!({
            "metadata": {"name": name}, "spec": {"containers": [{"name": "c", "image": "i"}]},
        });
        let spec = body["spec"].as_object_mut().unwrap();
        spec.extend(more.as_object().unwrap().clone());
        body
    };
    let made = world.create("pods", pod("plain", json!({}))).await.unwrap();
    assert_eq!(made["spec"]["priority"], 0);
    assert_eq!(made["spec"]["preemptionPolicy"], "PreemptLowerPriority");
    let missing = pod("missing", json!({"priorityClassName": "none"}));
    let refused = world.create("pods", missing).await.unwrap_err();
    assert_eq!(
        refused.message,
        "pods \"missing\" is forbidden: no PriorityClass with name none was found"
    );
    world
        .create("priorityclasses", class("usual", 100, true))
        .await
        .unwrap();
    let made = world.create("pods", pod("usual", json!({}))).await.unwrap();
    assert_eq!(made["spec"]["priority"], 100);
    assert_eq!(made["spec"]["priorityClassName"], "usual");
    assert_eq!(made["spec"]["preemptionPolicy"], "Never");
    let critical = json!({"priorityClassName": "system-node-critical"});
    let made = world
        .create("pods", pod("critical", critical))
        .await
        .unwrap();
    assert_eq!(made["spec"]["priority"], 2_000_001_000);
    let other = pod("other", json!({"priority": 5}));
    assert_eq!(world.create("pods", other).await.unwrap_err().code, 403);
    let second = class("second", 5, true);
    let refused = world.create("priorityclasses", second).await.unwrap_err();
    assert!(
        refused
            .message
            .contains("usual is already marked as default"),
        "{}",
        refused.message
    );
}

#[tokio::test]
async fn what_the_server_holds_stays() {
    let world = build_with(&["10.43.0.0/28"], 100, admission::builtin()).await;
    let service = json!({"metadata": {"name": "web"}, "spec": {"ports": [{"port": 80}]}});
    let service = world.create("services", service).await.unwrap();
    let address = service["spec"]["clusterIP"].as_str().unwrap();
    let remove = async |plural: &str, name: &str| {
        let options = DeleteOptions {
            user: by("jo").user,
            ..DeleteOptions::default()
        };
        let target = world.target(plural, name);
        world.registry.delete(&target, &options).await
    };
    let refused = remove("ipaddresses", address).await.unwrap_err();
    assert_eq!(
        refused.message,
        format!(
            "ipaddresses.networking.k8s.io \"{address}\" is forbidden: the Service default/web has this address: \
             delete the Service"
        )
    );
    let refused = remove("servicecidrs", "kubernetes").await.unwrap_err();
    assert_eq!(refused.code, 403);
    remove("services", "web").await.unwrap();
    assert!(world.get("ipaddresses", address).is_err());
    // An address that a person set aside is a person's to give back, and no Service gets it meanwhile.
    let aside = json!({
        "metadata": {"name": "10.43.0.9"},
        "spec": {"parentRef": {"group": "example.com", "resource": "gateways", "name": "g"}},
    });
    world.create("ipaddresses", aside).await.unwrap();
    let wanted = json!({"metadata": {"name": "b"}, "spec": {"clusterIP": "10.43.0.9", "ports": [{"port": 80}]}});
    assert_eq!(
        world
            .create("services", wanted.clone())
            .await
            .unwrap_err()
            .code,
        422
    );
    remove("ipaddresses", "10.43.0.9").await.unwrap();
    world.create("services", wanted).await.unwrap();
}

#[tokio::test]
async fn no_two_pools_share_an_address() {
    let world = build_with(&["10.43.0.0/28"], 100, admission::builtin()).await;
    let pools = world.target("ipaddresspools", "");
    let pool = |name: &str, addresses: &[&str]| {
        object(json!({"metadata": {"name": name}, "spec": {"addresses": addresses}}))
    };
    let options = options();
    let create = |body| world.registry.create(&pools, body, &options);
    let first = create(pool("first", &["1.1.1.1-1.1.1.100", "fd00::/120"]))
        .await
        .unwrap();
    for addresses in [&["1.1.1.15-1.1.1.20"], &["1.1.1.0/24"], &["fd00::/64"]] {
        let error = create(pool("second", addresses)).await.unwrap_err();
        assert_eq!(error.code, 403);
        assert!(
            error.message.contains("of the IPAddressPool default/first"),
            "{error}"
        );
    }
    let error = create(pool("second", &["10.43.0.9-10.43.0.20"])).await;
    let message = error.unwrap_err().message;
    assert!(
        message.contains("10.43.0.0/28 of the ServiceCIDR kubernetes"),
        "{message}"
    );
    create(pool("second", &["1.1.1.101-1.1.1.200"]))
        .await
        .unwrap();
    // A pool may change what is its own, and not take what is another's.
    let version = parse(&first.value)["metadata"]["resourceVersion"].clone();
    let update = |addresses: &[&str]| {
        let mut body = pool("first", addresses);
        body.0["metadata"]["resourceVersion"] = version.clone();
        body
    };
    let named = world.target("ipaddresspools", "first");
    let put = |body| world.registry.update(&named, body, &options);
    assert_eq!(
        put(update(&["1.1.1.1-1.1.1.101"])).await.unwrap_err().code,
        403
    );
    put(update(&["1.1.1.1-1.1.1.50"])).await.unwrap();
}

#[tokio::test]
async fn a_pod_has_what_its_runtime_class_asks_for() {
    let world = build_with(&["10.43.0.0/28"], 100, admission::builtin()).await;
    let options = options();
    let classes = world.target("runtimeclasses", "");
    let class = json!({
        "metadata": {"name": "kata"}, "handler": "kata", "overhead": {"podFixed": {"cpu": "250m"}},
        "scheduling": {"nodeSelector": {"runs": "kata"}, "tolerations": [{"key": "kata", "operator": "Exists"}]},
    });
    let made = world.registry.create(&classes, object(class), &options);
    made.await.unwrap();
    let pods = world.target("pods", "");
    let create = |name: &str, more: serde_json::Value| {
        let mut spec = json!({"containers": [{"name": "c", "image": "c"}]});
        let spec_of = spec.as_object_mut().unwrap();
        spec_of.extend(more.as_object().unwrap().clone());
        let pod = object(json!({"metadata": {"name": name}, "spec": spec}));
        world.registry.create(&pods, pod, &options)
    };
    let made = create(
        "a",
        json!({"runtimeClassName": "kata", "nodeSelector": {"own": "1"}}),
    );
    let spec = parse(&made.await.unwrap().value)["spec"].take();
    assert_eq!(spec["overhead"], json!({"cpu": "250m"}));
    assert_eq!(spec["nodeSelector"], json!({"own": "1", "runs": "kata"}));
    let tolerations = spec["tolerations"].as_array().unwrap();
    assert!(tolerations.contains(&json!({"key": "kata", "operator": "Exists"})));
    let same = json!({"runtimeClassName": "kata", "overhead": {"cpu": "0.25"}});
    create("b", same).await.unwrap();

    for (more, why) in [
        (
            json!({"runtimeClassName": "none"}),
            "RuntimeClass \"none\" not found",
        ),
        (
            json!({"overhead": {"cpu": "1"}}),
            "without corresponding RuntimeClass",
        ),
        (
            json!({"runtimeClassName": "kata", "overhead": {"cpu": "1"}}),
            "doesn't match",
        ),
        (
            json!({"runtimeClassName": "kata", "nodeSelector": {"runs": "runc"}}),
            "conflict: runtimeClass",
        ),
    ] {
        let refused = create("x", more).await.unwrap_err();
        assert_eq!(refused.code, 403, "{why}");
        assert!(refused.message.contains(why), "{}", refused.message);
    }
    let kata = world.target("runtimeclasses", "kata");
    world
        .registry
        .delete(&kata, &DeleteOptions::default())
        .await
        .unwrap();
    let refused = create("x", json!({"runtimeClassName": "kata"})).await;
    assert_eq!(refused.unwrap_err().code, 403);
}
