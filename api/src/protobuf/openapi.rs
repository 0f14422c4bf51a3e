//! `/openapi/v2` as the message `openapi.v2.Document` of gnostic (`openapiv2/OpenAPIv2.proto`): what Go's discovery client
//! asks for.
//!
//! The messages say what the JSON says, in more of them: where JSON has an object with any keys the wire has a list of named
//! values, and where JSON has one of several things the wire has a message that says which.

use std::convert::Infallible;

use serde_json::{Map, Value};

use super::wire_out;

/// The media type of the message.
pub const MEDIA_TYPE: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// How a field's value is written.
#[derive(Clone, Copy)]
enum Form {
    Text,
    Texts,
    Flag,
    Integer,
    Number,
    /// Any JSON value, as YAML.
    Any,
    Anys,
    /// A message, within messages that have nothing but it, in the fields of these numbers.
    One(&'static [u32], &'static Message),
    Many(&'static Message),
    /// Which message each is depends on where it stands in a request.
    Parameters,
    /// An object of such messages: a message of pairs of name and value, which are its field of that number.
    Named(u32, &'static [u32], &'static Message),
    /// One word or several.
    Words,
    /// A schema, or whether any is allowed.
    SchemaOrFlag,
}

/// A message: its fields by JSON name, and the number of the field for whatever begins with `x-`.
struct Message {
    fields: &'static [(&'static str, u32, Form)],
    extensions: u32,
}

static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Form::Text),
        ("info", 2, Form::One(&[], &INFO)),
        ("host", 3, Form::Text),
        ("basePath", 4, Form::Text),
        ("schemes", 5, Form::Texts),
        ("consumes", 6, Form::Texts),
        ("produces", 7, Form::Texts),
        ("paths", 8, Form::Named(2, &[], &PATH_ITEM)),
        ("definitions", 9, Form::Named(1, &[], &SCHEMA)),
    ],
    extensions: 16,
};

static INFO: Message = Message {
    fields: &[
        ("title", 1, Form::Text),
        ("version", 2, Form::Text),
        ("description", 3, Form::Text),
    ],
    extensions: 7,
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", 2, Form::One(&[], &OPERATION)),
        ("put", 3, Form::One(&[], &OPERATION)),
        ("post", 4, Form::One(&[], &OPERATION)),
        ("delete", 5, Form::One(&[], &OPERATION)),
        ("options", 6, Form::One(&[], &OPERATION)),
        ("head", 7, Form::One(&[], &OPERATION)),
        ("patch", 8, Form::One(&[], &OPERATION)),
        ("parameters", 9, Form::Parameters),
    ],
    extensions: 10,
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Form::Texts),
        ("summary", 2, Form::Text),
        ("description", 3, Form::Text),
        ("operationId", 5, Form::Text),
        ("produces", 6, Form::Texts),
        ("consumes", 7, Form::Texts),
        ("parameters", 8, Form::Parameters),
        ("responses", 9, Form::Named(1, &[1], &RESPONSE)),
        ("schemes", 10, Form::Texts),
        ("deprecated", 11, Form::Flag),
    ],
    extensions: 13,
};

static BODY_PARAMETER: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("name", 2, Form::Text),
        ("in", 3, Form::Text),
        ("required", 4, Form::Flag),
        ("schema", 5, Form::One(&[], &SCHEMA)),
    ],
    extensions: 6,
};

static QUERY_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Form::Flag),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 6, Form::Text),
        ("format", 7, Form::Text),
        ("uniqueItems", 20, Form::Flag),
    ],
    extensions: 23,
};

static PATH_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Form::Flag),
        ("in", 2, Form::Text),
        ("description", 3, Form::Text),
        ("name", 4, Form::Text),
        ("type", 5, Form::Text),
        ("format", 6, Form::Text),
        ("uniqueItems", 19, Form::Flag),
    ],
    extensions: 22,
};

static RESPONSE: Message = Message {
    fields: &[
        ("description", 1, Form::Text),
        ("schema", 2, Form::One(&[1], &SCHEMA)),
    ],
    extensions: 5,
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Form::Text),
        ("format", 2, Form::Text),
        ("title", 3, Form::Text),
        ("description", 4, Form::Text),
        ("default", 5, Form::Any),
        ("multipleOf", 6, Form::Number),
        ("maximum", 7, Form::Number),
        ("exclusiveMaximum", 8, Form::Flag),
        ("minimum", 9, Form::Number),
        ("exclusiveMinimum", 10, Form::Flag),
        ("maxLength", 11, Form::Integer),
        ("minLength", 12, Form::Integer),
        ("pattern", 13, Form::Text),
        ("maxItems", 14, Form::Integer),
        ("minItems", 15, Form::Integer),
        ("uniqueItems", 16, Form::Flag),
        ("maxProperties", 17, Form::Integer),
        ("minProperties", 18, Form::Integer),
        ("required", 19, Form::Texts),
        ("enum", 20, Form::Anys),
        ("additionalProperties", 21, Form::SchemaOrFlag),
        ("type", 22, Form::Words),
        ("items", 23, Form::One(&[1], &SCHEMA)),
        ("allOf", 24, Form::Many(&SCHEMA)),
        ("properties", 25, Form::Named(1, &[], &SCHEMA)),
        ("readOnly", 27, Form::Flag),
        ("example", 30, Form::Any),
    ],
    extensions: 31,
};

/// The message of a document that is given as JSON. What the message has no field for is left out, as gnostic does.
#[must_use]
pub fn document(document: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some(document) = document.as_object() {
        fields(&mut out, &DOCUMENT, document);
    }
    out
}

fn fields(out: &mut Vec<u8>, message: &Message, object: &Map<String, Value>) {
    for (key, value) in object {
        if key.starts_with("x-") {
            within(out, message.extensions, |out| {
                named(out, key, |out| any(out, 2, value));
            });
        } else if let Some((_, number, form)) = message.fields.iter().find(|(name, ..)| name == key)
        {
            field(out, *number, *form, value);
        }
    }
}

fn field(out: &mut Vec<u8>, number: u32, form: Form, value: &Value) {
    match form {
        Form::Text => texts(out, number, std::slice::from_ref(value)),
        Form::Texts => texts(out, number, list(value)),
        Form::Flag => {
            if value.as_bool() == Some(true) {
                wire_out::integer(out, number, 1);
            }
        }
        Form::Integer => {
            if let Some(value) = value.as_i64().filter(|value| *value != 0) {
                wire_out::integer(out, number, value);
            }
        }
        Form::Number => {
            if let Some(value) = value.as_f64().filter(|value| *value != 0.0) {
                wire_out::double(out, number, value);
            }
        }
        Form::Any => any(out, number, value),
        Form::Anys => list(value).iter().for_each(|value| any(out, number, value)),
        Form::One(path, message) => one(out, number, path, message, value),
        Form::Many(message) => {
            for value in list(value) {
                one(out, number, &[], message, value);
            }
        }
        Form::Parameters => {
            for object in list(value).iter().filter_map(Value::as_object) {
                within(out, number, |out| {
                    within(out, 1, |out| parameter(out, object))
                });
            }
        }
        Form::Named(pairs, path, message) => within(out, number, |out| {
            for (name, value) in value.as_object().into_iter().flatten() {
                within(out, pairs, |out| {
                    named(out, name, |out| one(out, 2, path, message, value));
                });
            }
        }),
        Form::Words => within(out, number, |out| match value {
            Value::Array(words) => texts(out, 1, words),
            word => texts(out, 1, std::slice::from_ref(word)),
        }),
        Form::SchemaOrFlag => within(out, number, |out| match value {
            Value::Bool(any) => wire_out::integer(out, 2, i64::from(*any)),
            schema => one(out, 1, &[], &SCHEMA, schema),
        }),
    }
}

/// A message in the field `number`, or in those of `path` below it.
fn one(out: &mut Vec<u8>, number: u32, path: &[u32], message: &Message, value: &Value) {
    let Some(object) = value.as_object() else {
        return;
    };
    within(out, number, |out| match path {
        [next, rest @ ..] => one(out, *next, rest, message, value),
        [] => fields(out, message, object),
    });
}

/// A parameter is that of a body, or one of the others: those of a query or a path, among those that are used here.
fn parameter(out: &mut Vec<u8>, object: &Map<String, Value>) {
    let (number, message) = match object.get("in").and_then(Value::as_str) {
        Some("query") => (3, &QUERY_PARAMETER),
        Some("path") => (4, &PATH_PARAMETER),
        _ => return within(out, 1, |out| fields(out, &BODY_PARAMETER, object)),
    };
    within(out, 2, |out| {
        within(out, number, |out| fields(out, message, object));
    });
}

fn named(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    wire_out::bytes(out, 1, name.as_bytes());
    value(out);
}

/// JSON is YAML.
fn any(out: &mut Vec<u8>, number: u32, value: &Value) {
    within(out, number, |out| {
        wire_out::bytes(out, 2, value.to_string().as_bytes());
    });
}

fn texts(out: &mut Vec<u8>, number: u32, values: &[Value]) {
    for value in values.iter().filter_map(Value::as_str) {
        wire_out::bytes(out, number, value.as_bytes());
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn within(out: &mut Vec<u8>, number: u32, fill: impl FnOnce(&mut Vec<u8>)) {
    let Ok(()) = wire_out::message(out, number, |out| {
        fill(out);
        Ok::<_, Infallible>(())
    });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::wire::{Reader, Wire};
    use super::*;
    use crate::{Catalog, openapi};

    /// Fields of a message: numbers, and what is in them.
    fn read(message: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let mut reader = Reader::new(message);
        let mut found = Vec::new();
        while let Some((number, wire)) = reader.next().unwrap() {
            found.push(match wire {
                Wire::Bytes(bytes) => (number, bytes.to_vec()),
                Wire::Varint(value) => (number, vec![value as u8]),
                other => panic!("{other:?}"),
            });
        }
        found
    }

    /// What is at the end of a path of field numbers; of several with one number, all.
    fn at(message: &[u8], path: &[u32]) -> Vec<Vec<u8>> {
        let [first, rest @ ..] = path else {
            return vec![message.to_vec()];
        };
        let fields = read(message).into_iter();
        let fields = fields.filter(|(number, _)| number == first);
        fields.flat_map(|(_, bytes)| at(&bytes, rest)).collect()
    }

    fn text(message: &[u8], path: &[u32]) -> Vec<String> {
        let found = at(message, path).into_iter();
        found
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .collect()
    }

    #[test]
    fn each_part_is_where_the_message_has_it() {
        let message = document(&json!({
            "swagger": "2.0",
            "info": {"title": "Kubernetes", "version": "v1"},
            "paths": {"/api/v1/things": {
                "get": {
                    "operationId": "list", "tags": ["core_v1"], "consumes": ["*/*"],
                    "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/Thing"}}},
                    "parameters": [
                        {"in": "query", "name": "limit", "type": "integer", "uniqueItems": true},
                        {"in": "path", "name": "name", "type": "string", "required": true},
                        {"in": "body", "name": "body", "schema": {"$ref": "#/definitions/Thing"}},
                    ],
                    "x-kubernetes-action": "list",
                },
            }},
            "definitions": {"Thing": {
                "type": "object", "required": ["a", "b"], "description": "A thing.",
                "properties": {
                    "list": {"type": "array", "items": {"type": "string", "format": "byte"}, "x-kubernetes-list-type": "set"},
                    "map": {"additionalProperties": {"type": "integer", "default": 7}},
                    "open": {"additionalProperties": true, "minLength": 3},
                },
            }},
        }));
        for (path, expected) in [
            (&[1][..], &["2.0"][..]),
            (&[2, 1], &["Kubernetes"]),
            (&[8, 2, 1], &["/api/v1/things"]),
            (&[8, 2, 2, 2, 5], &["list"]),
            (&[8, 2, 2, 2, 1], &["core_v1"]),
            (&[8, 2, 2, 2, 9, 1, 1], &["200"]),
            (&[8, 2, 2, 2, 9, 1, 2, 1, 1], &["OK"]),
            (&[8, 2, 2, 2, 9, 1, 2, 1, 2, 1, 1], &["#/definitions/Thing"]),
            (&[8, 2, 2, 2, 8, 1, 2, 3, 4], &["limit"]),
            (&[8, 2, 2, 2, 8, 1, 2, 3, 6], &["integer"]),
            (&[8, 2, 2, 2, 8, 1, 2, 3, 20], &["\u{1}"]),
            (&[8, 2, 2, 2, 8, 1, 2, 4, 4], &["name"]),
            (&[8, 2, 2, 2, 8, 1, 2, 4, 1], &["\u{1}"]),
            (&[8, 2, 2, 2, 8, 1, 1, 5, 1], &["#/definitions/Thing"]),
            (&[8, 2, 2, 2, 13, 1], &["x-kubernetes-action"]),
            (&[8, 2, 2, 2, 13, 2, 2], &["\"list\""]),
            (&[9, 1, 1], &["Thing"]),
            (&[9, 1, 2, 22, 1], &["object"]),
            (&[9, 1, 2, 19], &["a", "b"]),
            (&[9, 1, 2, 25, 1, 1], &["list", "map", "open"]),
            (&[9, 1, 2, 25, 1, 2, 23, 1, 2], &["byte"]),
            (&[9, 1, 2, 25, 1, 2, 31, 2, 2], &["\"set\""]),
            (&[9, 1, 2, 25, 1, 2, 21, 1, 22, 1], &["integer"]),
            (&[9, 1, 2, 25, 1, 2, 21, 1, 5, 2], &["7"]),
            (&[9, 1, 2, 25, 1, 2, 21, 2], &["\u{1}"]),
            (&[9, 1, 2, 25, 1, 2, 12], &["\u{3}"]),
        ] {
            assert_eq!(text(&message, path), expected, "{path:?}");
        }
    }

    /// Keys that the message has no field for.
    fn left_out(message: &Message, value: &Value, found: &mut Vec<String>) {
        for (key, value) in value.as_object().into_iter().flatten() {
            if key.starts_with("x-") {
                continue;
            }
            let Some((.., form)) = message.fields.iter().find(|(name, ..)| name == key) else {
                found.push(key.clone());
                continue;
            };
            match form {
                Form::One(_, message) => left_out(message, value, found),
                Form::Many(message) => list(value)
                    .iter()
                    .for_each(|value| left_out(message, value, found)),
                Form::Named(_, _, message) => {
                    let values = value.as_object().unwrap().values();
                    values.for_each(|value| left_out(message, value, found));
                }
                Form::SchemaOrFlag => left_out(&SCHEMA, value, found),
                Form::Parameters => list(value).iter().for_each(|value| {
                    let message = match value["in"].as_str().unwrap() {
                        "query" => &QUERY_PARAMETER,
                        "path" => &PATH_PARAMETER,
                        _ => &BODY_PARAMETER,
                    };
                    left_out(message, value, found);
                }),
                _ => {}
            }
        }
    }

    #[test]
    fn nothing_of_the_document_is_left_out() {
        let made: Value =
            serde_json::from_slice(&openapi::v2_document(&Catalog::builtin())).unwrap();
        let mut found = Vec::new();
        left_out(&DOCUMENT, &made, &mut found);
        assert!(found.is_empty(), "{found:?}");
        let names = text(&document(&made), &[9, 1, 1]);
        assert!(made["definitions"].as_object().unwrap().keys().eq(&names));
    }
}
