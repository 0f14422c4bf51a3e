use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Encoded;

fn of(name: &str, fields: &[&str], others: &[Value]) -> Value {
    let managers = fields
        .iter()
        .map(|field| json!({"fieldsV1": {*field: {}}, "manager": "m", "time": name}));
    let managers: Vec<_> = managers.collect();
    let encoded = Encoded::object(&json!({"metadata": {"managedFields": managers, "name": name}}));
    Value::cut(&encoded.at(7), &encoded.places.managers, others)
}

#[test]
fn the_same_fields_are_held_once() {
    let one = of("a", &["f:x", "f:y"], &[]);
    let other = of("bb", &["f:x", "f:y"], std::slice::from_ref(&one));
    assert!(one.shares_with(&other));
    let both = [one, other];
    for fields in [&["f:x"][..], &["f:y", "f:x"], &["f:x", "f:z"], &[]] {
        let third = of("c", fields, &both);
        assert!(
            !both.iter().any(|value| value.shares_with(&third)),
            "{fields:?}"
        );
    }
    assert_eq!(
        String::from_utf8(both[1].to_vec()).unwrap(),
        r#"{"metadata":{"managedFields":[{"fieldsV1":{"f:x":{}},"manager":"m","time":"bb"},{"fieldsV1":{"f:y":{}},"manager":"m","time":"bb"}],"name":"bb","resourceVersion":"7"}}"#
    );
}

#[test]
fn without_any_it_is_in_one_piece() {
    for value in [
        of("a", &[], &[]),
        Value::whole(*b"default/web"),
        Value::whole([]),
    ] {
        assert_eq!(value.as_whole(), Some(&*value.to_vec()));
    }
    assert!(of("a", &["f:x"], &[]).as_whole().is_none());
}

#[test]
fn what_could_be_taken_for_a_cut_stays_whole() {
    let value = Value::cut(b"a\0bcd", std::slice::from_ref(&(3..4)), []);
    assert_eq!(value.as_whole(), Some(&b"a\0bcd"[..]));
}

proptest! {
    #[test]
    fn nothing_is_lost(bytes in "[a-c]{0,40}", lengths in proptest::collection::vec((0..5_usize, 2..6_usize), 0..6)) {
        let mut spans = Vec::new();
        let mut at = 1;
        for (gap, len) in lengths {
            spans.push(at + gap..at + gap + len);
            at += gap + len;
        }
        spans.retain(|span| span.end <= bytes.len());
        let one = Value::cut(bytes.as_bytes(), &spans, []);
        prop_assert_eq!(one.to_vec(), bytes.as_bytes());
        prop_assert_eq!(one.len(), bytes.len());
        let other = Value::cut(bytes.as_bytes(), &spans, [&one]);
        prop_assert_eq!(other.shares_with(&one), !spans.is_empty());
        prop_assert_eq!(&other, &one);
        prop_assert_eq!(&other, &Value::whole(bytes.into_bytes()));
    }
}
