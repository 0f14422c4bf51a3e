//! Whether a value is what its schema asks for, in the words of `kube-openapi/pkg/validation` as the API server tells them
//! (`apiextensions-apiserver/pkg/apiserver/validation`).

use std::fmt;

use serde_json::{Map, Value};

use super::{Bounds, Rules, Structural, Type, format};
use crate::FieldError;
use crate::Object;
use crate::meta_validate;
use crate::schema::{ListType, Path};
use crate::status::FieldErrorKind;

/// Where upstream says that something is wrong without saying where.
const NOWHERE: &str = "<nil>";

impl Structural {
    /// What is wrong with a whole object, its own metadata apart.
    #[must_use]
    pub fn validate(&self, value: &Value) -> Vec<FieldError> {
        let mut found = Found::default();
        found.value(self, value, &Path::Root, true);
        found.0
    }

    /// What is wrong with a value that stands at a path.
    pub(super) fn validate_at(&self, value: &Value, path: &str) -> Vec<FieldError> {
        let mut found = Found::default();
        found.value(self, value, &Path::Name(&Path::Root, path), false);
        found.0
    }

    fn accepts(&self, value: &Value, path: &Path<'_>, root: bool) -> bool {
        let mut found = Found::default();
        found.value(self, value, path, root);
        found.0.is_empty()
    }
}

/// What was found so far.
#[derive(Default)]
struct Found(Vec<FieldError>);

impl Found {
    fn invalid(&mut self, path: &Path<'_>, value: &Value, why: &str) {
        let why = format!("{path} in body {why}");
        self.0
            .push(FieldError::invalid(path.to_string(), value.clone(), why));
    }

    fn wrong_type(&mut self, path: &Path<'_>, found: Value, expected: &str) {
        let why = format!("{path} in body must be of type {expected}: {found}");
        self.0.push(FieldError::new(
            FieldErrorKind::TypeInvalid,
            path.to_string(),
            Some(found),
            why,
        ));
    }

    fn value(&mut self, schema: &Structural, value: &Value, path: &Path<'_>, root: bool) {
        if value.is_null() && schema.nullable {
            return;
        }
        if let Some(kind) = schema.kind
            && !is_a(kind, value)
        {
            self.wrong_type(path, type_of(value).into(), kind.name());
            return;
        }
        if let Some(rules) = &schema.rules {
            self.rules(schema, rules, value, path, root);
        }
        match value {
            Value::Object(map) => {
                if schema.embedded {
                    self.embedded(map, path);
                }
                for (name, value) in map {
                    let below = Path::Name(path, name);
                    // What all objects have was judged as metadata.
                    let every = ["apiVersion", "kind", "metadata"].contains(&name.as_str());
                    match (schema.properties.get(name), &schema.additional) {
                        (Some(field), _) => self.value(field, value, &below, false),
                        (None, Some(item)) if !(every && (root || schema.embedded)) => {
                            self.value(item, value, &below, false);
                        }
                        _ => {}
                    }
                }
            }
            Value::Array(list) => {
                for (i, value) in list.iter().enumerate() {
                    if let Some(item) = &schema.items {
                        self.value(item, value, &Path::Index(path, i), false);
                    }
                }
                self.distinct(schema, list, path);
            }
            _ => {}
        }
    }

    fn rules(
        &mut self,
        schema: &Structural,
        rules: &Rules,
        value: &Value,
        path: &Path<'_>,
        root: bool,
    ) {
        if let Some(values) = &rules.one_of_values
            && !values.iter().any(|known| same(known, value))
        {
            let texts: Vec<String> = values.iter().map(plain).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            self.0.push(FieldError::not_supported(
                path.to_string(),
                value.clone(),
                &texts,
            ));
        }
        match value {
            Value::String(text) => self.string(rules, text, path),
            Value::Number(_) => self.number(schema, rules, value, path),
            Value::Array(list) => {
                self.count(rules.items, list.len(), "items", path);
                let twice = |i: usize| {
                    let (before, rest) = list.split_at(i);
                    rest.first().is_some_and(|item| before.contains(item))
                };
                if rules.unique && (0..list.len()).any(twice) {
                    self.invalid(path, value, "shouldn't contain duplicates");
                }
            }
            Value::Object(map) => {
                self.count(rules.properties, map.len(), "properties", path);
                for name in rules
                    .required
                    .iter()
                    .filter(|name| !map.contains_key(*name))
                {
                    let below = Path::Name(path, name);
                    self.0.push(FieldError::required(below.to_string(), ""));
                }
            }
            _ => {}
        }
        self.junctors(rules, value, path, root);
    }

    fn string(&mut self, rules: &Rules, text: &str, path: &Path<'_>) {
        let value = || Value::from(text);
        let length = u64::try_from(text.chars().count()).unwrap_or(u64::MAX);
        if let Some(least) = rules.length.least.filter(|least| length < *least) {
            let why = format!("should be at least {least} chars long");
            self.invalid(path, &value(), &why);
        }
        if let Some(most) = rules.length.most.filter(|most| length > *most) {
            self.0.push(FieldError::new(
                FieldErrorKind::TooLong,
                path.to_string(),
                Some(value()),
                format!("may not be more than {most} bytes"),
            ));
        }
        if let Some(pattern) = rules.pattern.as_ref().filter(|p| !p.matches(text)) {
            let why = format!("should match '{}'", pattern.text);
            self.invalid(path, &value(), &why);
        }
        if let Some(name) = rules.format.as_ref().filter(|f| !format::fits(f, text)) {
            self.wrong_type(path, value(), name);
        }
    }

    fn number(&mut self, schema: &Structural, rules: &Rules, value: &Value, path: &Path<'_>) {
        let Some(number) = value.as_f64() else { return };
        let range = match rules.format.as_deref() {
            Some("int32") if schema.kind == Some(Type::Integer) => {
                (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number)
            }
            _ => true,
        };
        if !range {
            let why = "Checked value must be of type integer with format int32";
            self.0.push(FieldError::invalid(
                path.to_string(),
                value.clone(),
                format!("{why} in {path}"),
            ));
        }
        if let Some(least) = rules.minimum {
            if rules.exclusive_minimum && number <= least {
                self.invalid(path, value, &format!("should be greater than {least}"));
            } else if number < least {
                let why = format!("should be greater than or equal to {least}");
                self.invalid(path, value, &why);
            }
        }
        if let Some(most) = rules.maximum {
            if rules.exclusive_maximum && number >= most {
                self.invalid(path, value, &format!("should be less than {most}"));
            } else if number > most {
                let why = format!("should be less than or equal to {most}");
                self.invalid(path, value, &why);
            }
        }
        if let Some(step) = rules.multiple_of.filter(|step| *step > 0.0) {
            let times = number / step;
            if (times - times.round()).abs() > f64::EPSILON * times.abs().max(1.0) {
                self.invalid(path, value, &format!("should be a multiple of {step}"));
            }
        }
    }

    fn count(&mut self, bounds: Bounds, count: usize, of: &str, path: &Path<'_>) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        if let Some(least) = bounds.least.filter(|least| count < *least) {
            let why = format!("should have at least {least} {of}");
            self.invalid(path, &count.into(), &why);
        }
        if let Some(most) = bounds.most.filter(|most| count > *most) {
            self.0.push(FieldError::new(
                FieldErrorKind::TooMany,
                path.to_string(),
                Some(count.into()),
                format!("must have at most {most} items"),
            ));
        }
    }

    fn junctors(&mut self, rules: &Rules, value: &Value, path: &Path<'_>, root: bool) {
        for schema in &rules.all_of {
            self.value(schema, value, path, root);
        }
        let accepted = |schemas: &[Structural]| {
            let all = schemas.iter();
            all.filter(|schema| schema.accepts(value, path, root))
                .count()
        };
        if !rules.any_of.is_empty() && accepted(&rules.any_of) == 0 {
            self.nowhere(path, "must validate at least one schema (anyOf)");
        }
        match (rules.one_of.is_empty(), accepted(&rules.one_of)) {
            (true, _) | (_, 1) => {}
            (_, 0) => self.nowhere(
                path,
                "must validate one and only one schema (oneOf). Found none valid",
            ),
            (_, many) => self.nowhere(
                path,
                &format!(
                    "must validate one and only one schema (oneOf). Found {many} valid alternatives"
                ),
            ),
        }
        if rules
            .not
            .as_ref()
            .is_some_and(|not| not.accepts(value, path, root))
        {
            self.nowhere(path, "must not validate the schema (not)");
        }
    }

    fn nowhere(&mut self, path: &Path<'_>, why: &str) {
        let why = format!("\"{path}\" {why}");
        self.0.push(FieldError::invalid(NOWHERE, "", why));
    }

    /// Lists that are sets or maps have no two items that are one.
    fn distinct(&mut self, schema: &Structural, list: &[Value], path: &Path<'_>) {
        let name = |item: &Value| match &schema.list {
            Some(ListType::Set) => Some(item.clone()),
            Some(ListType::Map { keys }) => {
                let own = keys
                    .iter()
                    .filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
                Some(Value::Object(own.collect()))
            }
            _ => None,
        };
        let mut seen: Vec<Value> = Vec::new();
        for (i, item) in list.iter().enumerate() {
            let Some(name) = name(item) else { return };
            if seen.contains(&name) {
                let at = Path::Index(path, i);
                self.0.push(FieldError::duplicate(at.to_string(), name));
            } else {
                seen.push(name);
            }
        }
    }

    fn embedded(&mut self, map: &Map<String, Value>, path: &Path<'_>) {
        for key in ["apiVersion", "kind"] {
            let said = map.get(key).and_then(Value::as_str).unwrap_or_default();
            if said.is_empty() {
                let below = Path::Name(path, key);
                self.0
                    .push(FieldError::required(below.to_string(), "must not be empty"));
            }
        }
        if map.get("metadata").is_some() {
            let object = Object(map.clone());
            let namespaced = !object.namespace().is_empty();
            let errors = meta_validate::object_meta(&object, namespaced, |_, _| Vec::new());
            let of_name = |error: &FieldError| error.field == "metadata.name";
            self.0
                .extend(errors.into_iter().filter(|e| !of_name(e)).map(|mut error| {
                    error.field = Path::Name(path, &error.field).to_string();
                    error
                }));
        }
    }
}

fn is_a(kind: Type, value: &Value) -> bool {
    match kind {
        Type::Object => value.is_object(),
        Type::Array => value.is_array(),
        Type::String => value.is_string(),
        Type::Integer => is_whole(value),
        Type::Number => value.is_number(),
        Type::Boolean => value.is_boolean(),
        Type::IntOrString => value.is_string() || is_whole(value),
    }
}

/// A whole number, written as one or with a point and nothing behind it.
fn is_whole(value: &Value) -> bool {
    value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        value @ Value::Number(_) if is_whole(value) => "integer",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Equal, numbers by what they count.
fn same(one: &Value, other: &Value) -> bool {
    one == other || (one.is_number() && other.is_number() && one.as_f64() == other.as_f64())
}

/// A value of an enumeration as messages list it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests;
