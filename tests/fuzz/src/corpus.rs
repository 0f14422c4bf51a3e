//! What mutation begins with: the bodies of the recorded conversations.

use std::sync::LazyLock;

use serde_json::Value;

/// A request of a recorded conversation.
#[derive(Debug)]
pub struct Step {
    pub verb: String,
    pub path: String,
    pub content_type: String,
    /// Empty where there is none.
    pub body: String,
}

/// Every request of `tests/conformance/cases.json`.
pub static STEPS: LazyLock<Vec<Step>> = LazyLock::new(|| {
    let cases: Value =
        serde_json::from_str(include_str!("../../conformance/cases.json")).unwrap_or_default();
    let steps = cases.as_array().into_iter().flatten();
    let steps = steps.filter_map(|case| case["steps"].as_array()).flatten();
    steps.map(step).collect()
});

fn step(step: &Value) -> Step {
    let text = |key: &str| step[key].as_str().unwrap_or_default().to_string();
    Step {
        verb: text("verb"),
        path: text("path").replace("{ns}", "default"),
        content_type: text("type"),
        body: match &step["body"] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            body => body.to_string(),
        },
    }
}

/// Bodies of objects that were created, each of a served kind.
pub static OBJECTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let bodies = STEPS.iter().filter(|step| step.verb == "POST");
    let trees = bodies.filter_map(|step| serde_json::from_str::<Value>(&step.body).ok());
    trees.filter(|tree| tree["kind"].is_string()).collect()
});

/// Bodies of one content type.
#[must_use]
pub fn bodies(content_type: &str) -> Vec<Vec<u8>> {
    let steps = STEPS.iter();
    steps
        .filter(|step| step.content_type.starts_with(content_type) && !step.body.is_empty())
        .map(|step| step.body.clone().into_bytes())
        .collect()
}
