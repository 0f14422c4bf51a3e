//! The table of definitions: what the built-in types are made of, one line a field.
//!
//! `data/definitions.txt` is facts only (names, types, field numbers, merge keys, defaults); texts for people come
//! from `k8s-openapi` (and `data/metallb.io.json`) when a document needs them. A definition is a line `package/Name`, ending in ` atomic` when the whole is
//! one value to server-side apply, followed by a line for each field:
//!
//! ```text
//! NUMBER NAME[!|*] TYPE [list:atomic|set|map(KEY,..)] [patch:STRATEGY,..[(KEY)]] [map:atomic] [=DEFAULT]
//! ```
//!
//! `NUMBER` is that of the protobuf field: `-` for none, `2.1` for field 1 of a message that is field 2
//! there and part of the parent in JSON. `!`: required. `*`: a pointer in Go, so that a zero
//! value is said and not left out. `TYPE` is a scalar, `[]TYPE`, `{}TYPE` (a map from strings) or another definition.

use std::sync::OnceLock;

const TEXT: &str = include_str!("../data/definitions.txt");

/// Short package names and what they stand for in OpenAPI names.
const PACKAGES: &[(&str, &str)] = &[
    (
        "apiextensions",
        "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    ),
    ("apps", "io.k8s.api.apps.v1"),
    ("authentication", "io.k8s.api.authentication.v1"),
    ("authorization", "io.k8s.api.authorization.v1"),
    ("autoscaling", "io.k8s.api.autoscaling.v1"),
    ("batch", "io.k8s.api.batch.v1"),
    ("certificates", "io.k8s.api.certificates.v1"),
    ("coordination", "io.k8s.api.coordination.v1"),
    ("core", "io.k8s.api.core.v1"),
    ("discovery", "io.k8s.api.discovery.v1"),
    ("events", "io.k8s.api.events.v1"),
    ("meta", "io.k8s.apimachinery.pkg.apis.meta.v1"),
    ("metallb", "io.metallb.v1beta1"),
    ("networking", "io.k8s.api.networking.v1"),
    ("node", "io.k8s.api.node.v1"),
    ("policy", "io.k8s.api.policy.v1"),
    ("rbac", "io.k8s.api.rbac.v1"),
    ("scheduling", "io.k8s.api.scheduling.v1"),
    ("storage", "io.k8s.api.storage.v1"),
];

/// One definition of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Definition {
    /// For example `core/Service`.
    pub name: &'static str,
    pub atomic: bool,
    lines: &'static str,
}

/// One field of a definition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Field {
    /// Protobuf numbers on the way to the field: one, or two where a message is part of its parent in JSON.
    /// Zero stands for none.
    pub number: (u32, u32),
    pub name: &'static str,
    pub presence: Presence,
    pub kind: Type,
    pub list: Option<&'static str>,
    pub patch: Option<&'static str>,
    pub atomic: bool,
    /// JSON text.
    pub default: Option<&'static str>,
}

/// What the JSON form says of a field with a zero value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Always there.
    Required,
    /// There when set, whatever the value.
    Pointer,
    /// Left out.
    Optional,
}

/// The type of a field; lists and maps hold the text of what is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Bytes,
    Bool,
    Int32,
    Int64,
    Double,
    Quantity,
    IntOrString,
    Time,
    MicroTime,
    Any,
    List(&'static str),
    Map(&'static str),
    Definition(&'static str),
}

impl Type {
    pub(crate) fn parse(text: &'static str) -> Self {
        match text {
            "string" => Self::String,
            "bytes" => Self::Bytes,
            "bool" => Self::Bool,
            "int32" => Self::Int32,
            "int64" => Self::Int64,
            "double" => Self::Double,
            "quantity" => Self::Quantity,
            "int-or-string" => Self::IntOrString,
            "time" => Self::Time,
            "micro-time" => Self::MicroTime,
            "any" => Self::Any,
            _ => match (text.strip_prefix("[]"), text.strip_prefix("{}")) {
                (Some(item), _) => Self::List(item),
                (_, Some(value)) => Self::Map(value),
                _ => Self::Definition(text),
            },
        }
    }
}

impl Definition {
    /// The name in OpenAPI, for example `io.k8s.api.core.v1.Service`.
    pub(crate) fn full_name(&self) -> String {
        full_name(self.name)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = Field> {
        self.lines.lines().filter_map(Field::parse)
    }
}

impl Field {
    fn parse(line: &'static str) -> Option<Self> {
        let mut words = line.split(' ');
        let number = words.next()?;
        let number = match number.split_once('.') {
            Some((outer, inner)) => (outer.parse().ok()?, inner.parse().ok()?),
            None if number == "-" => (0, 0),
            None => (number.parse().ok()?, 0),
        };
        let name = words.next()?;
        let (name, presence) = match (name.strip_suffix('!'), name.strip_suffix('*')) {
            (Some(name), _) => (name, Presence::Required),
            (_, Some(name)) => (name, Presence::Pointer),
            _ => (name, Presence::Optional),
        };
        let kind = Type::parse(words.next()?);
        let mut field = Self {
            number,
            name,
            presence,
            kind,
            list: None,
            patch: None,
            atomic: false,
            default: None,
        };
        for word in words {
            match word.split_once(':') {
                Some(("list", list)) => field.list = Some(list),
                Some(("patch", patch)) => field.patch = Some(patch),
                Some(("map", "atomic")) => field.atomic = true,
                _ => field.default = Some(word.strip_prefix('=')?),
            }
        }
        Some(field)
    }
}

/// Every definition, in the order of their names.
pub(crate) fn definitions() -> &'static [Definition] {
    static INDEX: OnceLock<Vec<Definition>> = OnceLock::new();
    INDEX.get_or_init(|| index(TEXT))
}

/// A definition by its short name.
pub(crate) fn definition(name: &str) -> Option<&'static Definition> {
    let all = definitions();
    all.binary_search_by(|d| d.name.cmp(name))
        .ok()
        .and_then(|at| all.get(at))
}

/// A definition by its OpenAPI name.
pub(crate) fn definition_of(full_name: &str) -> Option<&'static Definition> {
    let (prefix, name) = full_name.rsplit_once('.')?;
    let (package, _) = PACKAGES.iter().find(|(_, p)| *p == prefix)?;
    definition(&format!("{package}/{name}"))
}

/// `core/Service` as OpenAPI names it.
pub(crate) fn full_name(short: &str) -> String {
    let (package, name) = short.split_once('/').unwrap_or(("", short));
    match PACKAGES.iter().find(|(p, _)| *p == package) {
        Some((_, prefix)) => format!("{prefix}.{name}"),
        None => name.to_string(),
    }
}

fn index(text: &'static str) -> Vec<Definition> {
    let is_title = |line: &str| line.starts_with(|c: char| c.is_ascii_alphabetic());
    let mut found = Vec::with_capacity(256);
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if !is_title(line) {
            continue;
        }
        let mut end = 0;
        for line in after
            .split_inclusive('\n')
            .take_while(|line| !is_title(line))
        {
            end += line.len();
        }
        let (lines, after) = after.split_at(end);
        rest = after;
        let (name, atomic) = match line.strip_suffix(" atomic") {
            Some(name) => (name, true),
            None => (line, false),
        };
        found.push(Definition {
            name,
            atomic,
            lines,
        });
    }
    found.sort_unstable_by_key(|d| d.name);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_understood() {
        let lines = TEXT.lines().filter(|l| !l.starts_with('#')).count();
        let understood: usize = definitions().iter().map(|d| 1 + d.fields().count()).sum();
        assert_eq!(understood, lines);
    }

    #[test]
    fn every_type_that_is_named_is_there() {
        fn check(at: &str, kind: Type) {
            match kind {
                Type::List(inner) | Type::Map(inner) => check(at, Type::parse(inner)),
                Type::Definition(name) => {
                    assert!(definition(name).is_some(), "{at}: no type {name}")
                }
                _ => {}
            }
        }
        for d in definitions() {
            for field in d.fields() {
                check(d.name, field.kind);
                assert!(
                    field
                        .default
                        .is_none_or(|text| serde_json::from_str::<serde_json::Value>(text).is_ok())
                );
            }
        }
    }

    #[test]
    fn a_line_has_its_parts() {
        let port = definition("core/ServiceSpec")
            .unwrap()
            .fields()
            .find(|f| f.name == "ports")
            .unwrap();
        assert_eq!(port.kind, Type::List("core/ServicePort"));
        assert_eq!(
            (port.list, port.patch),
            (Some("map(port,protocol)"), Some("merge(port)"))
        );
        let path = definition("core/Volume")
            .unwrap()
            .fields()
            .find(|f| f.name == "hostPath")
            .unwrap();
        assert_eq!(path.number, (2, 1));
        assert!(definition("core/LocalObjectReference").unwrap().atomic);
        assert_eq!(
            definition_of("io.k8s.api.discovery.v1.Endpoint")
                .unwrap()
                .name,
            "discovery/Endpoint"
        );
    }
}
