//! Classes of Pods by how sure they are of what they ask for (`pkg/apis/core/v1/helper/qos`).

use kedge_machinery::quantity::Quantity;
use serde_json::Value;

use crate::value::{child, is_empty, list};

const COUNTED: [&str; 2] = ["cpu", "memory"];

/// The quality-of-service class: by what the Pod, or else its containers, ask of CPU and memory. Nothing is no amount.
pub(super) fn class(spec: &Value) -> &'static str {
    let of = |part: &Value, kind: &str, name: &str| {
        let amount = child(child(child(part, "resources"), kind), name).as_str()?;
        let amount = Quantity::parse(amount).ok()?;
        amount.is_positive().then_some(amount)
    };
    let whole = child(spec, "resources");
    let has = |kind| !is_empty(child(whole, kind));
    let parts: Vec<&Value> = if has("requests") || has("limits") {
        vec![spec]
    } else {
        let all = ["containers", "initContainers"].map(|key| list(spec, key));
        all.into_iter().flatten().collect()
    };
    let each = || {
        parts.iter().flat_map(|part| {
            COUNTED.map(|name| (of(part, "requests", name), of(part, "limits", name)))
        })
    };
    if each().all(|(request, limit)| request.is_none() && limit.is_none()) {
        "BestEffort"
    } else if each().all(|(request, limit)| limit.is_some() && request == limit) {
        "Guaranteed"
    } else {
        "Burstable"
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(resources: Value) -> &'static str {
        class(&json!({"containers": [{"resources": resources}]}))
    }

    #[test]
    fn by_what_containers_ask_for() {
        let all = json!({"cpu": "1", "memory": "1Gi"});
        assert_eq!(of(json!({"limits": all, "requests": all})), "Guaranteed");
        let other = json!({"cpu": "1", "memory": "1G"});
        assert_eq!(of(json!({"limits": all, "requests": other})), "Burstable");
        let cpu = json!({"cpu": "1"});
        assert_eq!(of(json!({"limits": cpu, "requests": cpu})), "Burstable");
        assert_eq!(of(json!({"requests": {"memory": "1Mi"}})), "Burstable");
        assert_eq!(of(json!({})), "BestEffort");
        assert_eq!(of(json!({"requests": {"cpu": "0"}})), "BestEffort");
        let disk = json!({"limits": {"ephemeral-storage": "1Gi"}});
        assert_eq!(of(disk), "BestEffort");
    }

    #[test]
    fn what_initializes_counts_and_the_pod_comes_first() {
        let asks = json!({"resources": {"requests": {"cpu": "1"}}});
        assert_eq!(
            class(&json!({"containers": [{}], "initContainers": [asks]})),
            "Burstable"
        );
        let all = json!({"cpu": "1", "memory": "1Gi"});
        let spec = json!({"containers": [asks], "resources": {"limits": all, "requests": all}});
        assert_eq!(class(&spec), "Guaranteed");
    }
}
