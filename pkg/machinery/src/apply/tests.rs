//! Each idea of server-side apply, on a small Service.

#[path = "steps.rs"]
mod steps;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::schema::testing::service;

/// An API of one object.
struct Api {
    definitions: Definitions,
    schema: Schema,
    live: Option<Object>,
    second: i64,
}

impl Api {
    fn new() -> Self {
        let (definitions, schema) = service();
        Self {
            definitions,
            schema,
            live: None,
            second: 0,
        }
    }

    fn context<'a>(&'a self, manager: &'a str, force: bool) -> Context<'a> {
        Context {
            also: vec!["v2".into()],
            manager,
            force,
            now: Timestamp::from_second(self.second).unwrap(),
            ..Context::example(&self.definitions, &self.schema)
        }
    }

    fn apply(&mut self, manager: &str, force: bool, config: Value) -> Result<Value, Vec<String>> {
        self.second += 1;
        let mut config = Object::from_value(config).unwrap();
        config.meta_mut().insert("name".into(), "web".into());
        match apply(&self.context(manager, force), self.live.as_ref(), &config) {
            Ok(object) => {
                self.store(object);
                Ok(self.content())
            }
            Err(ApplyError::Conflicts(conflicts)) => Err(conflicts
                .into_iter()
                .map(|c| format!("{} {}", c.manager, c.field))
                .collect()),
            Err(other) => panic!("{other}"),
        }
    }

    fn update(&mut self, manager: &str, change: impl FnOnce(&mut Value)) {
        self.second += 1;
        let mut tree = self.live.clone().unwrap_or_default().into_value();
        change(&mut tree);
        let mut new = Object::from_value(tree).unwrap();
        track_update(&self.context(manager, false), self.live.as_ref(), &mut new);
        self.store(new);
    }

    fn store(&mut self, mut object: Object) {
        object.meta_mut().insert("uid".into(), "u".into());
        self.live = Some(object);
    }

    /// The live object without its metadata.
    fn content(&self) -> Value {
        let mut tree = self.live.clone().unwrap().into_value();
        tree.as_object_mut().unwrap().remove("metadata");
        tree
    }

    /// Who owns what, in words.
    fn owners(&self) -> Vec<String> {
        let managers = self
            .live
            .as_ref()
            .unwrap()
            .meta()
            .unwrap()
            .get("managedFields")
            .cloned()
            .unwrap_or_default();
        let show = |entry: &Value| {
            let fields = FieldSet::from_json(&entry["fieldsV1"])
                .unwrap()
                .paths()
                .join(" ");
            format!(
                "{}/{}: {fields}",
                entry["manager"].as_str().unwrap(),
                entry["operation"].as_str().unwrap()
            )
        };
        managers
            .as_array()
            .into_iter()
            .flatten()
            .map(show)
            .collect()
    }
}

fn ports(list: &[(u16, &str)]) -> Value {
    json!({"spec": {"ports": list.iter().map(|(port, name)| json!({"port": port, "name": name})).collect::<Vec<_>>()}})
}

#[test]
fn what_an_applier_no_longer_names_goes() {
    let mut api = Api::new();
    api.apply("one", false, ports(&[(1, "a"), (2, "b")]))
        .unwrap();
    api.apply("two", false, ports(&[(3, "c")])).unwrap();
    assert_eq!(
        api.apply("one", false, ports(&[(1, "a")])).unwrap(),
        ports(&[(1, "a"), (3, "c")])
    );
    assert_eq!(
        api.apply("two", false, json!({})).unwrap(),
        ports(&[(1, "a")])
    );
    assert_eq!(api.owners().len(), 1);
}

#[test]
fn what_two_own_stays_until_both_let_go() {
    let mut api = Api::new();
    let typed = json!({"spec": {"type": "x"}});
    api.apply("one", false, typed.clone()).unwrap();
    api.apply("two", false, typed.clone()).unwrap();
    assert_eq!(api.apply("one", false, json!({})).unwrap(), typed);
    assert_eq!(api.apply("two", false, json!({})).unwrap(), json!({}));
}

#[test]
fn conflicts_name_the_field_and_its_owner_and_force_takes_it() {
    let mut api = Api::new();
    api.apply("one", false, ports(&[(80, "a")])).unwrap();
    api.update("hand", |tree| tree["spec"]["type"] = json!("y"));
    let conflicts = api
        .apply(
            "two",
            false,
            json!({"spec": {"type": "z", "ports": [{"port": 80, "name": "b"}]}}),
        )
        .unwrap_err();
    assert_eq!(
        conflicts,
        [
            "\"hand\" using v1 .spec.type",
            "\"one\" .spec.ports[port=80,protocol=\"TCP\"].name"
        ]
    );
    api.apply(
        "two",
        true,
        json!({"spec": {"type": "z", "ports": [{"port": 80, "name": "b"}]}}),
    )
    .unwrap();
    assert_eq!(api.content()["spec"]["type"], "z");
    let owners = api.owners().join("\n");
    assert!(
        !owners.contains("hand")
            && !owners.contains("one/Apply: .spec.ports[port=80,protocol=\"TCP\"].name"),
        "{owners}"
    );
}

#[test]
fn the_same_value_is_no_conflict() {
    let mut api = Api::new();
    api.update("hand", |tree| {
        *tree = json!({"metadata": {}, "spec": {"type": "x"}})
    });
    api.apply("one", false, json!({"spec": {"type": "x"}}))
        .unwrap();
    assert_eq!(
        api.owners(),
        ["one/Apply: .spec.type", "hand/Update: .spec.type"]
    );
}

#[test]
fn an_apply_that_changes_nothing_changes_nothing() {
    let mut api = Api::new();
    api.apply("one", false, ports(&[(1, "a")])).unwrap();
    let before = api.live.clone();
    api.apply("one", false, ports(&[(1, "a")])).unwrap();
    assert_eq!(api.live, before, "not even a time");
}

#[test]
fn losing_everything_leaves_an_entry_without_a_time() {
    let mut api = Api::new();
    let labels = |value: &str| json!({"metadata": {"labels": {"a": value}}});
    api.apply("one", false, labels("1")).unwrap();
    api.apply("two", true, labels("2")).unwrap();
    api.apply("one", false, json!({"metadata": {"labels": {}}}))
        .unwrap();
    assert_eq!(
        api.owners(),
        [
            "one/Apply: .metadata.labels",
            "two/Apply: .metadata.labels.a"
        ]
    );
    let managers = &api.live.as_ref().unwrap().meta().unwrap()["managedFields"];
    assert!(managers[0].get("time").is_none() && managers[1].get("time").is_some());
}

#[test]
fn who_owns_an_empty_map_goes_on_owning_it() {
    let mut api = Api::new();
    let labels = |value: Value| json!({"metadata": {"labels": value}});
    api.apply("one", false, labels(json!({"a": "1"}))).unwrap();
    api.apply("two", false, labels(json!({}))).unwrap();
    api.apply("one", false, json!({})).unwrap();
    assert_eq!(api.owners(), ["two/Apply: .metadata.labels"]);
    assert_eq!(api.live.as_ref().unwrap().at(&["metadata", "labels"]), None);
}

#[test]
fn metadata_that_nobody_owns_outlives_the_labels() {
    let mut api = Api::new();
    api.apply("one", false, json!({"metadata": {"labels": {"a": "1"}}}))
        .unwrap();
    let mut held = api.live.clone().unwrap();
    held.meta_mut().insert("finalizers".into(), json!(["a/b"]));
    api.live = Some(held);
    api.apply("one", false, json!({})).unwrap();
    let live = api.live.as_ref().unwrap();
    assert_eq!(live.finalizers().collect::<Vec<_>>(), ["a/b"]);
    assert_eq!((live.name(), live.uid()), ("web", "u"));
    assert_eq!(live.labels().count(), 0);
}

#[test]
fn updates_own_what_they_change() {
    let mut api = Api::new();
    api.update("creator", |tree| *tree = json!({"metadata": {"name": "web", "labels": {"a": "1"}}, "spec": {"ports": [{"port": 1}]}}));
    assert_eq!(
        api.owners(),
        [
            "creator/Update: .metadata.labels .metadata.labels.a .spec.ports .spec.ports[port=1,protocol=\"TCP\"] .spec.ports[port=1,protocol=\"TCP\"].port"
        ]
    );
    api.update("other", |tree| tree["metadata"]["labels"]["a"] = json!("2"));
    assert!(
        api.owners()
            .contains(&"other/Update: .metadata.labels.a".to_string()),
        "{:?}",
        api.owners()
    );
    api.update("other", |tree| tree["metadata"]["labels"] = json!({}));
    assert!(
        !api.owners().iter().any(|owner| owner.contains("labels.a")),
        "{:?}",
        api.owners()
    );
}

#[test]
fn an_update_can_forget_all_owners() {
    let mut api = Api::new();
    api.apply("one", false, ports(&[(1, "a")])).unwrap();
    api.update("hand", |tree| {
        tree["metadata"]["managedFields"] = json!([{}])
    });
    assert!(api.owners().is_empty());
}

#[test]
fn many_updaters_are_bundled() {
    let mut api = Api::new();
    for i in 0..15 {
        api.update(&format!("m{i}"), |tree| {
            tree["metadata"]["labels"][format!("l{i}")] = json!("x")
        });
    }
    let owners = api.owners();
    assert_eq!(owners.len(), 10, "{owners:?}");
    let bundle = owners
        .iter()
        .find(|owner| owner.starts_with("ancient-changes/"))
        .unwrap();
    assert!(
        bundle.contains("l0") && bundle.contains("l5") && !bundle.contains("l6"),
        "{bundle}"
    );
}

#[test]
fn kubectl_goes_from_client_side_to_server_side() {
    let mut api = Api::new();
    let config = json!({"apiVersion": "v1", "metadata": {"name": "web"}, "spec": {"type": "x"}});
    api.update("kubectl-client-side-apply", |tree| {
        *tree = config.clone();
        tree["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/last-applied-configuration": config.to_string()});
    });
    assert!(
        api.apply("other", false, json!({"spec": {"type": "y"}}))
            .is_err()
    );
    api.apply("kubectl", false, json!({"spec": {"type": "y"}}))
        .unwrap();
    let annotation = api
        .live
        .as_ref()
        .unwrap()
        .annotations()
        .next()
        .unwrap()
        .1
        .to_string();
    assert!(annotation.contains("\"y\""), "{annotation}");
}

#[test]
fn a_status_is_no_part_of_the_object_itself() {
    let mut api = Api::new();
    let with =
        |kind: &str| json!({"spec": {"type": "x"}, "status": {"conditions": [{"type": kind}]}});
    // A new object has one if its kind lets it, and nobody owns it.
    api.apply("one", false, with("Ready")).unwrap();
    assert_eq!(api.content(), with("Ready"));
    api.apply("one", false, with("Other")).unwrap();
    assert_eq!(api.content(), with("Ready"));
    assert_eq!(api.owners(), ["one/Apply: .spec.type"]);
    let object = api.live.clone().unwrap();
    let context = Context {
        subresource: "status",
        ..api.context("kubelet", false)
    };
    let config = Object::from_value(
        json!({"spec": {"type": "y"}, "status": {"conditions": [{"type": "Ready"}]}}),
    )
    .unwrap();
    let applied = apply(&context, Some(&object), &config).unwrap();
    assert_eq!(applied.at(&["spec", "type"]), Some(&json!("x")));
    assert!(applied.at(&["status", "conditions"]).is_some());
}

#[test]
fn a_status_that_is_not_apart_is_a_field_like_others() {
    let api = Api::new();
    let context = Context {
        status_apart: false,
        narrow: None,
        ..api.context("one", false)
    };
    let config = |kind: &str| {
        let value =
            json!({"metadata": {"name": "web"}, "status": {"conditions": [{"type": kind}]}});
        Object::from_value(value).unwrap()
    };
    let made = apply(&context, None, &config("Ready")).unwrap();
    let owned = made.at(&["metadata", "managedFields"]).unwrap();
    assert!(owned[0]["fieldsV1"].get("f:status").is_some(), "{owned}");
    let changed = apply(&context, Some(&made), &config("Other")).unwrap();
    assert_eq!(
        changed.0["status"],
        json!({"conditions": [{"type": "Other"}]})
    );
}

#[test]
fn an_object_without_owners_gets_one_at_its_first_apply() {
    let mut api = Api::new();
    api.update("hand", |tree| {
        *tree = json!({"metadata": {"name": "web"}, "spec": {"type": "x"}})
    });
    api.update("hand", |tree| tree["metadata"]["managedFields"] = json!([]));
    api.update("hand", |tree| tree["spec"]["type"] = json!("y"));
    assert!(api.owners().is_empty(), "updates alone keep no track");
    let conflicts = api.apply("one", false, json!({"spec": {"type": "z"}}));
    assert_eq!(
        conflicts.unwrap_err(),
        ["\"before-first-apply\" using v1 .spec.type"]
    );
    api.apply("one", false, json!({"spec": {"type": "y"}}))
        .unwrap();
    assert_eq!(
        api.owners(),
        [
            "one/Apply: .spec.type",
            "before-first-apply/Update: .spec.type"
        ]
    );
}

#[test]
fn a_subresource_cannot_forget_or_change_owners() {
    let mut api = Api::new();
    api.apply("one", false, json!({"spec": {"type": "x"}}))
        .unwrap();
    let before = api.owners();
    for given in [
        json!([{}]),
        json!([{"manager": "thief", "operation": "Apply", "apiVersion": "v1", "fieldsType": "FieldsV1", "fieldsV1": {"f:spec": {}}}]),
    ] {
        let mut new = api.live.clone().unwrap();
        new.meta_mut().insert("managedFields".into(), given);
        let context = Context {
            subresource: "status",
            ..api.context("hand", false)
        };
        track_update(&context, api.live.as_ref(), &mut new);
        assert_eq!(
            new.at(&["metadata", "managedFields"]),
            api.live
                .as_ref()
                .unwrap()
                .at(&["metadata", "managedFields"])
        );
    }
    assert_eq!(api.owners(), before);
}

#[test]
fn a_client_may_rewrite_the_owners() {
    let mut api = Api::new();
    api.apply("one", false, json!({"spec": {"type": "x"}}))
        .unwrap();
    api.update("migrator", |tree| {
        tree["metadata"]["managedFields"][0]["manager"] = json!("two")
    });
    assert_eq!(api.owners(), ["two/Apply: .spec.type"]);
}

#[test]
fn what_has_no_place_in_the_schema_cannot_be_applied() {
    let mut object = Object::from_value(json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"ports": [{"port": 1}, {"port": 1}], "prots": []},
    }))
    .unwrap();
    let api = Api::new();
    let error = apply(&api.context("one", false), None, &object).unwrap_err();
    assert_eq!(
        error.to_string(),
        "failed to create typed patch object (shop/web; /v1, Kind=Service): errors:\n  \
         .spec.ports: duplicate entries for key [port=1,protocol=\"TCP\"]\n  .spec.prots: field not declared in schema"
    );
    let status = error.status();
    assert_eq!((status.code, status.reason), (500, ""));
    object.meta_mut().insert("managedFields".into(), json!([]));
    let error = apply(&api.context("one", false), None, &object).unwrap_err();
    assert_eq!(error.status().code, 400);
}

#[test]
fn conflicts_in_words() {
    let conflict = |manager: &str, field: &str| Conflict {
        manager: manager.into(),
        field: field.into(),
    };
    let one = ApplyError::Conflicts(vec![conflict("\"a\" using v1", ".spec.type")]).status();
    assert_eq!(
        one.message,
        "Apply failed with 1 conflict: conflict with \"a\" using v1: .spec.type"
    );
    let many = vec![
        conflict("\"a\"", ".x"),
        conflict("\"a\"", ".y"),
        conflict("\"b\"", ".z"),
    ];
    assert_eq!(
        ApplyError::Conflicts(many).status().message,
        "Apply failed with 3 conflicts: conflicts with \"a\":\n- .x\n- .y\nconflicts with \"b\":\n- .z"
    );
}

#[test]
fn a_resource_version_in_a_configuration_is_for_the_caller_to_compare() {
    let mut api = Api::new();
    api.apply("one", false, json!({"metadata": {"resourceVersion": "7"}}))
        .unwrap();
    assert_eq!(api.live.as_ref().unwrap().resource_version(), "7");
    assert_eq!(
        api.live
            .as_ref()
            .unwrap()
            .at(&["metadata", "managedFields"]),
        None
    );
}

#[test]
fn appliers_with_nothing_left_go_and_their_items_stay_with_those_who_own_them() {
    let mut api = Api::new();
    api.apply("one", false, ports(&[(1, "a"), (2, "b")]))
        .unwrap();
    api.update("hand", |tree| {
        tree["spec"]["ports"][0]["nodePort"] = json!(5)
    });
    // The item itself was the applier's alone: it goes, with what others set in it.
    assert_eq!(
        api.apply("one", false, ports(&[(2, "b")])).unwrap(),
        ports(&[(2, "b")])
    );
    assert_eq!(api.owners().len(), 1);
    api.update("hand", |tree| {
        tree["spec"]["ports"] = json!([{"port": 2, "name": "b"}, {"port": 3, "name": "c"}])
    });
    // An item that an update added is not the applier's to take away.
    assert_eq!(
        api.apply("one", false, json!({})).unwrap(),
        ports(&[(3, "c")])
    );
}

fn some_config() -> impl Strategy<Value = Value> {
    let labels = proptest::collection::btree_map("[a-c]", "[xy]", 0..3);
    let ports = proptest::collection::btree_map(1u16..4, "[xy]", 0..3);
    (labels, ports).prop_map(|(labels, ports)| {
        let ports: Vec<Value> = ports
            .into_iter()
            .map(|(port, name)| json!({"port": port, "name": name}))
            .collect();
        let mut config = json!({});
        if !labels.is_empty() {
            config["metadata"] = json!({"labels": labels});
        }
        if !ports.is_empty() {
            config["spec"] = json!({"ports": ports});
        }
        config
    })
}

proptest! {
    #[test]
    fn apply_twice_changes_nothing(first in some_config(), other in some_config(), config in some_config()) {
        let mut api = Api::new();
        api.apply("one", true, first).unwrap();
        api.apply("two", true, other).unwrap();
        api.apply("one", true, config.clone()).unwrap();
        let before = api.live.clone();
        api.apply("one", true, config).unwrap();
        prop_assert_eq!(&api.live, &before);
    }

    #[test]
    fn a_sole_applier_gets_exactly_what_it_says(first in some_config(), config in some_config()) {
        let mut api = Api::new();
        api.apply("one", false, first).unwrap();
        let content = api.apply("one", false, config.clone()).unwrap();
        let wanted = config.get("spec").cloned().unwrap_or_default();
        prop_assert_eq!(content.get("spec").cloned().unwrap_or_default(), wanted);
        let labels = api.live.as_ref().unwrap().meta().unwrap().get("labels").cloned().unwrap_or_default();
        prop_assert_eq!(labels, config["metadata"]["labels"].clone());
    }
}
