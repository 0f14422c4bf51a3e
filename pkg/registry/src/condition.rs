//! Conditions that the server itself reports.

use jiff::Timestamp;
use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, time};
use serde_json::{Map, Value, json};

use crate::value::text;

/// Puts a condition in the place of the one of its type, or behind all others. The time of the transition is now, or as it was
/// while the status is (`SetStatusCondition`, `UpdatePodCondition`).
pub(crate) fn set(status: &mut Map<String, Value>, mut condition: Value, now: Timestamp) {
    let conditions = status.entry("conditions").or_insert_with(|| json!([]));
    let Some(conditions) = conditions.as_array_mut() else {
        return;
    };
    let kind = text(&condition, "type");
    let found = conditions.iter().position(|c| text(c, "type") == kind);
    let before = found.and_then(|at| conditions.get_mut(at));
    let same = before
        .as_ref()
        .filter(|before| text(before, "status") == text(&condition, "status"));
    let at = match same.map(|before| before["lastTransitionTime"].clone()) {
        Some(at) => at,
        None => time::rfc3339(now).into(),
    };
    condition["lastTransitionTime"] = at;
    match before {
        Some(before) => *before = condition,
        None => conditions.push(condition),
    }
}

/// A condition of a Pod is true.
pub(crate) fn set_on_pod(
    pod: &mut Object,
    kind: &str,
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let mut condition = json!({"lastProbeTime": null, "type": kind, "status": "True"});
    let said = [("reason", reason), ("message", message)];
    for (key, said) in said.iter().filter(|(_, said)| !said.is_empty()) {
        condition[*key] = (*said).into();
    }
    set(child_mut(&mut pod.0, "status"), condition, now);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_transition_is_timed_and_nothing_else() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut pod = Object::from_value(json!({
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }))
        .unwrap();
        let scheduled = |pod: &mut Object, reason: &str, now| {
            set_on_pod(pod, "PodScheduled", reason, "", at(now));
            pod.0["status"]["conditions"].clone()
        };
        let told = scheduled(&mut pod, "", 0);
        let condition = json!({
            "type": "PodScheduled", "status": "True", "lastProbeTime": null,
            "lastTransitionTime": "1970-01-01T00:00:00Z",
        });
        assert_eq!(told[0]["type"], "Ready");
        assert_eq!(told[1], condition);
        let told = scheduled(&mut pod, "Again", 9);
        assert_eq!(told[1]["reason"], "Again");
        assert_eq!(told[1]["lastTransitionTime"], "1970-01-01T00:00:00Z");
        pod.0["status"]["conditions"][1]["status"] = "False".into();
        let told = scheduled(&mut pod, "", 9);
        assert_eq!(told[1]["lastTransitionTime"], "1970-01-01T00:00:09Z");
        assert_eq!(told.as_array().unwrap().len(), 2);
    }
}
