//! Placeholders of cases: `{ns}` and `{step.N.PATH}`.

use serde_json::Value;

/// A text with its placeholders filled.
pub fn text(text: &str, ns: &str, answers: &[Value]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        let inner = rest[1..end].trim_end_matches('}');
        match inner {
            "ns" => out.push_str(ns),
            _ => match inner.strip_prefix("step.") {
                Some(path) => out.push_str(&dig(answers, path)),
                // A brace of the text itself.
                None => {
                    out.push('{');
                    rest = &rest[1..];
                    continue;
                }
            },
        }
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// A tree with the placeholders of its keys and texts filled.
pub fn value(value: &Value, ns: &str, answers: &[Value]) -> Value {
    match value {
        Value::String(inner) => text(inner, ns, answers).into(),
        Value::Array(list) => list
            .iter()
            .map(|inner| self::value(inner, ns, answers))
            .collect(),
        Value::Object(map) => {
            let fill = |(key, inner): (&String, &Value)| {
                (text(key, ns, answers), self::value(inner, ns, answers))
            };
            Value::Object(map.iter().map(fill).collect())
        }
        other => other.clone(),
    }
}

/// The value at `N.key.key`, where numbers index lists and `~1` stands for a dot.
fn dig(answers: &[Value], path: &str) -> String {
    let mut parts = path.split('.');
    let first = parts
        .next()
        .and_then(|number| answers.get(number.parse::<usize>().ok()?));
    let found = parts.try_fold(first.unwrap_or(&Value::Null), |value, part| match value {
        Value::Array(list) => list.get(part.parse::<usize>().ok()?),
        other => other.get(part.replace("~1", ".")),
    });
    match found {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => format!("(no {path})"),
    }
}

/// Percent-encodes a path and query, but for what separates their parts.
pub fn quote(path: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-~/?=&,:%!()".contains(&byte);
    path.bytes()
        .map(|byte| {
            if keep(byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
