//! What a version of a definition says of its objects: schema, columns, subresources, fields for selectors.

use kedge_api::json_path::JsonPath;
use kedge_machinery::{FieldError, structural};
use serde_json::Value;

use crate::check;
use crate::value::{child, list, present, text};

const COLUMN_TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS: [&str; 8] = [
    "byte",
    "date",
    "date-time",
    "double",
    "float",
    "int32",
    "int64",
    "password",
];
/// Fields that selectors may name, at most.
const MAX_SELECTABLE: usize = 8;

/// Where upstream tells the mistakes of a version: what all versions say alike it reads as said once for all of them.
pub(super) struct Paths {
    schema: bool,
    subresources: bool,
    columns: bool,
    selectable: bool,
}

impl Paths {
    pub(super) fn of(versions: &[Value]) -> Self {
        let alike = |key: &str| {
            let first = versions.first().map(|version| child(version, key));
            versions
                .iter()
                .all(|version| Some(child(version, key)) == first)
        };
        Self {
            schema: alike("schema"),
            subresources: alike("subresources"),
            columns: alike("additionalPrinterColumns"),
            selectable: alike("selectableFields"),
        }
    }
}

/// Mistakes of the version at an index; those that all versions have alike are told with the first.
pub(super) fn of_version(version: &Value, paths: &Paths, index: usize) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let place = |alike: bool, key: &str, own: &str| match (alike, index) {
        (true, 0) => Some(format!("spec.{key}")),
        (true, _) => None,
        (false, i) => Some(format!("spec.versions[{i}].{own}")),
    };
    if let Some(at) = place(paths.schema, "validation", "schema")
        && let Some(schema) = present(child(version, "schema"), "openAPIV3Schema")
    {
        errors.extend(structural::check(schema, &format!("{at}.openAPIV3Schema")));
    }
    if let Some(at) = place(paths.subresources, "subresources", "subresources") {
        errors.extend(scale(
            child(child(version, "subresources"), "scale"),
            &format!("{at}.scale"),
        ));
    }
    let key = "additionalPrinterColumns";
    if let Some(at) = place(paths.columns, key, key) {
        for (i, column) in list(version, key).iter().enumerate() {
            errors.extend(self::column(column, &format!("{at}[{i}]")));
        }
    }
    let key = "selectableFields";
    if let Some(at) = place(paths.selectable, key, key) {
        errors.extend(selectable(version, &at));
    }
    errors
}

fn scale(scale: &Value, at: &str) -> Vec<FieldError> {
    if scale.is_null() {
        return Vec::new();
    }
    let mut errors = Vec::new();
    for (key, below, needed) in [
        ("specReplicasPath", &[".spec."][..], true),
        ("statusReplicasPath", &[".status."], true),
        ("labelSelectorPath", &[".spec.", ".status."], false),
    ] {
        let (at, said) = (format!("{at}.{key}"), text(scale, key));
        if said.is_empty() {
            if needed {
                errors.push(FieldError::required(at, ""));
            }
            continue;
        }
        let plain = JsonPath::parse(said).is_ok_and(|path| path.fields().is_some());
        if !plain || said.contains('[') {
            errors.push(FieldError::invalid(
                at,
                said,
                "must be a simple json path with dot notation",
            ));
        } else if !below.iter().any(|part| said.starts_with(part)) {
            let why = match below {
                [one] => format!("should be a json path under {}", one.trim_end_matches('.')),
                _ => "should be a json path under either .spec or .status".to_string(),
            };
            errors.push(FieldError::invalid(at, said, why));
        }
    }
    errors
}

fn column(column: &Value, at: &str) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if text(column, "name").is_empty() {
        errors.push(FieldError::required(format!("{at}.name"), ""));
    }
    errors.extend(check::one_of(
        &format!("{at}.type"),
        text(column, "type"),
        &COLUMN_TYPES,
    ));
    let format = text(column, "format");
    if !format.is_empty() && !COLUMN_FORMATS.contains(&format) {
        let at = format!("{at}.format");
        errors.push(FieldError::not_supported(at, format, &COLUMN_FORMATS));
    }
    let (at, path) = (format!("{at}.jsonPath"), text(column, "jsonPath"));
    if path.is_empty() {
        errors.push(FieldError::required(at, ""));
    } else if let Err(why) = JsonPath::parse(path) {
        let why = format!("path is invalid: {why}");
        errors.push(FieldError::invalid(at, path, why));
    }
    errors
}

fn selectable(version: &Value, at: &str) -> Vec<FieldError> {
    let fields = list(version, "selectableFields");
    let mut errors = Vec::new();
    if fields.len() > MAX_SELECTABLE {
        errors.push(FieldError::new(
            kedge_machinery::status::FieldErrorKind::TooMany,
            at,
            Some(fields.len().into()),
            format!("must have at most {MAX_SELECTABLE} items"),
        ));
    }
    let schema = child(child(version, "schema"), "openAPIV3Schema");
    let mut seen = Vec::new();
    for (i, field) in fields.iter().enumerate() {
        let (at, path) = (format!("{at}[{i}].jsonPath"), text(field, "jsonPath"));
        if path.is_empty() {
            errors.push(FieldError::required(at, ""));
            continue;
        }
        if seen.contains(&path) {
            errors.push(FieldError::duplicate(at, path));
            continue;
        }
        seen.push(path);
        let names = JsonPath::parse(path).ok();
        let names = names.as_ref().and_then(JsonPath::fields);
        let Some(names) = names else {
            errors.push(FieldError::invalid(
                at,
                path,
                "is an invalid path: only fields are allowed",
            ));
            continue;
        };
        if names.first() == Some(&"metadata") {
            errors.push(FieldError::invalid(
                at,
                path,
                "must not point to fields in metadata",
            ));
            continue;
        }
        let mut node = Some(schema);
        for name in &names {
            node = node.and_then(|node| node.get("properties")?.get(name));
        }
        match node.map(|node| text(node, "type")) {
            None => errors.push(FieldError::invalid(
                at,
                path,
                "is an invalid path: does not refer to a valid field",
            )),
            Some("string" | "integer" | "boolean") => {}
            Some(_) => {
                let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
                errors.push(FieldError::invalid(at, path, why));
            }
        }
    }
    errors
}
