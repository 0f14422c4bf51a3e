//! Columns of custom resources, as their definitions name them (`apiextensions-apiserver/pkg/registry/customresource/tableconvertor`).

use jiff::Timestamp;
use kedge_machinery::Object;
use serde_json::{Value, json};

use super::{AGE, ColumnDefinition, NAME, age};
use crate::custom::Custom;

pub(super) fn definitions(custom: &Custom) -> Vec<ColumnDefinition> {
    let mut all = vec![ColumnDefinition {
        name: NAME.name.into(),
        kind: NAME.kind.into(),
        format: "name".into(),
        description: NAME.description.into(),
        priority: 0,
    }];
    all.extend(custom.columns.iter().map(|column| ColumnDefinition {
        name: column.name.clone().into(),
        kind: column.kind.clone().into(),
        format: column.format.clone().into(),
        description: column.description.clone().into(),
        priority: column.priority,
    }));
    if custom.columns.is_empty() {
        all.push(ColumnDefinition {
            name: AGE.name.into(),
            kind: "date".into(),
            format: "".into(),
            description: AGE.description.into(),
            priority: 0,
        });
    }
    all
}

pub(super) fn cells(custom: &Custom, object: &Object, now: Timestamp) -> Vec<Value> {
    let mut cells = vec![Value::from(object.name())];
    let created = || object.meta().and_then(|meta| meta.get("creationTimestamp"));
    if custom.columns.is_empty() {
        cells.push(age::since(created(), now));
        return cells;
    }
    let whole = Value::Object(object.0.clone());
    cells.extend(custom.columns.iter().map(|column| {
        let found = column.path.first(&whole);
        found.map_or(Value::Null, |found| cell(&column.kind, found, now))
    }));
    cells
}

fn cell(kind: &str, value: &Value, now: Timestamp) -> Value {
    match (kind, value) {
        ("string", Value::String(text)) => json!(text),
        ("string", Value::Null) => json!("<nil>"),
        ("string", other) => json!(other.to_string()),
        ("integer", Value::Number(number)) => match number.as_i64() {
            Some(whole) => json!(whole),
            #[expect(clippy::cast_possible_truncation, reason = "as upstream rounds it")]
            None => json!(number.as_f64().unwrap_or_default() as i64),
        },
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value.clone(),
        ("date", Value::String(text)) => match text.parse::<Timestamp>() {
            Ok(_) => age::since(Some(value), now),
            Err(_) => json!("<invalid>"),
        },
        _ => Value::Null,
    }
}
