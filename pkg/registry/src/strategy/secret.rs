//! Secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object};
use serde_json::Value;

use super::Strategy;
use super::configmap::{data_key, decoded_len, immutable, too_long};
use crate::check;
use crate::value::{default, field};

const SERVICE_ACCOUNT_NAME: &str = "kubernetes.io/service-account.name";

pub(super) struct Secret;

impl Strategy for Secret {
    /// `stringData` is written into `data` and is never stored.
    fn default(&self, object: &mut Object) {
        if let Some(Value::Object(texts)) = object.0.remove("stringData") {
            let data = child_mut(&mut object.0, "data");
            for (key, value) in texts {
                let encoded = STANDARD.encode(value.as_str().unwrap_or_default());
                data.insert(key, encoded.into());
            }
        }
        default(&mut object.0, "type", "Opaque");
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let data = field(&object.0, "data").as_object();
        let mut errors = Vec::new();
        let mut size = 0;
        for (key, value) in data.into_iter().flatten() {
            errors.extend(data_key(&format!("data[{key}]"), key));
            size += value.as_str().map_or(0, decoded_len);
        }
        errors.extend(too_long("data", size));
        let has = |key: &str| data.is_some_and(|data| data.contains_key(key));
        let needs =
            |key: &str| (!has(key)).then(|| FieldError::required(format!("data[{key}]"), ""));
        match field(&object.0, "type").as_str().unwrap_or_default() {
            "kubernetes.io/service-account-token" => errors.extend(account_name(object)),
            "kubernetes.io/dockercfg" => errors.extend(json_in(object, ".dockercfg")),
            "kubernetes.io/dockerconfigjson" => errors.extend(json_in(object, ".dockerconfigjson")),
            "kubernetes.io/basic-auth" if !has("username") && !has("password") => {
                errors.extend(needs("username"));
                errors.extend(needs("password"));
            }
            "kubernetes.io/ssh-auth" if decoded(object, "ssh-privatekey").is_empty() => {
                errors.push(FieldError::required("data[ssh-privatekey]", ""));
            }
            "kubernetes.io/tls" => {
                errors.extend(needs("tls.crt"));
                errors.extend(needs("tls.key"));
            }
            _ => {}
        }
        errors
    }

    fn validate_change(&self, new: &Object, old: &Object) -> Vec<FieldError> {
        let kind = check::immutable("type", new.0.get("type"), old.0.get("type"));
        let mut errors = Vec::from_iter(kind);
        errors.extend(immutable(new, old, &["data"]));
        errors
    }

    /// A certificate wants the key that it is for.
    fn warnings(&self, new: &Object, _old: Option<&Object>) -> Vec<String> {
        if field(&new.0, "type") != "kubernetes.io/tls" {
            return Vec::new();
        }
        let [certificate, key] = ["tls.crt", "tls.key"].map(|name| decoded(new, name));
        Vec::from_iter(kedge_pki::check_pair(&certificate, &key))
    }
}

/// A value of `data`, decoded.
fn decoded(object: &Object, key: &str) -> Vec<u8> {
    let encoded = field(&object.0, "data").get(key).and_then(Value::as_str);
    STANDARD
        .decode(encoded.unwrap_or_default())
        .unwrap_or_default()
}

/// The annotation that says whose token it is.
fn account_name(object: &Object) -> Option<FieldError> {
    let named = |(key, value): (&str, &str)| key == SERVICE_ACCOUNT_NAME && !value.is_empty();
    let path = format!("metadata.annotations[{SERVICE_ACCOUNT_NAME}]");
    (!object.annotations().any(named)).then(|| FieldError::required(path, ""))
}

/// A key that must be there and hold a JSON object, or `null`, which Go takes for an empty one.
fn json_in(object: &Object, key: &str) -> Option<FieldError> {
    let path = format!("data[{key}]");
    let Some(encoded) = field(&object.0, "data").get(key).and_then(Value::as_str) else {
        return Some(FieldError::required(path, ""));
    };
    let bytes = STANDARD.decode(encoded).unwrap_or_default();
    let why = match serde_json::from_slice(&bytes) {
        Ok(Value::Object(_) | Value::Null) => return None,
        Ok(other) => {
            let found = match other {
                Value::Array(_) => "array",
                Value::String(_) => "string",
                Value::Number(_) => "number",
                _ => "bool",
            };
            format!(
                "json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"
            )
        }
        Err(error) if error.is_eof() => "unexpected end of JSON input".into(),
        Err(error) => error.to_string(),
    };
    Some(FieldError::invalid(path, "<secret contents redacted>", why))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn secret(value: Value) -> Object {
        let mut object = Object::from_value(value).unwrap();
        Secret.default(&mut object);
        object
    }

    fn wrong(value: Value) -> Vec<String> {
        Secret
            .validate(&secret(value))
            .into_iter()
            .map(|e| e.field)
            .collect()
    }

    #[test]
    fn string_data_is_encoded_and_wins() {
        let object = secret(json!({"data": {"a": "eA==", "b": "eQ=="}, "stringData": {"a": "v"}}));
        assert_eq!(
            object.into_value(),
            json!({"data": {"a": "dg==", "b": "eQ=="}, "type": "Opaque"})
        );
    }

    #[test]
    fn types_need_their_keys() {
        assert_eq!(
            wrong(json!({"type": "kubernetes.io/tls", "data": {"tls.crt": ""}})),
            ["data[tls.key]"]
        );
        assert_eq!(
            wrong(json!({"type": "kubernetes.io/ssh-auth"})),
            ["data[ssh-privatekey]"]
        );
        assert_eq!(
            wrong(json!({"type": "kubernetes.io/ssh-auth", "data": {"ssh-privatekey": ""}})),
            ["data[ssh-privatekey]"]
        );
        assert_eq!(
            wrong(json!({"type": "kubernetes.io/basic-auth"})),
            ["data[username]", "data[password]"]
        );
        assert!(
            wrong(json!({"type": "kubernetes.io/basic-auth", "stringData": {"password": "x"}}))
                .is_empty()
        );
        let docker = |text: &str| {
            wrong(json!({"type": "kubernetes.io/dockercfg", "stringData": {".dockercfg": text}}))
        };
        assert!(docker("{}").is_empty() && docker("null").is_empty());
        for text in ["no", "", "{", "[]", "1", "\"{}\""] {
            assert_eq!(docker(text), ["data[.dockercfg]"], "{text}");
        }
        assert_eq!(
            wrong(json!({"type": "kubernetes.io/service-account-token"})).len(),
            1
        );
    }

    #[test]
    fn a_certificate_without_its_key_is_told_of() {
        let said = |kind: &str| {
            let data = json!({"tls.crt": "abc", "tls.key": "def"});
            Secret.warnings(&secret(json!({"type": kind, "stringData": data})), None)
        };
        assert_eq!(
            said("kubernetes.io/tls"),
            ["tls: failed to find any PEM data in certificate input"]
        );
        assert!(said("Opaque").is_empty());
    }

    #[test]
    fn the_type_stays() {
        let (old, new) = (secret(json!({})), secret(json!({"type": "other"})));
        assert_eq!(Secret.validate_change(&new, &old)[0].field, "type");
    }
}
