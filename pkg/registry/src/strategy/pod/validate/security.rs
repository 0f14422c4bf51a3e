//! Security contexts of Pods and their containers.

use kedge_machinery::FieldError;
use kedge_machinery::status::FieldErrorKind;
use serde_json::Value;

use super::{paths, windows};
use crate::strategy::pod::sysctls::sysctls;
use crate::value::{child, flag, list, present, text, texts};

const PROFILES: &[&str] = &["Localhost", "RuntimeDefault", "Unconfined"];
const GROUP_CHANGES: &[&str] = &["Always", "OnRootMismatch"];
const GROUP_POLICIES: &[&str] = &["Merge", "Strict"];
const LABEL_CHANGES: &[&str] = &["MountOption", "Recursive"];
const PROC_MOUNTS: &[&str] = &["Default", "Unmasked"];
/// The longest path that Linux takes, without its end.
const MAX_PROFILE: usize = 4095;

/// The context of a Pod's spec at a path.
pub(super) fn of_pod(at: &str, spec: &Value) -> Vec<FieldError> {
    let context = child(spec, "securityContext");
    let path = format!("{at}.securityContext");
    let at_own = |key: &str| format!("{path}.{key}");
    let mut errors = ids(&path, context, &["fsGroup", "runAsUser", "runAsGroup"]);
    for (i, group) in list(context, "supplementalGroups").iter().enumerate() {
        let group = group.as_i64().unwrap_or_default();
        errors.extend(id(&format!("{path}.supplementalGroups[{i}]"), group));
    }
    if flag(spec, "shareProcessNamespace") && flag(spec, "hostPID") {
        let detail = "ShareProcessNamespace and HostPID cannot both be enabled";
        let at = at_own("shareProcessNamespace");
        errors.push(FieldError::invalid(at, true, detail));
    }
    errors.extend(sysctls(at, spec));
    errors.extend(word(&path, context, "fsGroupChangePolicy", GROUP_CHANGES));
    errors.extend(seccomp(&at_own("seccompProfile"), context));
    errors.extend(windows::options(&at_own("windowsOptions"), context));
    errors.extend(app_armor(&at_own("appArmorProfile"), context));
    for (key, words) in [
        ("supplementalGroupsPolicy", GROUP_POLICIES),
        ("seLinuxChangePolicy", LABEL_CHANGES),
    ] {
        errors.extend(word(&path, context, key, words));
    }
    errors
}

/// The context of a container. With users of the node's own, nobody sees all of `/proc`.
pub(super) fn of_container(path: &str, context: &Value, host_users: bool) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = ids(path, context, &["runAsUser", "runAsGroup"]);
    errors.extend(word(path, context, "procMount", PROC_MOUNTS));
    if host_users && text(context, "procMount") == "Unmasked" {
        let detail = "`hostUsers` must be false to use `Unmasked`";
        errors.push(FieldError::invalid(at("procMount"), "Unmasked", detail));
    }
    errors.extend(seccomp(&at("seccompProfile"), context));
    if present(context, "allowPrivilegeEscalation") == Some(&Value::Bool(false)) {
        let added = texts(child(context, "capabilities"), "add");
        let privileged = flag(context, "privileged").then_some("`privileged` to true");
        let admin = added.into_iter().filter(|name| *name == "CAP_SYS_ADMIN");
        let wrong = privileged
            .into_iter()
            .chain(admin.map(|_| "`capabilities.Add` CAP_SYS_ADMIN"));
        errors.extend(wrong.map(|what| {
            let detail = format!("cannot set `allowPrivilegeEscalation` to false and {what}");
            FieldError::invalid(path, context.clone(), detail)
        }));
    }
    errors.extend(windows::options(&at("windowsOptions"), context));
    errors.extend(app_armor(&at("appArmorProfile"), context));
    errors
}

fn ids(path: &str, context: &Value, keys: &[&str]) -> Vec<FieldError> {
    let given = keys.iter().filter_map(|key| {
        let number = present(context, key)?.as_i64()?;
        id(&format!("{path}.{key}"), number)
    });
    given.collect()
}

/// A number of a user or a group.
fn id(at: &str, number: i64) -> Option<FieldError> {
    let good = (0..=i64::from(i32::MAX)).contains(&number);
    let detail = "must be between 0 and 2147483647, inclusive";
    (!good).then(|| FieldError::invalid(at, number, detail))
}

fn word(path: &str, context: &Value, key: &str, words: &[&str]) -> Option<FieldError> {
    let word = present(context, key)?.as_str()?;
    let at = format!("{path}.{key}");
    (!words.contains(&word)).then(|| FieldError::not_supported(at, word, words))
}

/// System calls that may be made.
fn seccomp(path: &str, context: &Value) -> Vec<FieldError> {
    let Some(profile) = present(context, "seccompProfile") else {
        return Vec::new();
    };
    let kind = text(profile, "type");
    let file = present(profile, "localhostProfile").and_then(Value::as_str);
    let at = format!("{path}.localhostProfile");
    let mut errors = profile_type(path, kind, "type is required when seccompProfile is set");
    match (kind, file) {
        ("Localhost", None) => {
            let detail = "must be set when seccomp type is Localhost";
            errors.push(FieldError::required(at, detail));
        }
        ("Localhost", Some(file)) => errors.extend(paths::descending(&at, file)),
        (_, Some(_)) => {
            let detail = "can only be set when seccomp type is Localhost";
            errors.push(FieldError::invalid(at, profile.clone(), detail));
        }
        (_, None) => {}
    }
    errors
}

fn profile_type(path: &str, kind: &str, empty: &str) -> Vec<FieldError> {
    let at = format!("{path}.type");
    match kind {
        "" => vec![FieldError::required(at, empty)],
        kind if PROFILES.contains(&kind) => Vec::new(),
        other => vec![FieldError::not_supported(at, other, PROFILES)],
    }
}

fn app_armor(path: &str, context: &Value) -> Vec<FieldError> {
    const UNSET: &str = "must be set when AppArmor type is Localhost";
    let Some(profile) = present(context, "appArmorProfile") else {
        return Vec::new();
    };
    let kind = text(profile, "type");
    let name = present(profile, "localhostProfile").and_then(Value::as_str);
    let at = format!("{path}.localhostProfile");
    let mut errors = Vec::new();
    match (kind, name) {
        ("Localhost", None) => errors.push(FieldError::required(at, UNSET)),
        ("Localhost", Some(name)) => {
            if name.trim() != name {
                let detail = "must not be padded with whitespace";
                errors.push(FieldError::invalid(&at, name, detail));
            } else if name.is_empty() {
                errors.push(FieldError::required(&at, UNSET));
            }
            if name.len() > MAX_PROFILE {
                let detail = format!("may not be more than {MAX_PROFILE} bytes");
                errors.push(FieldError::new(FieldErrorKind::TooLong, at, None, detail));
            }
        }
        ("RuntimeDefault" | "Unconfined", Some(name)) => {
            let detail = "can only be set when AppArmor type is Localhost";
            errors.push(FieldError::invalid(at, name, detail));
        }
        _ => {
            let empty = "type is required when appArmorProfile is set";
            errors.extend(profile_type(path, kind, empty));
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
    #[case(json!({"runAsUser": 0, "fsGroup": 2_147_483_647, "supplementalGroups": [1]}), &[])]
    #[case(json!({"runAsUser": -1, "runAsGroup": 2_147_483_648_i64, "fsGroup": -1}), &[
        "s.securityContext.fsGroup: Invalid value: -1: must be between 0 and 2147483647, inclusive", "s.securityContext.runAsUser: ",
        "s.securityContext.runAsGroup: Invalid value: 2147483648",
    ])]
    #[case(json!({"supplementalGroups": [1, -2]}), &["s.securityContext.supplementalGroups[1]: Invalid value: -2"])]
    #[case(json!({"fsGroupChangePolicy": "OnRootMismatch", "supplementalGroupsPolicy": "Strict", "seLinuxChangePolicy": "Recursive"}), &[])]
    #[case(json!({"fsGroupChangePolicy": "Never", "supplementalGroupsPolicy": "", "seLinuxChangePolicy": "x"}), &[
        "s.securityContext.fsGroupChangePolicy: Unsupported value", "s.securityContext.supplementalGroupsPolicy: Unsupported value: \"\"",
        "s.securityContext.seLinuxChangePolicy: Unsupported value",
    ])]
    #[case(json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "a/b"}}), &[])]
    #[case(json!({"seccompProfile": {"type": "Localhost"}}), &["s.securityContext.seccompProfile.localhostProfile: Required value"])]
    #[case(json!({"seccompProfile": {"type": "Localhost", "localhostProfile": "../a"}}), &["s.securityContext.seccompProfile.localhostProfile: Invalid value: \"../a\""])]
    #[case(json!({"seccompProfile": {"type": "Unconfined", "localhostProfile": "a"}}), &["s.securityContext.seccompProfile.localhostProfile: Invalid value: "])]
    #[case(json!({"seccompProfile": {"type": ""}}), &["s.securityContext.seccompProfile.type: Required value: type is required"])]
    #[case(json!({"seccompProfile": {"type": "Other"}}), &["s.securityContext.seccompProfile.type: Unsupported value: \"Other\": supported values: \"Localhost\", "])]
    #[case(json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": "a"}}), &[])]
    #[case(json!({"appArmorProfile": {"type": "Localhost"}}), &["s.securityContext.appArmorProfile.localhostProfile: Required value"])]
    #[case(json!({"appArmorProfile": {"type": "Localhost", "localhostProfile": " a"}}), &["s.securityContext.appArmorProfile.localhostProfile: Invalid value: \" a\""])]
    #[case(json!({"appArmorProfile": {"type": "RuntimeDefault", "localhostProfile": "a"}}), &["s.securityContext.appArmorProfile.localhostProfile: Invalid value"])]
    #[case(json!({"appArmorProfile": {"type": "Other"}}), &["s.securityContext.appArmorProfile.type: Unsupported value"])]
    fn a_pods(#[case] context: Value, #[case] want: &[&str]) {
        check(&of_pod("s", &json!({"securityContext": context})), want);
    }

    #[test]
    fn processes_are_shared_with_one() {
        let spec = json!({"shareProcessNamespace": true, "hostPID": true});
        check(
            &of_pod("s", &spec),
            &["s.securityContext.shareProcessNamespace: Invalid value: true: "],
        );
    }

    #[test]
    fn a_profiles_name_fits_a_path() {
        let with = |length| {
            let profile = json!({"type": "Localhost", "localhostProfile": "x".repeat(length)});
            of_container("c", &json!({"appArmorProfile": profile}), true)
        };
        assert!(with(MAX_PROFILE).is_empty());
        check(
            &with(MAX_PROFILE + 1),
            &["c.appArmorProfile.localhostProfile: Too long: may not be more than 4095 bytes"],
        );
    }

    #[rstest]
    #[case(json!({"privileged": true, "runAsUser": 1000, "procMount": "Default"}), &[])]
    #[case(json!({"runAsUser": -1}), &["c.runAsUser: Invalid value: -1"])]
    #[case(json!({"procMount": "Some"}), &["c.procMount: Unsupported value: \"Some\""])]
    #[case(json!({"procMount": "Unmasked"}), &["c.procMount: Invalid value: \"Unmasked\": `hostUsers` must be false"])]
    #[case(json!({"allowPrivilegeEscalation": false, "capabilities": {"add": ["NET_ADMIN"]}}), &[])]
    #[case(json!({"allowPrivilegeEscalation": false, "privileged": true, "capabilities": {"add": ["CAP_SYS_ADMIN"]}}), &[
        "c: Invalid value: {", "c: Invalid value: {",
    ])]
    fn a_containers(#[case] context: Value, #[case] want: &[&str]) {
        check(&of_container("c", &context, true), want);
    }

    #[test]
    fn users_of_ones_own_may_see_all_processes() {
        assert!(of_container("c", &json!({"procMount": "Unmasked"}), false).is_empty());
    }
}
