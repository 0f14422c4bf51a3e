use rstest::rstest;
use serde_json::json;

use super::*;

/// Errors of a schema with the field `a`, below `S.properties[a]`.
#[rstest]
#[case::plain(json!({"type": "string"}), &[])]
#[case::untyped(json!({}), &["S.properties[a].type: Required value: must not be empty for specified object fields"])]
#[case::open(json!({"x-kubernetes-preserve-unknown-fields": true}), &[])]
#[case::null(json!({"type": "null"}), &["S.properties[a].type: Forbidden: type cannot be set to null, use nullable as an alternative"])]
#[case::no_type(json!({"type": "strin"}), &["S.properties[a].type: Unsupported value: \"strin\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \"object\", \"string\""])]
#[case::no_items(json!({"type": "array"}), &["S.properties[a].items: Required value: must be specified"])]
#[case::untyped_items(json!({"type": "array", "items": {}}), &["S.properties[a].items.type: Required value: must not be empty for specified array items"])]
#[case::reference(json!({"type": "object", "$ref": "x"}), &["S.properties[a].$ref: Forbidden: $ref is not supported"])]
#[case::unique(json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
    &["S.properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"])]
#[case::both(json!({"type": "object", "properties": {"b": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
    &["S.properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"])]
#[case::closed(json!({"type": "object", "additionalProperties": false}),
    &["S.properties[a].additionalProperties: Forbidden: additionalProperties cannot be set to false"])]
#[case::pattern(json!({"type": "string", "pattern": "("}), &["S.properties[a].pattern: Invalid value: \"(\": must be a valid regular expression, but isn't:"])]
#[case::int_or_string(json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}], "pattern": "^a"}), &[])]
#[case::int_or_string_typed(json!({"x-kubernetes-int-or-string": true, "type": "string"}),
    &["S.properties[a].type: Invalid value: \"string\": must be empty if x-kubernetes-int-or-string is true"])]
#[case::nested_type(json!({"type": "string", "anyOf": [{"type": "string"}, {"pattern": "^a"}]}),
    &["S.properties[a].anyOf[0].type: Forbidden: must be empty to be structural"])]
#[case::nested_unknown(json!({"type": "object", "oneOf": [{"properties": {"b": {"pattern": "x"}}}]}),
    &["S.properties[a].properties[b]: Required value: because it is defined in S.properties[a].oneOf[0].properties[b]"])]
#[case::nested_required(json!({"type": "object", "properties": {"b": {"type": "string"}}, "not": {"required": ["b"]}}), &[])]
#[case::list_keys(json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n", "x"],
    "items": {"type": "object", "properties": {"n": {"type": "string"}}}}),
    &["S.properties[a].items.properties[n].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
      "S.properties[a].x-kubernetes-list-map-keys[1]: Invalid value: \"x\": entries must all be names of item properties"])]
#[case::no_list_keys(json!({"type": "array", "x-kubernetes-list-type": "map", "items": {"type": "object"}}),
    &["S.properties[a].x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"])]
#[case::map_type(json!({"type": "string", "x-kubernetes-map-type": "atomic"}),
    &["S.properties[a].type: Invalid value: \"string\": must be object if x-kubernetes-map-type is specified"])]
#[case::default(json!({"type": "integer", "default": "one"}),
    &["S.properties[a].default: Invalid value: \"string\": S.properties[a].default in body must be of type integer: \"string\""])]
#[case::good_default(json!({"type": "object", "default": {}, "required": ["b"], "properties": {"b": {"type": "string", "default": "x"}}}), &[])]
#[case::embedded(json!({"type": "object", "x-kubernetes-embedded-resource": true}),
    &["S.properties[a].properties: Required value: must not be empty if x-kubernetes-embedded-resource is true without"])]
fn what_is_wrong(#[case] field: Value, #[case] expected: &[&str]) {
    let schema = json!({"type": "object", "properties": {"a": field}});
    let found: Vec<String> = check(&schema, "S")
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found} is not {expected}");
    }
}

#[test]
fn the_root_is_an_object() {
    let told = |schema: Value| -> Vec<String> {
        let at = "spec.validation.openAPIV3Schema";
        let errors = check(&schema, at);
        errors
            .iter()
            .map(|e| e.to_string().replace(at, "S"))
            .collect()
    };
    assert_eq!(
        told(json!({})),
        ["S.type: Required value: must not be empty at the root"]
    );
    assert_eq!(
        told(json!({"type": "array", "items": {"type": "string"}})),
        ["S.type: Invalid value: \"array\": must be object at the root"]
    );
    assert_eq!(
        told(
            json!({"type": "object", "properties": {"metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}}})
        ),
        [
            "S.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified"
        ]
    );
}

/// Expressions that widely used definitions have.
#[rstest]
#[case(r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$", "500Mi", "x")]
#[case(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "a.b-c",
    "A"
)]
#[case(
    r"^(?:[-A-Za-z0-9/._~!$&'()*+,;=:]|[%][0-9a-fA-F]{2})+$",
    "/a%20b",
    "a b"
)]
#[case(r"^https?:\/\/[^\s]+$", "https://example.com", "ftp://x")]
#[case(r"^[\x20-\x7E]{1,63}$", "plain", "ä")]
#[case(r"^([0-9]+(ms|[smhd]))+$", "1h30m", "1y")]
#[case(r"^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$", "* * * * */5", "* *")]
#[case(r"^[[:alpha:]]+$", "abc", "a1")]
fn patterns_are_read(#[case] pattern: &str, #[case] good: &str, #[case] bad: &str) {
    let field = json!({"type": "string", "pattern": pattern});
    let schema = json!({"type": "object", "properties": {"a": field}});
    assert!(check(&schema, "S").is_empty(), "{pattern}");
    let schema = Structural::parse(&schema);
    assert!(schema.validate(&json!({"a": good})).is_empty(), "{good}");
    assert_eq!(schema.validate(&json!({"a": bad})).len(), 1, "{bad}");
}
