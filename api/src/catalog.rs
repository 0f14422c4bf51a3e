//! The set of kinds served, with their schemas.

use std::sync::{Arc, OnceLock};

use kedge_machinery::schema::{Definitions, Schema};

use crate::{Kind, schemas, version};

mod rows;

pub use rows::{StoredKind, stored};

/// Kinds and their schemas. Cheap to share; the schemas are made when first asked for.
#[derive(Debug)]
pub struct Catalog {
    kinds: Vec<Arc<Kind>>,
    /// Kinds that are only the bodies of subresources.
    bodies: Vec<Arc<Kind>>,
    /// Shared by every catalog that custom resources make of the built-in one.
    definitions: Arc<OnceLock<Arc<Definitions>>>,
}

impl Catalog {
    /// What this program serves by itself.
    #[must_use]
    pub fn builtin() -> Arc<Self> {
        Arc::new(Self {
            kinds: rows::ROWS.iter().map(|row| Arc::new(row.kind())).collect(),
            bodies: bodies(),
            definitions: Arc::default(),
        })
    }

    /// A catalog of the given kinds, whose `definition` names are in `definitions`.
    #[must_use]
    pub fn new(kinds: Vec<Arc<Kind>>, definitions: Arc<Definitions>) -> Self {
        Self {
            kinds,
            bodies: bodies(),
            definitions: Arc::new(OnceLock::from(definitions)),
        }
    }

    /// The same kinds and further ones behind them, in order of group, preference of version and name. Schemas of built-in
    /// kinds are not made again.
    #[must_use]
    pub fn with(&self, mut custom: Vec<Arc<Kind>>) -> Self {
        custom.sort_by(|a, b| {
            let by_version = || version::order(&b.version, &a.version);
            let by_group = a.group.cmp(&b.group);
            by_group
                .then_with(by_version)
                .then_with(|| a.plural.cmp(&b.plural))
        });
        Self {
            kinds: self.kinds.iter().cloned().chain(custom).collect(),
            bodies: self.bodies.clone(),
            definitions: Arc::clone(&self.definitions),
        }
    }

    /// All kinds, in the order in which discovery lists them within a group version.
    #[must_use]
    pub fn kinds(&self) -> &[Arc<Kind>] {
        &self.kinds
    }

    /// By group (empty for core), version and plural resource name.
    #[must_use]
    pub fn find(&self, group: &str, version: &str, plural: &str) -> Option<&Arc<Kind>> {
        self.kinds
            .iter()
            .find(|k| k.plural == plural && k.group == group && k.version == version)
    }

    /// True while a kind is here as it is; of one that a definition makes, while that asks for the same.
    #[must_use]
    pub fn serves(&self, kind: &Kind) -> bool {
        let found = self.find(&kind.group, &kind.version, &kind.plural);
        found.is_some_and(|found| {
            found.kind == kind.kind
                && match (&found.custom, &kind.custom) {
                    (Some(now), Some(then)) => now.asks_the_same(then),
                    (now, then) => now.is_none() && then.is_none(),
                }
        })
    }

    /// By group (empty for core), version and kind; kinds that are only bodies of subresources too.
    #[must_use]
    pub fn find_kind(&self, group: &str, version: &str, kind: &str) -> Option<&Arc<Kind>> {
        self.kinds
            .iter()
            .chain(&self.bodies)
            .find(|k| k.kind == kind && k.group == group && k.version == version)
    }

    /// Every schema that a served kind reaches, without descriptions.
    pub fn definitions(&self) -> &Arc<Definitions> {
        self.definitions
            .get_or_init(|| Arc::new(schemas::builtin()))
    }

    /// The schema of a kind; one that allows anything when the kind has none.
    pub fn schema<'a>(&'a self, kind: &'a Kind) -> &'a Schema {
        static ANY: OnceLock<Schema> = OnceLock::new();
        let custom = kind.custom.as_ref().map(|custom| &custom.typed);
        let builtin = || {
            self.definitions()
                .0
                .get(&kind.definition)
                .map(AsRef::as_ref)
        };
        match custom.or_else(builtin) {
            Some(schema) => schema,
            None => ANY.get_or_init(Schema::default),
        }
    }
}

fn bodies() -> Vec<Arc<Kind>> {
    rows::BODIES
        .iter()
        .map(|row| Arc::new(row.kind()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_kind_has_a_schema_and_names_of_its_own() {
        let catalog = Catalog::builtin();
        let mut resources = BTreeSet::new();
        let mut words = BTreeSet::new();
        for kind in catalog.kinds() {
            assert!(
                catalog.definitions().0.contains_key(&kind.definition),
                "{}",
                kind.definition
            );
            assert!(kind.verbs.is_sorted(), "{}", kind.kind);
            assert!(resources.insert(kind.qualified()), "{}", kind.qualified());
            for word in &kind.short_names {
                // Both groups of Events share theirs.
                assert!(words.insert(word.clone()) || word == "ev", "{word}");
            }
            assert_eq!(
                catalog.find(&kind.group, &kind.version, &kind.plural),
                Some(kind)
            );
            assert_eq!(
                catalog.find_kind(&kind.group, &kind.version, &kind.kind),
                Some(kind)
            );
        }
        assert_eq!(catalog.find("apps", "v1", "services"), None);
    }

    #[test]
    fn a_kind_made_at_run_time_is_served_beside_the_others() {
        let builtin = Catalog::builtin();
        let gadget = Kind {
            group: "example.com".into(),
            version: "v1".into(),
            kind: "Gadget".into(),
            plural: "gadgets".into(),
            ..Kind::default()
        };
        let kinds = builtin
            .kinds()
            .iter()
            .cloned()
            .chain([Arc::new(gadget.clone())]);
        let catalog = Catalog::new(kinds.collect(), builtin.definitions().clone());
        assert_eq!(
            catalog
                .find("example.com", "v1", "gadgets")
                .map(AsRef::as_ref),
            Some(&gadget)
        );
        assert!(matches!(
            catalog.schema(&gadget).shape,
            kedge_machinery::schema::Shape::Any
        ));
        assert!(crate::discovery::group(&catalog, "example.com").is_some());
    }
}
