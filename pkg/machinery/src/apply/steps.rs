//! What structured-merge-diff's own tests of appliers and updaters show, as rows: each is a story of writes, and what stands
//! and who owns it in the end.

use serde_json::{Value, json};

use super::Api;

#[path = "steps/repeated.rs"]
mod repeated;

/// One write of a story.
enum Step {
    Apply(&'static str, Value),
    Force(&'static str, Value),
    /// The fields in conflict.
    Refused(&'static str, Value, &'static [&'static str]),
    /// A merge patch, as an update.
    Update(&'static str, Value),
}
use Step::{Apply, Force, Refused, Update};

fn run(name: &str, steps: Vec<Step>, content: &Value, owners: &[&str]) {
    let mut api = Api::new();
    for step in steps {
        match step {
            Apply(manager, config) => drop(api.apply(manager, false, config).unwrap()),
            Force(manager, config) => drop(api.apply(manager, true, config).unwrap()),
            Refused(manager, config, fields) => {
                let found = api.apply(manager, false, config).unwrap_err();
                assert_eq!(found, fields, "{name}");
            }
            Update(manager, patch) => api.update(manager, |tree| {
                let patched = crate::patch::merge::apply(tree, patch.to_string().as_bytes());
                *tree = patched.unwrap();
            }),
        }
    }
    assert_eq!(&api.content(), content, "{name}");
    assert_eq!(api.owners(), owners, "{name}");
}

fn spec(value: Value) -> Value {
    json!({ "spec": value })
}

fn labels(value: Value) -> Value {
    json!({"metadata": {"labels": value}})
}

#[test]
fn leaves() {
    let typed = |text: &str| spec(json!({"type": text}));
    run(
        "an applier changes what is its own",
        vec![Apply("a", typed("x")), Apply("a", typed("y"))],
        &typed("y"),
        &["a/Apply: .spec.type"],
    );
    run(
        "an update takes a leaf, and the applier's next word is a conflict",
        vec![
            Apply("a", typed("x")),
            Update("u", typed("y")),
            Refused("a", typed("x"), &["\"u\" using v1 .spec.type"]),
        ],
        &typed("y"),
        &["u/Update: .spec.type"],
    );
    run(
        "agreeing with an update is owning it too",
        vec![
            Apply("a", typed("x")),
            Update("u", typed("y")),
            Apply("a", typed("y")),
        ],
        &typed("y"),
        &["a/Apply: .spec.type", "u/Update: .spec.type"],
    );
    run(
        "what an updater owns outlives the applier that shares it",
        vec![
            Update("u", typed("x")),
            Apply("a", typed("x")),
            Apply("a", spec(json!({"clusterIP": "i"}))),
        ],
        &spec(json!({"type": "x", "clusterIP": "i"})),
        &["a/Apply: .spec.clusterIP", "u/Update: .spec.type"],
    );
    run(
        "an updater that takes a field out takes it from all",
        vec![
            Apply("a", spec(json!({"type": "x", "clusterIP": "i"}))),
            Apply("b", typed("x")),
            Update("u", json!({"spec": {"type": null}})),
        ],
        &spec(json!({"clusterIP": "i"})),
        &["a/Apply: .spec.clusterIP"],
    );
    run(
        "force takes from an applier, who goes with his last field",
        vec![Apply("a", typed("x")), Force("b", typed("y"))],
        &typed("y"),
        &["b/Apply: .spec.type"],
    );
    run(
        "conflicts with two owners are told of each",
        vec![
            Apply("a", typed("x")),
            Apply("b", typed("x")),
            Refused("c", typed("y"), &["\"a\" .spec.type", "\"b\" .spec.type"]),
        ],
        &typed("x"),
        // Agreeing changes nothing, so it has no time, and comes first.
        &["b/Apply: .spec.type", "a/Apply: .spec.type"],
    );
}

#[test]
fn what_is_atomic_is_owned_as_a_whole() {
    let selector = |value: Value| spec(json!({"selector": value}));
    run(
        "a key more in an atomic map is a conflict about the map",
        vec![
            Apply("a", selector(json!({"k": "1"}))),
            Refused("b", selector(json!({"l": "1"})), &["\"a\" .spec.selector"]),
            Apply("a", selector(json!({"l": "1"}))),
        ],
        &selector(json!({"l": "1"})),
        &["a/Apply: .spec.selector"],
    );
    let names = |value: Value| spec(json!({"names": value}));
    run(
        "an atomic list is replaced, its order counts",
        vec![
            Apply("a", names(json!(["x", "y"]))),
            Refused("b", names(json!(["y", "x"])), &["\"a\" .spec.names"]),
            Force("b", names(json!(["y"]))),
        ],
        &names(json!(["y"])),
        &["b/Apply: .spec.names"],
    );
}

#[test]
fn keyed_lists() {
    let ports = |list: Value| spec(json!({ "ports": list }));
    run(
        "a key that is left out is the one by default",
        vec![
            Apply("a", ports(json!([{"port": 1, "name": "n"}]))),
            Refused(
                "b",
                ports(json!([{"port": 1, "protocol": "TCP", "name": "m"}])),
                &["\"a\" .spec.ports[port=1,protocol=\"TCP\"].name"],
            ),
            Apply(
                "a",
                ports(json!([{"port": 1}, {"port": 1, "protocol": "UDP"}])),
            ),
        ],
        &ports(json!([{"port": 1}, {"port": 1, "protocol": "UDP"}])),
        &[
            "a/Apply: .spec.ports[port=1,protocol=\"TCP\"] .spec.ports[port=1,protocol=\"UDP\"] \
             .spec.ports[port=1,protocol=\"TCP\"].port .spec.ports[port=1,protocol=\"UDP\"].port \
             .spec.ports[port=1,protocol=\"UDP\"].protocol",
        ],
    );
    run(
        "the order alone is no change",
        vec![
            Apply("a", ports(json!([{"port": 1}, {"port": 2}]))),
            Apply("a", ports(json!([{"port": 2}, {"port": 1}]))),
        ],
        &ports(json!([{"port": 1}, {"port": 2}])),
        &[
            "a/Apply: .spec.ports[port=1,protocol=\"TCP\"] .spec.ports[port=2,protocol=\"TCP\"] \
             .spec.ports[port=1,protocol=\"TCP\"].port .spec.ports[port=2,protocol=\"TCP\"].port",
        ],
    );
    run(
        "an item of two appliers stays for the second, without the first's fields",
        vec![
            Apply("a", ports(json!([{"port": 1, "name": "n"}]))),
            Apply("b", ports(json!([{"port": 1, "nodePort": 5}]))),
            Apply("a", ports(json!([]))),
        ],
        &ports(json!([{"port": 1, "nodePort": 5}])),
        &[
            "b/Apply: .spec.ports[port=1,protocol=\"TCP\"] .spec.ports[port=1,protocol=\"TCP\"].nodePort \
             .spec.ports[port=1,protocol=\"TCP\"].port",
        ],
    );
    run(
        "an applier that names another key moves its item",
        vec![
            Apply("a", ports(json!([{"port": 1, "name": "n"}]))),
            Apply("a", ports(json!([{"port": 2, "name": "n"}]))),
        ],
        &ports(json!([{"port": 2, "name": "n"}])),
        &[
            "a/Apply: .spec.ports[port=2,protocol=\"TCP\"] .spec.ports[port=2,protocol=\"TCP\"].name \
             .spec.ports[port=2,protocol=\"TCP\"].port",
        ],
    );
}

#[test]
fn sets_and_maps() {
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    run(
        "values of a set are owned one by one",
        vec![
            Apply("a", finalizers(json!(["x", "y"]))),
            Apply("b", finalizers(json!(["y", "z"]))),
            Apply("a", finalizers(json!(["y"]))),
        ],
        &json!({}),
        &[
            "b/Apply: .metadata.finalizers[=\"y\"] .metadata.finalizers[=\"z\"]",
            "a/Apply: .metadata.finalizers[=\"y\"]",
        ],
    );
    run(
        "keys of a map are owned one by one",
        vec![
            Apply("a", labels(json!({"k": "1", "l": "1"}))),
            Refused(
                "b",
                labels(json!({"k": "2", "m": "1"})),
                &["\"a\" .metadata.labels.k"],
            ),
            Apply("b", labels(json!({"m": "1"}))),
            Apply("a", labels(json!({"l": "1"}))),
        ],
        &json!({}),
        &["b/Apply: .metadata.labels.m", "a/Apply: .metadata.labels.l"],
    );
    run(
        "an updater of one key leaves the others to their owner",
        vec![
            Apply("a", labels(json!({"k": "1", "l": "1"}))),
            Update("u", labels(json!({"k": "2"}))),
            Update("u", labels(json!({"k": null}))),
        ],
        &json!({}),
        &["a/Apply: .metadata.labels.l"],
    );
}

#[test]
fn nested_structs() {
    let strategy = |value: Value| spec(json!({"strategy": value}));
    run(
        "a struct goes with its last field",
        vec![
            Apply("a", strategy(json!({"type": "x", "rolling": {"max": "1"}}))),
            Apply("a", strategy(json!({"type": "x"}))),
        ],
        &strategy(json!({"type": "x"})),
        &["a/Apply: .spec.strategy.type"],
    );
    run(
        "a struct that somebody else has a field in stays",
        vec![
            Apply("a", strategy(json!({"type": "x"}))),
            Apply("b", strategy(json!({"rolling": {"max": "1"}}))),
            Apply("a", json!({})),
        ],
        &strategy(json!({"rolling": {"max": "1"}})),
        &["b/Apply: .spec.strategy.rolling.max"],
    );
    run(
        "a struct that is replaced by an update is the updater's where it differs",
        vec![
            Apply("a", strategy(json!({"type": "x", "rolling": {"max": "1"}}))),
            Update("u", strategy(json!({"rolling": {"max": null, "min": "2"}}))),
        ],
        &strategy(json!({"type": "x", "rolling": {"min": "2"}})),
        &[
            "a/Apply: .spec.strategy.type",
            "u/Update: .spec.strategy.rolling.min",
        ],
    );
}

#[test]
fn what_is_owned_in_a_version_that_is_no_more_is_forgotten() {
    let typed = |text: &str| json!({"spec": {"type": text}});
    let label = |key: &str| json!({"metadata": {"labels": {key: "x"}}});
    let in_version = |version: &str| {
        let mut api = Api::new();
        api.apply("one", false, typed("x")).unwrap();
        let live = api.live.as_mut().unwrap();
        live.meta_mut()["managedFields"][0]["apiVersion"] = version.into();
        api
    };

    let mut api = in_version("v0");
    let left = api.apply("one", false, label("l")).unwrap();
    assert_eq!(left["spec"], json!({"type": "x"}), "nothing goes with it");
    assert_eq!(api.owners(), ["one/Apply: .metadata.labels.l"]);

    let mut api = in_version("v0");
    api.update("hand", |tree| tree["metadata"]["labels"]["l"] = json!("x"));
    assert!(!api.owners()[0].starts_with("one/"), "{:?}", api.owners());

    let mut api = in_version("v0");
    api.apply("two", false, typed("y")).unwrap();
    assert_eq!(api.owners(), ["two/Apply: .spec.type"]);

    let mut api = in_version("v2");
    let conflicts = api.apply("two", false, typed("y")).unwrap_err();
    assert_eq!(conflicts, ["\"one\" .spec.type"]);
}
