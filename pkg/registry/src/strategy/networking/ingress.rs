//! Ingresses (`pkg/apis/networking/validation`, `pkg/registry/networking/ingress`).

use kedge_machinery::{FieldError, Object, names};
use serde_json::{Value, json};

use super::backend::backend;
use crate::check;
use crate::strategy::Strategy;
use crate::value::{field, list, present, text, texts};

/// The class as it was named before `spec.ingressClassName` was.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";
const PATH_TYPES: &[&str] = &["Exact", "ImplementationSpecific", "Prefix"];
/// What a path that is compared as it is must not have in it, and not end with.
const BAD_PARTS: &[&str] = &["//", "/./", "/../", "%2f", "%2F"];
const BAD_ENDS: &[&str] = &["/..", "/."];

pub(in crate::strategy) struct Ingress;

impl Strategy for Ingress {
    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({"loadBalancer": {}}));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let annotation = object.at(&["metadata", "annotations", CLASS_ANNOTATION]);
        let mut errors = spec(object, None);
        if let Some(annotation) = annotation.and_then(Value::as_str)
            && class(object).is_some_and(|class| class != annotation)
        {
            // Upstream's path begins so.
            errors.push(FieldError::invalid(
                format!("annotations.{CLASS_ANNOTATION}"),
                annotation,
                "must match `ingressClassName` when both are specified",
            ));
        }
        errors
    }

    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return status(new, old);
        }
        spec(new, Some(old))
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let annotated = new.at(&["metadata", "annotations", CLASS_ANNOTATION]);
        if old.is_some() || annotated.is_none() || class(new).is_some() {
            return Vec::new();
        }
        vec![format!(
            "annotation \"{CLASS_ANNOTATION}\" is deprecated, please use 'spec.ingressClassName' instead"
        )]
    }
}

fn class(object: &Object) -> Option<&str> {
    present(field(&object.0, "spec"), "ingressClassName").and_then(Value::as_str)
}

/// Names of secrets are not looked at where one was wrong before, nor rules for a star where one led nowhere: early
/// versions looked at none.
fn spec(object: &Object, old: Option<&Object>) -> Vec<FieldError> {
    let spec = field(&object.0, "spec");
    let mut errors = Vec::new();
    let (rules, default) = (list(spec, "rules"), present(spec, "defaultBackend"));
    if rules.is_empty() && default.is_none() {
        let detail = "either `defaultBackend` or `rules` must be specified";
        errors.push(FieldError::invalid("spec", Value::Null, detail));
    }
    if let Some(default) = default {
        errors.extend(backend("spec.defaultBackend", default));
    }
    let lax = old.is_some_and(|old| {
        list(field(&old.0, "spec"), "rules")
            .iter()
            .any(leads_nowhere)
    });
    for (i, rule) in rules.iter().enumerate() {
        let at = format!("spec.rules[{i}]");
        errors.extend(rule_host(&at, rule));
        if !(lax && is_for_a_star(rule)) {
            errors.extend(http(&at, rule));
        }
    }
    let lenient = old.is_some_and(|old| secrets(old).any(|s| !check::subdomain("", s).is_empty()));
    for (i, tls) in list(spec, "tls").iter().enumerate() {
        for (j, host) in texts(tls, "hosts").into_iter().enumerate() {
            errors.extend(self::host(&format!("spec.tls[{i}].hosts[{j}]"), host));
        }
        let secret = text(tls, "secretName");
        if !secret.is_empty() && !lenient {
            errors.extend(check::subdomain(
                &format!("spec.tls[{i}].secretName"),
                secret,
            ));
        }
    }
    if let Some(class) = class(object) {
        errors.extend(check::subdomain("spec.ingressClassName", class));
    }
    errors
}

fn secrets(object: &Object) -> impl Iterator<Item = &str> {
    let tls = list(field(&object.0, "spec"), "tls").iter();
    tls.map(|tls| text(tls, "secretName"))
        .filter(|name| !name.is_empty())
}

fn is_for_a_star(rule: &Value) -> bool {
    text(rule, "host").contains('*')
}

fn leads_nowhere(rule: &Value) -> bool {
    is_for_a_star(rule) && !http("", rule).is_empty()
}

fn rule_host(path: &str, rule: &Value) -> Vec<FieldError> {
    let (at, host) = (format!("{path}.host"), text(rule, "host"));
    if host.is_empty() {
        return Vec::new();
    }
    let mut errors = Vec::new();
    if check::loose_ip(host).is_some() {
        let detail = "must be a DNS name, not an IP address";
        errors.push(FieldError::invalid(&at, host, detail));
    }
    errors.extend(self::host(&at, host));
    errors
}

fn http(path: &str, rule: &Value) -> Vec<FieldError> {
    let Some(http) = present(rule, "http") else {
        return Vec::new();
    };
    let mut errors = Vec::new();
    let paths = list(http, "paths");
    if paths.is_empty() {
        errors.push(FieldError::required(format!("{path}.http.paths"), ""));
    }
    for (i, value) in paths.iter().enumerate() {
        errors.extend(http_path(&format!("{path}.http.paths[{i}]"), value));
    }
    errors
}

/// A name, the first label of which may be a star.
fn host(path: &str, host: &str) -> Vec<FieldError> {
    if host.contains('*') {
        check::invalid(path, host, names::wildcard_subdomain(host))
    } else {
        check::subdomain(path, host)
    }
}

fn http_path(at: &str, value: &Value) -> Vec<FieldError> {
    let (at_path, path) = (format!("{at}.path"), text(value, "path"));
    let kind = present(value, "pathType").and_then(Value::as_str);
    let invalid = |detail: String| FieldError::invalid(&at_path, path, detail);
    let mut errors = Vec::new();
    match kind {
        None => {
            let detail = "pathType must be specified";
            return vec![FieldError::required(format!("{at}.pathType"), detail)];
        }
        Some("Exact" | "Prefix") => {
            if !path.starts_with('/') {
                errors.push(invalid("must be an absolute path".into()));
            }
            let parts = BAD_PARTS.iter().filter(|part| path.contains(**part));
            errors.extend(parts.map(|part| invalid(format!("must not contain '{part}'"))));
            let ends = BAD_ENDS.iter().filter(|end| path.ends_with(**end));
            errors.extend(ends.map(|end| invalid(format!("cannot end with '{end}'"))));
        }
        Some("ImplementationSpecific") => {
            if !path.is_empty() && !path.starts_with('/') {
                errors.push(invalid("must be an absolute path".into()));
            }
        }
        Some(other) => errors.push(FieldError::not_supported(
            format!("{at}.pathType"),
            other,
            PATH_TYPES,
        )),
    }
    let to = present(value, "backend").unwrap_or(&Value::Null);
    errors.extend(backend(&format!("{at}.backend"), to));
    errors
}

/// Addresses that were there before may stay as they are.
fn status(new: &Object, old: &Object) -> Vec<FieldError> {
    let known: Vec<&str> = points(old).iter().map(|point| text(point, "ip")).collect();
    let mut errors = Vec::new();
    for (i, point) in points(new).iter().enumerate() {
        let at = |key: &str| format!("status.loadBalancer.ingress[{i}].{key}");
        let (ip, hostname) = (text(point, "ip"), text(point, "hostname"));
        if !ip.is_empty() && !known.contains(&ip) {
            errors.extend(check::ip(&at("ip"), ip).err());
        }
        if !hostname.is_empty() {
            errors.extend(check::subdomain(&at("hostname"), hostname));
            if check::loose_ip(hostname).is_some() {
                let detail = "must be a DNS name, not an IP address";
                errors.push(FieldError::invalid(at("hostname"), hostname, detail));
            }
        }
    }
    errors
}

fn points(object: &Object) -> &[Value] {
    let points = object.at(&["status", "loadBalancer", "ingress"]);
    points
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn ingress(spec: Value) -> Object {
        Object::from_value(json!({"metadata": {"name": "i"}, "spec": spec})).unwrap()
    }

    fn fields(errors: Vec<FieldError>) -> Vec<String> {
        errors.into_iter().map(|e| e.field).collect()
    }

    fn path(kind: Value, path: &str) -> Value {
        let backend = json!({"service": {"name": "web", "port": {"number": 80}}});
        json!({"rules": [{"http": {"paths": [{"path": path, "pathType": kind, "backend": backend}]}}]})
    }

    #[rstest]
    #[case(json!({}), &["spec"])]
    #[case(json!({"defaultBackend": {"service": {"name": "web", "port": {"number": 80}}}}), &[])]
    #[case(json!({"defaultBackend": {}}), &["spec.defaultBackend"])]
    #[case(json!({"rules": [{"host": "a.example.com"}]}), &[])]
    #[case(json!({"rules": [{"host": "*.example.com"}]}), &[])]
    #[case(json!({"rules": [{"host": "a.*.com"}, {"host": "*"}]}), &["spec.rules[0].host", "spec.rules[1].host"])]
    #[case(json!({"rules": [{"host": "10.0.0.1"}]}), &["spec.rules[0].host"])]
    #[case(json!({"rules": [{"http": {"paths": []}}]}), &["spec.rules[0].http.paths"])]
    #[case(json!({"rules": [{"host": "a"}], "ingressClassName": "Bad", "tls": [{"hosts": ["B"], "secretName": "C"}]}),
        &["spec.tls[0].hosts[0]", "spec.tls[0].secretName", "spec.ingressClassName"])]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &[&str]) {
        assert_eq!(fields(Ingress.validate(&ingress(spec))), wrong);
    }

    #[rstest]
    #[case("Prefix", "/", "")]
    #[case("Exact", "/a/b", "")]
    #[case("ImplementationSpecific", "", "")]
    #[case("ImplementationSpecific", "/a//b", "")]
    #[case("ImplementationSpecific", "a", "path")]
    #[case("Prefix", "", "path")]
    #[case("Exact", "a", "path")]
    #[case("Exact", "/a//b", "path")]
    #[case("Prefix", "/a%2fb", "path")]
    #[case("Prefix", "/a/..", "path")]
    #[case("Regex", "/", "pathType")]
    #[case("", "/", "pathType")]
    fn paths(#[case] kind: &str, #[case] value: &str, #[case] wrong: &str) {
        let found = fields(Ingress.validate(&ingress(path(kind.into(), value))));
        let wrong = (!wrong.is_empty()).then(|| format!("spec.rules[0].http.paths[0].{wrong}"));
        assert_eq!(found, Vec::from_iter(wrong));
    }

    #[test]
    fn the_class_is_named_once() {
        let mut twice = ingress(json!({"rules": [{"host": "a"}], "ingressClassName": "kedge"}));
        let annotated =
            |class: &str| json!({"name": "i", "annotations": {CLASS_ANNOTATION: class}});
        twice.0.insert("metadata".into(), annotated("kedge"));
        assert!(Ingress.validate(&twice).is_empty());
        twice.0.insert("metadata".into(), annotated("other"));
        assert_eq!(
            fields(Ingress.validate(&twice)),
            ["annotations.kubernetes.io/ingress.class"]
        );
        assert!(Ingress.validate_update(&twice, &twice, "").is_empty());
    }

    #[test]
    fn a_bad_secret_name_may_stay() {
        let bad = ingress(json!({"rules": [{"host": "a"}], "tls": [{"secretName": "A"}]}));
        let good = ingress(json!({"rules": [{"host": "a"}], "tls": [{"secretName": "a"}]}));
        assert!(Ingress.validate_update(&bad, &bad, "").is_empty());
        assert_eq!(
            fields(Ingress.validate_update(&bad, &good, "")),
            ["spec.tls[0].secretName"]
        );
    }

    #[test]
    fn what_led_nowhere_for_a_star_may_stay_so() {
        let rules = |host: &str, to: &str| {
            let mut value = path("Exact".into(), to);
            value["rules"][0]["host"] = host.into();
            ingress(value)
        };
        let (bad, good) = (rules("*.a.com", "x"), rules("*.a.com", "/x"));
        let wrong = "spec.rules[0].http.paths[0].path";
        let update = |new: &Object, old: &Object| fields(Ingress.validate_update(new, old, ""));
        assert!(update(&rules("*.a.com", "y"), &bad).is_empty());
        assert_eq!(update(&bad, &good), [wrong]);
        assert_eq!(update(&rules("b.a.com", "y"), &bad), [wrong]);
        assert_eq!(
            update(&rules("*.a.com", "y"), &rules("b.a.com", "x")),
            [wrong]
        );
    }

    #[test]
    fn a_status_has_addresses() {
        let with = |ingress: Value| {
            Object::from_value(json!({"status": {"loadBalancer": {"ingress": ingress}}})).unwrap()
        };
        let good = with(json!([{"ip": "10.0.0.1"}, {"hostname": "a.example.com"}]));
        assert!(Ingress.validate_update(&good, &good, "status").is_empty());
        let loose = with(json!([{"ip": "010.0.0.1"}]));
        let both = with(json!([{"ip": "10.0.0.2"}, {"ip": "010.0.0.1"}]));
        assert!(Ingress.validate_update(&both, &loose, "status").is_empty());
        assert_eq!(
            fields(Ingress.validate_update(&both, &good, "status")),
            ["status.loadBalancer.ingress[1].ip"]
        );
        let bad = with(json!([{"ip": "10.0.0"}, {"hostname": "10.0.0.1"}]));
        assert_eq!(
            fields(Ingress.validate_update(&bad, &good, "status")),
            [
                "status.loadBalancer.ingress[0].ip",
                "status.loadBalancer.ingress[1].hostname"
            ]
        );
    }
}
