//! What patches are refused for, and what is said of those that are not.

use kedge_machinery::Status;
use kedge_registry::{FieldValidation, Patch, PatchKind, WriteOptions, Written};
use serde_json::{Value, json};

use crate::common::{self, World, configmap, object, options};

async fn patched(
    world: &World,
    kind: PatchKind,
    validation: FieldValidation,
    duplicates: &[&str],
    body: Value,
) -> Result<Written, Status> {
    let target = world.target("configmaps", "c");
    let options = WriteOptions {
        field_validation: validation,
        duplicates: duplicates.iter().map(ToString::to_string).collect(),
        ..options()
    };
    let patch = Patch {
        kind,
        body: body.to_string().into(),
    };
    world.registry.patch(&target, patch, &options).await
}

/// Code, reason, and the field of the only cause.
fn refusal(result: Result<Written, Status>) -> (u16, String, String) {
    let status = result.unwrap_err();
    let causes = status.details.map(|details| details.causes);
    let field = causes.and_then(|causes| Some(causes.first()?.field.clone()));
    (
        status.code,
        status.reason.to_string(),
        field.unwrap_or_default(),
    )
}

#[tokio::test]
async fn strict_fields_of_patches_are_422() {
    let world = common::world().await;
    world.create("configmaps", configmap("c")).await.unwrap();
    let unknown = [
        (
            PatchKind::Json,
            json!([{"op": "add", "path": "/bogus", "value": 1}]),
        ),
        (PatchKind::Merge, json!({"bogus": 1})),
        (PatchKind::Strategic, json!({"bogus": 1})),
    ];
    for (kind, body) in unknown {
        let strict = patched(&world, kind, FieldValidation::Strict, &[], body.clone()).await;
        assert_eq!(
            refusal(strict),
            (422, "Invalid".into(), "patch".into()),
            "{kind:?}"
        );
        let warned = patched(&world, kind, FieldValidation::Warn, &[], body.clone()).await;
        assert_eq!(
            warned.unwrap().warnings,
            ["unknown field \"bogus\""],
            "{kind:?}"
        );
        let ignored = patched(&world, kind, FieldValidation::Ignore, &[], body).await;
        assert!(ignored.unwrap().warnings.is_empty(), "{kind:?}");
    }
    let twice = ["duplicate field \"data\""];
    let merge = PatchKind::Merge;
    let strict = patched(&world, merge, FieldValidation::Strict, &twice, json!({})).await;
    assert_eq!(refusal(strict).0, 422);
    let warned = patched(&world, merge, FieldValidation::Warn, &twice, json!({})).await;
    assert_eq!(warned.unwrap().warnings, twice);
    let mistyped = patched(
        &world,
        merge,
        FieldValidation::Warn,
        &[],
        json!({"data": {"a": 1}}),
    )
    .await;
    assert_eq!(refusal(mistyped), (422, "Invalid".into(), "patch".into()));
}

#[tokio::test]
async fn a_patch_leaves_the_kind_as_it_is() {
    let world = common::world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    let patch = |kind, body| patched(&world, kind, FieldValidation::Warn, &[], body);
    let unreadable = (422, "Invalid".to_string(), "patch".to_string());
    for (body, refused) in [
        (json!({"kind": "Secret"}), unreadable.clone()),
        (json!({"kind": "Nonsense"}), unreadable.clone()),
        (json!({"kind": 1}), unreadable.clone()),
        (json!({"apiVersion": "v2"}), unreadable.clone()),
        (json!({"apiVersion": "apps/v1"}), unreadable),
        (
            json!({"apiVersion": null}),
            (400, "BadRequest".into(), String::new()),
        ),
    ] {
        let merged = patch(PatchKind::Merge, body.clone()).await;
        assert_eq!(refusal(merged), refused, "{body}");
        if body["kind"] != 1 {
            let read = patch(PatchKind::Strategic, body.clone()).await.unwrap();
            assert_eq!(common::parse(&read.value), made, "{body}");
        }
    }
    let without = patch(PatchKind::Merge, json!({"kind": null}))
        .await
        .unwrap();
    assert_eq!(common::parse(&without.value), made);
    // Nothing at all is a patch too, for two of the languages.
    for kind in [PatchKind::Strategic, PatchKind::Json] {
        let none = patch(kind, json!(null)).await.unwrap();
        assert_eq!(common::parse(&none.value), made);
    }
    let none = patch(PatchKind::Merge, json!(null)).await;
    assert_eq!(refusal(none).0, 400);
    assert_eq!(world.get("configmaps", "c").unwrap(), made);
}

#[tokio::test]
async fn applies_that_are_refused() {
    let world = common::world().await;
    let config = |change: Value| {
        let mut config =
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}});
        json_merge(&mut config, change);
        config
    };
    let apply = |validation, twice: &'static [&'static str], body| {
        let world = &world;
        async move { patched(world, PatchKind::Apply, validation, twice, body).await }
    };
    // Before there is an object, and after.
    for uid in [409, 422] {
        let rows = [
            (json!({"kind": "Secret"}), 400),
            (json!({"kind": null}), 400),
            (json!({"apiVersion": "v2"}), 400),
            (json!({"apiVersion": null}), 400),
            (json!({"metadata": {"name": "d"}}), 400),
            (json!({"metadata": {"namespace": "other"}}), 400),
            (json!({"metadata": {"managedFields": []}}), 400),
            (json!({"metadata": {"uid": "u"}}), uid),
            (json!({"data": {"a": 1}}), 500),
            (json!({"bogus": 1}), 500),
        ];
        for (change, code) in rows {
            let refused = apply(FieldValidation::Strict, &[], config(change.clone())).await;
            assert_eq!(refused.unwrap_err().code, code, "{change}");
        }
        let twice = &["line 3: key \"a\" already set in map"];
        let strict = apply(FieldValidation::Strict, twice, config(json!({}))).await;
        assert_eq!(strict.unwrap_err().code, 400);
        let warned = apply(FieldValidation::Warn, twice, config(json!({}))).await;
        assert_eq!(warned.unwrap().warnings, *twice);
    }
    let nameless = config(json!({"metadata": {"name": null}}));
    let kept = apply(FieldValidation::Warn, &[], nameless.clone()).await;
    assert!(!kept.unwrap().created);
    world.delete("configmaps", "c").await.unwrap();
    let refused = apply(FieldValidation::Warn, &[], nameless).await;
    assert_eq!(
        refused.unwrap_err().code,
        400,
        "there is nothing that has a name"
    );
}

fn json_merge(config: &mut Value, change: Value) {
    let body = change.to_string();
    *config = kedge_machinery::patch::merge::apply(config, body.as_bytes()).unwrap();
}

#[tokio::test]
async fn an_update_names_its_object() {
    let world = common::world().await;
    world.create("configmaps", configmap("c")).await.unwrap();
    let target = world.target("configmaps", "c");
    let nameless = object(json!({"data": {"a": "2"}}));
    let refused = world.registry.update(&target, nameless, &options()).await;
    assert_eq!(refused.unwrap_err().code, 400);
    let refused = world
        .merge(&target, json!({"metadata": {"name": null}}))
        .await;
    assert_eq!(refused.unwrap_err().code, 400);
}

#[tokio::test]
async fn an_apply_that_only_reorders_writes_nothing() {
    let world = common::world().await;
    let target = world.target("services", "s");
    let apply = |ports: Value| {
        Patch {
        kind: PatchKind::Apply,
        body: json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"}, "spec": {"ports": ports}})
            .to_string()
            .into(),
    }
    };
    let (a, b) = (
        json!({"name": "a", "port": 1}),
        json!({"name": "b", "port": 2}),
    );
    let first = world
        .registry
        .patch(&target, apply(json!([a, b])), &options())
        .await;
    let second = world
        .registry
        .patch(&target, apply(json!([b, a])), &options())
        .await;
    assert_eq!(second.unwrap().value, first.unwrap().value);
}

#[tokio::test]
async fn an_owner_counts_once() {
    let world = common::world().await;
    let owner = |uid: &str| json!({"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": uid});
    let owned = |owners: Value| json!({"metadata": {"name": "c", "ownerReferences": owners}});
    let all = world.target("configmaps", "");
    let twice = object(owned(json!([owner("u"), owner("v"), owner("u")])));
    let made = world
        .registry
        .create(&all, twice, &options())
        .await
        .unwrap();
    let left =
        |written: &Written| common::parse(&written.value)["metadata"]["ownerReferences"].clone();
    assert_eq!(left(&made), json!([owner("u"), owner("v")]));
    assert!(
        made.warnings[0].ends_with("observed: u"),
        "{:?}",
        made.warnings
    );
    let body = owned(json!([owner("v"), owner("v")]));
    let merge = patched(&world, PatchKind::Merge, FieldValidation::Warn, &[], body)
        .await
        .unwrap();
    assert_eq!(left(&merge), json!([owner("v")]));
    assert_eq!(merge.warnings.len(), 1);
    let told = |written: &Written| written.warnings[0].contains("after mutating admission happens");
    assert_eq!((told(&made), told(&merge)), (false, true));
}

#[tokio::test]
async fn a_namespace_that_is_not_the_path_s_is_told_before_a_name() {
    let world = common::world().await;
    world.create("configmaps", configmap("c")).await.unwrap();
    let target = world.target("configmaps", "c");
    for (namespace, told) in [
        (
            "other",
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            "default",
            "the name of the object (d) does not match the name on the URL (c)",
        ),
    ] {
        let body = json!({"metadata": {"name": "d", "namespace": namespace}});
        let put = world
            .registry
            .update(&target, object(body.clone()), &options())
            .await;
        assert_eq!(put.unwrap_err().message, told);
        let merge = patched(&world, PatchKind::Merge, FieldValidation::Warn, &[], body).await;
        assert_eq!(merge.unwrap_err().message, told);
    }
}

#[tokio::test]
async fn a_new_object_has_no_version_yet() {
    let world = common::world().await;
    for (version, code) in [("7", 500), ("0", 0), ("x", 0)] {
        let body = json!({"metadata": {"name": format!("c{version}"), "resourceVersion": version}});
        let made = world.create("configmaps", body).await;
        assert_eq!(
            made.map_or_else(|status| status.code, |_| 0),
            code,
            "{version}"
        );
    }
}
