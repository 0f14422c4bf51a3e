//! Names of a kind within its group: no two definitions have one alike, nor a definition one of a built-in kind
//! (`apiextensions-apiserver/pkg/controller/status/naming_controller.go`).

use kedge_api::Catalog;
use serde_json::{Map, Value, json};

use crate::value::{text, texts};

/// The names that a definition asks for, or has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) plural: String,
    pub(super) singular: String,
    pub(super) short: Vec<String>,
    pub(super) kind: String,
    pub(super) list_kind: String,
    pub(super) categories: Vec<String>,
}

/// Why not all names are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Conflict {
    pub(super) reason: &'static str,
    pub(super) message: String,
}

impl Names {
    pub(super) fn read(names: &Value) -> Self {
        let own = |key: &str| texts(names, key).into_iter().map(Into::into).collect();
        Self {
            plural: text(names, "plural").into(),
            singular: text(names, "singular").into(),
            short: own("shortNames"),
            kind: text(names, "kind").into(),
            list_kind: text(names, "listKind").into(),
            categories: own("categories"),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        let lists = [
            ("categories", &self.categories),
            ("shortNames", &self.short),
        ];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            map.insert(key.into(), json!(list));
        }
        for (key, text) in [("singular", &self.singular), ("listKind", &self.list_kind)] {
            if !text.is_empty() {
                map.insert(key.into(), json!(text));
            }
        }
        map.insert("kind".into(), json!(self.kind));
        map.insert("plural".into(), json!(self.plural));
        Value::Object(map)
    }

    /// The names of the built-in kinds of a group.
    pub(super) fn builtin<'a>(
        catalog: &'a Catalog,
        group: &'a str,
    ) -> impl Iterator<Item = Self> + 'a {
        let kinds = catalog
            .kinds()
            .iter()
            .filter(move |kind| kind.group == group);
        kinds.map(|kind| Self {
            plural: kind.plural.clone(),
            singular: kind.singular.clone(),
            short: kind.short_names.clone(),
            kind: kind.kind.clone(),
            list_kind: kind.list_kind(),
            categories: Vec::new(),
        })
    }

    fn resources(&self) -> impl Iterator<Item = &str> {
        let own = [&self.plural, &self.singular].into_iter();
        own.chain(&self.short).map(String::as_str)
    }

    fn kinds(&self) -> [&str; 2] {
        [&self.kind, &self.list_kind]
    }

    /// What of the names asked for is given, beside those that others have; where one is taken, `before` stays in its place.
    pub(super) fn accept(&self, before: &Self, others: &[&Self]) -> (Self, Option<Conflict>) {
        let mut accepted = self.clone();
        let mut conflict = None;
        let resource = |name: &str| {
            others
                .iter()
                .any(|other| other.resources().any(|r| r == name))
        };
        let kind = |name: &str| others.iter().any(|other| other.kinds().contains(&name));
        let mut refuse = |reason, message: String| {
            conflict = Some(Conflict { reason, message });
        };
        let used = |name: &str| format!("{name:?} is already in use");
        if resource(&self.plural) {
            refuse("PluralConflict", used(&self.plural));
            accepted.plural.clone_from(&before.plural);
        }
        if resource(&self.singular) {
            refuse("SingularConflict", used(&self.singular));
            accepted.singular.clone_from(&before.singular);
        }
        let short: Vec<String> = self
            .short
            .iter()
            .filter(|name| resource(name))
            .map(|name| used(name))
            .collect();
        if !short.is_empty() {
            refuse("ShortNamesConflict", short.join(", "));
            accepted.short.clone_from(&before.short);
        }
        if kind(&self.kind) {
            refuse("KindConflict", used(&self.kind));
            accepted.kind.clone_from(&before.kind);
        }
        if kind(&self.list_kind) {
            refuse("ListKindConflict", used(&self.list_kind));
            accepted.list_kind.clone_from(&before.list_kind);
        }
        (accepted, conflict)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(plural: &str, short: &[&str], kind: &str) -> Names {
        Names::read(
            &json!({"plural": plural, "singular": kind.to_lowercase(), "shortNames": short,
                            "kind": kind, "listKind": format!("{kind}List")}),
        )
    }

    #[test]
    fn free_names_are_given() {
        let (one, other) = (
            names("gadgets", &["g"], "Gadget"),
            names("widgets", &["w"], "Widget"),
        );
        assert_eq!(
            one.accept(&Names::default(), &[&other]),
            (one.clone(), None)
        );
        assert_eq!(Names::read(&one.to_json()), one);
    }

    #[test]
    fn taken_names_are_not() {
        let other = names("widgets", &["w"], "Widget");
        let (accepted, conflict) =
            names("gadgets", &["w"], "Gadget").accept(&Names::default(), &[&other]);
        assert!(accepted.short.is_empty() && accepted.plural == "gadgets");
        let conflict = conflict.unwrap();
        assert_eq!(
            (conflict.reason, conflict.message.as_str()),
            ("ShortNamesConflict", "\"w\" is already in use")
        );
        let (_, conflict) = names("others", &[], "Widget").accept(&Names::default(), &[&other]);
        assert_eq!(conflict.unwrap().reason, "ListKindConflict");
    }

    #[test]
    fn built_in_kinds_have_theirs() {
        let catalog = Catalog::builtin();
        let all: Vec<Names> = Names::builtin(&catalog, "apps").collect();
        let all: Vec<&Names> = all.iter().collect();
        let (_, conflict) = names("deployments", &[], "Other").accept(&Names::default(), &all);
        assert_eq!(conflict.unwrap().reason, "PluralConflict");
    }
}
