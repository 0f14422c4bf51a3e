//! What a PodDisruptionBudget says of an eviction, and what it becomes by one (upstream: `checkAndDecrement`).

use jiff::Timestamp;
use kedge_machinery::object::child_mut;
use kedge_machinery::selector::LabelSelector;
use kedge_machinery::status::{Cause, Details};
use kedge_machinery::{Object, Status, time};
use serde_json::{Value, json};

use crate::condition;
use crate::value::{child, field, int, list, present, text};

/// Evictions that nobody who keeps budgets has seen yet.
const MOST_DISRUPTED: usize = 2000;
const GROUP: &str = "policy";
/// Upstream's refusals name it in the singular.
const RESOURCE: &str = "poddisruptionbudget";
const REFUSAL: &str = "Cannot evict pod as it would violate the pod's disruption budget.";

/// The budget that selects a Pod; of more than one it cannot be said which counts.
pub(super) fn of<'b>(pod: &Object, budgets: &'b [Object]) -> Result<Option<&'b Object>, Status> {
    let selects = |budget: &&Object| {
        let selector = present(field(&budget.0, "spec"), "selector")?;
        let selector = LabelSelector::from_json(selector).ok()?;
        let label = |key: &str| {
            let mut labels = pod.labels();
            labels.find(|(own, _)| *own == key).map(|(_, value)| value)
        };
        Some(selector.matches(label))
    };
    let mut found = budgets
        .iter()
        .filter(|budget| selects(budget).unwrap_or(false));
    match (found.next(), found.next()) {
        (Some(_), Some(_)) => Err(Status::new(
            500,
            "",
            "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
        )),
        (budget, _) => Ok(budget),
    }
}

/// The budget with one disruption less; `None` for a Pod that it does not count, since it is not healthy.
pub(super) fn charge(
    budget: &Object,
    pod: &Object,
    now: Timestamp,
) -> Result<Option<Object>, Status> {
    let (spec, status) = (field(&budget.0, "spec"), field(&budget.0, "status"));
    let (healthy, desired) = (int(status, "currentHealthy"), int(status, "desiredHealthy"));
    let always = text(spec, "unhealthyPodEvictionPolicy") == "AlwaysAllow";
    if !is_ready(pod) && (always || (desired > 0 && healthy >= desired)) {
        return Ok(None);
    }
    let name = budget.name();
    let generation = budget.at(&["metadata", "generation"]);
    if int(status, "observedGeneration") < generation.and_then(Value::as_i64).unwrap_or_default() {
        let why = format!("The disruption budget {name} is still being processed by the server.");
        return Err(refusal(why, Some(10)));
    }
    let allowed = int(status, "disruptionsAllowed");
    let disrupted = child(status, "disruptedPods").as_object();
    let forbidden = |why| Err(Status::forbidden(GROUP, RESOURCE, name, why));
    if allowed < 0 {
        return forbidden("pdb disruptions allowed is negative");
    }
    if disrupted.is_some_and(|pods| pods.len() > MOST_DISRUPTED) {
        return forbidden(
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        );
    }
    if allowed == 0 {
        let why = format!(
            "The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
        );
        return Err(refusal(why, None));
    }
    let observed = int(status, "observedGeneration");
    let mut new = budget.clone();
    let status = child_mut(&mut new.0, "status");
    status.insert("disruptionsAllowed".into(), (allowed - 1).into());
    let at = time::rfc3339(now);
    child_mut(status, "disruptedPods").insert(pod.name().into(), at.into());
    if allowed == 1 {
        let used_up = json!({
            "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
            "observedGeneration": observed,
        });
        condition::set(status, used_up, now);
    }
    Ok(Some(new))
}

fn is_ready(pod: &Object) -> bool {
    let conditions = list(field(&pod.0, "status"), "conditions");
    let ready = conditions.iter().find(|c| text(c, "type") == "Ready");
    ready.is_some_and(|ready| text(ready, "status") == "True")
}

/// 429: not now. Seconds tell when it is known how long that will be.
fn refusal(why: String, seconds: Option<u32>) -> Status {
    let mut status = Status::new(429, "TooManyRequests", REFUSAL);
    status.details = Some(Box::new(Details {
        causes: vec![Cause {
            reason: "DisruptionBudget".into(),
            message: why,
            ..Cause::default()
        }],
        retry_after_seconds: seconds,
        ..Details::default()
    }));
    status
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn budget(more: Value) -> Object {
        let mut budget = json!({
            "metadata": {"name": "b", "generation": 1}, "spec": {"selector": {"matchLabels": {"app": "web"}}},
            "status": {"currentHealthy": 2, "desiredHealthy": 1, "disruptionsAllowed": 1, "observedGeneration": 1},
        });
        for part in ["spec", "status"] {
            let more = more[part].as_object().cloned().unwrap_or_default();
            budget[part].as_object_mut().unwrap().extend(more);
        }
        Object::from_value(budget).unwrap()
    }

    fn pod(ready: &str) -> Object {
        let condition = json!({"type": "Ready", "status": ready});
        Object::from_value(json!({"metadata": {"name": "web-0", "labels": {"app": "web"}}, "status": {"conditions": [condition]}}))
            .unwrap()
    }

    /// What is said of an eviction: `charged`, `free`, or the refusal.
    fn told(more: Value, ready: &str) -> String {
        match charge(&budget(more), &pod(ready), Timestamp::UNIX_EPOCH) {
            Ok(Some(_)) => "charged".into(),
            Ok(None) => "free".into(),
            Err(status) => {
                let details = status.details.unwrap_or_default();
                let cause = details.causes.first().map(|cause| cause.message.clone());
                let again = details.retry_after_seconds;
                format!(
                    "{} {again:?} {}",
                    status.code,
                    cause.unwrap_or(status.message)
                )
            }
        }
    }

    #[rstest]
    #[case(json!({}), "True", "charged")]
    #[case(json!({}), "False", "free")]
    #[case(json!({"status": {"disruptionsAllowed": 0}}), "False", "free")]
    #[case(json!({"status": {"currentHealthy": 0}}), "False", "charged")]
    #[case(json!({"status": {"desiredHealthy": 0}}), "False", "charged")]
    #[case(
        json!({"status": {"currentHealthy": 0, "disruptionsAllowed": 0}}),
        "False",
        "429 None The disruption budget b needs 1 healthy pods and has 0 currently"
    )]
    #[case(
        json!({"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}, "status": {"currentHealthy": 0, "disruptionsAllowed": 0}}),
        "False",
        "429 None The disruption budget b needs 1 healthy pods and has 0 currently"
    )]
    #[case(
        json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, "status": {"currentHealthy": 0, "disruptionsAllowed": 0}}),
        "False",
        "free"
    )]
    #[case(
        json!({"spec": {"unhealthyPodEvictionPolicy": "AlwaysAllow"}, "status": {"disruptionsAllowed": 0}}),
        "True",
        "429 None The disruption budget b needs 1 healthy pods and has 2 currently"
    )]
    #[case(
        json!({"status": {"observedGeneration": 0}}),
        "True",
        "429 Some(10) The disruption budget b is still being processed by the server."
    )]
    #[case(
        json!({"status": {"disruptionsAllowed": -1}}),
        "True",
        "403 None poddisruptionbudget.policy \"b\" is forbidden: pdb disruptions allowed is negative"
    )]
    fn what_a_budget_says(#[case] more: Value, #[case] ready: &str, #[case] expected: &str) {
        assert_eq!(told(more, ready), expected);
    }

    #[test]
    fn too_many_that_nobody_saw_are_enough() {
        let at = json!("2026-01-01T00:00:00Z");
        let pods = |most: usize| -> Value {
            (0..most)
                .map(|i| (format!("p{i}"), at.clone()))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let with = |most| json!({"status": {"disruptedPods": pods(most)}});
        assert_eq!(told(with(2000), "True"), "charged");
        assert!(told(with(2001), "True").starts_with("403 "));
    }

    #[test]
    fn the_last_disruption_says_so() {
        let charged = |allowed: i64| {
            let old = budget(json!({"status": {"disruptionsAllowed": allowed}}));
            let new = charge(&old, &pod("True"), Timestamp::UNIX_EPOCH);
            new.unwrap().unwrap().0["status"].clone()
        };
        let status = charged(2);
        assert_eq!(status["disruptionsAllowed"], 1);
        assert_eq!(
            status["disruptedPods"],
            json!({"web-0": "1970-01-01T00:00:00Z"})
        );
        assert_eq!(status.get("conditions"), None);
        let condition = json!({
            "type": "DisruptionAllowed", "status": "False", "reason": "InsufficientPods", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "1970-01-01T00:00:00Z",
        });
        assert_eq!(charged(1)["conditions"], json!([condition]));
    }

    #[test]
    fn one_budget_at_most_selects_a_pod() {
        let web = budget(json!({}));
        let every = budget(json!({"spec": {"selector": {}}}));
        let mut none = budget(json!({}));
        child_mut(&mut none.0, "spec").remove("selector");
        let other = budget(json!({"spec": {"selector": {"matchLabels": {"app": "db"}}}}));
        let found = |budgets: &[Object]| {
            let found = of(&pod("True"), budgets);
            found.map(|found| found.cloned()).map_err(|e| e.code)
        };
        assert_eq!(found(&[none, other.clone()]), Ok(None));
        assert_eq!(found(&[other, web.clone()]), Ok(Some(web.clone())));
        assert_eq!(found(std::slice::from_ref(&every)), Ok(Some(every.clone())));
        assert_eq!(found(&[every, web]), Err(500));
    }
}
