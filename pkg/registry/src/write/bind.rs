//! The subresource `binding` of Pods, and the older resource `bindings`: a scheduler gives a Pod its node (upstream: `BindingREST`).

use jiff::Timestamp;
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, Status};

use super::commit::{Outcome, Step, transaction};
use super::{ATTEMPTS, lifecycle, metadata};
use crate::admission::{Attributes, Operation};
use crate::condition;
use crate::registry::{MODIFIED, Registry};
use crate::request::{Target, WriteOptions};
use crate::stored;
use crate::value::{field, list, text};

impl Registry {
    /// POST of a Binding to the subresource that `target` names. 404 without the Pod, 409 when it has a node, is going, waits behind a
    /// gate, or is not the one that the Binding's `uid` and `resourceVersion` mean.
    pub async fn bind(
        &self,
        target: &Target,
        mut binding: Object,
        options: &WriteOptions,
    ) -> Result<(), Status> {
        metadata::agree_on_namespace(target, &mut binding)?;
        let pod = target.clone().subresource("");
        for _ in 0..ATTEMPTS {
            let now = Timestamp::now();
            let snapshot = self.store().snapshot();
            lifecycle::admit(target, &snapshot)?;
            let attributes = Attributes {
                operation: Operation::Create,
                target,
                user: options.user.as_deref(),
                old: None,
                dry_run: options.dry_run,
                view: self.view(&snapshot),
            };
            self.admit_change(&attributes, &mut binding)?;
            if binding.name() != target.name {
                return Err(Status::bad_request(
                    "name in URL does not match name in Binding object",
                ));
            }
            check(&binding)?;
            if target.name.is_empty() {
                return Err(Status::bad_request("Name parameter required."));
            }
            self.admit(&attributes, Some(&binding))?;
            let entry = snapshot.get(&pod.key()).ok_or_else(|| pod.not_found())?;
            let old = stored::read(&pod.kind, &entry)?;
            check_meant(&pod, &binding, &old)?;
            if let Some(why) = unbindable(&old) {
                let (group, plural) = (&pod.kind.group, format!("{}/binding", pod.kind.plural));
                return Err(Status::conflict(group, &plural, &pod.name, &why));
            }
            if options.dry_run {
                return Ok(());
            }
            let new = bound(&old, &binding, now);
            let step = Step::Update(entry.revision, &old, new);
            let transaction = transaction(&pod, step, &snapshot, now)?;
            if let Outcome::Done(_) = self.commit(transaction, false).await? {
                return Ok(());
            }
        }
        Err(pod.conflict(MODIFIED))
    }
}

/// Where a Binding may lead. Upstream has no status of its own for what is wrong with it: 500 without a reason.
fn check(binding: &Object) -> Result<(), Status> {
    let to = field(&binding.0, "target");
    let mut errors = Vec::new();
    let kind = text(to, "kind");
    if !matches!(kind, "" | "Node") {
        errors.push(FieldError::not_supported(
            "target.kind",
            kind,
            &["Node", "<empty>"],
        ));
    }
    if text(to, "name").is_empty() {
        errors.push(FieldError::required("target.name", ""));
    }
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    match texts.as_slice() {
        [] => Ok(()),
        [one] => Err(Status::new(500, "", one)),
        all => Err(Status::new(500, "", format!("[{}]", all.join(", ")))),
    }
}

/// The Pod is the one that the Binding says, as its scheduler knew it.
fn check_meant(pod: &Target, binding: &Object, old: &Object) -> Result<(), Status> {
    let rules = [
        ("UID", binding.uid(), old.uid()),
        (
            "ResourceVersion",
            binding.resource_version(),
            old.resource_version(),
        ),
    ];
    for (what, asked, found) in rules {
        if !asked.is_empty() && asked != found {
            return Err(pod.precondition_failed(what, asked, found));
        }
    }
    Ok(())
}

/// Why a Pod gets no node.
fn unbindable(pod: &Object) -> Option<String> {
    let (name, spec) = (pod.name(), field(&pod.0, "spec"));
    let node = text(spec, "nodeName");
    if pod.is_terminating() {
        Some(format!(
            "pod {name} is being deleted, cannot be assigned to a host"
        ))
    } else if !node.is_empty() {
        Some(format!("pod {name} is already assigned to node {node:?}"))
    } else if !list(spec, "schedulingGates").is_empty() {
        Some(format!("pod {name} has non-empty .spec.schedulingGates"))
    } else {
        None
    }
}

/// The Pod with its node, and with what the Binding says of it. Nobody owns these fields, and the generation counts them not, as upstream's handler
/// writes past both.
fn bound(old: &Object, binding: &Object, now: Timestamp) -> Object {
    let mut new = old.clone();
    let node = text(field(&binding.0, "target"), "name");
    child_mut(&mut new.0, "spec").insert("nodeName".into(), node.into());
    let put = |new: &mut Object, part: &str, key: &str, value: &str| {
        child_mut(new.meta_mut(), part).insert(key.into(), value.into());
    };
    for (key, value) in binding.annotations() {
        put(&mut new, "annotations", key, value);
    }
    for (key, value) in binding.labels() {
        put(&mut new, "labels", key, value);
    }
    condition::set_on_pod(&mut new, "PodScheduled", "", "", now);
    child_mut(&mut new.0, "status").remove("nominatedNodeName");
    new
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn object(value: Value) -> Object {
        Object::from_value(value).unwrap()
    }

    #[rstest]
    #[case(json!({"kind": "Node", "name": "n"}), "")]
    #[case(json!({"name": "n"}), "")]
    #[case(json!({"kind": "Node"}), "target.name: Required value")]
    #[case(json!({"kind": "Pod", "name": "n"}), "target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\"")]
    #[case(json!({"kind": "Pod"}), "[target.kind: Unsupported value: \"Pod\": supported values: \"Node\", \"<empty>\", target.name: Required value]")]
    fn where_a_binding_may_lead(#[case] to: Value, #[case] expected: &str) {
        let found = check(&object(json!({"target": to})));
        assert_eq!(
            found.map_or_else(|e| e.message, |()| String::new()),
            expected
        );
    }

    #[rstest]
    #[case(json!({"metadata": {"name": "p"}}), None)]
    #[case(json!({"metadata": {"name": "p"}, "spec": {"nodeName": "n"}}), Some("pod p is already assigned to node \"n\""))]
    #[case(json!({"metadata": {"name": "p"}, "spec": {"schedulingGates": [{"name": "g"}]}}), Some("pod p has non-empty .spec.schedulingGates"))]
    #[case(
        json!({"metadata": {"name": "p", "deletionTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"nodeName": "n"}}),
        Some("pod p is being deleted, cannot be assigned to a host")
    )]
    fn who_gets_no_node(#[case] pod: Value, #[case] why: Option<&str>) {
        assert_eq!(unbindable(&object(pod)).as_deref(), why);
    }

    #[test]
    fn what_a_binding_makes_of_a_pod() {
        let old = object(json!({
            "metadata": {"name": "p", "annotations": {"a": "1", "b": "1"}, "labels": {"l": "1"}},
            "spec": {}, "status": {"nominatedNodeName": "m"},
        }));
        let binding = object(json!({
            "metadata": {"annotations": {"b": "2"}, "labels": {"l": "2"}}, "target": {"kind": "Node", "name": "n"},
        }));
        let new = bound(&old, &binding, Timestamp::UNIX_EPOCH);
        let condition = json!({
            "type": "PodScheduled", "status": "True", "lastProbeTime": null, "lastTransitionTime": "1970-01-01T00:00:00Z",
        });
        let expected = json!({
            "metadata": {
                "name": "p", "annotations": {"a": "1", "b": "2"}, "labels": {"l": "2"},
            },
            "spec": {"nodeName": "n"}, "status": {"conditions": [condition]},
        });
        assert_eq!(Value::Object(new.0), expected);
    }
}
