//! What annotations say that fields say now, and that both say the same (`ValidatePodSpecificAnnotations`).

use kedge_machinery::FieldError;
use serde_json::Value;

use super::paths;
use crate::check;
use crate::strategy::pod::{CONTAINERS, MIRROR};
use crate::value::{child, list, pairs, present, text};

const TOLERATIONS: &str = "scheduler.alpha.kubernetes.io/tolerations";
const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";
const SECCOMP_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const SECCOMP_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";
const APP_ARMOR: &str = "container.apparmor.security.beta.kubernetes.io/";
const LOCAL: &str = "localhost/";

/// Words of annotations for the types of a profile: of none, and of the runtime's.
struct Words {
    unconfined: &'static str,
    default: &'static [&'static str],
}

const SECCOMP_WORDS: Words = Words {
    unconfined: "unconfined",
    default: &["runtime/default", "docker/default"],
};
const APP_ARMOR_WORDS: Words = Words {
    unconfined: "unconfined",
    default: &["runtime/default"],
};

fn said<'a>(metadata: &'a Value, key: &str) -> Option<&'a str> {
    present(child(metadata, "annotations"), key).and_then(Value::as_str)
}

fn containers(spec: &Value) -> impl Iterator<Item = (&'static str, usize, &Value)> {
    let [running, initial, ephemeral] = CONTAINERS;
    [initial, running, ephemeral].into_iter().flat_map(|key| {
        let items = list(spec, key).iter().enumerate();
        items.map(move |(i, item)| (key, i, item))
    })
}

/// The annotations by themselves, which stand at a path.
pub(super) fn annotations(path: &str, metadata: &Value, spec: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}[{key}]");
    let mut errors = Vec::new();
    if let Some(value) = said(metadata, MIRROR)
        && text(spec, "nodeName").is_empty()
    {
        let detail = "must set spec.nodeName if mirror pod annotation is set";
        errors.push(FieldError::invalid(at(MIRROR), value, detail));
    }
    if let Some(value) = said(metadata, TOLERATIONS).filter(|value| !value.is_empty()) {
        errors.extend(match serde_json::from_str::<Vec<Value>>(value) {
            Ok(all) => check::tolerations(&format!("{path}.{TOLERATIONS}"), &all),
            Err(why) => vec![FieldError::invalid(path, TOLERATIONS, why.to_string())],
        });
    }
    if let Some(cost) = said(metadata, DELETION_COST).filter(|cost| !is_cost(cost)) {
        let detail = "must be a 32bit integer";
        errors.push(FieldError::invalid(at(DELETION_COST), cost, detail));
    }
    let all =
        || pairs(metadata, "annotations").map(|(key, v)| (key, v.as_str().unwrap_or_default()));
    for (key, profile) in all() {
        if key == SECCOMP_POD || key.starts_with(SECCOMP_CONTAINER) {
            errors.extend(seccomp(&format!("{path}.{key}"), profile));
        }
    }
    for (key, profile) in all() {
        let Some(name) = key.strip_prefix(APP_ARMOR) else {
            continue;
        };
        if !containers(spec).any(|(_, _, item)| text(item, "name") == name) {
            errors.push(FieldError::invalid(at(key), name, "container not found"));
        }
        let known = profile.is_empty()
            || profile == APP_ARMOR_WORDS.unconfined
            || APP_ARMOR_WORDS.default.contains(&profile)
            || profile.starts_with(LOCAL);
        if !known {
            let detail = format!("invalid AppArmor profile name: {profile:?}");
            errors.push(FieldError::invalid(at(key), profile, detail));
        }
    }
    errors
}

/// As Go reads it, and without signs and zeros that say nothing.
fn is_cost(cost: &str) -> bool {
    let plain = cost == "0" || !cost.trim_start_matches('-').starts_with(['0', '+']);
    plain && !cost.starts_with('+') && cost.parse::<i32>().is_ok()
}

fn seccomp(at: &str, profile: &str) -> Vec<FieldError> {
    if profile == SECCOMP_WORDS.unconfined || SECCOMP_WORDS.default.contains(&profile) {
        return Vec::new();
    }
    match profile.strip_prefix(LOCAL) {
        Some(file) => paths::descending(at, file),
        None => {
            let detail = "must be a valid seccomp profile";
            vec![FieldError::invalid(at, profile, detail)]
        }
    }
}

/// What a new Pod, or a template, says in an annotation and in a field. `at` is the path of its spec.
pub(super) fn disagreements(at: &str, metadata: &Value, spec: &Value) -> Vec<FieldError> {
    let context = child(spec, "securityContext");
    let path =
        |key: &str, i: usize, field: &str| format!("{at}.{key}[{i}].securityContext.{field}");
    let mut errors = Vec::new();
    if let (Some(word), Some(profile)) = (
        said(metadata, SECCOMP_POD),
        present(context, "seccompProfile"),
    ) {
        let at = format!("{at}.securityContext.seccompProfile");
        errors.extend(disagreement(&at, "seccomp", word, profile, &SECCOMP_WORDS));
    }
    for (key, i, container) in containers(spec) {
        let own = child(container, "securityContext");
        let annotation = format!("{SECCOMP_CONTAINER}{}", text(container, "name"));
        if let (Some(word), Some(profile)) =
            (said(metadata, &annotation), present(own, "seccompProfile"))
        {
            let at = path(key, i, "seccompProfile");
            errors.extend(disagreement(&at, "seccomp", word, profile, &SECCOMP_WORDS));
        }
    }
    if text(child(spec, "os"), "name") == "windows" {
        return errors;
    }
    for (key, i, container) in containers(spec) {
        let own = child(container, "securityContext");
        let annotation = format!("{APP_ARMOR}{}", text(container, "name"));
        let profile =
            present(own, "appArmorProfile").or_else(|| present(context, "appArmorProfile"));
        if let (Some(word), Some(profile)) = (said(metadata, &annotation), profile) {
            let at = path(key, i, "appArmorProfile");
            errors.extend(disagreement(
                &at,
                "apparmor",
                word,
                profile,
                &APP_ARMOR_WORDS,
            ));
        }
    }
    errors
}

fn disagreement(
    path: &str,
    what: &str,
    word: &str,
    profile: &Value,
    words: &Words,
) -> Option<FieldError> {
    let (field, part) = match (text(profile, "type"), word.strip_prefix(LOCAL)) {
        ("Unconfined", _) if word == words.unconfined => return None,
        ("RuntimeDefault", _) if words.default.contains(&word) => return None,
        ("Unconfined" | "RuntimeDefault", _) | ("Localhost", None) => ("type", "type"),
        ("Localhost", Some(file)) if file != text(profile, "localhostProfile") => {
            ("localhostProfile", "profile")
        }
        _ => return None,
    };
    let detail = format!("{what} {part} in annotation and field must match");
    Some(FieldError::forbidden(format!("{path}.{field}"), detail))
}

/// Annotations that stay as they are for as long as the Pod.
pub(in crate::strategy::pod) fn changes(path: &str, new: &Value, old: &Value) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut refuse = |key: &str, done: &str| {
        let what = if key == MIRROR {
            "mirror pod annotation"
        } else if key.starts_with(APP_ARMOR) {
            "AppArmor annotations"
        } else {
            return;
        };
        let detail = format!("may not {done} {what}");
        errors.push(FieldError::forbidden(format!("{path}[{key}]"), detail));
    };
    for (key, value) in pairs(old, "annotations") {
        if said(new, key) != value.as_str() {
            refuse(key, "remove or update");
        }
    }
    for (key, _) in pairs(new, "annotations") {
        if said(old, key).is_none() {
            refuse(key, "add");
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
    #[case(DELETION_COST, "-5", &[])]
    #[case(DELETION_COST, "0", &[])]
    #[case(DELETION_COST, "+5", &["m[controller.kubernetes.io/pod-deletion-cost]: Invalid value: \"+5\": must be a 32bit integer"])]
    #[case(DELETION_COST, "05", &["m[controller.kubernetes.io/pod-deletion-cost]: "])]
    #[case(DELETION_COST, "2147483648", &["m[controller.kubernetes.io/pod-deletion-cost]: "])]
    #[case(MIRROR, "x", &["m[kubernetes.io/config.mirror]: Invalid value: \"x\": must set spec.nodeName"])]
    #[case(TOLERATIONS, "", &[])]
    #[case(TOLERATIONS, r#"[{"key": "a", "operator": "Exists", "value": "b"}]"#, &["m.scheduler.alpha.kubernetes.io/tolerations[0].operator: "])]
    #[case(TOLERATIONS, "no", &["m: Invalid value: \"scheduler.alpha.kubernetes.io/tolerations\""])]
    #[case(SECCOMP_POD, "runtime/default", &[])]
    #[case(SECCOMP_POD, "localhost/a", &[])]
    #[case(SECCOMP_POD, "localhost//a", &["m.seccomp.security.alpha.kubernetes.io/pod: Invalid value: \"/a\""])]
    #[case(SECCOMP_POD, "mine", &["m.seccomp.security.alpha.kubernetes.io/pod: Invalid value: \"mine\": must be a valid seccomp profile"])]
    #[case("container.apparmor.security.beta.kubernetes.io/c", "localhost/a", &[])]
    #[case("container.apparmor.security.beta.kubernetes.io/c", "mine", &["m[container.apparmor.security.beta.kubernetes.io/c]: Invalid value: \"mine\": invalid AppArmor"])]
    #[case("container.apparmor.security.beta.kubernetes.io/d", "", &["m[container.apparmor.security.beta.kubernetes.io/d]: Invalid value: \"d\": container not found"])]
    fn by_themselves(#[case] key: &str, #[case] value: &str, #[case] want: &[&str]) {
        let spec = json!({"containers": [{"name": "c"}]});
        check(
            &annotations("m", &json!({"annotations": {key: value}}), &spec),
            want,
        );
    }

    #[rstest]
    #[case("runtime/default", json!({"type": "RuntimeDefault"}), &[])]
    #[case("docker/default", json!({"type": "RuntimeDefault"}), &[])]
    #[case("unconfined", json!({"type": "RuntimeDefault"}), &["s.securityContext.seccompProfile.type: Forbidden: seccomp type in annotation"])]
    #[case("localhost/a", json!({"type": "Localhost", "localhostProfile": "a"}), &[])]
    #[case("localhost/a", json!({"type": "Localhost", "localhostProfile": "b"}), &["s.securityContext.seccompProfile.localhostProfile: Forbidden: seccomp profile in"])]
    #[case("unconfined", json!({"type": "Localhost"}), &["s.securityContext.seccompProfile.type: "])]
    fn beside_the_field(#[case] word: &str, #[case] profile: Value, #[case] want: &[&str]) {
        let metadata = json!({"annotations": {SECCOMP_POD: word}});
        let spec = json!({"securityContext": {"seccompProfile": profile}});
        check(&disagreements("s", &metadata, &spec), want);
    }

    #[test]
    fn a_containers_own_field_comes_first() {
        let key = format!("{APP_ARMOR}c");
        let metadata = json!({"annotations": {key: "unconfined"}});
        let spec = |own: Value| {
            let container = json!({"name": "c", "securityContext": {"appArmorProfile": own}});
            json!({"securityContext": {"appArmorProfile": {"type": "RuntimeDefault"}}, "containers": [container]})
        };
        let said = |own| disagreements("s", &metadata, &spec(own));
        assert!(said(json!({"type": "Unconfined"})).is_empty());
        check(
            &said(Value::Null),
            &["s.containers[0].securityContext.appArmorProfile.type: Forbidden: apparmor type"],
        );
    }

    #[test]
    fn some_stay() {
        let key = format!("{APP_ARMOR}c");
        let with = |key: &str, value: &str| json!({"annotations": {key: value, "other": value}});
        let none = json!({});
        assert!(changes("m", &with(&key, "a"), &with(&key, "a")).is_empty());
        check(
            &changes("m", &with(&key, "b"), &with(&key, "a")),
            &[
                "m[container.apparmor.security.beta.kubernetes.io/c]: Forbidden: may not remove or update AppArmor annotations",
            ],
        );
        check(
            &changes("m", &with(MIRROR, "b"), &none),
            &["m[kubernetes.io/config.mirror]: Forbidden: may not add mirror pod annotation"],
        );
        check(
            &changes("m", &none, &with(MIRROR, "b")),
            &["m[kubernetes.io/config.mirror]: Forbidden: may not remove or update mirror"],
        );
        assert!(changes("m", &with("x", "a"), &with("x", "b")).is_empty());
    }
}
