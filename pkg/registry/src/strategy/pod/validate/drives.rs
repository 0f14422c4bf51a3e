//! Volumes on drives and servers somewhere else: what each must name.

use std::net::IpAddr;

use kedge_machinery::FieldError;
use serde_json::Value;

use crate::check;
use crate::value::{flag, int, list, present, text, texts};

/// Fields that are not to be empty. Lists and references to Secrets are looked at by name.
const NEEDED: &[(&str, &[&str])] = &[
    ("gitRepo", &["repository"]),
    ("gcePersistentDisk", &["pdName"]),
    ("awsElasticBlockStore", &["volumeID"]),
    ("nfs", &["server", "path"]),
    ("glusterfs", &["endpoints", "path"]),
    ("persistentVolumeClaim", &["claimName"]),
    ("rbd", &["monitors", "image"]),
    ("cinder", &["volumeID", "secretRef.name"]),
    ("cephfs", &["monitors"]),
    ("flexVolume", &["driver"]),
    ("azureFile", &["secretName", "shareName"]),
    ("vsphereVolume", &["volumePath"]),
    ("photonPersistentDisk", &["pdID"]),
    ("portworxVolume", &["volumeID"]),
    ("azureDisk", &["diskName", "diskURI"]),
    ("storageos", &["volumeName", "secretRef.name"]),
    ("scaleIO", &["gateway", "system", "volumeName"]),
];
const CACHING: &[&str] = &["None", "ReadOnly", "ReadWrite"];
const DISKS: &[&str] = &["Dedicated", "Managed", "Shared"];
const MANAGED: &[&str] = &[
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}",
];
const BLOBS: &[&str] =
    &["https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd"];
const MOST_UNITS: i64 = 255;
const MOST_TENANT: usize = 64;
const MOST_ISCSI: usize = 64;

pub(super) fn drive(path: &str, key: &str, source: &Value) -> Vec<FieldError> {
    // Upstream names one of them otherwise.
    let path = &match key {
        "gcePersistentDisk" => path.replace(key, "persistentDisk"),
        _ => path.to_string(),
    };
    let needed = NEEDED.iter().find(|(kind, _)| *kind == key);
    let needed = needed.map_or(&[][..], |(_, fields)| fields);
    let empty = needed.iter().filter(|field| is_empty(source, field));
    let mut errors: Vec<FieldError> = empty
        .map(|field| FieldError::required(format!("{path}.{field}"), ""))
        .collect();
    errors.extend(match key {
        "gcePersistentDisk" | "awsElasticBlockStore" => {
            Vec::from_iter(within(path, "partition", int(source, "partition"), 1))
        }
        "nfs" => {
            let place = text(source, "path");
            let detail = "must be an absolute path";
            let relative = !place.starts_with('/');
            let wrong =
                relative.then(|| FieldError::invalid(format!("{path}.path"), place, detail));
            Vec::from_iter(wrong)
        }
        "iscsi" => iscsi(path, source),
        "fc" => channel(path, source),
        "flocker" => flocker(path, source),
        "quobyte" => quobyte(path, source),
        "azureDisk" => azure(path, source),
        "storageos" => storage_os(path, source),
        _ => Vec::new(),
    });
    errors
}

fn is_empty(source: &Value, field: &str) -> bool {
    match field.split_once('.') {
        Some((part, field)) => present(source, part).is_some_and(|part| is_empty(part, field)),
        None => text(source, field).is_empty() && list(source, field).is_empty(),
    }
}

/// A number of one octet. `least` is what upstream says, though it takes 0.
fn within(path: &str, key: &str, number: i64, least: i64) -> Option<FieldError> {
    let detail = format!("must be between {least} and {MOST_UNITS}, inclusive");
    let good = (0..=MOST_UNITS).contains(&number);
    (!good).then(|| FieldError::invalid(format!("{path}.{key}"), number, detail))
}

fn iscsi(path: &str, source: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    if text(source, "targetPortal").is_empty() {
        errors.push(FieldError::required(at("targetPortal"), ""));
    }
    match text(source, "iqn") {
        "" => errors.push(FieldError::required(at("iqn"), "")),
        name => errors.extend(iscsi_form(&at("iqn"), name)),
    }
    errors.extend(within(path, "lun", int(source, "lun"), 0));
    let signs = flag(source, "chapAuthDiscovery") || flag(source, "chapAuthSession");
    if signs && present(source, "secretRef").is_none() {
        errors.push(FieldError::required(at("secretRef"), ""));
    }
    if let Some(name) = present(source, "initiatorName").and_then(Value::as_str) {
        errors.extend(iscsi_form(&at("initiatorname"), name));
    }
    errors
}

/// The name of a volume becomes part of that of an interface where one is initiated.
pub(super) fn iscsi_name(path: &str, volume: &str, source: &Value) -> Option<FieldError> {
    present(source, "initiatorName")?;
    let long = volume.len() + 1 + text(source, "targetPortal").len() > MOST_ISCSI;
    let detail = "Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.";
    long.then(|| FieldError::invalid(format!("{path}.name"), volume, detail))
}

/// Names by date and domain, by IEEE's numbers and by those of network addressing (RFC 3720, 3.2.6.3).
fn iscsi_form(at: &str, name: &str) -> Option<FieldError> {
    let kind = name.get(..3).unwrap_or_default();
    let exactly = |count: usize| {
        let rest = name.get(4..).unwrap_or_default();
        rest.len() == count && rest.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let good = match kind {
        "iqn" => is_dated(name),
        "eui" => exactly(16),
        "naa" => exactly(32),
        _ => {
            let detail = "must be valid format starting with iqn, eui, or naa";
            return Some(FieldError::invalid(at, name, detail));
        }
    };
    (!good).then(|| FieldError::invalid(at, name, "must be valid format"))
}

/// `iqn.2001-04.com.example:name`.
fn is_dated(name: &str) -> bool {
    let digits =
        |text: &str, count: usize| text.len() == count && text.bytes().all(|b| b.is_ascii_digit());
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let own = |c: char| !(matches!(c, ',' | ';' | '*' | '&' | '$' | '|') || c.is_whitespace());
    let parts = name.strip_prefix("iqn.").and_then(|rest| {
        let (date, rest) = rest.split_once('.')?;
        let (year, month) = date.split_once('-')?;
        let (domain, own) = rest.split_once(':')?;
        Some((year, month, domain, own))
    });
    parts.is_some_and(|(year, month, domain, name)| {
        digits(year, 4)
            && digits(month, 2)
            && !domain.is_empty()
            && domain.bytes().all(fits)
            && !name.is_empty()
            && name.chars().all(own)
    })
}

/// Fibre Channel: by a target and a number on it, or by the world's name.
fn channel(path: &str, source: &Value) -> Vec<FieldError> {
    let at = format!("{path}.targetWWNs");
    let targets = texts(source, "targetWWNs");
    let has_names = !list(source, "wwids").is_empty();
    let mut errors = Vec::new();
    if targets.is_empty() && !has_names {
        let detail = "must specify either targetWWNs or wwids, but not both";
        errors.push(FieldError::required(&at, detail));
    }
    if targets.is_empty() {
        return errors;
    }
    if has_names {
        let detail = "targetWWNs and wwids can not be specified simultaneously";
        errors.push(FieldError::invalid(&at, targets, detail));
    }
    match present(source, "lun").and_then(Value::as_i64) {
        Some(unit) => errors.extend(within(path, "lun", unit, 0)),
        None => {
            let detail = "lun is required if targetWWNs is specified";
            errors.push(FieldError::required(format!("{path}.lun"), detail));
        }
    }
    errors
}

fn flocker(path: &str, source: &Value) -> Vec<FieldError> {
    let (name, uuid) = (text(source, "datasetName"), text(source, "datasetUUID"));
    let mut errors = Vec::new();
    match (name.is_empty(), uuid.is_empty()) {
        (true, true) => {
            let detail = "one of datasetName and datasetUUID is required";
            errors.push(FieldError::required(path, detail));
        }
        (false, false) => {
            let detail = "datasetName and datasetUUID can not be specified simultaneously";
            errors.push(FieldError::invalid(path, "resource", detail));
        }
        _ => {}
    }
    if name.contains('/') {
        let at = format!("{path}.datasetName");
        errors.push(FieldError::invalid(at, name, "must not contain '/'"));
    }
    errors
}

fn quobyte(path: &str, source: &Value) -> Vec<FieldError> {
    const REGISTRY: &str = "must be a host:port pair or multiple pairs separated by commas";
    let at = |key: &str| format!("{path}.{key}");
    let registry = text(source, "registry");
    let mut errors = Vec::new();
    if registry.is_empty() {
        errors.push(FieldError::required(at("registry"), REGISTRY));
    } else if text(source, "tenant").len() > MOST_TENANT {
        let detail = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(FieldError::required(at("tenant"), detail));
    } else {
        let broken = registry.split(',').filter(|pair| !is_pair(pair));
        errors.extend(broken.map(|_| FieldError::invalid(at("registry"), registry, REGISTRY)));
    }
    if text(source, "volume").is_empty() {
        errors.push(FieldError::required(at("volume"), ""));
    }
    errors
}

/// A host and a port, an IPv6 address in brackets.
fn is_pair(text: &str) -> bool {
    let Some((host, _)) = text.rsplit_once(':') else {
        return false;
    };
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(inner) => inner.parse::<IpAddr>().is_ok(),
        None => !host.contains([':', '[', ']']),
    }
}

fn azure(path: &str, source: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let uri = text(source, "diskURI");
    let mut errors = Vec::new();
    for (key, words) in [("cachingMode", CACHING), ("kind", DISKS)] {
        let word = present(source, key).and_then(Value::as_str);
        if let Some(word) = word.filter(|word| !words.contains(word)) {
            errors.push(FieldError::not_supported(at(key), word, words));
        }
    }
    let (begins, forms) = match present(source, "kind").and_then(Value::as_str) {
        None => return errors,
        Some("Managed") => ("/subscriptions/", MANAGED),
        Some(_) => ("https://", BLOBS),
    };
    if !uri.starts_with(begins) {
        errors.push(FieldError::not_supported(at("diskURI"), uri, forms));
    }
    errors
}

fn storage_os(path: &str, source: &Value) -> Vec<FieldError> {
    let given = ["volumeName", "volumeNamespace"].into_iter();
    given
        .filter(|key| !text(source, key).is_empty())
        .flat_map(|key| check::label(&format!("{path}.{key}"), text(source, key)))
        .collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    const DATED: &str = "iqn.2015-02.example.com:test";

    #[rstest]
    #[case("gcePersistentDisk", json!({"pdName": "a", "partition": 1}), &[])]
    #[case("gcePersistentDisk", json!({"partition": 256}), &["persistentDisk.pdName", "persistentDisk.partition"])]
    #[case("awsElasticBlockStore", json!({"volumeID": "a", "partition": -1}), &["awsElasticBlockStore.partition"])]
    #[case("nfs", json!({"server": "a", "path": "/a"}), &[])]
    #[case("nfs", json!({"server": "", "path": "a"}), &["nfs.server", "nfs.path"])]
    #[case("glusterfs", json!({}), &["glusterfs.endpoints", "glusterfs.path"])]
    #[case("rbd", json!({"monitors": ["a"], "image": "b"}), &[])]
    #[case("rbd", json!({"monitors": []}), &["rbd.monitors", "rbd.image"])]
    #[case("cinder", json!({"volumeID": "a"}), &[])]
    #[case("cinder", json!({"volumeID": "a", "secretRef": {"name": ""}}), &["cinder.secretRef.name"])]
    #[case("iscsi", json!({"targetPortal": "10.0.0.1", "iqn": DATED, "lun": 1}), &[])]
    #[case("iscsi", json!({"targetPortal": "a", "iqn": "eui.0123456789ABCDEF"}), &[])]
    #[case("iscsi", json!({"targetPortal": "a", "iqn": "naa.62004567BA64678D0123456789ABCDEF"}), &[])]
    #[case("iscsi", json!({"targetPortal": "", "iqn": "iqn.2015-02.example.com:a,b", "lun": 256}), &["iscsi.targetPortal", "iscsi.iqn", "iscsi.lun"])]
    #[case("iscsi", json!({"targetPortal": "a", "iqn": "eui.0123456789ABCDEFGH"}), &["iscsi.iqn"])]
    #[case("iscsi", json!({"targetPortal": "a", "iqn": "abc", "initiatorName": "xyz"}), &["iscsi.iqn", "iscsi.initiatorname"])]
    #[case("iscsi", json!({"targetPortal": "a", "iqn": DATED, "chapAuthSession": true}), &["iscsi.secretRef"])]
    #[case("fc", json!({"wwids": ["a"]}), &[])]
    #[case("fc", json!({"targetWWNs": ["a"], "lun": 1}), &[])]
    #[case("fc", json!({}), &["fc.targetWWNs"])]
    #[case("fc", json!({"targetWWNs": ["a"], "wwids": ["b"]}), &["fc.targetWWNs", "fc.lun"])]
    #[case("flocker", json!({"datasetName": "a"}), &[])]
    #[case("flocker", json!({"datasetName": "a/b", "datasetUUID": "c"}), &["flocker", "flocker.datasetName"])]
    #[case("flocker", json!({}), &["flocker"])]
    #[case("quobyte", json!({"registry": "a:1,[::1]:2", "volume": "v"}), &[])]
    #[case("quobyte", json!({"registry": "a:1,b,::1:2", "volume": ""}), &["quobyte.registry", "quobyte.registry", "quobyte.volume"])]
    #[case("azureDisk", json!({"diskName": "a", "diskURI": "https://b", "kind": "Shared", "cachingMode": "None"}), &[])]
    #[case("azureDisk", json!({"diskName": "a", "diskURI": "https://b", "kind": "Managed", "cachingMode": "Some"}), &["azureDisk.cachingMode", "azureDisk.diskURI"])]
    #[case("storageos", json!({"volumeName": "a", "volumeNamespace": "b.c"}), &["storageos.volumeNamespace"])]
    #[case("scaleIO", json!({"gateway": "a", "system": "b"}), &["scaleIO.volumeName"])]
    fn what_is_wrong(#[case] key: &str, #[case] source: Value, #[case] want: &[&str]) {
        let errors = drive(&format!("v.{key}"), key, &source);
        let found: Vec<&str> = errors
            .iter()
            .map(|e| e.field.trim_start_matches("v."))
            .collect();
        assert_eq!(found, want);
    }

    #[test]
    fn long_names_have_no_interface() {
        let portal = "a".repeat(60);
        let with = |name| {
            iscsi_name(
                "v",
                name,
                &json!({"targetPortal": portal, "initiatorName": DATED}),
            )
        };
        assert!(with("abc").is_none());
        assert_eq!(with("abcd").unwrap().field, "v.name");
        assert!(iscsi_name("v", "abcd", &json!({"targetPortal": portal})).is_none());
    }
}
