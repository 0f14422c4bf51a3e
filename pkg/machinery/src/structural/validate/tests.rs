use rstest::rstest;
use serde_json::json;

use super::*;

#[rstest]
#[case(json!({"type": "string"}), json!("x"), &[])]
#[case(json!({"type": "integer"}), json!("x"), &["spec.x: Invalid value: \"string\": spec.x in body must be of type integer: \"string\""])]
#[case(json!({"type": "integer"}), json!(1.5), &["spec.x: Invalid value: \"number\": spec.x in body must be of type integer: \"number\""])]
#[case(json!({"type": "integer"}), json!(2.0), &[])]
#[case(json!({"type": "number"}), json!(2), &[])]
#[case(json!({"type": "string"}), json!(null), &["spec.x: Invalid value: \"null\": spec.x in body must be of type string: \"null\""])]
#[case(json!({"type": "string", "nullable": true}), json!(null), &[])]
#[case(json!({"x-kubernetes-int-or-string": true}), json!(true), &["spec.x: Invalid value: \"boolean\": spec.x in body must be of type integer,string: \"boolean\""])]
#[case(json!({"type": "string", "enum": ["a", "b"]}), json!("c"), &["spec.x: Unsupported value: \"c\": supported values: \"a\", \"b\""])]
#[case(json!({"type": "string", "pattern": "^a+$"}), json!("b"), &["spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"])]
#[case(json!({"type": "integer", "minimum": 3}), json!(2), &["spec.x: Invalid value: 2: spec.x in body should be greater than or equal to 3"])]
#[case(json!({"type": "integer", "minimum": 3, "exclusiveMinimum": true}), json!(3), &["spec.x: Invalid value: 3: spec.x in body should be greater than 3"])]
#[case(json!({"type": "number", "maximum": 3.5}), json!(4), &["spec.x: Invalid value: 4: spec.x in body should be less than or equal to 3.5"])]
#[case(json!({"type": "number", "maximum": 3, "exclusiveMaximum": true}), json!(3), &["spec.x: Invalid value: 3: spec.x in body should be less than 3"])]
#[case(json!({"type": "integer", "multipleOf": 3}), json!(7), &["spec.x: Invalid value: 7: spec.x in body should be a multiple of 3"])]
#[case(json!({"type": "string", "minLength": 2}), json!("ä"), &["spec.x: Invalid value: \"ä\": spec.x in body should be at least 2 chars long"])]
#[case(json!({"type": "string", "maxLength": 2}), json!("abc"), &["spec.x: Too long: may not be more than 2 bytes"])]
#[case(json!({"type": "array", "items": {"type": "string"}, "minItems": 1}), json!([]), &["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"])]
#[case(json!({"type": "array", "items": {"type": "string"}, "maxItems": 1}), json!(["a", "b"]), &["spec.x: Too many: 2: must have at most 1 items"])]
#[case(json!({"type": "object", "minProperties": 1}), json!({}), &["spec.x: Invalid value: 0: spec.x in body should have at least 1 properties"])]
#[case(json!({"type": "object", "required": ["y"]}), json!({}), &["spec.x.y: Required value"])]
#[case(json!({"type": "object", "additionalProperties": {"type": "string"}}), json!({"k": 1}), &["spec.x.k: Invalid value: \"integer\": spec.x.k in body must be of type string: \"integer\""])]
#[case(json!({"type": "array", "items": {"type": "string"}}), json!(["a", 1]), &["spec.x[1]: Invalid value: \"integer\": spec.x[1] in body must be of type string: \"integer\""])]
#[case(json!({"type": "string", "format": "date-time"}), json!("soon"), &["spec.x: Invalid value: \"soon\": spec.x in body must be of type date-time: \"soon\""])]
#[case(json!({"type": "integer", "anyOf": [{"minimum": 5}, {"maximum": 1}]}), json!(3), &["<nil>: Invalid value: \"\": \"spec.x\" must validate at least one schema (anyOf)"])]
#[case(json!({"type": "integer", "oneOf": [{"minimum": 5}, {"minimum": 1}]}), json!(7), &["<nil>: Invalid value: \"\": \"spec.x\" must validate one and only one schema (oneOf). Found 2 valid alternatives"])]
#[case(json!({"type": "object", "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}), json!({}), &["<nil>: Invalid value: \"\": \"spec.x\" must validate one and only one schema (oneOf). Found none valid"])]
#[case(json!({"type": "integer", "not": {"minimum": 5}}), json!(7), &["<nil>: Invalid value: \"\": \"spec.x\" must not validate the schema (not)"])]
#[case(json!({"type": "integer", "allOf": [{"minimum": 5}]}), json!(3), &["spec.x: Invalid value: 3: spec.x in body should be greater than or equal to 5"])]
#[case(json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}), json!(["a", "a"]), &["spec.x[1]: Duplicate value: \"a\""])]
#[case(json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n"], "items": {"type": "object"}}), json!([{"n": 1}, {"n": 1}]), &["spec.x[1]: Duplicate value: {\"n\":1}"])]
#[case(json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true}), json!({"kind": "K"}), &["spec.x.apiVersion: Required value: must not be empty"])]
fn what_is_wrong(#[case] field: Value, #[case] value: Value, #[case] expected: &[&str]) {
    let schema = Structural::parse(&json!({
        "type": "object", "properties": {"spec": {"type": "object", "properties": {"x": field}}},
    }));
    let errors = schema.validate(&json!({"spec": {"x": value}}));
    let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected);
}
