//! The subresource `resize`: how much CPU and memory a running Pod gets (KEP-1287, KEP-5419; upstream: `ValidatePodResize`).

use kedge_machinery::{FieldError, Object};
use serde_json::{Map, Value};

use super::{MIRROR, NOWHERE, quality, update, validate};
use crate::value::{child, copy_field, field, is_empty, list, present, text};

const SPEC: &str = "spec";
/// What is sized in place.
const SIZES: [&str; 2] = ["cpu", "memory"];
const AMOUNTS: [&str; 2] = ["requests", "limits"];

pub(super) fn validate(new: &Object, old: &Object) -> Vec<FieldError> {
    let (is, was) = (field(&new.0, SPEC), field(&old.0, SPEC));
    let refused = |detail| vec![FieldError::forbidden(NOWHERE, detail)];
    if old.annotations().any(|(key, _)| key == MIRROR) {
        return refused("static pods cannot be resized");
    }
    if text(child(was, "os"), "name") == "windows" {
        return refused("windows pods cannot be resized");
    }
    let mut errors = validate::pod(new);
    errors.extend(update::annotations(new, old));
    let status = field(&old.0, "status");
    let class = match text(status, "qosClass") {
        "" => quality::class(was),
        class => class,
    };
    if quality::class(is) != class {
        let detail = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid(SPEC, class, detail));
    }
    if !is_supported(status) {
        let detail = "Pod running on node without support for resize";
        errors.push(FieldError::forbidden(SPEC, detail));
    }
    errors.extend(whole(is, was));
    if !list(status, "nodeAllocatableResourceClaimStatuses").is_empty() {
        let detail = "pods with node allocatable resource claims cannot be resized";
        errors.push(FieldError::forbidden(SPEC, detail));
    }
    let moved: Vec<FieldError> = ["containers", "initContainers"]
        .into_iter()
        .flat_map(|key| moved(key, list(is, key), list(was, key)))
        .collect();
    if !moved.is_empty() {
        errors.extend(moved);
        return errors;
    }
    for key in ["initContainers", "containers"] {
        for (i, (now, before)) in list(is, key).iter().zip(list(was, key)).enumerate() {
            let path = format!("spec.{key}[{i}].resources");
            let [now, before] = [now, before].map(|container| child(container, "resources"));
            errors.extend(removed(&path, "resource", now, before));
        }
    }
    for (now, before) in list(is, "containers").iter().zip(list(was, "containers")) {
        if unsized_container(now, before) != *before {
            let detail = "only cpu and memory resources are mutable";
            errors.push(FieldError::forbidden(SPEC, detail));
        }
    }
    errors.extend(initial(is, was));
    errors
}

/// A node that tells what its running containers have can change it.
fn is_supported(status: &Value) -> bool {
    let mut containers = list(status, "containerStatuses").iter();
    let running = containers.find(|c| present(child(c, "state"), "running").is_some());
    running.is_none_or(|container| present(container, "resources").is_some())
}

/// What the Pod as a whole asks for.
fn whole(is: &Value, was: &Value) -> Vec<FieldError> {
    const PATH: &str = "spec.resources";
    let is_set = |spec| {
        AMOUNTS
            .iter()
            .any(|key| !is_empty(child(child(spec, "resources"), key)))
    };
    if !is_set(is) && !is_set(was) {
        return Vec::new();
    }
    let before = present(was, "resources");
    let Some(now) = present(is, "resources") else {
        let detail = "pod-level resources cannot be removed";
        return vec![FieldError::forbidden(PATH, detail)];
    };
    let mut errors = Vec::new();
    if let Some(before) = before {
        errors.extend(removed(PATH, "pod-level resource", now, before));
    }
    let kept = kept_sizes(now, before.unwrap_or(&Value::Null));
    let nothing = Value::Object(Map::new());
    if kept != *before.unwrap_or(&nothing) {
        let detail = "only cpu and memory resources are mutable at pod-level";
        errors.push(FieldError::forbidden(SPEC, detail));
    }
    errors
}

/// Containers are the same ones, in their order.
fn moved(key: &str, is: &[Value], was: &[Value]) -> Vec<FieldError> {
    if is.len() != was.len() {
        let detail = format!("{key} may not be added or removed on resize");
        return vec![FieldError::forbidden(format!("spec.{key}"), detail)];
    }
    let pairs = is.iter().zip(was).enumerate();
    let others = pairs.filter(|(_, (now, before))| text(now, "name") != text(before, "name"));
    others
        .map(|(i, _)| {
            let detail = format!("{key} may not be renamed or reordered on resize");
            FieldError::forbidden(format!("spec.{key}[{i}].name"), detail)
        })
        .collect()
}

/// Amounts may be others, and there must be some where there were.
fn removed(path: &str, what: &str, now: &Value, before: &Value) -> Vec<FieldError> {
    let is_lost = |key: &&&str| {
        let kept = |name: &String| child(now, key).get(name).is_some();
        let before = child(before, key).as_object();
        before.is_some_and(|before| !before.keys().all(kept))
    };
    let lost = AMOUNTS.iter().filter(is_lost);
    lost.map(|key| {
        let detail = format!("{what} {key} cannot be removed");
        FieldError::forbidden(format!("{path}.{key}"), detail)
    })
    .collect()
}

/// Containers that come first.
fn initial(is: &Value, was: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let pairs = list(is, "initContainers")
        .iter()
        .zip(list(was, "initContainers"));
    for (i, (now, before)) in pairs.enumerate() {
        let path = format!("spec.initContainers[{i}]");
        if unsized_container(now, before) != *before {
            let detail = "only cpu and memory resources for init or sidecar containers are mutable";
            errors.push(FieldError::forbidden(&path, detail));
        }
        let restarts = |policy: &Value| text(policy, "restartPolicy") == "RestartContainer";
        let is_sidecar = text(now, "restartPolicy") == "Always";
        if now != before && !is_sidecar && list(now, "resizePolicy").iter().any(restarts) {
            let detail = "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
            errors.push(FieldError::forbidden(&path, detail));
        }
    }
    errors
}

/// The container with its sizes put back: the old one, if nothing else changed.
fn unsized_container(now: &Value, before: &Value) -> Value {
    let mut container = now.clone();
    let kept = kept_sizes(child(now, "resources"), child(before, "resources"));
    if let Some(fields) = container.as_object_mut() {
        match (is_empty(&kept), present(before, "resources")) {
            (true, None) => fields.remove("resources"),
            _ => fields.insert("resources".into(), kept),
        };
    }
    container
}

/// Resources with the old sizes.
fn kept_sizes(now: &Value, before: &Value) -> Value {
    let mut resources = now.as_object().cloned().unwrap_or_default();
    for key in AMOUNTS {
        let mut amounts = child(now, key).as_object().cloned().unwrap_or_default();
        let was = child(before, key).as_object().cloned().unwrap_or_default();
        for name in SIZES {
            copy_field(&mut amounts, &was, name);
        }
        match amounts.is_empty() {
            true => resources.remove(key),
            false => resources.insert(key.into(), amounts.into()),
        };
    }
    resources.into()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::super::defaults;
    use super::*;

    fn pod(edit: impl Fn(&mut Value)) -> Object {
        let sizes = json!({"requests": {"cpu": "1", "memory": "1Gi"}, "limits": {"memory": "2Gi"}});
        let mut pod = json!({
            "metadata": {"name": "p"}, "status": {"qosClass": "Burstable"},
            "spec": {
                "containers": [{"name": "c", "image": "i", "resources": sizes}, {"name": "d", "image": "i"}],
                "initContainers": [{"name": "first", "image": "i", "resources": {"requests": {"cpu": "1"}}}],
            },
        });
        edit(&mut pod);
        let mut pod = Object::from_value(pod).unwrap();
        defaults::apply(&mut pod);
        pod
    }

    fn told(old: impl Fn(&mut Value), new: impl Fn(&mut Value)) -> Vec<String> {
        let edited = |pod: &mut Value| {
            old(pod);
            new(pod);
        };
        let errors = validate(&pod(edited), &pod(&old));
        errors.iter().map(ToString::to_string).collect()
    }

    fn main_container(key: &'static str, name: &'static str, value: Value) -> impl Fn(&mut Value) {
        move |pod| pod["spec"]["containers"][0]["resources"][key][name] = value.clone()
    }

    const MUTABLE: &str = "spec: Forbidden: only cpu and memory resources are mutable";

    #[test]
    fn sizes_may_change() {
        assert!(told(|_| {}, |_| {}).is_empty());
        assert!(told(|_| {}, main_container("requests", "cpu", json!("2"))).is_empty());
        assert!(told(|_| {}, main_container("limits", "memory", json!("3Gi"))).is_empty());
        assert!(told(|_| {}, main_container("limits", "cpu", json!("4"))).is_empty());
        let first = |pod: &mut Value| {
            pod["spec"]["initContainers"][0]["resources"]["requests"]["cpu"] = "2".into();
        };
        assert!(told(|_| {}, first).is_empty());
        let second = |pod: &mut Value| {
            pod["spec"]["containers"][1]["resources"] = json!({"requests": {"cpu": "1"}});
        };
        assert!(told(|_| {}, second).is_empty());
    }

    #[rstest]
    #[case(
        "requests",
        "cpu",
        "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed"
    )]
    #[case(
        "limits",
        "memory",
        "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"
    )]
    fn sizes_stay(#[case] key: &'static str, #[case] name: &'static str, #[case] expected: &str) {
        let removed = |pod: &mut Value| {
            let amounts = &mut pod["spec"]["containers"][0]["resources"][key];
            amounts.as_object_mut().unwrap().remove(name);
        };
        assert_eq!(told(|_| {}, removed), [expected]);
    }

    #[test]
    fn nothing_else_may_change() {
        let disk = main_container("requests", "ephemeral-storage", json!("1Gi"));
        assert_eq!(told(|_| {}, disk), [MUTABLE]);
        let policy = |pod: &mut Value| {
            pod["spec"]["containers"][0]["resizePolicy"] = json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}, {"resourceName": "memory", "restartPolicy": "NotRequired"}]);
        };
        assert_eq!(told(|_| {}, policy), [MUTABLE]);
        let order = |pod: &mut Value| pod["spec"]["containers"].as_array_mut().unwrap().swap(0, 1);
        let moved = |i| {
            format!(
                "spec.containers[{i}].name: Forbidden: containers may not be renamed or reordered on resize"
            )
        };
        assert_eq!(told(|_| {}, order), [moved(0), moved(1)]);
        let fewer = |pod: &mut Value| drop(pod["spec"]["containers"].as_array_mut().unwrap().pop());
        assert_eq!(
            told(|_| {}, fewer),
            ["spec.containers: Forbidden: containers may not be added or removed on resize"]
        );
    }

    #[test]
    fn the_class_stays() {
        let small = json!({"cpu": "1", "memory": "1Gi"});
        let equal = |pod: &mut Value| {
            let sizes = json!({"requests": small, "limits": small});
            pod["spec"]["containers"][0]["resources"] = sizes.clone();
            pod["spec"]["containers"][1]["resources"] = sizes.clone();
            pod["spec"]["initContainers"] = json!([]);
        };
        let guaranteed = |pod: &mut Value| {
            equal(pod);
            pod["status"]["qosClass"] = "Guaranteed".into();
        };
        let other = "spec: Invalid value: \"Guaranteed\": Pod QOS Class may not change as a result of resizing";
        assert_eq!(
            told(guaranteed, main_container("limits", "cpu", json!("2"))),
            [other]
        );
        assert_eq!(
            told(|_| {}, guaranteed)[0],
            other.replace("Guaranteed", "Burstable")
        );
    }

    #[test]
    fn some_pods_have_one_size() {
        let bigger = main_container("requests", "cpu", json!("2"));
        let annotated = |pod: &mut Value| pod["metadata"]["annotations"] = json!({(MIRROR): "x"});
        assert_eq!(
            told(annotated, &bigger),
            ["[]: Forbidden: static pods cannot be resized"]
        );
        let windows = |pod: &mut Value| pod["spec"]["os"] = json!({"name": "windows"});
        assert_eq!(
            told(windows, &bigger),
            ["[]: Forbidden: windows pods cannot be resized"]
        );
        let running = |resources: Value| {
            move |pod: &mut Value| {
                pod["status"]["containerStatuses"] =
                    json!([{"state": {"running": {}}, "resources": resources}]);
            }
        };
        let unable = ["spec: Forbidden: Pod running on node without support for resize"];
        assert_eq!(told(running(json!(null)), &bigger), unable);
        assert!(told(running(json!({})), &bigger).is_empty());
        let restarted = |pod: &mut Value| {
            pod["spec"]["initContainers"][0]["resizePolicy"] =
                json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]);
        };
        let first = |pod: &mut Value| {
            pod["spec"]["initContainers"][0]["resources"]["requests"]["cpu"] = "2".into();
        };
        let why = "spec.initContainers[0]: Forbidden: non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
        assert_eq!(told(restarted, first), [why]);
    }

    #[test]
    fn the_whole_is_sized_as_its_parts_are() {
        let whole = |cpu: &'static str| {
            move |pod: &mut Value| {
                pod["spec"]["resources"] = json!({"requests": {"cpu": cpu, "memory": "1Gi"}});
            }
        };
        assert!(told(whole("4"), whole("5")).is_empty());
        let none = |pod: &mut Value| drop(pod["spec"].as_object_mut().unwrap().remove("resources"));
        let why = "spec.resources: Forbidden: pod-level resources cannot be removed";
        assert!(told(whole("4"), none).contains(&why.to_string()));
    }
}
