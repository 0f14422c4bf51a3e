//! What containers and Pods ask of a node.

use std::collections::{BTreeMap, BTreeSet};

use kedge_machinery::FieldError;
use kedge_machinery::quantity::Quantity;
use serde_json::{Map, Value};

use crate::check;
use crate::check::resource::{HUGE_PAGES, is_extended, is_native};
use crate::value::{child, list, pairs, present, text};

const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
/// Names without a domain that something in Kubernetes counts.
const STANDARD: [&str; 20] = [
    "configmaps",
    "cpu",
    "ephemeral-storage",
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "memory",
    "persistentvolumeclaims",
    "pods",
    "replicationcontrollers",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
    "requests.storage",
    "resourcequotas",
    "secrets",
    "services",
    "services.loadbalancers",
    "services.nodeports",
    "storage",
];
const OF_PODS: &[&str] = &["cpu", "hugepages-", "memory"];
const RESIZED: &[&str] = &["cpu", "memory"];
const RESIZE_POLICIES: &[&str] = &["NotRequired", "RestartContainer"];

type Amounts = BTreeMap<String, Quantity>;

/// `resources` of a container that stands at a path, and the names of the Pod's claims.
pub(super) fn of_container(
    path: &str,
    resources: &Value,
    claims: &BTreeSet<&str>,
) -> Vec<FieldError> {
    let mut errors = requirements(path, resources, container_name);
    errors.extend(self::claims(
        &format!("{path}.claims"),
        list(resources, "claims"),
        claims,
    ));
    errors
}

/// What running a Pod costs besides.
pub(in crate::strategy) fn overhead(path: &str, overhead: &Value) -> Vec<FieldError> {
    let limits = Map::from_iter([("limits".to_string(), overhead.clone())]);
    requirements(path, &Value::Object(limits), container_name)
}

/// `resources` of a whole Pod: as much as its containers ask for together.
pub(super) fn of_pod(path: &str, spec: &Value) -> Vec<FieldError> {
    let Some(resources) = present(spec, "resources") else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    if present(resources, "claims").is_some() {
        let detail = "claims cannot be set for Resources at pod-level";
        errors.push(FieldError::forbidden(format!("{path}.claims"), detail));
    }
    errors.extend(requirements(path, resources, pod_name));
    let asked = amounts(resources, "requests");
    for (name, sum) in together(spec, "requests") {
        let own = asked.get(&name);
        if own.is_none_or(|own| sum > *own) {
            let own = own.map_or_else(|| "0".to_string(), Quantity::to_string);
            let detail =
                format!("must be greater than or equal to aggregate container requests of {sum}");
            let at = format!("{path}.requests[{name}]");
            errors.push(FieldError::invalid(at, own, detail));
        }
    }
    let limits = amounts(resources, "limits");
    for (i, container) in list(spec, "containers").iter().enumerate() {
        for (name, limit) in amounts(child(container, "resources"), "limits") {
            let Some(of_pod) = limits.get(&name).filter(|of_pod| limit > **of_pod) else {
                continue;
            };
            let detail = format!("must be less than or equal to pod limits of {of_pod}");
            let at = format!("{path}.containers[{i}][{name}].limits");
            errors.push(FieldError::invalid(at, limit.to_string(), detail));
        }
    }
    errors
}

/// What the containers of a Pod ask for, or are limited to, while it starts and runs: containers and sidecars together, or one that
/// initializes beside the sidecars before it (`AggregateContainerRequests`).
pub(in crate::strategy::pod) fn together(spec: &Value, what: &str) -> Amounts {
    let of = |container: &Value| amounts(child(container, "resources"), what);
    let mut sum = Amounts::new();
    for container in list(spec, "containers") {
        add(&mut sum, of(container));
    }
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in list(spec, "initContainers") {
        let mut now = of(container);
        if text(container, "restartPolicy") == "Always" {
            add(&mut sum, now.clone());
            add(&mut sidecars, now);
            now = sidecars.clone();
        } else {
            add(&mut now, sidecars.clone());
        }
        for (name, amount) in now {
            let most = most.entry(name).or_insert(amount);
            *most = amount.max(*most);
        }
    }
    for (name, amount) in most {
        let sum = sum.entry(name).or_insert(amount);
        *sum = amount.max(*sum);
    }
    sum
}

fn add(sum: &mut Amounts, more: Amounts) {
    for (name, amount) in more {
        sum.entry(name)
            .and_modify(|sum| *sum = *sum + amount)
            .or_insert(amount);
    }
}

fn amounts(resources: &Value, key: &str) -> Amounts {
    pairs(resources, key)
        .filter_map(|(name, amount)| {
            Some((name.to_string(), Quantity::parse(amount.as_str()?).ok()?))
        })
        .collect()
}

fn requirements(
    path: &str,
    resources: &Value,
    name_rule: fn(&str, &str) -> Vec<FieldError>,
) -> Vec<FieldError> {
    let [limits, requests] = ["limits", "requests"].map(|key| amounts(resources, key));
    let mut errors = Vec::new();
    for (key, amounts) in [("limits", &limits), ("requests", &requests)] {
        for (name, amount) in amounts {
            let at = format!("{path}.{key}[{name}]");
            errors.extend(name_rule(&at, name));
            errors.extend(check::resource::amount(&at, name, *amount));
            if key == "requests" {
                errors.extend(within(path, name, *amount, limits.get(name)));
            }
            if let Some(size) = name.strip_prefix(HUGE_PAGES)
                && !is_multiple(*amount, size)
            {
                let detail = format!("{amount} is not positive integer multiple of {name}");
                errors.push(FieldError::invalid(at, amount.to_string(), detail));
            }
        }
    }
    let any = |test: fn(&str) -> bool| limits.keys().chain(requests.keys()).any(|n| test(n));
    if any(|name| name.starts_with(HUGE_PAGES)) && !any(|name| RESIZED.contains(&name)) {
        let detail = "HugePages require cpu or memory";
        errors.push(FieldError::forbidden(path, detail));
    }
    errors
}

/// Nobody asks for more than his limit; of what cannot be promised twice he asks for that.
fn within(
    path: &str,
    name: &str,
    amount: Quantity,
    limit: Option<&Quantity>,
) -> Option<FieldError> {
    let shared = is_native(name) && !name.starts_with(HUGE_PAGES);
    let at = format!("{path}.requests");
    let detail = match limit {
        None if shared => return None,
        None => {
            let detail = "Limit must be set for non overcommitable resources";
            return Some(FieldError::required(format!("{path}.limits"), detail));
        }
        Some(limit) if !shared && amount != *limit => {
            format!("must be equal to {name} limit of {limit}")
        }
        Some(limit) if amount > *limit => {
            format!("must be less than or equal to {name} limit of {limit}")
        }
        Some(_) => return None,
    };
    Some(FieldError::invalid(at, amount.to_string(), detail))
}

fn is_multiple(amount: Quantity, size: &str) -> bool {
    let size = Quantity::parse(size).ok();
    size.filter(|size| size.is_positive() && size.is_whole())
        .is_some_and(|size| amount.count() % size.count() == 0)
}

fn container_name(at: &str, name: &str) -> Vec<FieldError> {
    let wrong = |detail: &str| FieldError::invalid(at, name, detail);
    let mut errors = check::qualified_name(at, name);
    let is_huge = name.starts_with(HUGE_PAGES) || name.starts_with("requests.hugepages-");
    let is_standard = STANDARD.contains(&name) || is_huge;
    if !name.contains('/') {
        if errors.is_empty() && !is_standard {
            errors.push(wrong("must be a standard resource type or fully qualified"));
        }
        if !OF_CONTAINERS.contains(&name) && !name.starts_with(HUGE_PAGES) {
            errors.push(wrong("must be a standard resource for containers"));
        }
    } else if !is_native(name) && !is_extended(name) {
        errors.push(wrong("doesn't follow extended resource name standard"));
    }
    errors
}

fn pod_name(at: &str, name: &str) -> Vec<FieldError> {
    let mut errors = check::qualified_name(at, name);
    if errors.is_empty() && !RESIZED.contains(&name) && !name.starts_with(HUGE_PAGES) {
        errors.push(FieldError::not_supported(at, name, OF_PODS));
    }
    errors
}

/// Parts of the Pod's device claims that a container is given.
fn claims(path: &str, claims: &[Value], of_pod: &BTreeSet<&str>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen: BTreeSet<(&str, &str)> = BTreeSet::new();
    for (i, claim) in claims.iter().enumerate() {
        let at = format!("{path}[{i}]");
        let (name, request) = (text(claim, "name"), text(claim, "request"));
        if name.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        if seen.contains(&(name, "")) {
            errors.push(FieldError::duplicate(&at, name));
        } else {
            if !request.is_empty() {
                errors.extend(check::label(&format!("{at}.request"), request));
            }
            let earlier = seen.iter().filter(|(earlier, _)| *earlier == name);
            if seen.contains(&(name, request)) {
                let key = format!("{name}/{request}");
                errors.push(FieldError::duplicate(&at, key));
            } else if request.is_empty() {
                let again = earlier.map(|_| FieldError::duplicate(&at, name));
                errors.extend(again);
            }
            seen.insert((name, request));
        }
        if !of_pod.contains(name) {
            let names = Vec::from_iter(of_pod.iter().copied()).join(", ");
            let known = match names.as_str() {
                "" => " which is empty".to_string(),
                names => format!(": {names}"),
            };
            errors.push(FieldError {
                detail: format!("must be one of the names in pod.spec.resourceClaims{known}"),
                ..check::not_found(&at, name)
            });
        }
    }
    errors
}

/// What a change of its resources means for a container.
pub(super) fn resize(path: &str, policies: &[Value], restarts: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, policy) in policies.iter().enumerate() {
        let (name, restart) = (text(policy, "resourceName"), text(policy, "restartPolicy"));
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(format!("{path}[{i}]"), name));
        }
        errors.extend(check::one_of(path, name, RESIZED));
        errors.extend(check::one_of(path, restart, RESIZE_POLICIES));
        if restarts == "Never" && restart != RESIZE_POLICIES[0] {
            let detail = "must be 'NotRequired' when `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(path, restart, detail));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn check(errors: &[FieldError], want: &[&str]) {
        let found: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[rstest]
    #[case(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m"}}), &[])]
    #[case(json!({"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}), &["r.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1"])]
    #[case(json!({"limits": {"cpu": "-1"}}), &["r.limits[cpu]: Invalid value: \"-1\": must be greater than or equal to 0"])]
    #[case(json!({"requests": {"example.com/gpu": "1"}}), &["r.limits: Required value: Limit must be set for non overcommitable resources"])]
    #[case(json!({"limits": {"example.com/gpu": "2"}, "requests": {"example.com/gpu": "1"}}), &[
        "r.requests: Invalid value: \"1\": must be equal to example.com/gpu limit of 2",
    ])]
    #[case(json!({"limits": {"example.com/gpu": "500m"}}), &["r.limits[example.com/gpu]: Invalid value: \"500m\": must be an integer"])]
    #[case(json!({"limits": {"pods": "1"}}), &["r.limits[pods]: Invalid value: \"pods\": must be a standard resource for containers"])]
    #[case(json!({"limits": {"disk": "1"}}), &[
        "r.limits[disk]: Invalid value: \"disk\": must be a standard resource type or fully qualified",
        "r.limits[disk]: Invalid value: \"disk\": must be a standard resource for containers",
    ])]
    #[case(json!({"limits": {"requests.example.com/gpu": "1"}}), &["r.limits[requests.example.com/gpu]: Invalid value: \"requests.example.com/gpu\": doesn't follow"])]
    #[case(json!({"limits": {"hugepages-2Mi": "4Mi", "memory": "1Gi"}}), &[])]
    #[case(json!({"limits": {"hugepages-2Mi": "3Mi", "memory": "1Gi"}}), &["r.limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi is not positive integer multiple of hugepages-2Mi"])]
    #[case(json!({"limits": {"hugepages-2Mi": "2Mi"}}), &["r: Forbidden: HugePages require cpu or memory"])]
    #[case(json!({"limits": {"cpu": "1"}, "requests": {"hugepages-2Mi": "2Mi"}}), &["r.limits: Required value"])]
    fn what_a_container_asks_for(#[case] resources: Value, #[case] want: &[&str]) {
        check(&of_container("r", &resources, &BTreeSet::new()), want);
    }

    #[rstest]
    #[case(json!([{"name": "a"}, {"name": "b", "request": "x"}, {"name": "b", "request": "y"}]), &[])]
    #[case(json!([{"name": "a"}, {"name": "a"}]), &["r.claims[1]: Duplicate value: \"a\""])]
    #[case(json!([{"name": "b", "request": "x"}, {"name": "b", "request": "x"}]), &["r.claims[1]: Duplicate value: \"b/x\""])]
    #[case(json!([{"name": "b", "request": "x"}, {"name": "b"}]), &["r.claims[1]: Duplicate value: \"b\""])]
    #[case(json!([{"name": ""}, {"name": "c"}]), &[
        "r.claims[0]: Required value", "r.claims[1]: Not found: \"c\": must be one of the names in pod.spec.resourceClaims: a, b",
    ])]
    fn claims_of_devices(#[case] claims: Value, #[case] want: &[&str]) {
        let resources = json!({"claims": claims});
        check(
            &of_container("r", &resources, &BTreeSet::from(["a", "b"])),
            want,
        );
    }

    fn asks(cpu: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn one_after_another_and_side_by_side() {
        let mut sidecar = asks("1");
        sidecar["restartPolicy"] = "Always".into();
        let cpu = |spec: Value| together(&spec, "requests")["cpu"].to_string();
        let both = [asks("1"), asks("2")];
        assert_eq!(cpu(json!({"containers": both})), "3");
        assert_eq!(
            cpu(json!({"containers": both, "initContainers": both})),
            "3"
        );
        assert_eq!(
            cpu(json!({"containers": both, "initContainers": [asks("5")]})),
            "5"
        );
        assert_eq!(
            cpu(json!({"containers": both, "initContainers": [sidecar, asks("4")]})),
            "5"
        );
        assert_eq!(
            cpu(json!({"containers": both, "initContainers": [asks("4"), sidecar]})),
            "4"
        );
    }

    #[rstest]
    #[case(json!({"requests": {"cpu": "3"}}), &[])]
    #[case(json!({"requests": {"cpu": "2"}}), &["r.requests[cpu]: Invalid value: \"2\": must be greater than or equal to aggregate container requests of 3"])]
    #[case(json!({"claims": [], "requests": {"cpu": "3"}}), &["r.claims: Forbidden: "])]
    #[case(json!({"requests": {"cpu": "3"}, "limits": {"ephemeral-storage": "1"}}), &["r.limits[ephemeral-storage]: Unsupported value: "])]
    #[case(json!({"requests": {"cpu": "3"}, "limits": {"memory": "1Gi"}}), &["r.containers[1][memory].limits: Invalid value: \"2Gi\": must be less than or equal to pod limits of 1Gi"])]
    fn what_a_pod_asks_for(#[case] resources: Value, #[case] want: &[&str]) {
        let big = json!({"resources": {"requests": {"cpu": "2"}, "limits": {"memory": "2Gi"}}});
        let spec = json!({"resources": resources, "containers": [asks("1"), big]});
        check(&of_pod("r", &spec), want);
    }

    #[rstest]
    #[case(json!([{"resourceName": "cpu", "restartPolicy": "NotRequired"}]), "Never", &[])]
    #[case(json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]), "Always", &[])]
    #[case(json!([{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]), "Never", &["p: Invalid value: \"RestartContainer\": must be 'NotRequired'"])]
    #[case(json!([{"resourceName": "disk", "restartPolicy": ""}]), "Always", &["p: Unsupported value: \"disk\"", "p: Required value"])]
    #[case(
        json!([{"resourceName": "cpu", "restartPolicy": "NotRequired"}, {"resourceName": "cpu", "restartPolicy": "NotRequired"}]),
        "Always", &["p[1]: Duplicate value: \"cpu\""]
    )]
    fn resizes(#[case] policies: Value, #[case] restarts: &str, #[case] want: &[&str]) {
        let policies = policies.as_array().unwrap();
        check(&resize("p", policies, restarts), want);
    }
}
