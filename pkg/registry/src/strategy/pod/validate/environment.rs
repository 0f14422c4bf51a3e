//! Variables of a container's environment, and what their values are taken from.

use std::collections::BTreeMap;

use kedge_machinery::FieldError;
use kedge_machinery::quantity::Quantity;
use serde_json::Value;

use super::paths;
use crate::check;
use crate::strategy::configmap::data_key;
use crate::value::{child, list, present, text};

const NAME_RULE: &str = "a valid environment variable name must consist only of printable ASCII characters other than '='";
/// Fields of a Pod that a variable may have.
const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
/// Fields of a Pod that have a name for programs in it, used or not.
const KNOWN_FIELDS: &[&str] = &[
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.serviceAccountName",
    "spec.schedulerName",
    "status.phase",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];
const HUGE_PAGES: [&str; 2] = ["limits.hugepages-", "requests.hugepages-"];
const CPU: &[&str] = &["1m", "1"];
const BYTES: &[&str] = &[
    "1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei",
];

pub(super) fn variables(
    path: &str,
    variables: &[Value],
    volumes: &BTreeMap<&str, &Value>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, variable) in variables.iter().enumerate() {
        let at = format!("{path}[{i}].name");
        match text(variable, "name") {
            "" => errors.push(FieldError::required(at, "")),
            name => errors.extend(self::name(&at, name)),
        }
        if let Some(source) = present(variable, "valueFrom") {
            let at = format!("{path}[{i}].valueFrom");
            let has_value = !text(variable, "value").is_empty();
            errors.extend(self::source(&at, source, has_value, volumes));
        }
    }
    errors
}

fn name(path: &str, name: &str) -> Option<FieldError> {
    let printable = |b: u8| (0x20..0x7f).contains(&b) && b != b'=';
    let good = name.bytes().all(printable);
    (!good).then(|| FieldError::invalid(path, name, NAME_RULE))
}

fn source(
    path: &str,
    source: &Value,
    has_value: bool,
    volumes: &BTreeMap<&str, &Value>,
) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut count = 0;
    let mut found = |key: &str| {
        let found = present(source, key).map(|part| (format!("{path}.{key}"), part));
        count += usize::from(found.is_some());
        found
    };
    if let Some((at, part)) = found("fieldRef") {
        errors.extend(field_ref(&at, part, FIELDS));
    }
    if let Some((at, part)) = found("resourceFieldRef") {
        errors.extend(resource_ref(&at, part, false));
    }
    for key in ["configMapKeyRef", "secretKeyRef"] {
        if let Some((at, part)) = found(key) {
            errors.extend(key_ref(&at, part));
        }
    }
    if let Some((at, part)) = found("fileKeyRef") {
        errors.extend(file_ref(&at, part, volumes));
    }
    let detail = match count {
        0 => {
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
        }
        _ if has_value => "may not be specified when `value` is not empty",
        1 => return errors,
        _ => "may not have more than one field specified at a time",
    };
    errors.push(FieldError::invalid(path, "", detail));
    errors
}

/// A field of the Pod, one of `fields` or a single label or annotation.
pub(super) fn field_ref(path: &str, reference: &Value, fields: &[&str]) -> Vec<FieldError> {
    let at = format!("{path}.fieldPath");
    let (version, field) = (text(reference, "apiVersion"), text(reference, "fieldPath"));
    if version.is_empty() {
        return vec![FieldError::required(format!("{path}.apiVersion"), "")];
    }
    if field.is_empty() {
        return vec![FieldError::required(at, "")];
    }
    let unread = |why: String| {
        let detail = format!("error converting fieldPath: {why}");
        vec![FieldError::invalid(&at, field, detail)]
    };
    if version != "v1" {
        return unread(format!("unsupported pod version: {version}"));
    }
    if let Some((map, key)) = subscript(field) {
        return match map {
            "metadata.annotations" => check::annotation_key(path, key),
            "metadata.labels" => check::qualified_name(path, key),
            _ => unread(format!("field label does not support subscript: {field}")),
        };
    }
    // The older name of a field.
    let known = if field == "spec.host" {
        "spec.nodeName"
    } else {
        field
    };
    if !KNOWN_FIELDS.contains(&known) {
        return unread(format!("field label not supported: {field}"));
    }
    let wrong = (!fields.contains(&known)).then(|| FieldError::not_supported(at, known, fields));
    Vec::from_iter(wrong)
}

/// `metadata.labels['app']` is the map and the key.
fn subscript(field: &str) -> Option<(&str, &str)> {
    let (map, key) = field.strip_suffix("']")?.split_once("['")?;
    (!map.is_empty()).then_some((map, key))
}

/// A resource of a container, which a volume must name.
pub(super) fn resource_ref(path: &str, reference: &Value, of_volume: bool) -> Vec<FieldError> {
    let resource = text(reference, "resource");
    let is_huge_pages = HUGE_PAGES.iter().any(|prefix| resource.starts_with(prefix));
    let mut errors = Vec::new();
    let at = |key: &str| format!("{path}.{key}");
    if of_volume && text(reference, "containerName").is_empty() {
        errors.push(FieldError::required(at("containerName"), ""));
    } else if resource.is_empty() {
        errors.push(FieldError::required(at("resource"), ""));
    } else if !RESOURCES.contains(&resource) && !is_huge_pages {
        errors.push(FieldError::not_supported(
            at("resource"),
            resource,
            RESOURCES,
        ));
    }
    let wrong = divisor(resource, text(reference, "divisor"));
    errors.extend(wrong.map(|detail| FieldError::invalid(at("divisor"), resource, detail)));
    errors
}

/// What is wrong with the unit that a resource is told in; none and 0 are the resource's own.
fn divisor(resource: &str, divisor: &str) -> Option<String> {
    let is_zero = Quantity::parse(divisor).is_ok_and(|q| !q.is_positive() && !q.is_negative());
    let (kind, units, and) = match resource.split_once('.')?.1 {
        "cpu" => ("cpu", CPU, " and "),
        "memory" => ("memory", BYTES, ", "),
        "ephemeral-storage" => ("local ephemeral storage", BYTES, ", "),
        other if other.starts_with(check::resource::HUGE_PAGES) => ("hugepages", BYTES, ", "),
        _ => return None,
    };
    let fits = divisor.is_empty() || is_zero || units.contains(&divisor);
    (!fits).then(|| {
        let units = units.join(and);
        format!("only divisor's values {units} are supported with the {kind} resource")
    })
}

/// A key of a ConfigMap or a Secret.
fn key_ref(path: &str, reference: &Value) -> Vec<FieldError> {
    let mut errors = check::subdomain(&format!("{path}.name"), text(reference, "name"));
    let at = format!("{path}.key");
    match text(reference, "key") {
        "" => errors.push(FieldError::required(at, "")),
        key => errors.extend(data_key(&at, key)),
    }
    errors
}

/// A variable of a file that another container writes into an `emptyDir` (KEP-3721).
fn file_ref(path: &str, reference: &Value, volumes: &BTreeMap<&str, &Value>) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    match text(reference, "volumeName") {
        "" => errors.push(FieldError::required(at("volumeName"), "")),
        name => match volumes.get(name) {
            None => errors.push(check::not_found(&at("volumeName"), name)),
            Some(volume) if present(volume, "emptyDir").is_none() => {
                let detail = "referenced volume must be of type emptyDir";
                errors.push(FieldError::invalid(at("volumeName"), name, detail));
            }
            Some(_) => {}
        },
    }
    match text(reference, "path") {
        "" => errors.push(FieldError::required(at("path"), "")),
        file => errors.extend(paths::unreserved(&at("path"), file)),
    }
    match text(reference, "key") {
        "" => errors.push(FieldError::required(at("key"), "")),
        key => errors.extend(name(&at("key"), key)),
    }
    errors
}

/// Whole ConfigMaps and Secrets.
pub(super) fn sources(path: &str, sources: &[Value]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    for (i, source) in sources.iter().enumerate() {
        errors.extend(name(&format!("{path}[{i}].prefix"), text(source, "prefix")));
        let kinds = ["configMapRef", "secretRef"];
        let mut count = 0;
        for key in kinds.iter().filter(|key| present(source, key).is_some()) {
            count += 1;
            let at = format!("{path}[{i}].{key}.name");
            match text(child(source, key), "name") {
                "" => errors.push(FieldError::required(at, "")),
                name => errors.extend(check::subdomain(&at, name)),
            }
        }
        let detail = match count {
            0 => "must specify one of: `configMapRef` or `secretRef`",
            1 => continue,
            _ => "may not have more than one field specified at a time",
        };
        errors.push(FieldError::invalid(path, "", detail));
    }
    errors
}

/// The variables and sources of a container.
pub(super) fn environment(
    path: &str,
    container: &Value,
    volumes: &BTreeMap<&str, &Value>,
) -> Vec<FieldError> {
    let mut errors = variables(&format!("{path}.env"), list(container, "env"), volumes);
    errors.extend(sources(
        &format!("{path}.envFrom"),
        list(container, "envFrom"),
    ));
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn wrong(container: Value) -> Vec<String> {
        let (scratch, secret) = (json!({"emptyDir": {}}), json!({"secret": {}}));
        let volumes = BTreeMap::from([("scratch", &scratch), ("secret", &secret)]);
        let errors = environment("c", &container, &volumes);
        errors.iter().map(ToString::to_string).collect()
    }

    #[rstest]
    #[case(json!({"name": "A", "value": "b"}), &[])]
    #[case(json!({"name": "a.b-C 1"}), &[])]
    #[case(json!({"name": "ü"}), &["c.env[0].name: Invalid value: "])]
    #[case(json!({"name": "A", "valueFrom": {}}), &["c.env[0].valueFrom: Invalid value: \"\": must specify one of: "])]
    #[case(
        json!({"name": "A", "value": "x", "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}}),
        &["c.env[0].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty"]
    )]
    #[case(
        json!({"name": "A", "valueFrom": {
            "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}, "secretKeyRef": {"name": "s", "key": "k"},
        }}),
        &["c.env[0].valueFrom: Invalid value: \"\": may not have more than one field specified at a time"]
    )]
    #[case(json!({"name": "A", "valueFrom": {"secretKeyRef": {"name": "S", "key": ""}}}), &[
        "c.env[0].valueFrom.secretKeyRef.name: Invalid value: ", "c.env[0].valueFrom.secretKeyRef.key: Required value",
    ])]
    #[case(json!({"name": "A", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "a b"}}}), &[
        "c.env[0].valueFrom.configMapKeyRef.key: Invalid value: ",
    ])]
    #[case(json!({"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "scratch", "path": "env", "key": "A"}}}), &[])]
    #[case(json!({"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "secret", "path": "../env", "key": "="}}}), &[
        "c.env[0].valueFrom.fileKeyRef.volumeName: Invalid value: ", "c.env[0].valueFrom.fileKeyRef.path: Invalid value: ",
        "c.env[0].valueFrom.fileKeyRef.key: Invalid value: ",
    ])]
    #[case(json!({"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "none"}}}), &[
        "c.env[0].valueFrom.fileKeyRef.volumeName: Not found: \"none\"", "c.env[0].valueFrom.fileKeyRef.path: Required value",
        "c.env[0].valueFrom.fileKeyRef.key: Required value",
    ])]
    fn where_values_come_from(#[case] variable: Value, #[case] want: &[&str]) {
        let found = wrong(json!({"env": [variable]}));
        assert_eq!(found.len(), want.len(), "{found:?}");
        for (found, want) in found.iter().zip(want) {
            assert!(found.starts_with(want), "{found}");
        }
    }

    #[rstest]
    #[case("v1", "metadata.labels['app']", None)]
    #[case("v1", "metadata.annotations['Example.com/A']", None)]
    #[case("v1", "spec.host", None)]
    #[case("v1", "metadata.labels['a b']", Some("p: Invalid value: \"a b\": "))]
    #[case(
        "v1",
        "metadata.name['x']",
        Some(
            "p.fieldPath: Invalid value: \"metadata.name['x']\": error converting fieldPath: field label does not support subscript: "
        )
    )]
    #[case(
        "v1",
        "metadata.labels",
        Some(
            "p.fieldPath: Unsupported value: \"metadata.labels\": supported values: \"metadata.name\", "
        )
    )]
    #[case("v1", "status.phase", Some("p.fieldPath: Unsupported value: "))]
    #[case(
        "v1",
        "spec.none",
        Some(
            "p.fieldPath: Invalid value: \"spec.none\": error converting fieldPath: field label not supported: spec.none"
        )
    )]
    #[case(
        "v2",
        "metadata.name",
        Some(
            "p.fieldPath: Invalid value: \"metadata.name\": error converting fieldPath: unsupported pod version: v2"
        )
    )]
    #[case("", "metadata.name", Some("p.apiVersion: Required value"))]
    #[case("v1", "", Some("p.fieldPath: Required value"))]
    fn fields_of_a_pod(#[case] version: &str, #[case] field: &str, #[case] want: Option<&str>) {
        let reference = json!({"apiVersion": version, "fieldPath": field});
        let errors = field_ref("p", &reference, FIELDS);
        assert_eq!(errors.len(), usize::from(want.is_some()), "{errors:?}");
        if let Some(want) = want {
            assert!(errors[0].to_string().starts_with(want), "{}", errors[0]);
        }
    }

    #[rstest]
    #[case(json!({"resource": "limits.cpu", "divisor": "0"}), true)]
    #[case(json!({"resource": "limits.cpu", "divisor": "1m"}), true)]
    #[case(json!({"resource": "limits.cpu", "divisor": "1Mi"}), false)]
    #[case(json!({"resource": "requests.memory", "divisor": "1Mi"}), true)]
    #[case(json!({"resource": "requests.memory", "divisor": "1m"}), false)]
    #[case(json!({"resource": "requests.ephemeral-storage", "divisor": "10"}), false)]
    #[case(json!({"resource": "limits.hugepages-2Mi", "divisor": "1Mi"}), true)]
    #[case(json!({"resource": "limits.hugepages-2Mi", "divisor": "2Mi"}), false)]
    #[case(json!({"resource": "limits.disk"}), false)]
    #[case(json!({"resource": ""}), false)]
    fn resources_of_a_container(#[case] reference: Value, #[case] good: bool) {
        assert_eq!(resource_ref("p", &reference, false).is_empty(), good);
        assert_eq!(
            resource_ref("p", &reference, true)[0].field,
            "p.containerName"
        );
    }

    #[rstest]
    #[case(json!({"configMapRef": {"name": "a"}}), &[])]
    #[case(json!({"prefix": "a=", "secretRef": {"name": "a"}}), &["c.envFrom[0].prefix"])]
    #[case(json!({"secretRef": {"name": ""}}), &["c.envFrom[0].secretRef.name"])]
    #[case(json!({}), &["c.envFrom"])]
    #[case(json!({"configMapRef": {"name": "a"}, "secretRef": {"name": "$"}}), &["c.envFrom[0].secretRef.name", "c.envFrom"])]
    fn whole_maps(#[case] source: Value, #[case] want: &[&str]) {
        let found = wrong(json!({"envFrom": [source]}));
        let fields: Vec<&str> = found.iter().filter_map(|e| e.split(": ").next()).collect();
        assert_eq!(fields, want);
    }
}
