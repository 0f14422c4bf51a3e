//! Probes of a container and what is run at its beginning and end.

use kedge_machinery::FieldError;
use serde_json::Value;

use crate::check;
use crate::value::{child, int, list, present, text};

const SCHEMES: &[&str] = &["HTTP", "HTTPS"];
const HEADER_RULE: &str = "a valid HTTP header must consist of alphanumeric characters or '-' \
    (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')";
const NUMBERS: [&str; 5] = [
    "initialDelaySeconds",
    "timeoutSeconds",
    "periodSeconds",
    "successThreshold",
    "failureThreshold",
];
/// In the order in which the first is taken and others are refused.
const ACTIONS: [&str; 5] = ["exec", "httpGet", "tcpSocket", "grpc", "sleep"];

/// The probes of a container that may have them, and its lifecycle. `grace` are the seconds that the Pod has to end.
pub(super) fn all(path: &str, container: &Value, grace: Option<i64>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for key in ["postStart", "preStop"] {
        if let Some(handler) = present(child(container, "lifecycle"), key) {
            let at = format!("{path}.lifecycle.{key}");
            errors.extend(self::handler(&at, handler, grace));
        }
    }
    for key in ["livenessProbe", "readinessProbe", "startupProbe"] {
        let at = |field: &str| format!("{path}.{key}.{field}");
        let Some(probe) = present(container, key) else {
            continue;
        };
        errors.extend(self::probe(&format!("{path}.{key}"), probe, grace));
        if key == "readinessProbe" {
            if let Some(seconds) = present(probe, GRACE) {
                let detail = "must not be set for readinessProbes";
                errors.push(FieldError::invalid(at(GRACE), seconds.clone(), detail));
            }
        } else if int(probe, "successThreshold") != 1 {
            let successes = int(probe, "successThreshold");
            let at = at("successThreshold");
            errors.push(FieldError::invalid(at, successes, "must be 1"));
        }
    }
    errors
}

const GRACE: &str = "terminationGracePeriodSeconds";

fn probe(path: &str, probe: &Value, grace: Option<i64>) -> Vec<FieldError> {
    let mut errors = handler(path, probe, grace);
    for key in NUMBERS {
        errors.extend(check::non_negative(
            &format!("{path}.{key}"),
            int(probe, key),
        ));
    }
    let own = present(probe, GRACE).and_then(Value::as_i64);
    if let Some(seconds) = own.filter(|seconds| *seconds <= 0) {
        let at = format!("{path}.{GRACE}");
        errors.push(FieldError::invalid(at, seconds, "must be greater than 0"));
    }
    errors
}

/// One of the things that can be done.
fn handler(path: &str, handler: &Value, grace: Option<i64>) -> Vec<FieldError> {
    let mut given = ACTIONS
        .iter()
        .filter_map(|key| Some((format!("{path}.{key}"), *key, present(handler, key)?)));
    let Some((at, key, action)) = given.next() else {
        return vec![FieldError::required(path, "must specify a handler type")];
    };
    let mut errors = self::action(&at, key, action, grace);
    errors.extend(
        given.map(|(at, ..)| FieldError::forbidden(at, "may not specify more than 1 handler type")),
    );
    errors
}

fn action(at: &str, key: &str, action: &Value, grace: Option<i64>) -> Vec<FieldError> {
    let port = || check::port_or_name(&format!("{at}.port"), child(action, "port"));
    match key {
        "exec" if list(action, "command").is_empty() => {
            vec![FieldError::required(format!("{at}.command"), "")]
        }
        "httpGet" => http(at, action),
        "tcpSocket" | "grpc" => port(),
        "sleep" => {
            let seconds = int(action, "seconds");
            let wrong = grace.filter(|grace| seconds < 0 || seconds > *grace);
            let wrong = wrong.map(|grace| {
                let detail = format!(
                    "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                );
                FieldError::invalid(at, seconds, detail)
            });
            Vec::from_iter(wrong)
        }
        _ => Vec::new(),
    }
}

fn http(path: &str, get: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    if text(get, "path").is_empty() {
        errors.push(FieldError::required(at("path"), ""));
    }
    errors.extend(check::port_or_name(&at("port"), child(get, "port")));
    let scheme = text(get, "scheme");
    if !SCHEMES.contains(&scheme) {
        errors.push(FieldError::not_supported(at("scheme"), scheme, SCHEMES));
    }
    let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    for header in list(get, "httpHeaders") {
        let name = text(header, "name");
        if name.is_empty() || !name.bytes().all(fits) {
            errors.push(FieldError::invalid(at("httpHeaders"), name, HEADER_RULE));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn wrong(container: Value) -> Vec<String> {
        let errors = all("c", &container, Some(30));
        errors.iter().map(ToString::to_string).collect()
    }

    fn with(key: &str, probe: Value) -> Value {
        let mut full = json!({"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3});
        let fields = full.as_object_mut().unwrap();
        fields.extend(probe.as_object().unwrap().clone());
        json!({key: full})
    }

    #[rstest]
    #[case(json!({"exec": {"command": ["true"]}}), &[])]
    #[case(json!({"tcpSocket": {"port": "http"}}), &[])]
    #[case(json!({"grpc": {"port": 80}}), &[])]
    #[case(json!({"httpGet": {"path": "/", "port": 80, "scheme": "HTTPS", "httpHeaders": [{"name": "X-A"}]}}), &[])]
    #[case(json!({}), &["c.livenessProbe: Required value: must specify a handler type"])]
    #[case(json!({"exec": {}}), &["c.livenessProbe.exec.command: Required value"])]
    #[case(json!({"tcpSocket": {"port": 0}}), &["c.livenessProbe.tcpSocket.port: Invalid value: 0"])]
    #[case(json!({"httpGet": {"path": "", "port": "a b", "scheme": "FTP", "httpHeaders": [{"name": "X A"}, {"name": ""}]}}), &[
        "c.livenessProbe.httpGet.path: Required value", "c.livenessProbe.httpGet.port: Invalid value: ",
        "c.livenessProbe.httpGet.scheme: Unsupported value: \"FTP\": supported values: \"HTTP\", \"HTTPS\"",
        "c.livenessProbe.httpGet.httpHeaders: Invalid value: \"X A\"", "c.livenessProbe.httpGet.httpHeaders: Invalid value: \"\"",
    ])]
    #[case(json!({"exec": {"command": ["true"]}, "grpc": {"port": 0}}), &["c.livenessProbe.grpc: Forbidden: may not specify more than 1 handler type"])]
    #[case(json!({"grpc": {"port": 1}, "initialDelaySeconds": -1, "failureThreshold": -1}), &[
        "c.livenessProbe.initialDelaySeconds: ", "c.livenessProbe.failureThreshold: ",
    ])]
    #[case(json!({"grpc": {"port": 1}, "successThreshold": 2}), &["c.livenessProbe.successThreshold: Invalid value: 2: must be 1"])]
    #[case(json!({"grpc": {"port": 1}, "terminationGracePeriodSeconds": 0}), &["c.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"])]
    fn probes(#[case] probe: Value, #[case] want: &[&str]) {
        let found = wrong(with("livenessProbe", probe));
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[test]
    fn readiness_needs_more_than_once_and_kills_nobody() {
        let probe = json!({"grpc": {"port": 1}, "successThreshold": 3});
        assert!(wrong(with("readinessProbe", probe.clone())).is_empty());
        assert_eq!(wrong(with("startupProbe", probe)).len(), 1);
        let probe = json!({"grpc": {"port": 1}, "terminationGracePeriodSeconds": 3});
        assert!(wrong(with("startupProbe", probe.clone())).is_empty());
        let found = wrong(with("readinessProbe", probe));
        assert!(found[0].starts_with("c.readinessProbe.terminationGracePeriodSeconds: "));
    }

    #[rstest]
    #[case(0, true)]
    #[case(30, true)]
    #[case(31, false)]
    #[case(-1, false)]
    fn sleep_is_shorter_than_the_end(#[case] seconds: i64, #[case] good: bool) {
        let found = wrong(json!({"lifecycle": {"preStop": {"sleep": {"seconds": seconds}}}}));
        assert_eq!(found.is_empty(), good, "{found:?}");
    }
}
