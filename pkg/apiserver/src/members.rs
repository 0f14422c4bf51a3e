//! The members of a JSON object, found without parsing what is in them.
//!
//! Lists and partial metadata are cut from stored bytes: a tree of each object would cost ten times its size.

use kedge_registry::MetaVersion;

/// One member of the outermost object; slices of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member<'a> {
    /// Between the quotes, escapes left as they are.
    pub key: &'a [u8],
    pub value: &'a [u8],
    /// Key, colon and value.
    pub whole: &'a [u8],
}

/// Walks the members of the object in `json`. What is no valid JSON ends the walk.
pub(crate) fn members(json: &[u8]) -> Members<'_> {
    let at = skip_space(json, 0);
    let at = if json.get(at) == Some(&b'{') {
        at + 1
    } else {
        json.len()
    };
    Members { json, at }
}

/// See [`members`].
pub(crate) struct Members<'a> {
    json: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let json = self.json;
        let start = skip_space(json, self.at);
        let key_end = string_end(json, start)?;
        let colon = skip_space(json, key_end);
        if json.get(colon) != Some(&b':') {
            return None;
        }
        let value = skip_space(json, colon + 1);
        let end = value_end(json, value)?;
        let next = skip_space(json, end);
        self.at = if json.get(next) == Some(&b',') {
            next + 1
        } else {
            json.len()
        };
        Some(Member {
            key: &json[start + 1..key_end - 1],
            value: &json[value..end],
            whole: &json[start..end],
        })
    }
}

fn skip_space(json: &[u8], mut at: usize) -> usize {
    while matches!(json.get(at), Some(b' ' | b'\n' | b'\t' | b'\r')) {
        at += 1;
    }
    at
}

/// The offset after the string that begins at `at`.
fn string_end(json: &[u8], at: usize) -> Option<usize> {
    if json.get(at) != Some(&b'"') {
        return None;
    }
    let mut at = at + 1;
    loop {
        match json.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// The offset after the value that begins at `at`.
fn value_end(json: &[u8], at: usize) -> Option<usize> {
    match json.get(at)? {
        b'"' => string_end(json, at),
        b'{' | b'[' => {
            let (mut at, mut depth) = (at, 0usize);
            loop {
                match json.get(at)? {
                    b'"' => {
                        at = string_end(json, at)?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => {
            let length = json[at..].iter().position(|byte| {
                matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\t' | b'\r')
            })?;
            Some(at + length)
        }
    }
}

/// Appends the object without its own `kind` and `apiVersion`: so items stand in a list of their kind.
pub(crate) fn push_without_type(out: &mut Vec<u8>, json: &[u8]) {
    out.push(b'{');
    let kept = members(json).filter(|member| !matches!(member.key, b"kind" | b"apiVersion"));
    for (index, member) in kept.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(member.whole);
    }
    out.push(b'}');
}

/// Appends the object's metadata as `PartialObjectMetadata` of a version of `meta.k8s.io`.
pub(crate) fn push_partial(out: &mut Vec<u8>, json: &[u8], version: MetaVersion) {
    out.extend_from_slice(br#"{"kind":"PartialObjectMetadata","apiVersion":""#);
    out.extend_from_slice(version.api_version().as_bytes());
    out.extend_from_slice(br#"","metadata":"#);
    let metadata = members(json).find(|member| member.key == b"metadata");
    out.extend_from_slice(metadata.map_or(b"{}", |member| member.value));
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    fn text(push: fn(&mut Vec<u8>, &[u8]), json: &str) -> String {
        let mut out = Vec::new();
        push(&mut out, json.as_bytes());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_item_loses_its_type_only_at_the_top() {
        let json = r#"{"apiVersion":"v1","data":{"kind":"x","a":"}\"{,"},"kind":"ConfigMap","metadata":{"name":"a"},"n":1}"#;
        let expected = r#"{"data":{"kind":"x","a":"}\"{,"},"metadata":{"name":"a"},"n":1}"#;
        assert_eq!(text(push_without_type, json), expected);
    }

    #[test]
    fn metadata_is_cut_out() {
        let json =
            r#"{"kind":"A","metadata":{"name":"a","labels":{"k":"]"}},"spec":[1,{"metadata":2}]}"#;
        let expected = r#"{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","metadata":{"name":"a","labels":{"k":"]"}}}"#;
        assert_eq!(
            text(|out, json| push_partial(out, json, MetaVersion::V1), json),
            expected
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,8}|[\"\\\\{}\\[\\],:]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,6}", inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_member_is_found(map in prop::collection::btree_map("\\PC{0,6}|kind|apiVersion|metadata", any_json(), 0..6), pretty: bool) {
            let object = Value::Object(map.into_iter().collect::<Map<_, _>>());
            let json = if pretty { serde_json::to_vec_pretty(&object) } else { serde_json::to_vec(&object) }.unwrap();
            let found: Map<String, Value> = members(&json)
                .map(|m| {
                    let key = [&b"\""[..], m.key, b"\""].concat();
                    (serde_json::from_slice(&key).unwrap(), serde_json::from_slice(m.value).unwrap())
                })
                .collect();
            prop_assert_eq!(Value::Object(found), object.clone());

            let mut out = Vec::new();
            push_without_type(&mut out, &json);
            let mut bare = object;
            let map = bare.as_object_mut().unwrap();
            map.remove("kind");
            map.remove("apiVersion");
            prop_assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), bare);
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "[{}\\[\\]\":,\\\\a ]{0,40}") {
            let _ = members(&bytes).count();
            let _ = members(text.as_bytes()).count();
        }
    }
}
