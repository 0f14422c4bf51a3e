//! The schemas that custom resources bring: OpenAPI v3 in the structural form that Kubernetes asks for (KEP-1693, `apiextensions-apiserver/pkg/apiserver/schema`).
//!
//! [`check`] tells whether a schema is of that form. [`Structural`] is one that is, read once; objects are pruned, filled and
//! validated by it, and [`Structural::typed`] makes of it what server-side apply reads.

mod check;
mod defaults;
mod format;
mod parse;
mod prune;
mod typed;
mod validate;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex_lite::Regex;
use serde_json::Value;

use crate::schema::ListType;

pub use check::{check, has_rules};
pub use prune::MetaSchema;

/// One node of a structural schema: what a value looks like, and (in `rules`) what else must hold of it.
#[derive(Debug, Clone, Default)]
pub struct Structural {
    /// `None` where nothing is said of it.
    pub(crate) kind: Option<Type>,
    pub(crate) nullable: bool,
    /// `x-kubernetes-preserve-unknown-fields`.
    pub(crate) preserve_unknown: bool,
    /// `x-kubernetes-embedded-resource`: an object with `apiVersion`, `kind` and `metadata`.
    pub(crate) embedded: bool,
    pub(crate) list: Option<ListType>,
    /// `x-kubernetes-map-type: atomic`.
    pub(crate) atomic: bool,
    pub(crate) properties: BTreeMap<String, Structural>,
    /// The schema of a map's values.
    pub(crate) additional: Option<Box<Structural>>,
    pub(crate) items: Option<Box<Structural>>,
    pub(crate) default: Option<Value>,
    pub(crate) rules: Option<Box<Rules>>,
}

/// A JSON type, in the words of OpenAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Object,
    Array,
    String,
    Integer,
    Number,
    Boolean,
    /// `x-kubernetes-int-or-string`.
    IntOrString,
}

/// What must hold of a value beside its type.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    pub(crate) format: Option<String>,
    pub(crate) one_of_values: Option<Vec<Value>>,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    /// Of the length of a string, in characters.
    pub(crate) length: Bounds,
    /// Of the number of items.
    pub(crate) items: Bounds,
    /// Of the number of fields.
    pub(crate) properties: Bounds,
    pub(crate) unique: bool,
    pub(crate) required: Vec<String>,
    pub(crate) all_of: Vec<Structural>,
    pub(crate) any_of: Vec<Structural>,
    pub(crate) one_of: Vec<Structural>,
    pub(crate) not: Option<Box<Structural>>,
}

/// The least and the most of something.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bounds {
    pub(crate) least: Option<u64>,
    pub(crate) most: Option<u64>,
}

/// A regular expression, made when it is first asked: most are never.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pattern {
    text: String,
    made: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn new(text: &str) -> Self {
        Self {
            text: text.into(),
            made: OnceLock::new(),
        }
    }

    /// What cannot be read as an expression matches everything: it was refused when it was written, or is of a newer syntax.
    fn matches(&self, value: &str) -> bool {
        let made = self.made.get_or_init(|| Regex::new(&self.text).ok());
        made.as_ref().is_none_or(|regex| regex.is_match(value))
    }
}

impl Type {
    /// As messages name it.
    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Array => "array",
            Self::String => "string",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::Boolean => "boolean",
            Self::IntOrString => "integer,string",
        }
    }
}
