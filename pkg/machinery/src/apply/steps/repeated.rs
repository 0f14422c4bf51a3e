//! Stored objects may say an item twice; who applies may not. Such items are owned together.

use super::*;

#[test]
fn repeated_values_of_a_set() {
    let finalizers = |list: Value| json!({"metadata": {"finalizers": list}});
    let twice = || Update("u", finalizers(json!(["x", "x", "y"])));
    run(
        "they are owned once",
        vec![twice()],
        &json!({}),
        &[
            "u/Update: .metadata.finalizers .metadata.finalizers[=\"x\"] .metadata.finalizers[=\"y\"]",
        ],
    );
    let one_each = [
        "u/Update: .metadata.finalizers .metadata.finalizers[=\"y\"]",
        "v/Update: .metadata.finalizers[=\"x\"]",
    ];
    run(
        "who says one again has it",
        vec![
            Update("u", finalizers(json!(["x", "y"]))),
            Update("v", finalizers(json!(["x", "x", "y"]))),
        ],
        &json!({}),
        &one_each,
    );
    run(
        "and so has who says it once only",
        vec![twice(), Update("v", finalizers(json!(["x", "y"])))],
        &json!({}),
        &one_each,
    );
    run(
        "an applier takes one by force alone, and leaves it once",
        vec![
            twice(),
            Refused(
                "a",
                finalizers(json!(["x"])),
                &["\"u\" using v1 .metadata.finalizers[=\"x\"]"],
            ),
            Force("a", finalizers(json!(["x"]))),
        ],
        &json!({}),
        &[
            "a/Apply: .metadata.finalizers[=\"x\"]",
            "u/Update: .metadata.finalizers .metadata.finalizers[=\"y\"]",
        ],
    );
    run(
        "an applier of another value leaves them",
        vec![twice(), Apply("a", finalizers(json!(["z"])))],
        &json!({}),
        &[
            "a/Apply: .metadata.finalizers[=\"z\"]",
            "u/Update: .metadata.finalizers .metadata.finalizers[=\"x\"] .metadata.finalizers[=\"y\"]",
        ],
    );
}

#[test]
fn repeated_items_of_a_keyed_list() {
    let named = |names: &[(u16, &str)]| {
        let port =
            |(port, name): &(u16, &str)| json!({"port": port, "protocol": "TCP", "name": name});
        spec(json!({"ports": names.iter().map(port).collect::<Vec<_>>()}))
    };
    let item = |port: u16| format!(".spec.ports[port={port},protocol=\"TCP\"]");
    let whole = |port: u16| {
        let item = item(port);
        format!("{item} {item}.name {item}.port {item}.protocol")
    };
    let twice = || named(&[(1, "a"), (1, "b"), (2, "c")]);
    let told = |name: &str, steps: Vec<Step>, content: &Value, owners: &[String]| {
        let owners: Vec<&str> = owners.iter().map(String::as_str).collect();
        run(name, steps, content, &owners);
    };
    let second = whole(2);
    let (one, two) = (item(1), item(2));
    told(
        "they are owned as one, and without their fields",
        vec![Update("u", twice())],
        &twice(),
        &[format!(
            "u/Update: .spec.ports {one} {two} {two}.name {two}.port {two}.protocol"
        )],
    );
    let more = named(&[(1, "a"), (1, "d"), (2, "c")]);
    told(
        "who changes one of them has them all",
        vec![Update("u", twice()), Update("v", more.clone())],
        &more,
        &[
            format!("u/Update: .spec.ports {second}"),
            format!("v/Update: {one}"),
        ],
    );
    told(
        "who says one again has them all",
        vec![
            Update("u", named(&[(1, "a"), (2, "c")])),
            Update("v", twice()),
        ],
        &twice(),
        &[
            format!("u/Update: .spec.ports {second}"),
            format!("v/Update: {one}"),
        ],
    );
    told(
        "another item beside them is its own",
        vec![
            Update("u", named(&[(1, "a"), (1, "b")])),
            Update("v", twice()),
        ],
        &twice(),
        &[
            format!("u/Update: .spec.ports {one}"),
            format!("v/Update: {second}"),
        ],
    );
    let kind = spec(json!({"type": "x"}));
    let mut with_type = twice();
    with_type["spec"]["type"] = "x".into();
    told(
        "an applier of something else leaves them",
        vec![Update("u", twice()), Force("a", kind)],
        &with_type,
        &[
            "a/Apply: .spec.type".into(),
            format!("u/Update: .spec.ports {one} {second}"),
        ],
    );
    for name in ["b", "d"] {
        told(
            "an applier of one of them, as it is or not, takes its place by force",
            vec![
                Update("u", twice()),
                Refused(
                    "a",
                    named(&[(1, name)]),
                    &["\"u\" using v1 .spec.ports[port=1,protocol=\"TCP\"]"],
                ),
                Force("a", named(&[(1, name)])),
            ],
            &named(&[(1, name), (2, "c")]),
            &[
                format!("a/Apply: {}", whole(1)),
                format!("u/Update: .spec.ports {second}"),
            ],
        );
    }
    told(
        "an applier of another item changes that alone",
        vec![Update("u", twice()), Force("a", named(&[(2, "d")]))],
        &named(&[(1, "a"), (1, "b"), (2, "d")]),
        &[
            format!("a/Apply: {second}"),
            format!("u/Update: .spec.ports {one} {two} {two}.port {two}.protocol"),
        ],
    );
    told(
        "an applier that no longer names an item leaves what others made of it",
        vec![
            Apply("a", named(&[(1, "a"), (2, "c")])),
            Update("u", twice()),
            Apply("a", named(&[(2, "c")])),
        ],
        &twice(),
        &[format!("a/Apply: {second}"), format!("u/Update: {one}")],
    );
}
