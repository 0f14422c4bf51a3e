//! Files of a volume of which one hides the other, or would have to be a folder for it.

use serde_json::Value;

use crate::value::{child, list, present, text};

/// A file and what it is of.
type File<'a> = (&'a str, String);

pub(super) fn overlaps(volumes: &[Value]) -> Vec<String> {
    let mut said = Vec::new();
    for volume in volumes {
        let name = text(volume, "name");
        for (key, kind, object) in [
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
        ] {
            let source = child(volume, key);
            let place = format!("volume {name:?} ({kind} {:?})", text(source, object));
            said.extend(of_one(&place, &items(source, "")));
        }
        let place = format!("volume {name:?} (DownwardAPI)");
        said.extend(of_one(&place, &items(child(volume, "downwardAPI"), "")));
        let place = format!("volume {name:?} (Projected)");
        let mut files = Vec::new();
        for source in list(child(volume, "projected"), "sources") {
            if source.as_object().is_none_or(serde_json::Map::is_empty) {
                said.push(format!("{place} has no sources provided"));
            }
            files.extend(projected(source));
        }
        said.extend(of_one(&place, &files));
    }
    said
}

fn items<'a>(source: &'a Value, of: &str) -> Vec<File<'a>> {
    let items = list(source, "items").iter();
    items
        .map(|item| (text(item, "path"), of.to_string()))
        .collect()
}

/// The files of a source of several.
fn projected(source: &Value) -> Vec<File<'_>> {
    let named = |kind: &str, name: &str| format!(" ({kind} {name:?})");
    let mut files = Vec::new();
    for (key, kind) in [("configMap", "ConfigMap"), ("secret", "Secret")] {
        let part = child(source, key);
        files.extend(items(part, &named(kind, text(part, "name"))));
    }
    files.extend(items(child(source, "downwardAPI"), " (DownwardAPI)"));
    if let Some(token) = present(source, "serviceAccountToken") {
        files.push((text(token, "path"), " (ServiceAccountToken)".into()));
    }
    if let Some(bundle) = present(source, "clusterTrustBundle") {
        let name = match text(bundle, "name") {
            "" => text(bundle, "signerName"),
            name => name,
        };
        files.push((text(bundle, "path"), named("ClusterTrustBundle", name)));
    }
    files
}

/// Each file beside those before it.
fn of_one(place: &str, files: &[File<'_>]) -> Vec<String> {
    let mut said = Vec::new();
    for (i, (file, of)) in files.iter().enumerate() {
        for (other, of_other) in files[..i].iter().filter(|(other, _)| meet(file, other)) {
            said.push(format!(
                "{place}: overlapping paths: {file:?}{of} with {other:?}{of_other}"
            ));
        }
    }
    said
}

fn meet(a: &str, b: &str) -> bool {
    let [a, b] = [a, b].map(|path| path.trim_end_matches('/'));
    let below = |a: &str, b: &str| a.strip_prefix(b).is_some_and(|rest| rest.starts_with('/'));
    !a.is_empty() && !b.is_empty() && (a == b || below(a, b) || below(b, a))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("a/b", "a/b", true)]
    #[case("a/b", "a/c", false)]
    #[case("a", "a/b", true)]
    #[case("a/b", "a", true)]
    #[case("a/b3", "a/b345", false)]
    #[case("a/b/", "a/b", true)]
    #[case("", "a", false)]
    #[case("", "", false)]
    fn paths(#[case] a: &str, #[case] b: &str, #[case] met: bool) {
        assert_eq!(meet(a, b), met);
    }

    fn keys(paths: &[&str]) -> Value {
        let items = paths.iter().map(|path| json!({"key": "k", "path": path}));
        Value::Array(items.collect())
    }

    #[rstest]
    #[case(json!({"configMap": {"name": "m", "items": keys(&["a", "a"])}}), &["volume \"v\" (ConfigMap \"m\"): overlapping paths: \"a\" with \"a\""])]
    #[case(json!({"secret": {"secretName": "s", "items": keys(&["a/b", "a"])}}), &["volume \"v\" (Secret \"s\"): overlapping paths: \"a\" with \"a/b\""])]
    #[case(json!({"downwardAPI": {"items": keys(&["a", "b", "a/c"])}}), &["volume \"v\" (DownwardAPI): overlapping paths: \"a/c\" with \"a\""])]
    #[case(json!({"projected": {"sources": [{}]}}), &["volume \"v\" (Projected) has no sources provided"])]
    #[case(
        json!({"projected": {"sources": [
            {"clusterTrustBundle": {"signerName": "example.com/s", "path": "a/b"}}, {"secret": {"name": "s", "items": keys(&["a"])}},
            {"serviceAccountToken": {"path": "a"}},
        ]}}),
        &[
            "volume \"v\" (Projected): overlapping paths: \"a\" (Secret \"s\") with \"a/b\" (ClusterTrustBundle \"example.com/s\")",
            "volume \"v\" (Projected): overlapping paths: \"a\" (ServiceAccountToken) with \"a/b\" (ClusterTrustBundle \"example.com/s\")",
            "volume \"v\" (Projected): overlapping paths: \"a\" (ServiceAccountToken) with \"a\" (Secret \"s\")",
        ]
    )]
    #[case(
        json!({"projected": {"sources": [{"configMap": {"name": "m", "items": keys(&["a"])}}, {"downwardAPI": {"items": keys(&["a/b", "c"])}}]}}),
        &["volume \"v\" (Projected): overlapping paths: \"a/b\" (DownwardAPI) with \"a\" (ConfigMap \"m\")"]
    )]
    fn volumes(#[case] mut volume: Value, #[case] want: &[&str]) {
        volume["name"] = "v".into();
        assert_eq!(overlaps(&[volume]), want);
    }
}
