//! What a kubelet, or who stands in for one, may report (upstream: `podStatusStrategy`, `ValidatePodStatusUpdate`).

use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value, json};

use super::update;
use crate::check;
use crate::value::{child, copy_field, field, int, list, present, structs_mut, text};

/// Conditions whose types are no names of anybody's.
const OWN_CONDITIONS: &[&str] = &["Initialized", "PodScheduled", "Ready"];

/// Takes from the old Pod what a report leaves out and cannot lose. Old kubelets wrote broken owner references here.
pub(super) fn prepare(new: &mut Object, old: &Object) {
    if let Some(meta) = old.meta() {
        copy_field(new.meta_mut(), meta, "ownerReferences");
    }
    let was = field(&old.0, "status");
    let (Some(is), Some(before)) = (
        new.0.get_mut("status").and_then(Value::as_object_mut),
        was.as_object(),
    ) else {
        return;
    };
    if field(is, "qosClass").as_str().is_none_or(str::is_empty) {
        copy_field(is, before, "qosClass");
    }
    keep_generation(is, before);
    let mut left: Vec<&Value> = list(was, "conditions").iter().collect();
    for condition in structs_mut(is, "conditions") {
        let same = |old: &&Value| child(old, "type") == field(condition, "type");
        if let Some(i) = left.iter().position(same)
            && let Some(before) = left.remove(i).as_object()
        {
            keep_generation(condition, before);
        }
    }
}

fn keep_generation(is: &mut Map<String, Value>, was: &Map<String, Value>) {
    const KEY: &str = "observedGeneration";
    if field(is, KEY).as_i64().unwrap_or_default() == 0 {
        copy_field(is, was, KEY);
    }
}

pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let (is, was) = (field(&new.0, "status"), field(&old.0, "status"));
    let mut errors = update::annotations(new, old);
    errors.extend(conditions(list(is, "conditions")));
    let nominated = text(is, "nominatedNodeName");
    if !nominated.is_empty() && nominated != text(was, "nominatedNodeName") {
        errors.extend(check::subdomain("status.nominatedNodeName", nominated));
    }
    errors.extend(check::immutable(
        "status.qosClass",
        Some(child(is, "qosClass")),
        Some(child(was, "qosClass")),
    ));
    let spec = field(&old.0, "spec");
    for (statuses, containers) in [
        ("containerStatuses", Some("containers")),
        ("initContainerStatuses", Some("initContainers")),
        ("ephemeralContainerStatuses", None),
    ] {
        errors.extend(risen(spec, containers, statuses, is, was));
    }
    errors.extend(addresses("podIPs", is, was));
    if let Some(first) = list(is, "hostIPs").first()
        && text(first, "ip") != text(is, "hostIP")
    {
        let detail = "must be equal to `hostIP`";
        errors.push(FieldError::invalid(
            "status.hostIPs[0].ip",
            text(first, "ip"),
            detail,
        ));
    }
    errors.extend(addresses("hostIPs", is, was));
    errors
}

pub(super) fn warnings(pod: &Object) -> Vec<String> {
    let status = field(&pod.0, "status");
    let mut said = Vec::new();
    for key in ["podIPs", "hostIPs"] {
        for (i, item) in list(status, key).iter().enumerate() {
            let at = format!("status.{key}[{i}].ip");
            said.extend(check::unusual_ip(&at, text(item, "ip")));
        }
    }
    said
}

/// Upstream's path leads through the metadata.
fn conditions(conditions: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, condition) in conditions.iter().enumerate() {
        let at = |key: &str| format!("metadata.conditions[{i}].{key}");
        let generation = int(condition, "observedGeneration");
        if generation < 0 {
            let detail = "must be a non-negative integer";
            errors.push(FieldError::invalid(
                at("observedGeneration"),
                generation,
                detail,
            ));
        }
        let kind = text(condition, "type");
        if !OWN_CONDITIONS.contains(&kind) {
            errors.extend(check::qualified_name(&at("Type"), kind));
        }
    }
    errors
}

/// Containers that had ended and have not any more, though nothing would start them again. Ephemeral ones are never
/// started again.
fn risen(
    spec: &Value,
    containers: Option<&str>,
    statuses: &str,
    is: &Value,
    was: &Value,
) -> Vec<FieldError> {
    let containers = containers.map_or(&[][..], |key| list(spec, key));
    let restarts = |name: &str, code: i64| {
        let mut all = containers.iter();
        all.find(|container| text(container, "name") == name)
            .is_some_and(|container| is_restarted(container, spec, code))
    };
    let mut errors = Vec::new();
    for (i, before) in list(was, statuses).iter().enumerate() {
        let name = text(before, "name");
        let Some(end) = present(child(before, "state"), "terminated") else {
            continue;
        };
        let lives = |status: &Value| {
            text(status, "name") == name && present(child(status, "state"), "terminated").is_none()
        };
        if list(is, statuses).iter().any(lives) && !restarts(name, int(end, "exitCode")) {
            let detail = "may not be transitioned to non-terminated state";
            let at = format!("status.{statuses}[{i}].state");
            errors.push(FieldError::forbidden(at, detail));
        }
    }
    errors
}

/// The first rule that fits, then the container's policy, then the Pod's.
fn is_restarted(container: &Value, spec: &Value, code: i64) -> bool {
    let fits = |rule: &&Value| {
        let codes = child(rule, "exitCodes");
        let listed = list(codes, "values")
            .iter()
            .any(|v| v.as_i64() == Some(code));
        match text(codes, "operator") {
            "In" => listed,
            "NotIn" => !listed,
            _ => false,
        }
    };
    let by = |policy: &str| match policy {
        "OnFailure" => code != 0,
        "Never" => false,
        _ => true,
    };
    let Some(own) = present(container, "restartPolicy").and_then(Value::as_str) else {
        return by(text(spec, "restartPolicy"));
    };
    let rule = list(container, "restartPolicyRules").iter().find(fits);
    rule.is_some_and(|rule| text(rule, "action") == "Restart") || by(own)
}

/// Addresses that were there before may stay as they are; two are of two families.
fn addresses(key: &str, is: &Value, was: &Value) -> Vec<FieldError> {
    let texts = |status| -> Vec<&str> {
        let items = list(status, key).iter();
        items.map(|item| text(item, "ip")).collect()
    };
    let (now, known) = (texts(is), texts(was));
    let wrong = |(i, ip): (usize, &&str)| match known.contains(ip) {
        true => None,
        false => check::ip(&format!("status.{key}[{i}]"), ip).err(),
    };
    let mut errors: Vec<_> = now.iter().enumerate().filter_map(wrong).collect();
    let read: Option<Vec<_>> = now.iter().map(|ip| check::loose_ip(ip)).collect();
    let is_pair = matches!(read.as_deref(), Some([a, b]) if a.is_ipv4() != b.is_ipv4());
    if now.len() > 1 && !is_pair {
        // With Go's name of the field, as upstream shows it.
        let shown: Vec<Value> = now.iter().map(|ip| json!({"IP": ip})).collect();
        let detail = "may specify no more than one IP for each IP family";
        errors.push(FieldError::invalid(format!("status.{key}"), shown, detail));
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn pod(status: Value) -> Object {
        let spec = json!({
            "restartPolicy": "OnFailure",
            "containers": [
                {"name": "plain"}, {"name": "never", "restartPolicy": "Never"},
                {"name": "ruled", "restartPolicy": "Never", "restartPolicyRules": [
                    {"action": "Restart", "exitCodes": {"operator": "In", "values": [7]}},
                ]},
            ],
            "initContainers": [{"name": "side", "restartPolicy": "Always"}, {"name": "first"}],
        });
        Object::from_value(json!({"spec": spec, "status": status})).unwrap()
    }

    fn said(new: Value, old: Value) -> Vec<String> {
        let errors = validate(&pod(new), &pod(old));
        errors.iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case(json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "2001:db8::1"}]}), &[])]
    #[case(json!({"podIPs": [{"ip": "x"}]}), &["status.podIPs[0]: Invalid value: \"x\": must be a valid IP address"])]
    #[case(json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]}), &[
        "status.podIPs: Invalid value: [{\"IP\":\"10.0.0.1\"},{\"IP\":\"10.0.0.2\"}]: may specify no more than one IP for each IP family",
    ])]
    #[case(json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "2001:db8::1"}, {"ip": "10.0.0.2"}]}), &["status.podIPs: Invalid value: "])]
    #[case(json!({"podIPs": [{"ip": "10.0.0.1"}, {"ip": "x"}]}), &["status.podIPs[1]: ", "status.podIPs: Invalid value: "])]
    #[case(json!({"hostIP": "10.0.0.1", "hostIPs": [{"ip": "10.0.0.1"}]}), &[])]
    #[case(json!({"hostIPs": [{"ip": "10.0.0.1"}]}), &["status.hostIPs[0].ip: Invalid value: \"10.0.0.1\": must be equal to `hostIP`"])]
    #[case(json!({"hostIP": "x", "hostIPs": [{"ip": "x"}]}), &["status.hostIPs[0]: Invalid value: "])]
    #[case(json!({"nominatedNodeName": "A"}), &["status.nominatedNodeName: Invalid value: "])]
    #[case(json!({"qosClass": "Burstable"}), &["status.qosClass: Invalid value: \"Burstable\": field is immutable"])]
    #[case(json!({"conditions": [{"type": "Ready"}, {"type": "example.com/gate"}]}), &[])]
    #[case(json!({"conditions": [{"type": "a b"}]}), &["metadata.conditions[0].Type: Invalid value: \"a b\": "])]
    #[case(json!({"conditions": [{"type": "Ready", "observedGeneration": -1}]}), &["metadata.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer"])]
    fn what_may_be_reported(#[case] status: Value, #[case] wrong: &[&str]) {
        let found = said(status, json!({}));
        assert_eq!(found.len(), wrong.len(), "{found:?}");
        for (found, wrong) in found.iter().zip(wrong) {
            assert!(found.starts_with(wrong), "{found}");
        }
    }

    #[test]
    fn what_was_reported_may_stay() {
        let old = json!({"podIPs": [{"ip": "010.0.0.1"}], "hostIP": "010.0.0.2", "hostIPs": [{"ip": "010.0.0.2"}], "nominatedNodeName": "A"});
        assert!(said(old.clone(), old).is_empty());
    }

    #[rstest]
    #[case("containerStatuses", "plain", 1, true)]
    #[case("containerStatuses", "plain", 0, false)]
    #[case("containerStatuses", "never", 1, false)]
    #[case("containerStatuses", "ruled", 7, true)]
    #[case("containerStatuses", "ruled", 8, false)]
    #[case("containerStatuses", "unknown", 1, false)]
    #[case("initContainerStatuses", "side", 0, true)]
    #[case("initContainerStatuses", "first", 0, false)]
    #[case("ephemeralContainerStatuses", "plain", 1, false)]
    fn who_may_run_again(
        #[case] key: &str,
        #[case] name: &str,
        #[case] code: i64,
        #[case] may: bool,
    ) {
        let ended = json!({key: [{"name": name, "state": {"terminated": {"exitCode": code}}}]});
        let runs = json!({key: [{"name": name, "state": {"running": {}}}]});
        let detail = format!(
            "status.{key}[0].state: Forbidden: may not be transitioned to non-terminated state"
        );
        let wrong = (!may).then_some(detail);
        assert_eq!(said(runs.clone(), ended.clone()), Vec::from_iter(wrong));
        assert!(said(ended.clone(), runs).is_empty());
        assert!(said(json!({}), ended).is_empty());
    }

    #[test]
    fn what_a_report_leaves_out() {
        let seen =
            |kind: &str, generation: i64| json!({"type": kind, "observedGeneration": generation});
        let old = json!({
            "qosClass": "BestEffort", "observedGeneration": 3,
            "conditions": [seen("Ready", 1), seen("Ready", 2), seen("Initialized", 3)],
        });
        let bare = |kind: &str| json!({"type": kind});
        let reported = json!({"conditions": [bare("Ready"), seen("Initialized", 4), bare("Ready"), bare("Ready")]});
        let mut new = pod(reported);
        prepare(&mut new, &pod(old));
        let want = json!({
            "qosClass": "BestEffort", "observedGeneration": 3,
            "conditions": [seen("Ready", 1), seen("Initialized", 4), seen("Ready", 2), bare("Ready")],
        });
        assert_eq!(new.0["status"], want);
    }

    #[test]
    fn forms_that_are_right_and_unusual() {
        let status = json!({"podIPs": [{"ip": "2001:DB8::1"}], "hostIPs": [{"ip": "10.0.0.1"}, {"ip": "2001:DB8::2"}]});
        let said = warnings(&pod(status));
        assert_eq!(said.len(), 2);
        assert!(said[0].starts_with("status.podIPs[0].ip: "), "{said:?}");
        assert!(said[1].starts_with("status.hostIPs[1].ip: "), "{said:?}");
    }
}
