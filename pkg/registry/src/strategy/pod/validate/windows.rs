//! Pods of one operating system, and what only Windows has.

use kedge_machinery::FieldError;
use serde_json::Value;

use crate::check;
use crate::strategy::pod::CONTAINERS;
use crate::value::{child, flag, is_empty, list, present, text};

const SYSTEMS: &[&str] = &["linux", "windows"];
const FOR_LINUX: &str = "windows options cannot be set for a linux pod";
const FOR_WINDOWS: &str = "cannot be set for a windows pod";
/// What Linux alone knows, in the order in which upstream looks: in the spec, in its security context, in a container's.
const LINUX_SPEC: [&str; 4] = ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"];
const LINUX_POD: [&str; 11] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "fsGroup",
    "fsGroupChangePolicy",
    "sysctls",
    "runAsUser",
    "runAsGroup",
    "supplementalGroups",
    "supplementalGroupsPolicy",
    "seLinuxChangePolicy",
];
const LINUX_CONTAINER: [&str; 10] = [
    "appArmorProfile",
    "seLinuxOptions",
    "seccompProfile",
    "capabilities",
    "readOnlyRootFilesystem",
    "privileged",
    "allowPrivilegeEscalation",
    "procMount",
    "runAsUser",
    "runAsGroup",
];
const MAX_SPEC: usize = 64 << 10;
const MAX_DOMAIN: usize = 255;
const MAX_USER: usize = 104;
const MAX_NETBIOS: usize = 15;
const MAX_LABEL: usize = 63;
/// Not in a name of a user; not in one of a NetBIOS domain.
const NOT_IN_USER: &str = "\"/\\:;|=,+*?<>@[]";
const NOT_IN_NETBIOS: &str = "\\/:*?\"<>|";

/// Containers of every sort with their paths, in the order that upstream visits them.
fn containers<'a>(at: &str, spec: &'a Value) -> Vec<(String, &'a Value)> {
    let [running, initial, ephemeral] = CONTAINERS;
    let of = |key: &'static str| {
        let items = list(spec, key).iter().enumerate();
        items.map(move |(i, item)| (format!("{at}.{key}[{i}]"), item))
    };
    of(initial)
        .chain(of(running))
        .chain(of(ephemeral))
        .collect()
}

/// What is not for the operating system that a Pod names.
pub(super) fn system(at: &str, spec: &Value) -> Vec<FieldError> {
    let Some(system) = present(spec, "os") else {
        return Vec::new();
    };
    match text(system, "name") {
        "" => vec![FieldError::required(
            format!("{at}.os.name"),
            "cannot be empty",
        )],
        "linux" => of_linux(at, spec),
        "windows" => of_windows(at, spec),
        other => vec![FieldError::not_supported(
            format!("{at}.os"),
            other,
            SYSTEMS,
        )],
    }
}

fn of_linux(at: &str, spec: &Value) -> Vec<FieldError> {
    let own = [(at.to_string(), spec)];
    let all = own.into_iter().chain(containers(at, spec));
    let wrong = all.filter_map(|(path, part)| {
        present(child(part, "securityContext"), "windowsOptions")?;
        let at = format!("{path}.securityContext.windowsOptions");
        Some(FieldError::forbidden(at, FOR_LINUX))
    });
    wrong.collect()
}

fn of_windows(at: &str, spec: &Value) -> Vec<FieldError> {
    let is_said =
        |value: &Value| !matches!(value, Value::Null | Value::Array(_)) || !is_empty(value);
    let refuse = |path: &str, part: &Value, keys: &[&str]| -> Vec<FieldError> {
        let said = keys.iter().filter(|key| is_said(child(part, key)));
        said.map(|key| FieldError::forbidden(format!("{path}.{key}"), FOR_WINDOWS))
            .collect()
    };
    let own = child(spec, "securityContext");
    let mut errors = refuse(at, spec, &LINUX_SPEC);
    errors.extend(refuse(&format!("{at}.securityContext"), own, &LINUX_POD));
    for (path, container) in containers(at, spec) {
        let path = format!("{path}.securityContext");
        let own = child(container, "securityContext");
        errors.extend(refuse(&path, own, &LINUX_CONTAINER));
    }
    errors
}

/// Containers that run as processes of the host: all of a Pod or none, and on the host's network.
pub(super) fn host_processes(at: &str, spec: &Value) -> Vec<FieldError> {
    let of = |part: &Value| {
        let options = child(child(part, "securityContext"), "windowsOptions");
        present(options, "hostProcess").and_then(Value::as_bool)
    };
    let of_pod = of(spec);
    let all = containers(at, spec);
    let mut errors = Vec::new();
    let mut count = 0;
    for (path, container) in &all {
        let own = of(container);
        if let (Some(pod), Some(own)) = (of_pod, own)
            && pod != own
        {
            let at = format!("{path}.securityContext.windowsOptions.hostProcess");
            let detail =
                format!("pod hostProcess value must be identical if both are specified, was {pod}");
            errors.push(FieldError::invalid(at, own, detail));
        }
        count += usize::from(own.or(of_pod) == Some(true));
    }
    if count == 0 {
        return errors;
    }
    if count != all.len() {
        let detail = "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(FieldError::invalid(at, "", detail));
    }
    if !flag(spec, "hostNetwork") {
        let detail = "hostNetwork must be true if pod contains any hostProcess containers";
        let at = format!("{at}.hostNetwork");
        errors.push(FieldError::invalid(at, false, detail));
    }
    errors
}

/// `windowsOptions` of a context.
pub(super) fn options(path: &str, context: &Value) -> Vec<FieldError> {
    let options = child(context, "windowsOptions");
    let given = |key: &str| present(options, key).and_then(Value::as_str);
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    if let Some(name) = given("gmsaCredentialSpecName") {
        errors.extend(check::subdomain(&at("gmsaCredentialSpecName"), name));
    }
    if let Some(spec) = given("gmsaCredentialSpec") {
        let detail = match spec.len() {
            0 => "gmsaCredentialSpec cannot be an empty string",
            length if length > MAX_SPEC => "gmsaCredentialSpec size must be under 64 KiB",
            _ => "",
        };
        if !detail.is_empty() {
            errors.push(FieldError::invalid(at("gmsaCredentialSpec"), spec, detail));
        }
    }
    if let Some(name) = given("runAsUserName") {
        let wrong = user_name(name).into_iter();
        errors.extend(wrong.map(|why| FieldError::invalid(at("runAsUserName"), name, why)));
    }
    errors
}

/// `DOMAIN\USER`, the domain left out or not.
fn user_name(name: &str) -> Vec<&'static str> {
    if name.is_empty() {
        return vec!["runAsUserName cannot be an empty string"];
    }
    if name.contains(|c: char| c.is_ascii_control()) {
        return vec!["runAsUserName cannot contain control characters"];
    }
    let (domain, user) = match name.split_once('\\') {
        Some((_, user)) if user.contains('\\') => {
            return vec!["runAsUserName cannot contain more than one backslash"];
        }
        Some((domain, user)) => (Some(domain), user),
        None => (None, name),
    };
    let mut wrong = Vec::new();
    if domain.is_some_and(|domain| domain.len() > MAX_DOMAIN) {
        wrong.push("runAsUserName's Domain length must be under 256 characters");
    }
    if domain.is_some_and(|domain| !is_netbios(domain) && !is_dns(domain)) {
        wrong.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
    }
    if user.is_empty() {
        wrong.push("runAsUserName's User cannot be empty");
    } else if user.len() > MAX_USER {
        wrong.push("runAsUserName's User length must not be longer than 104 characters");
    }
    if !user.is_empty() && user.chars().all(|c| matches!(c, '.' | ' ')) {
        wrong.push("runAsUserName's User cannot contain only periods or spaces");
    }
    if user.contains(|c| NOT_IN_USER.contains(c)) {
        wrong.push(
            "runAsUserName's User cannot contain the following characters: \"/\\:;|=,+*?<>@[]",
        );
    }
    wrong
}

fn is_netbios(domain: &str) -> bool {
    let length = domain.chars().count();
    (1..=MAX_NETBIOS).contains(&length)
        && !domain.starts_with('.')
        && !domain.contains(|c| NOT_IN_NETBIOS.contains(c))
}

fn is_dns(domain: &str) -> bool {
    let is_end = |b: &u8| b.is_ascii_alphanumeric();
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        (1..=MAX_LABEL).contains(&bytes.len())
            && bytes.first().is_some_and(is_end)
            && bytes.last().is_some_and(is_end)
            && bytes.iter().all(|b| is_end(b) || *b == b'-')
    };
    domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn fields(errors: &[FieldError]) -> Vec<&str> {
        errors.iter().map(|e| e.field.as_str()).collect()
    }

    #[rstest]
    #[case(json!({"os": {"name": "linux"}, "hostPID": true}), &[])]
    #[case(json!({"os": {"name": ""}}), &["s.os.name"])]
    #[case(json!({"os": {"name": "plan9"}}), &["s.os"])]
    #[case(
        json!({"os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}, "containers": [{"securityContext": {"windowsOptions": {}}}]}),
        &["s.securityContext.windowsOptions", "s.containers[0].securityContext.windowsOptions"]
    )]
    #[case(
        json!({"os": {"name": "windows"}, "hostUsers": false, "securityContext": {"runAsUser": 0, "sysctls": []},
            "containers": [{"securityContext": {"privileged": false}}], "initContainers": [{"securityContext": {"capabilities": {}}}]}),
        &[
            "s.hostUsers", "s.securityContext.runAsUser", "s.initContainers[0].securityContext.capabilities",
            "s.containers[0].securityContext.privileged",
        ]
    )]
    fn one_system(#[case] spec: Value, #[case] want: &[&str]) {
        assert_eq!(fields(&system("s", &spec)), want);
    }

    #[rstest]
    #[case(None, &[Some(true), Some(true)], true, &[])]
    #[case(Some(true), &[None, None], true, &[])]
    #[case(None, &[Some(false), None], false, &[])]
    #[case(None, &[Some(true), None], true, &["s"])]
    #[case(Some(true), &[None], false, &["s.hostNetwork"])]
    #[case(Some(true), &[Some(false), None], true, &["s.containers[0].securityContext.windowsOptions.hostProcess", "s"])]
    fn processes_of_the_host(
        #[case] pod: Option<bool>,
        #[case] containers: &[Option<bool>],
        #[case] network: bool,
        #[case] want: &[&str],
    ) {
        let context = |own: &Option<bool>| json!({"windowsOptions": {"hostProcess": own}});
        let containers: Vec<Value> = containers
            .iter()
            .map(|own| json!({"securityContext": context(own)}))
            .collect();
        let spec = json!({"hostNetwork": network, "securityContext": context(&pod), "containers": containers});
        assert_eq!(fields(&host_processes("s", &spec)), want);
    }

    #[rstest]
    #[case("user", &[])]
    #[case("NT AUTHORITY\\NETWORK SERVICE", &[])]
    #[case("a.example.com\\user", &[])]
    #[case("", &["empty string"])]
    #[case("a\tb", &["control characters"])]
    #[case("a\\b\\c", &["more than one backslash"])]
    #[case("\\user", &["Domain doesn't match"])]
    #[case(".local\\user", &["Domain doesn't match"])]
    #[case("a\\", &["User cannot be empty"])]
    #[case("a\\..", &["only periods or spaces"])]
    #[case("a\\b@c", &["the following characters"])]
    fn users(#[case] name: &str, #[case] want: &[&str]) {
        let wrong = user_name(name);
        assert_eq!(wrong.len(), want.len(), "{wrong:?}");
        assert!(
            wrong.iter().zip(want).all(|(a, b)| a.contains(b)),
            "{wrong:?}"
        );
    }

    #[test]
    fn options_of_windows() {
        let long = "x".repeat(MAX_SPEC + 1);
        let with = |options: Value| options_fields(&json!({"windowsOptions": options}));
        assert!(with(json!({"gmsaCredentialSpecName": "a", "gmsaCredentialSpec": "b", "runAsUserName": "c"})).is_empty());
        assert_eq!(
            with(json!({"gmsaCredentialSpecName": "A"})),
            ["w.gmsaCredentialSpecName"]
        );
        assert_eq!(
            with(json!({"gmsaCredentialSpec": ""})),
            ["w.gmsaCredentialSpec"]
        );
        assert_eq!(
            with(json!({"gmsaCredentialSpec": long})),
            ["w.gmsaCredentialSpec"]
        );
        let user = "x".repeat(MAX_USER + 1);
        assert_eq!(with(json!({"runAsUserName": user})), ["w.runAsUserName"]);
    }

    fn options_fields(context: &Value) -> Vec<String> {
        let errors = options("w", context);
        errors.into_iter().map(|e| e.field).collect()
    }
}
