//! Label selectors in a cell.

use serde_json::Value;

use super::{field, list};

/// A cell: `<none>` for no selector (`FormatLabelSelector`).
pub(super) fn selector(selector: &Value) -> String {
    match text(selector) {
        none if none.is_empty() => "<none>".into(),
        text => text,
    }
}

/// A `LabelSelector` in one line, requirements by key.
pub(super) fn text(selector: &Value) -> String {
    let equal = selector
        .get("matchLabels")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| {
            let value = value.as_str().unwrap_or_default();
            (key.as_str(), format!("{key}={value}"))
        });
    let expressions = list(selector.get("matchExpressions")).iter().map(|e| {
        let key = field(e, "key");
        let mut values: Vec<&str> = list(e.get("values"))
            .iter()
            .filter_map(Value::as_str)
            .collect();
        values.sort_unstable();
        let values = values.join(",");
        let text = match field(e, "operator") {
            "In" => format!("{key} in ({values})"),
            "NotIn" => format!("{key} notin ({values})"),
            "Exists" => key.to_string(),
            "DoesNotExist" => format!("!{key}"),
            _ => "<error>".into(),
        };
        (key, text)
    });
    let mut all: Vec<(&str, String)> = equal.chain(expressions).collect();
    all.sort_by_key(|(key, _)| *key);
    let texts: Vec<String> = all.into_iter().map(|(_, text)| text).collect();
    texts.join(",")
}
