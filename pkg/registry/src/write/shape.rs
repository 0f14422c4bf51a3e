//! What Go's encoder makes of a struct: fields that the schema requires are written whether they were given or not
//! (a condition that was sent without a reason has an empty one), and empty lists and maps that it does
//! not require are left out. Times and quantities have one form, in whichever they were sent.

use kedge_machinery::quantity::Quantity;
use kedge_machinery::schema::{Definitions, Schema, Shape};
use kedge_machinery::time;
use serde_json::{Map, Value};

/// Lists that Go writes although the schema does not require them: an empty one stays.
const KEPT: &[(&str, &str)] = &[("addressType", "ports")];

/// Times that are no pointers in Go: they are written although nobody gave them.
const TIMES: &[&str] = &[
    "finishedAt",
    "lastHeartbeatTime",
    "lastObservedTime",
    "lastProbeTime",
    "lastTransitionTime",
    "lastUpdateTime",
    "startedAt",
];

/// An amount that is no pointer in Go: none is written as such.
const DIVISOR: &str = "divisor";

/// Required fields that are pointers in Go: an absent one has no zero value, and is refused by validation.
const POINTERS: &[&str] = &["pathType"];

/// Gives absent required fields their zero value and takes empty optional lists and maps away, in every struct
/// of the tree.
pub(super) fn shape(definitions: &Definitions, schema: &Schema, value: &mut Value) {
    match (&definitions.resolve(schema).shape, value) {
        (
            Shape::Struct {
                fields, required, ..
            },
            Value::Object(map),
        ) => {
            for key in required
                .iter()
                .filter(|key| !map.contains_key(*key) && !POINTERS.contains(&key.as_str()))
                .cloned()
                .collect::<Vec<_>>()
            {
                let zero = fields
                    .get(&key)
                    .and_then(|field| zero(&definitions.resolve(field).shape));
                if let Some(zero) = zero {
                    map.insert(key, zero);
                }
            }
            let shape_of = |key: &str| fields.get(key).map(|f| &definitions.resolve(f).shape);
            for key in TIMES {
                if let Some(Shape::Time { .. }) = shape_of(key) {
                    map.entry(*key).or_insert(Value::Null);
                }
            }
            if let Some(Shape::Quantity) = shape_of(DIVISOR) {
                map.entry(DIVISOR).or_insert("0".into());
            }
            for (key, value) in map.iter_mut() {
                if let Some(field) = fields.get(key) {
                    shape(definitions, field, value);
                }
            }
            let optional = |key: &String| !required.contains(key) && fields.contains_key(key);
            let empty: Vec<String> = map
                .iter()
                .filter(|(key, value)| {
                    optional(key)
                        && is_empty(definitions, fields.get(*key), value)
                        && !is_kept(map, key)
                })
                .map(|(key, _)| key.clone())
                .collect();
            for key in empty {
                map.remove(&key);
            }
        }
        (Shape::Map { value: item, .. }, Value::Object(map)) => {
            let of_resources = matches!(definitions.resolve(item).shape, Shape::Quantity);
            for value in map.values_mut() {
                shape(definitions, item, value);
                if of_resources {
                    in_thousandths(value);
                }
            }
        }
        (Shape::List { item, .. }, Value::Array(list)) => {
            list.iter_mut()
                .for_each(|value| shape(definitions, item, value));
        }
        (Shape::Time { micro }, value) => {
            let form = if *micro {
                time::rfc3339_micro
            } else {
                time::rfc3339
            };
            if let Some(at) = value.as_str().and_then(time::parse) {
                *value = form(at).into();
            }
        }
        (Shape::Quantity, value) => {
            let text = match &*value {
                Value::String(text) => text.clone(),
                Value::Number(number) => number.to_string(),
                _ => return,
            };
            if let Ok(quantity) = Quantity::parse(&text) {
                *value = quantity.to_string().into();
            }
        }
        _ => {}
    }
}

/// A list of resources counts no finer (`SetDefaults_ResourceList`).
fn in_thousandths(value: &mut Value) {
    let amount = value.as_str().map(Quantity::parse);
    if let Some(Ok(amount)) = amount {
        *value = amount.to_thousandths().to_string().into();
    }
}

fn is_empty(definitions: &Definitions, field: Option<&Schema>, value: &Value) -> bool {
    match (field.map(|field| &definitions.resolve(field).shape), value) {
        (Some(Shape::List { .. }), Value::Array(list)) => list.is_empty(),
        (Some(Shape::Map { .. }), Value::Object(map)) => map.is_empty(),
        _ => false,
    }
}

/// The struct is told by a field that it has beside the list.
fn is_kept(map: &Map<String, Value>, key: &str) -> bool {
    KEPT.iter()
        .any(|(beside, kept)| *kept == key && map.contains_key(*beside))
}

fn zero(shape: &Shape) -> Option<Value> {
    match shape {
        Shape::String => Some("".into()),
        Shape::Integer { .. } => Some(0.into()),
        Shape::Boolean => Some(false.into()),
        Shape::Time { .. } => Some(Value::Null),
        _ => None,
    }
}

/// The first value of `format: byte` that is no base64, in the words of Go's decoder.
pub(super) fn illegal_bytes(
    definitions: &Definitions,
    schema: &Schema,
    value: &Value,
) -> Option<String> {
    use base64::Engine;
    match (&definitions.resolve(schema).shape, value) {
        (Shape::Bytes, Value::String(text)) => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(text);
            decoded.is_err().then(|| "illegal base64 data".to_string())
        }
        (Shape::Struct { fields, .. }, Value::Object(map)) => map
            .iter()
            .filter_map(|(key, value)| Some((fields.get(key)?, value)))
            .find_map(|(field, value)| illegal_bytes(definitions, field, value)),
        (Shape::Map { value: item, .. }, Value::Object(map)) => map
            .values()
            .find_map(|value| illegal_bytes(definitions, item, value)),
        (Shape::List { item, .. }, Value::Array(list)) => list
            .iter()
            .find_map(|value| illegal_bytes(definitions, item, value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use kedge_machinery::schema::ListType;
    use serde_json::json;

    use super::*;

    fn field(shape: Shape) -> Schema {
        Schema {
            shape,
            ..Schema::default()
        }
    }

    fn structure(fields: Vec<(&str, Shape)>, required: &[&str]) -> Shape {
        Shape::Struct {
            fields: fields
                .into_iter()
                .map(|(key, shape)| (key.to_string(), field(shape)))
                .collect::<BTreeMap<_, _>>(),
            required: required.iter().map(ToString::to_string).collect(),
            atomic: false,
            preserve_unknown: false,
        }
    }

    #[test]
    fn times_and_quantities_have_one_form() {
        let schema = field(structure(
            vec![
                ("time", Shape::Time { micro: false }),
                ("micro", Shape::Time { micro: true }),
                ("none", Shape::Time { micro: false }),
                ("cpu", Shape::Quantity),
                ("memory", Shape::Quantity),
                ("count", Shape::Quantity),
            ],
            &[],
        ));
        let mut value = json!({
            "time": "2026-01-02T05:04:05.5+02:00", "micro": "2026-01-02T03:04:05.5Z", "none": null,
            "cpu": "0.5", "memory": "2048Mi", "count": 3,
        });
        shape(&Definitions::default(), &schema, &mut value);
        assert_eq!(
            value,
            json!({
                "time": "2026-01-02T03:04:05Z", "micro": "2026-01-02T03:04:05.500000Z", "none": null,
                "cpu": "500m", "memory": "2Gi", "count": "3",
            })
        );
    }

    #[test]
    fn resources_are_counted_in_thousandths() {
        let resources = Shape::Map {
            value: Box::new(field(Shape::Quantity)),
            atomic: false,
        };
        let mut value = json!({"cpu": "100u", "memory": "1500u", "pods": 2});
        shape(&Definitions::default(), &field(resources), &mut value);
        assert_eq!(value, json!({"cpu": "1m", "memory": "2m", "pods": "2"}));
    }

    #[test]
    fn a_pointer_that_nobody_gave_is_no_empty_text() {
        let fields = vec![("pathType", Shape::String), ("reason", Shape::String)];
        let schema = field(structure(fields, &["pathType", "reason"]));
        let mut value = json!({});
        shape(&Definitions::default(), &schema, &mut value);
        assert_eq!(value, json!({"reason": ""}));
    }

    #[test]
    fn what_is_no_pointer_is_written() {
        let fields = vec![
            ("divisor", Shape::Quantity),
            ("lastProbeTime", Shape::Time { micro: false }),
            ("startTime", Shape::Time { micro: false }),
            ("startedAt", Shape::String),
        ];
        let schema = field(structure(fields, &[]));
        let mut value = json!({});
        shape(&Definitions::default(), &schema, &mut value);
        assert_eq!(value, json!({"divisor": "0", "lastProbeTime": null}));
    }

    fn list(item: Shape) -> Shape {
        Shape::List {
            item: Box::new(field(item)),
            list: ListType::Atomic,
        }
    }

    #[test]
    fn conditions_are_whole() {
        let fields = vec![
            ("reason", Shape::String),
            ("at", Shape::Time { micro: false }),
            ("note", Shape::String),
        ];
        let schema = field(list(structure(fields, &["reason", "at"])));
        let mut value = json!([{}, {"reason": "Given"}]);
        shape(&Definitions::default(), &schema, &mut value);
        assert_eq!(
            value,
            json!([{"reason": "", "at": null}, {"reason": "Given", "at": null}])
        );
    }

    #[test]
    fn empty_lists_and_maps_go_and_empty_structs_stay() {
        let map = Shape::Map {
            value: Box::new(field(Shape::String)),
            atomic: false,
        };
        let fields = vec![
            ("list", list(Shape::String)),
            ("map", map),
            ("needed", list(Shape::String)),
            ("addressType", Shape::String),
            ("ports", list(Shape::String)),
            ("struct", structure(Vec::new(), &[])),
        ];
        let schema = field(structure(fields, &["needed"]));
        let mut value = json!({"list": [], "map": {}, "needed": [], "struct": {}, "ports": [], "addressType": "IPv4"});
        shape(&Definitions::default(), &schema, &mut value);
        assert_eq!(
            value,
            json!({"needed": [], "struct": {}, "ports": [], "addressType": "IPv4"})
        );
    }

    #[test]
    fn bytes_are_base64() {
        let schema = field(structure(
            vec![(
                "data",
                Shape::Map {
                    value: Box::new(field(Shape::Bytes)),
                    atomic: false,
                },
            )],
            &[],
        ));
        let illegal = |text: &str| {
            illegal_bytes(
                &Definitions::default(),
                &schema,
                &json!({"data": {"k": text}}),
            )
        };
        assert_eq!(illegal("dg=="), None);
        assert!(illegal("***").is_some());
    }
}
