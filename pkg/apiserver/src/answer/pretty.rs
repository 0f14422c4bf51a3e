//! YAML, and what people read within other texts.

use kedge_machinery::Status;
use serde_json::Value;

/// YAML in block style.
pub(super) fn yaml(value: &Value) -> Result<String, Status> {
    serde_saphyr::to_string(value).map_err(|error| Status::internal(format!("YAML: {error}")))
}

/// `text` with every line after the first moved right by `by` spaces. Neither JSON nor YAML lose their meaning,
/// since no string of theirs has a line break that counts.
pub(super) fn indent(text: &str, by: usize) -> String {
    let pad = " ".repeat(by);
    let mut lines = text.lines();
    let mut out = lines.next().unwrap_or_default().to_string();
    for line in lines {
        out.push('\n');
        if !line.is_empty() {
            out.push_str(&pad);
            out.push_str(line);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn indented_yaml_reads_the_same() {
        let value = json!({"a": "x\n\n  y\n", "b": [{"c": 1}, {"d": "- e: f"}], "g": {}});
        let text = format!("- {}", indent(&yaml(&value).unwrap(), 2));
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, json!([value]));
    }
}
