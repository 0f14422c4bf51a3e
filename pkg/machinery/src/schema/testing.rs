//! A small schema with every kind of list and map, shaped after Service and Pod.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::{Definitions, ListType, PatchStrategy, Schema, Shape};

fn of(shape: Shape) -> Schema {
    Schema {
        shape,
        ..Schema::default()
    }
}

fn object(fields: &[(&str, Schema)]) -> Schema {
    requiring(fields, &[])
}

fn requiring(fields: &[(&str, Schema)], required: &[&str]) -> Schema {
    let fields: BTreeMap<String, Schema> = fields
        .iter()
        .map(|(name, s)| ((*name).into(), s.clone()))
        .collect();
    of(Shape::Struct {
        fields,
        required: required.iter().map(|name| (*name).into()).collect(),
        atomic: false,
        preserve_unknown: false,
    })
}

fn list(item: Schema, list: ListType) -> Schema {
    of(Shape::List {
        item: Box::new(item),
        list,
    })
}

fn keyed(item: Schema, keys: &[&str], merge_key: &str) -> Schema {
    let mut schema = list(
        item,
        ListType::Map {
            keys: keys.iter().map(|k| (*k).into()).collect(),
        },
    );
    schema.patch_strategy = vec![PatchStrategy::Merge];
    schema.patch_merge_key = Some(merge_key.into());
    schema
}

fn reference(name: &str) -> Schema {
    of(Shape::Reference(format!("io.k8s.api.core.v1.{name}")))
}

/// Definitions, and the schema of the object.
pub(crate) fn service() -> (Definitions, Schema) {
    let strings = || {
        of(Shape::Map {
            value: Box::new(of(Shape::String)),
            atomic: false,
        })
    };
    let protocol = Schema {
        default: Some(json!("TCP")),
        ..of(Shape::String)
    };
    let port = object(&[
        ("name", of(Shape::String)),
        ("port", of(Shape::Integer { format: "int32" })),
        ("nodePort", of(Shape::Integer { format: "int32" })),
        ("protocol", protocol),
        ("targetPort", of(Shape::IntOrString)),
    ]);
    let condition = object(&[("type", of(Shape::String)), ("status", of(Shape::String))]);
    let mut finalizers = list(of(Shape::String), ListType::Set);
    finalizers.patch_strategy = vec![PatchStrategy::Merge];
    let mut strategy = object(&[
        ("type", of(Shape::String)),
        ("rolling", strings()),
        ("size", of(Shape::Number)),
    ]);
    strategy.patch_strategy = vec![PatchStrategy::RetainKeys];
    let selector = of(Shape::Map {
        value: Box::new(of(Shape::String)),
        atomic: true,
    });
    let spec = [
        ("clusterIP", of(Shape::String)),
        ("type", of(Shape::String)),
        ("kind", of(Shape::String)),
        ("names", list(of(Shape::String), ListType::Atomic)),
        (
            "ports",
            keyed(reference("ServicePort"), &["port", "protocol"], "port"),
        ),
        ("selector", selector),
        ("externalIPs", list(of(Shape::String), ListType::Atomic)),
        ("publish", of(Shape::Boolean)),
        ("strategy", strategy),
    ];
    let spec = requiring(&spec, &["kind", "names"]);
    let metadata = object(&[
        ("name", of(Shape::String)),
        ("namespace", of(Shape::String)),
        ("labels", strings()),
        ("annotations", strings()),
        ("finalizers", finalizers),
        ("resourceVersion", of(Shape::String)),
        ("uid", of(Shape::String)),
        ("creationTimestamp", of(Shape::Time { micro: false })),
        ("generation", of(Shape::Integer { format: "int64" })),
        ("managedFields", list(of(Shape::Any), ListType::Atomic)),
    ]);
    let status = object(&[("conditions", keyed(condition, &["type"], "type"))]);
    let definitions = [
        ("ServicePort", port),
        ("ServiceSpec", spec),
        ("ObjectMeta", metadata),
        ("ServiceStatus", status),
    ];
    let definitions = definitions
        .into_iter()
        .map(|(name, s)| (format!("io.k8s.api.core.v1.{name}"), Arc::new(s)));
    let schema = object(&[
        ("apiVersion", of(Shape::String)),
        ("kind", of(Shape::String)),
        ("metadata", reference("ObjectMeta")),
        ("spec", reference("ServiceSpec")),
        ("status", reference("ServiceStatus")),
    ]);
    (Definitions(definitions.collect()), schema)
}
