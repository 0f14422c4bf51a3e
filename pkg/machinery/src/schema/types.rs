//! Whether each value is of the JSON type that its field has. Words are those of Go's decoder, which upstream answers with.

use serde_json::Value;

use super::path::Path;
use super::{Definitions, Schema, Shape};
use crate::quantity::{BadQuantity, Quantity};

/// A value that its field cannot hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TypeMismatch {
    /// Of the wrong JSON type.
    #[error("json: cannot unmarshal {found} into Go struct field {kind}.{path} of type {expected}")]
    Type {
        found: String,
        /// The struct that has the field: `ServiceSpec`.
        kind: String,
        path: String,
        expected: String,
    },
    /// Text that is no time.
    #[error(
        "parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\": cannot parse {text:?} as \"2006\""
    )]
    Time { text: String },
    /// Text that is no quantity.
    #[error(transparent)]
    Quantity(#[from] BadQuantity),
}

/// Checks a whole tree; `null` fits everywhere, as it does for Go's decoder.
///
/// # Errors
/// The first value that does not fit.
pub fn check(
    definitions: &Definitions,
    schema: &Schema,
    value: &Value,
) -> Result<(), TypeMismatch> {
    Checker { definitions }.value(
        schema,
        value,
        &Place {
            kind: "Object",
            path: Path::Root,
        },
    )
}

struct Checker<'a> {
    definitions: &'a Definitions,
}

#[derive(Clone, Copy)]
struct Place<'a> {
    /// The struct that the value is a field of, at any depth of lists and maps.
    kind: &'a str,
    path: Path<'a>,
}

impl Checker<'_> {
    fn value(&self, schema: &Schema, value: &Value, place: &Place<'_>) -> Result<(), TypeMismatch> {
        let name = definition(schema);
        let resolved = self.definitions.resolve(schema);
        let fits = match (&resolved.shape, value) {
            (_, Value::Null) | (Shape::Any, _) => true,
            (Shape::Time { .. }, Value::String(text)) => return time(text),
            (Shape::Quantity, Value::String(text)) => return Ok(Quantity::parse(text).map(drop)?),
            (Shape::Quantity, value) => value.is_number(),
            (Shape::String | Shape::Bytes, value) => value.is_string(),
            (Shape::Integer { format }, value) => is_integer(format, value),
            (Shape::Number, value) => value.is_number(),
            (Shape::Boolean, value) => value.is_boolean(),
            (Shape::IntOrString, value) => value.is_string() || is_integer("int32", value),
            (Shape::Struct { fields, .. }, Value::Object(map)) => {
                let kind = name.unwrap_or(place.kind);
                for (key, value) in map {
                    if let Some(field) = fields.get(key) {
                        let path = Path::Name(&place.path, key);
                        self.value(field, value, &Place { kind, path })?;
                    }
                }
                true
            }
            (Shape::Map { value: item, .. }, Value::Object(map)) => {
                map.values()
                    .try_for_each(|value| self.value(item, value, place))?;
                true
            }
            (Shape::List { item, .. }, Value::Array(list)) => {
                list.iter()
                    .try_for_each(|value| self.value(item, value, place))?;
                true
            }
            _ => false,
        };
        if fits {
            return Ok(());
        }
        Err(TypeMismatch::Type {
            found: found(value),
            kind: place.kind.into(),
            path: place.path.to_string(),
            expected: self.expected(schema),
        })
    }

    /// A type's name in Go's words.
    fn expected(&self, schema: &Schema) -> String {
        match &schema.shape {
            Shape::String => "string".into(),
            Shape::Bytes => "[]uint8".into(),
            Shape::Integer { format } => (*format).into(),
            Shape::Number => "float64".into(),
            Shape::Boolean => "bool".into(),
            Shape::IntOrString => "intstr.IntOrString".into(),
            Shape::Quantity => "resource.Quantity".into(),
            Shape::Time { .. } => "v1.Time".into(),
            Shape::List { item, .. } => format!("[]{}", self.expected(item)),
            Shape::Map { value, .. } => format!("map[string]{}", self.expected(value)),
            Shape::Reference(_) => {
                let resolved = self.definitions.resolve(schema);
                match (&resolved.shape, definition(schema)) {
                    (Shape::Struct { .. } | Shape::Reference(_), Some(name)) => {
                        format!("v1.{name}")
                    }
                    _ => self.expected(resolved),
                }
            }
            Shape::Struct { .. } | Shape::Any => "v1.Object".into(),
        }
    }
}

/// The Go name of what a schema refers to: `ServiceSpec` of `io.k8s.api.core.v1.ServiceSpec`.
fn definition(schema: &Schema) -> Option<&str> {
    match &schema.shape {
        Shape::Reference(name) => name.rsplit('.').next(),
        _ => None,
    }
}

fn time(text: &str) -> Result<(), TypeMismatch> {
    match crate::time::parse(text) {
        Some(_) => Ok(()),
        None => Err(TypeMismatch::Time { text: text.into() }),
    }
}

fn is_integer(format: &str, value: &Value) -> bool {
    match value.as_i64() {
        Some(number) => format != "int32" || i32::try_from(number).is_ok(),
        None => false,
    }
}

fn found(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(_) => "bool".into(),
        Value::Number(number) => format!("number {number}"),
        Value::String(_) => "string".into(),
        Value::Array(_) => "array".into(),
        Value::Object(_) => "object".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::testing::service;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({"spec": {"ports": "80"}}), "cannot unmarshal string into Go struct field ServiceSpec.spec.ports of type []v1.ServicePort")]
    #[case(json!({"spec": {"ports": [{"port": "80"}]}}), "cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32")]
    #[case(json!({"spec": {"ports": [{"port": 8_000_000_000i64}]}}), "number 8000000000")]
    #[case(json!({"spec": []}), "cannot unmarshal array into Go struct field Object.spec of type v1.ServiceSpec")]
    #[case(json!({"spec": {"ports": [{"targetPort": 8_000_000_000i64}]}}), "of type intstr.IntOrString")]
    #[case(json!({"metadata": {"creationTimestamp": "yesterday"}}), "parsing time \"yesterday\"")]
    #[case(json!({"spec": {"selector": {"a": 1}}}), "of type string")]
    #[case(json!({"spec": {"publish": "yes"}}), "of type bool")]
    fn mismatches(#[case] tree: Value, #[case] words: &str) {
        let (definitions, schema) = service();
        let error = check(&definitions, &schema, &tree).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn what_fits() {
        let (definitions, schema) = service();
        let tree = json!({"metadata": null, "spec": {"ports": [{"port": 80, "targetPort": "http"}, {"port": 81, "targetPort": 8081}], "other": 1}});
        check(&definitions, &schema, &tree).unwrap();
    }
}
