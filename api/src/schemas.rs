//! Schemas of the built-in kinds, made from the table of definitions.

use std::sync::Arc;

use kedge_machinery::schema::{Definitions, ListType, PatchStrategy, Schema, Shape};

use crate::table::{self, Definition, Field, Presence, Type};

/// Every definition of the table.
pub(crate) fn builtin() -> Definitions {
    let schemas = table::definitions()
        .iter()
        .map(|d| (d.full_name(), Arc::new(schema(d))));
    Definitions(schemas.collect())
}

fn schema(definition: &Definition) -> Schema {
    let shape = Shape::Struct {
        fields: definition
            .fields()
            .map(|f| (f.name.to_string(), field(&f)))
            .collect(),
        required: definition
            .fields()
            .filter(|f| f.presence == Presence::Required)
            .map(|f| f.name.to_string())
            .collect(),
        atomic: definition.atomic,
        preserve_unknown: false,
    };
    Schema {
        shape,
        ..Schema::default()
    }
}

fn field(field: &Field) -> Schema {
    let (patch_strategy, patch_merge_key) = field.patch.map(patch).unwrap_or_default();
    Schema {
        shape: shape(field.kind, field.list, field.atomic),
        description: String::new(),
        default: field
            .default
            .and_then(|text| serde_json::from_str(text).ok()),
        patch_strategy,
        patch_merge_key,
    }
}

fn shape(kind: Type, list: Option<&str>, atomic: bool) -> Shape {
    let of = |text| {
        Box::new(Schema {
            shape: shape(Type::parse(text), None, false),
            ..Schema::default()
        })
    };
    match kind {
        Type::String => Shape::String,
        Type::Bytes => Shape::Bytes,
        Type::Bool => Shape::Boolean,
        Type::Int32 => Shape::Integer { format: "int32" },
        Type::Int64 => Shape::Integer { format: "int64" },
        Type::Double => Shape::Number,
        Type::Quantity => Shape::Quantity,
        Type::IntOrString => Shape::IntOrString,
        Type::Time => Shape::Time { micro: false },
        Type::MicroTime => Shape::Time { micro: true },
        Type::Any => Shape::Any,
        Type::List(item) => Shape::List {
            item: of(item),
            list: list.map_or(ListType::Atomic, list_type),
        },
        Type::Map(value) => Shape::Map {
            value: of(value),
            atomic,
        },
        Type::Definition(name) => Shape::Reference(table::full_name(name)),
    }
}

fn list_type(text: &str) -> ListType {
    match text.split_once('(') {
        Some((_, keys)) => ListType::Map {
            keys: keys
                .trim_end_matches(')')
                .split(',')
                .map(ToString::to_string)
                .collect(),
        },
        None if text == "set" => ListType::Set,
        None => ListType::Atomic,
    }
}

/// `merge,retainKeys(name)` as strategies and a key.
fn patch(text: &str) -> (Vec<PatchStrategy>, Option<String>) {
    let (words, key) = match text.split_once('(') {
        Some((words, key)) => (words, Some(key.trim_end_matches(')').to_string())),
        None => (text, None),
    };
    let strategies = words.split(',').filter_map(|word| match word {
        "merge" => Some(PatchStrategy::Merge),
        "replace" => Some(PatchStrategy::Replace),
        "retainKeys" => Some(PatchStrategy::RetainKeys),
        _ => None,
    });
    (strategies.collect(), key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn fields(name: &str) -> std::collections::BTreeMap<String, Schema> {
        match &builtin().0[name].shape {
            Shape::Struct { fields, .. } => fields.clone(),
            other => panic!("{name} is {other:?}"),
        }
    }

    #[test]
    fn service_ports_are_a_list_by_port_and_protocol() {
        let spec = fields("io.k8s.api.core.v1.ServiceSpec");
        let ports = &spec["ports"];
        assert_eq!(ports.patch_merge_key.as_deref(), Some("port"));
        assert_eq!(ports.patch_strategy, [PatchStrategy::Merge]);
        let Shape::List {
            list: ListType::Map { keys },
            item,
        } = &ports.shape
        else {
            panic!("{ports:?}")
        };
        assert_eq!(keys, &["port", "protocol"]);
        assert!(
            matches!(&item.shape, Shape::Reference(name) if name == "io.k8s.api.core.v1.ServicePort")
        );
        assert_eq!(
            fields("io.k8s.api.core.v1.ServicePort")["protocol"].default,
            Some(json!("TCP"))
        );
    }

    #[test]
    fn volumes_keep_one_source() {
        let volumes = &fields("io.k8s.api.core.v1.PodSpec")["volumes"];
        assert_eq!(
            volumes.patch_strategy,
            [PatchStrategy::Merge, PatchStrategy::RetainKeys]
        );
    }

    /// The type that `k8s-openapi` gives a field, in this crate's words.
    fn expected(schema: &Value) -> String {
        if let Some(name) = schema["$ref"].as_str() {
            let name = name.trim_start_matches("#/$defs/");
            return match name.rsplit('.').next().unwrap() {
                "Quantity" => "Quantity".into(),
                "IntOrString" => "IntOrString".into(),
                "Time" => "Time".into(),
                "MicroTime" => "MicroTime".into(),
                // What is a schema or something simpler reads as anything; of lists of schemas, which no
                // definition may have, only the schema is known.
                "FieldsV1"
                | "RawExtension"
                | "JSON"
                | "JSONSchemaPropsOrBool"
                | "JSONSchemaPropsOrStringArray"
                | "CustomResourceSubresourceStatus" => "Any".into(),
                "JSONSchemaPropsOrArray" => {
                    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"
                        .into()
                }
                _ => name.into(),
            };
        }
        match (schema["type"].as_str().unwrap(), schema["format"].as_str()) {
            ("string", Some("byte")) => "Bytes".into(),
            ("string", _) => "String".into(),
            ("integer", Some(format)) => format.into(),
            ("array", _) => format!("[{}]", expected(&schema["items"])),
            ("object", _) => format!("{{{}}}", expected(&schema["additionalProperties"])),
            (other, _) => other.into(),
        }
    }

    fn found(shape: &Shape) -> String {
        match shape {
            Shape::Any => "Any".into(),
            Shape::String => "String".into(),
            Shape::Bytes => "Bytes".into(),
            Shape::Integer { format } => (*format).into(),
            Shape::Number => "number".into(),
            Shape::Boolean => "boolean".into(),
            Shape::IntOrString => "IntOrString".into(),
            Shape::Quantity => "Quantity".into(),
            Shape::Time { micro: false } => "Time".into(),
            Shape::Time { micro: true } => "MicroTime".into(),
            Shape::Map { value, .. } => format!("{{{}}}", found(&value.shape)),
            Shape::List { item, .. } => format!("[{}]", found(&item.shape)),
            Shape::Reference(name) => name.clone(),
            Shape::Struct { .. } => "struct".into(),
        }
    }

    #[test]
    fn the_table_and_k8s_openapi_know_the_same_fields() {
        let theirs: serde_json::Map<String, Value> =
            serde_json::from_str(include_str!(concat!(env!("OUT_DIR"), "/schemas.json"))).unwrap();
        let ours = builtin();
        for (name, schema) in &theirs {
            let Some(properties) = schema["properties"].as_object() else {
                continue;
            };
            let fields = fields(name);
            let names: Vec<_> = fields.keys().collect();
            let mut wanted: Vec<_> = properties.keys().collect();
            wanted.sort();
            assert_eq!(names, wanted, "{name}");
            for (field, schema) in properties {
                assert_eq!(
                    found(&fields[field].shape),
                    expected(schema),
                    "{name}.{field}"
                );
            }
        }
        for name in ours.0.keys() {
            assert!(theirs.contains_key(name), "{name} is in the table alone");
        }
    }

    #[test]
    fn keys_of_lists_are_fields_of_their_items() {
        let all = builtin();
        for (name, schema) in &all.0 {
            let Shape::Struct {
                fields, required, ..
            } = &schema.shape
            else {
                continue;
            };
            assert!(required.iter().all(|r| fields.contains_key(r)), "{name}");
            for (field, schema) in fields {
                let Shape::List { item, list } = &schema.shape else {
                    assert!(schema.patch_merge_key.is_none(), "{name}.{field}");
                    continue;
                };
                let keys = match list {
                    ListType::Map { keys } => keys.clone(),
                    _ => Vec::new(),
                };
                let item = all.resolve(item);
                for key in keys.iter().chain(&schema.patch_merge_key) {
                    let Shape::Struct { fields, .. } = &item.shape else {
                        panic!("{name}.{field}")
                    };
                    assert!(fields.contains_key(key), "{name}.{field} has no {key}");
                }
            }
        }
    }
}
