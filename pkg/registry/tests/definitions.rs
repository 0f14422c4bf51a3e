//! Definitions, and the custom resources that they make.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::Arc;

use common::{World, object, options, parse, world};
use kedge_api::Kind;
use kedge_machinery::Status;
use kedge_registry::{
    DeleteOptions, GetOptions, Patch, PatchKind, Registry, Target, WatchEvent, WatchOptions,
};
use serde_json::{Value, json};

const PLURAL: &str = "customresourcedefinitions";

fn definition(schema: Value) -> Value {
    json!({
        "metadata": {"name": "gadgets.example.com"},
        "spec": {
            "group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Gadget", "plural": "gadgets", "shortNames": ["gg"]},
            "versions": [
                {"name": "v1beta1", "served": true, "storage": false, "schema": {"openAPIV3Schema": schema}},
                {"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": schema}, "subresources": {"status": {}}},
            ],
        },
    })
}

fn sizes() -> Value {
    json!({"type": "object", "properties": {
        "spec": {"type": "object", "properties": {"size": {"type": "integer"}, "color": {"type": "string"}}},
        "status": {"type": "object", "properties": {"ready": {"type": "boolean"}}},
    }})
}

async fn serving() -> World {
    let world = world().await;
    tokio::spawn(world.registry.definitions().unwrap().run());
    world
}

async fn define(world: &World, value: Value) -> Result<Value, Status> {
    let target = world.cluster_target(PLURAL, "");
    let written = world
        .registry
        .create(&target, object(value), &options())
        .await?;
    Ok(parse(&written.value))
}

fn condition(definition: &Value, kind: &str) -> Option<(String, String)> {
    let conditions = definition["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|c| c["type"] == kind)?;
    let text = |key: &str| found[key].as_str().unwrap_or_default().to_string();
    Some((text("status"), text("reason")))
}

/// Waits for a state of a definition that a test looks for; `None` once it is gone.
async fn until(registry: &Registry, name: &str, wanted: impl Fn(Option<&Value>) -> bool) {
    let kind = registry
        .catalog()
        .find("apiextensions.k8s.io", "v1", PLURAL)
        .cloned()
        .unwrap();
    let watch = WatchOptions {
        field_selector: format!("metadata.name={name}"),
        ..WatchOptions::default()
    };
    let mut watch = registry.watch(&kind, "", &watch).unwrap();
    // Of what had gone before, the watch does not tell.
    let target = Target::new(kind, "", name);
    if registry.get(&target, &GetOptions::default()).is_err() && wanted(None) {
        return;
    }
    loop {
        let done = match watch.next().await.unwrap() {
            WatchEvent::Added(bytes) | WatchEvent::Modified(bytes) => wanted(Some(&parse(&bytes))),
            WatchEvent::Deleted(_) => wanted(None),
            other => panic!("{other:?}"),
        };
        if done {
            return;
        }
    }
}

async fn established(world: &World, name: &str) {
    until(&world.registry, name, |found| {
        let condition = found.and_then(|found| condition(found, "Established"));
        condition.is_some_and(|(status, _)| status == "True")
    })
    .await;
}

fn kind(registry: &Registry, version: &str) -> Option<Arc<Kind>> {
    registry
        .catalog()
        .find("example.com", version, "gadgets")
        .cloned()
}

fn gadget(world: &World, version: &str, name: &str) -> Target {
    Target::new(kind(&world.registry, version).unwrap(), "default", name)
}

fn body(version: &str, spec: Value) -> Value {
    json!({"apiVersion": format!("example.com/{version}"), "kind": "Gadget", "metadata": {"name": "g"}, "spec": spec})
}

async fn make(world: &World, version: &str, spec: Value) -> Result<Value, Status> {
    let target = gadget(world, version, "");
    let written = world
        .registry
        .create(&target, object(body(version, spec)), &options())
        .await?;
    Ok(parse(&written.value))
}

fn read(world: &World, version: &str) -> Result<Value, Status> {
    let entry = world
        .registry
        .get(&gadget(world, version, "g"), &GetOptions::default())?;
    Ok(parse(&entry.value()))
}

#[tokio::test]
async fn what_is_defined_is_served_once_it_is_established_and_after_a_restart() {
    let world = serving().await;
    let made = define(&world, definition(sizes())).await.unwrap();
    assert_eq!(made["spec"]["names"]["listKind"], "GadgetList");
    assert_eq!(made["spec"]["conversion"]["strategy"], "None");
    assert_eq!(made["status"]["storedVersions"], json!(["v1"]));
    established(&world, "gadgets.example.com").await;
    let entry = world.registry.get(
        &world.cluster_target(PLURAL, "gadgets.example.com"),
        &GetOptions::default(),
    );
    let told = parse(&entry.unwrap().value());
    let (yes, why) = condition(&told, "NamesAccepted").unwrap();
    assert_eq!((yes.as_str(), why.as_str()), ("True", "NoConflicts"));
    assert_eq!(told["status"]["acceptedNames"]["plural"], "gadgets");
    assert_eq!(kind(&world.registry, "v1").unwrap().short_names, ["gg"]);
    make(&world, "v1", json!({"size": 1})).await.unwrap();

    let restarted = world.restarted(&["10.43.0.0/28"]);
    assert!(kind(&restarted, "v1").is_none());
    let _definitions = restarted.definitions().unwrap();
    assert!(kind(&restarted, "v1").is_some());
}

#[tokio::test]
async fn objects_are_pruned_validated_and_shown_in_every_version() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let made = make(&world, "v1beta1", json!({"size": 3, "weight": 1}))
        .await
        .unwrap();
    assert_eq!(made["apiVersion"], "example.com/v1beta1");
    assert_eq!(made["spec"], json!({"size": 3}));
    assert_eq!(made["metadata"]["generation"], 1);
    assert_eq!(read(&world, "v1").unwrap()["apiVersion"], "example.com/v1");
    assert_eq!(
        world.stored("/registry/example.com/gadgets/default/g")["apiVersion"],
        "example.com/v1"
    );

    let wrong = make(&world, "v1", json!({"size": "big"}))
        .await
        .unwrap_err();
    assert_eq!(
        wrong.message,
        "Gadget.example.com \"g\" is invalid: spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\""
    );
    assert_eq!(
        wrong.details.unwrap().causes[0].reason,
        "FieldValueTypeInvalid"
    );
}

#[tokio::test]
async fn nulls_stay_where_the_definition_allows_them() {
    let world = serving().await;
    let map = |nullable: bool| json!({"type": "object", "nullable": nullable, "additionalProperties": {"type": "string"}});
    let mut schema = sizes();
    let fields = &mut schema["properties"]["spec"]["properties"];
    fields["may"] = map(true);
    fields["not"] = map(false);
    fields["name"] = json!({"type": "string", "default": "n"});
    define(&world, definition(schema)).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let apply = async |spec: Value| {
        let patch = Patch {
            kind: PatchKind::Apply,
            body: body("v1", spec).to_string().into(),
        };
        let written = world
            .registry
            .patch(&gadget(&world, "v1", "g"), patch, &options())
            .await
            .unwrap();
        parse(&written.value)["spec"].clone()
    };
    let given = apply(json!({"size": 1, "may": {"k": "v"}, "not": {"k": "v"}})).await;
    assert_eq!(
        given,
        json!({"size": 1, "may": {"k": "v"}, "not": {"k": "v"}, "name": "n"})
    );
    // What an applier empties is null in between.
    let emptied = json!({"size": 1, "may": null, "name": "n"});
    assert_eq!(
        apply(json!({"size": 1, "may": {}, "not": {}})).await,
        emptied
    );
    let mut said = body(
        "v1",
        json!({"size": null, "may": null, "not": null, "name": null}),
    );
    said["metadata"]["name"] = json!("h");
    let target = gadget(&world, "v1", "");
    let made = world
        .registry
        .create(&target, object(said), &options())
        .await;
    assert_eq!(
        parse(&made.unwrap().value)["spec"],
        json!({"may": null, "name": "n"})
    );
}

#[tokio::test]
async fn the_status_is_a_part_of_its_own_where_the_definition_says_so() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let mut made = make(&world, "v1", json!({"size": 3})).await.unwrap();
    made["spec"]["size"] = json!(4);
    made["status"] = json!({"ready": true});
    let target = gadget(&world, "v1", "g");
    let status = target.clone().subresource("status");
    world
        .registry
        .update(&status, object(made.clone()), &options())
        .await
        .unwrap();
    let found = read(&world, "v1").unwrap();
    assert_eq!(found["spec"]["size"], 3);
    assert_eq!(found["status"]["ready"], true);
    assert_eq!(found["metadata"]["generation"], 1);
    made["metadata"]["resourceVersion"] = found["metadata"]["resourceVersion"].clone();
    made["status"] = json!({"ready": false});
    world
        .registry
        .update(&target, object(made), &options())
        .await
        .unwrap();
    let found = read(&world, "v1").unwrap();
    assert_eq!(found["spec"]["size"], 4);
    assert_eq!(found["status"]["ready"], true);
    assert_eq!(found["metadata"]["generation"], 2);
}

#[tokio::test]
async fn a_custom_resource_says_what_it_is_and_stays_that() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let made = make(&world, "v1", json!({"size": 1})).await.unwrap();
    for (change, refused, field) in [
        (json!({"kind": "Widget"}), "Widget", "kind"),
        (json!({"kind": null}), "", "patch"),
        (json!({"apiVersion": "example.com/v2"}), "", "patch"),
        (json!({"apiVersion": null}), "", "patch"),
    ] {
        let target = gadget(&world, "v1", "g");
        let status = world.merge(&target, change.clone()).await.unwrap_err();
        assert_eq!(status.code, 422, "{change}");
        let details = status.details.unwrap();
        assert_eq!(details.kind, refused, "{change}");
        assert_eq!(details.causes[0].field, field, "{change}");
    }
    let latest = made["metadata"]["resourceVersion"].clone();
    for missing in ["kind", "apiVersion"] {
        let mut body = body("v1", json!({"size": 2}));
        body["metadata"]["resourceVersion"] = latest.clone();
        body.as_object_mut().unwrap().remove(missing);
        let target = gadget(&world, "v1", "g");
        let options = options();
        let put = world.registry.update(&target, object(body), &options);
        assert_eq!(put.await.unwrap_err().code, 400, "{missing}");
    }
    assert_eq!(read(&world, "v1").unwrap(), made);
}

#[tokio::test]
async fn a_status_that_is_no_subresource_is_applied_like_other_fields() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    for ready in [true, false] {
        let mut config = body("v1beta1", json!({"size": 3}));
        config["status"] = json!({"ready": ready});
        let patch = Patch {
            kind: PatchKind::Apply,
            body: config.to_string().into(),
        };
        let applied = world
            .registry
            .patch(&gadget(&world, "v1beta1", "g"), patch, &options())
            .await
            .unwrap();
        let applied = parse(&applied.value);
        assert_eq!(applied["status"], json!({"ready": ready}));
        let owned = &applied["metadata"]["managedFields"][0]["fieldsV1"];
        assert_eq!(owned["f:status"], json!({"f:ready": {}}));
    }
}

#[tokio::test]
async fn defaults_of_a_newer_definition_show_in_older_objects() {
    let world = serving().await;
    let mut made = define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    make(&world, "v1", json!({"size": 3})).await.unwrap();
    let mut changes = world.registry.catalog_changes();
    let target = world.cluster_target(PLURAL, "gadgets.example.com");
    let entry = world.registry.get(&target, &GetOptions::default()).unwrap();
    made["metadata"] = parse(&entry.value())["metadata"].clone();
    for version in made["spec"]["versions"].as_array_mut().unwrap() {
        version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["color"]["default"] =
            json!("red");
    }
    world
        .registry
        .update(&target, object(made), &options())
        .await
        .unwrap();
    changes.changed().await.unwrap();
    assert_eq!(
        read(&world, "v1").unwrap()["spec"],
        json!({"size": 3, "color": "red"})
    );
}

#[tokio::test]
async fn names_that_are_taken_are_not_given() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let mut other = definition(sizes());
    other["metadata"]["name"] = json!("widgets.example.com");
    other["spec"]["names"] = json!({"kind": "Gadget", "plural": "widgets"});
    define(&world, other).await.unwrap();
    until(&world.registry, "widgets.example.com", |found| {
        let told = found.and_then(|found| {
            Some((
                condition(found, "NamesAccepted")?,
                condition(found, "Established")?,
            ))
        });
        told.is_some_and(|(names, established)| {
            names == ("False".into(), "ListKindConflict".into())
                && established == ("False".into(), "NotAccepted".into())
        })
    })
    .await;
    assert!(
        world
            .registry
            .catalog()
            .find("example.com", "v1", "widgets")
            .is_none()
    );
}

#[tokio::test]
async fn objects_go_before_their_definition_and_hold_it() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let mut held = body("v1", json!({}));
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let target = gadget(&world, "v1", "g");
    world
        .registry
        .create(&gadget(&world, "v1", ""), object(held), &options())
        .await
        .unwrap();
    let whole = world.cluster_target(PLURAL, "gadgets.example.com");
    world
        .registry
        .delete(&whole, &DeleteOptions::default())
        .await
        .unwrap();
    until(&world.registry, "gadgets.example.com", |found| {
        let told = found.and_then(|found| condition(found, "Terminating"));
        told == Some(("True".into(), "InstanceDeletionInProgress".into()))
    })
    .await;
    let refused = make(&world, "v1", json!({})).await.unwrap_err();
    assert_eq!(refused.code, 405);
    // Clients are no longer told of the verbs that write, and some still work.
    let catalog = world.registry.catalog();
    let told = kedge_api::discovery::resources(&catalog, "example.com", "v1").unwrap();
    assert_eq!(
        told["resources"][0]["verbs"],
        json!(["delete", "deletecollection", "get", "list", "watch"])
    );
    assert_eq!(
        told["resources"][1]["verbs"],
        json!(["get", "patch", "update"])
    );
    let told = kedge_api::discovery::aggregated_groups(&catalog).to_string();
    let reading = "\"verbs\":[\"delete\",\"deletecollection\",\"get\",\"list\",\"watch\"]";
    assert_eq!(told.matches(reading).count(), 2, "one for each version");
    let mut held = read(&world, "v1").unwrap();
    held["metadata"]["finalizers"] = json!([]);
    world
        .registry
        .update(&target, object(held), &options())
        .await
        .unwrap();
    let mut changes = world.registry.catalog_changes();
    until(&world.registry, "gadgets.example.com", |found| {
        found.is_none()
    })
    .await;
    while kind(&world.registry, "v1").is_some() {
        changes.changed().await.unwrap();
    }
    // A request that was on its way while the definition went leaves nothing behind.
    let late = object(body("v1", json!({})));
    let refused = world.registry.create(&target, late, &options()).await;
    assert_eq!(refused.unwrap_err().code, 404);
}

#[tokio::test]
async fn a_definition_that_somebody_else_holds_tells_that_its_objects_are_gone() {
    let world = serving().await;
    let mut held = definition(sizes());
    held["metadata"]["finalizers"] = json!(["example.com/keep"]);
    define(&world, held).await.unwrap();
    established(&world, "gadgets.example.com").await;
    make(&world, "v1", json!({})).await.unwrap();
    let whole = world.cluster_target(PLURAL, "gadgets.example.com");
    let options = DeleteOptions::default();
    world.registry.delete(&whole, &options).await.unwrap();
    let finalizers = |found: &Value| found["metadata"]["finalizers"].clone();
    until(&world.registry, "gadgets.example.com", |found| {
        found.is_some_and(|found| finalizers(found) == json!(["example.com/keep"]))
    })
    .await;
    let entry = world.registry.get(&whole, &GetOptions::default()).unwrap();
    let found: Value = serde_json::from_slice(&entry.value()).unwrap();
    assert_eq!(
        condition(&found, "Terminating"),
        Some(("False".into(), "InstanceDeletionCompleted".into()))
    );
    let kind = kind(&world.registry, "v1").unwrap();
    let all = Target::new(kind, "default", "g");
    let gone = world.registry.get(&all, &GetOptions::default());
    assert_eq!(gone.unwrap_err().code, 404);
}

#[tokio::test]
async fn a_number_is_the_same_however_it_is_spelled() {
    let world = serving().await;
    let page = json!({"type": "object", "properties": {
        "page": {"type": "number", "default": 2.0}, "text": {"type": "string"}}});
    let schema = json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
        "size": {"type": "number"},
        "set": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "number"}},
        "book": {"type": "array", "items": page, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["page"]},
    }}}});
    define(&world, definition(schema)).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let spec: Value =
        serde_json::from_str(r#"{"size": 3e0, "set": [1.0], "book": [{"text": "a"}]}"#).unwrap();
    let made = make(&world, "v1", spec).await.unwrap();
    let spec = r#"{"book":[{"page":2,"text":"a"}],"set":[1],"size":3}"#;
    assert_eq!(made["spec"].to_string(), spec);
    // What another has as it is, is taken from nobody.
    let body = r#"{"apiVersion": "example.com/v1", "kind": "Gadget",
        "spec": {"size": 3.0, "set": [1e0, 4.5], "book": [{"page": 2.0, "text": "a"}]}}"#;
    let apply = Patch {
        kind: PatchKind::Apply,
        body: body.into(),
    };
    let applied = world
        .registry
        .patch(&gadget(&world, "v1", "g"), apply, &options())
        .await
        .unwrap();
    let applied = parse(&applied.value);
    let spec = r#"{"book":[{"page":2,"text":"a"}],"set":[1,4.5],"size":3}"#;
    assert_eq!(applied["spec"].to_string(), spec);
    let owned = &applied["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"];
    assert_eq!(owned["f:set"], json!({"v:1": {}, "v:4.5": {}}));
    // In plain digits, and the same when it is read again.
    for (given, kept) in [
        ("1e19", "10000000000000000000"),
        ("18446744073709551615", "18446744073709552000"),
        ("1.5e20", "150000000000000000000"),
        ("1e21", "1e+21"),
        ("1e-6", "0.000001"),
        ("2.5e-7", "2.5e-7"),
    ] {
        let merge = |size: &str| Patch {
            kind: PatchKind::Merge,
            body: format!(r#"{{"spec": {{"size": {size}}}}}"#).into(),
        };
        let target = gadget(&world, "v1", "g");
        let mut versions = Vec::new();
        for size in [given, kept] {
            let written = world.registry.patch(&target, merge(size), &options()).await;
            let text = String::from_utf8(written.unwrap().value.to_vec()).unwrap();
            assert!(text.contains(&format!("\"size\":{kept}}}")), "{text}");
            versions.push(parse(text.as_bytes())["metadata"]["resourceVersion"].clone());
        }
        assert_eq!(versions[0], versions[1], "{given}");
    }
}

#[tokio::test]
async fn parts_of_a_list_are_owned_as_one_when_the_schema_says_so_later() {
    let world = serving().await;
    let with = |list: Value| {
        definition(
            json!({"type": "object", "properties": {"spec": {"type": "object", "properties": {
                "set": list, "size": {"type": "integer"}}}}}),
        )
    };
    let texts = json!({"type": "array", "items": {"type": "string"}});
    let mut set = texts.clone();
    set["x-kubernetes-list-type"] = json!("set");
    define(&world, with(set)).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let apply = |set: Value| {
        let kind = PatchKind::Apply;
        let body = body("v1", json!({"set": set})).to_string().into();
        Patch { kind, body }
    };
    let target = gadget(&world, "v1", "g");
    let owned = |object: &Value| object["metadata"]["managedFields"][0]["fieldsV1"].clone();
    let made = world
        .registry
        .patch(&target, apply(json!(["a", "b"])), &options())
        .await
        .unwrap();
    let parts = json!({"f:spec": {"f:set": {"v:\"a\"": {}, "v:\"b\"": {}}}});
    assert_eq!(owned(&parse(&made.value)), parts);

    let mut changes = world.registry.catalog_changes();
    let patch = json!({"spec": {"versions": with(texts)["spec"]["versions"]}});
    world
        .merge(&world.cluster_target(PLURAL, "gadgets.example.com"), patch)
        .await
        .unwrap();
    changes.changed().await.unwrap();

    let target = gadget(&world, "v1", "g");
    let whole = json!({"f:spec": {"f:set": {}}});
    let touched = world
        .merge(&target, json!({"spec": {"size": 1}}))
        .await
        .unwrap();
    assert_eq!(owned(&touched), whole);
    let applied = world
        .registry
        .patch(&target, apply(json!(["c"])), &options())
        .await
        .unwrap();
    let applied = parse(&applied.value);
    assert_eq!(applied["spec"], json!({"set": ["c"], "size": 1}));
    assert_eq!(owned(&applied), whole);
}

#[tokio::test]
async fn finalizers_of_custom_resources_need_no_prefix_and_those_of_kubernetes_do() {
    let world = serving().await;
    define(&world, definition(sizes())).await.unwrap();
    established(&world, "gadgets.example.com").await;
    let mut own = body("v1", json!({}));
    own["metadata"]["finalizers"] = json!(["gadgets.example.com"]);
    let made = world
        .registry
        .create(&gadget(&world, "v1", ""), object(own), &options())
        .await
        .unwrap();
    assert_eq!(made.warnings.len(), 1, "{:?}", made.warnings);
    // What was there already is not told again, what is new is.
    let target = gadget(&world, "v1", "g");
    for (finalizers, told) in [
        (json!(["gadgets.example.com"]), 0),
        (json!(["gadgets.example.com", "other", "a/b"]), 1),
        (json!([]), 0),
    ] {
        let patch = Patch {
            kind: PatchKind::Merge,
            body: json!({"metadata": {"finalizers": finalizers}})
                .to_string()
                .into(),
        };
        let patched = world.registry.patch(&target, patch, &options()).await;
        let patched = patched.unwrap();
        assert_eq!(patched.warnings.len(), told, "{finalizers}");
    }
    world
        .create("configmaps", json!({"metadata": {"name": "c"}}))
        .await
        .unwrap();
    let refused = world
        .merge(
            &world.target("configmaps", "c"),
            json!({"metadata": {"finalizers": ["mine"]}}),
        )
        .await
        .unwrap_err();
    let causes = refused.details.unwrap().causes;
    assert_eq!(
        (refused.code, causes[0].field.as_str()),
        (422, "metadata.finalizers[0]")
    );
}

#[tokio::test]
async fn what_a_scale_shows_is_a_number_of_pods() {
    let world = serving().await;
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let mut scaled = definition(open);
    scaled["spec"]["versions"][1]["subresources"] = json!({"status": {}, "scale": {
        "specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas", "labelSelectorPath": ".status.selector"}});
    define(&world, scaled).await.unwrap();
    established(&world, "gadgets.example.com").await;
    for (replicas, why) in [
        (json!(-1), "should be a non-negative integer"),
        (
            json!(1_u64 << 31),
            "should be less than or equal to 2147483647",
        ),
        (
            json!("few"),
            ".spec.replicas accessor error: few is of the type string, expected int64",
        ),
        (
            json!(1.5),
            ".spec.replicas accessor error: 1.5 is of the type float64, expected int64",
        ),
    ] {
        let refused = make(&world, "v1", json!({"replicas": replicas})).await;
        let refused = refused.unwrap_err();
        let cause = &refused.details.as_ref().unwrap().causes[0];
        assert_eq!(
            (refused.code, cause.field.as_str()),
            (422, ".spec.replicas")
        );
        assert!(cause.message.ends_with(why), "{}", cause.message);
    }
    make(&world, "v1", json!({"replicas": 2})).await.unwrap();
    let target = gadget(&world, "v1", "g").subresource("status");
    let status = json!({"status": {"replicas": -1, "selector": 1}});
    let refused = world.merge(&target, status).await.unwrap_err();
    let causes = refused.details.unwrap().causes;
    let fields: Vec<&str> = causes.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!(fields, [".status.replicas", ".status.selector"]);
    let status = json!({"status": {"replicas": 1, "selector": "a=b"}});
    world.merge(&target, status).await.unwrap();
}

#[tokio::test]
async fn a_definition_of_a_kind_that_is_built_in_changes_nothing() {
    let world = serving().await;
    let mut pools =
        definition(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
    pools["metadata"]["name"] = json!("ipaddresspools.metallb.io");
    pools["spec"]["group"] = json!("metallb.io");
    pools["spec"]["names"] = json!({"kind": "IPAddressPool", "plural": "ipaddresspools"});
    pools["spec"]["versions"].as_array_mut().unwrap().remove(1);
    pools["spec"]["versions"][0]["storage"] = json!(true);
    define(&world, pools).await.unwrap();
    established(&world, "ipaddresspools.metallb.io").await;
    let found = world
        .registry
        .catalog()
        .find("metallb.io", "v1beta1", "ipaddresspools")
        .cloned();
    assert!(found.unwrap().custom.is_none());
    let whole = world.cluster_target(PLURAL, "ipaddresspools.metallb.io");
    world
        .registry
        .delete(&whole, &DeleteOptions::default())
        .await
        .unwrap();
    until(&world.registry, "ipaddresspools.metallb.io", |found| {
        found.is_none()
    })
    .await;
    assert!(
        world
            .registry
            .catalog()
            .find("metallb.io", "v1beta1", "ipaddresspools")
            .is_some()
    );
}

#[tokio::test]
async fn a_definition_that_was_never_given_its_names_takes_no_objects_along() {
    let world = serving().await;
    let ingress = json!({"metadata": {"name": "i"}, "spec": {"defaultBackend": {"service": {"name": "s", "port": {"number": 80}}}}});
    world.create("ingresses", ingress).await.unwrap();
    let mut theirs = definition(sizes());
    let name = "ingresses.networking.k8s.io";
    theirs["metadata"] =
        json!({"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, a test"}});
    theirs["spec"]["group"] = json!("networking.k8s.io");
    theirs["spec"]["names"] = json!({"kind": "Ingress", "plural": "ingresses"});
    define(&world, theirs).await.unwrap();
    until(&world.registry, name, |found| {
        let told = found.and_then(|found| condition(found, "Established"));
        told == Some(("False".into(), "NotAccepted".into()))
    })
    .await;
    let whole = world.cluster_target(PLURAL, name);
    world
        .registry
        .delete(&whole, &DeleteOptions::default())
        .await
        .unwrap();
    until(&world.registry, name, |found| found.is_none()).await;
    assert!(world.get("ingresses", "i").is_ok());
}
