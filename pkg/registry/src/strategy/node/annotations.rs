//! What annotations of a Node say in JSON: taints as they were written before `spec.taints` was, and Pods that should
//! rather run elsewhere (upstream: `ValidateNodeSpecificAnnotations`).

use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::taints;
use crate::value::{child, flag, list, present};

const TAINTS: &str = "scheduler.alpha.kubernetes.io/taints";
const AVOID_PODS: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";
const AT: &str = "metadata.annotations";

pub(super) fn annotations(node: &Object) -> Vec<FieldError> {
    let said = |key: &str| {
        let found = node.annotations().find(|(name, _)| *name == key);
        found
            .map(|(_, value)| value)
            .filter(|value| !value.is_empty())
    };
    let mut errors = said(TAINTS).map_or_else(Vec::new, old_taints);
    errors.extend(said(AVOID_PODS).map_or_else(Vec::new, avoid_pods));
    errors
}

fn old_taints(text: &str) -> Vec<FieldError> {
    match serde_json::from_str::<Vec<Value>>(text) {
        Ok(said) => taints(&format!("{AT}.{TAINTS}"), &said),
        Err(why) => vec![FieldError::invalid(AT, TAINTS, why.to_string())],
    }
}

fn avoid_pods(text: &str) -> Vec<FieldError> {
    let said: Value = match serde_json::from_str(text) {
        Ok(said @ Value::Object(_)) => said,
        Ok(_) => return broken("must be an object"),
        Err(why) => return broken(&why.to_string()),
    };
    let mut errors = Vec::new();
    for (i, entry) in list(&said, "preferAvoidPods").iter().enumerate() {
        let at = format!("{AT}.{AVOID_PODS}[{i}].PodSignature");
        match present(child(entry, "podSignature"), "podController") {
            None => errors.push(FieldError::required(at, "")),
            Some(owner) if !flag(owner, "controller") => {
                let at = format!("{at}.PodController.Controller");
                let detail = "must point to a controller";
                errors.push(FieldError::invalid(at, false, detail));
            }
            Some(_) => {}
        }
    }
    errors
}

fn broken(why: &str) -> Vec<FieldError> {
    let at = format!("{AT}.AvoidPods");
    vec![FieldError::invalid(at, AVOID_PODS, why)]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const SIGNATURE: &str =
        "metadata.annotations.scheduler.alpha.kubernetes.io/preferAvoidPods[0].PodSignature";

    fn wrong(key: &str, said: &str) -> Vec<String> {
        let node = json!({"metadata": {"name": "n", "annotations": {key: said}}});
        let errors = annotations(&Object::from_value(node).unwrap());
        errors.into_iter().map(|error| error.field).collect()
    }

    #[rstest]
    #[case("", &[])]
    #[case("{}", &[])]
    #[case(r#"{"preferAvoidPods": [{"podSignature": {"podController": {"kind": "ReplicaSet", "controller": true}}}]}"#, &[])]
    #[case(r#"{"preferAvoidPods": [{"reason": "some"}]}"#, &[SIGNATURE.into()])]
    #[case(
        r#"{"preferAvoidPods": [{"podSignature": {"podController": {"kind": "ReplicaSet", "controller": false}}}]}"#,
        &[format!("{SIGNATURE}.PodController.Controller")]
    )]
    #[case("no", &["metadata.annotations.AvoidPods".into()])]
    #[case("[]", &["metadata.annotations.AvoidPods".into()])]
    fn pods_to_avoid(#[case] said: &str, #[case] want: &[String]) {
        assert_eq!(wrong(AVOID_PODS, said), want);
    }

    #[rstest]
    #[case("", &[])]
    #[case(r#"[{"key": "a", "value": "b", "effect": "NoSchedule"}]"#, &[])]
    #[case(r#"[{"key": "a"}]"#, &["metadata.annotations.scheduler.alpha.kubernetes.io/taints[0].effect"])]
    #[case("{}", &["metadata.annotations"])]
    fn taints_of_old(#[case] said: &str, #[case] want: &[&str]) {
        assert_eq!(wrong(TAINTS, said), want);
    }
}
