//! Label and field selectors over entries; an object is parsed only where a field of it is asked for.

use kedge_api::{Kind, field_value, has_own_labels, is_selectable};
use kedge_machinery::Status;
use kedge_machinery::selector::{FieldSelector, LabelSelector, SelectorError};
use kedge_store::Entry;
use std::sync::Arc;

use crate::{keys, stored};

const NAME: &str = "metadata.name";
const NAMESPACE: &str = "metadata.namespace";

/// The query's selectors, read.
pub(crate) struct Selectors {
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Selectors {
    /// 400 for what cannot be read.
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, Status> {
        let refuse = |error: SelectorError| Status::bad_request(error.to_string());
        Ok(Self {
            labels: LabelSelector::parse(labels).map_err(refuse)?,
            fields: FieldSelector::parse(fields).map_err(refuse)?,
        })
    }
}

/// The refusal of a field that the kind is not selected by: in the words of its own conversion, where it has one.
fn unknown_label(kind: &Kind, field: &str) -> String {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("batch", "Job") => format!("field label {field:?} not supported for batchv1.Job"),
        _ if has_own_labels(kind) => format!("field label not supported: {field}"),
        _ => format!("{field:?} is not a known field selector: only {NAME:?}, {NAMESPACE:?}"),
    }
}

/// What a list, a watch or a deletion is limited to.
pub(crate) struct Selection {
    kind: Arc<Kind>,
    labels: LabelSelector,
    fields: FieldSelector,
    has_labels: bool,
    has_fields: bool,
    /// True when a field beyond name and namespace is asked for: the object must be parsed.
    reads_object: bool,
}

impl Selection {
    /// 400 for a field that the kind does not select by.
    pub(crate) fn of(kind: &Arc<Kind>, selectors: Selectors) -> Result<Self, Status> {
        let Selectors { labels, fields } = selectors;
        let has_labels = !labels.is_empty();
        let has_fields = !fields.requirements().is_empty();
        let is_known = |field: &str| {
            let everywhere = kind.namespaced || !has_own_labels(kind);
            field == NAME || (field == NAMESPACE && everywhere) || is_selectable(kind, field)
        };
        if let Some((field, ..)) = fields
            .requirements()
            .iter()
            .find(|(field, ..)| !is_known(field))
        {
            return Err(Status::bad_request(unknown_label(kind, field)));
        }
        let reads_object = fields
            .requirements()
            .iter()
            .any(|(field, ..)| field != NAME && field != NAMESPACE);
        Ok(Self {
            kind: Arc::clone(kind),
            labels,
            fields,
            has_labels,
            has_fields,
            reads_object,
        })
    }

    pub(crate) fn kind(&self) -> &Kind {
        &self.kind
    }

    pub(crate) fn is_everything(&self) -> bool {
        !self.has_labels && !self.has_fields
    }

    /// The one name that is asked for, if it is one.
    pub(crate) fn name(&self) -> Option<&str> {
        let asked = self
            .fields
            .requirements()
            .iter()
            .find(|(field, equals, _)| *equals && field == NAME);
        asked.map(|(.., value)| value.as_str())
    }

    /// What the keys of all selected entries begin with.
    pub(crate) fn prefix(&self, namespace: &str) -> String {
        let mut prefix = keys::prefix(&self.kind, namespace);
        if let Some(name) = self.name()
            && (!self.kind.namespaced || !namespace.is_empty())
        {
            prefix.push_str(name);
        }
        prefix
    }

    pub(crate) fn matches(&self, entry: &Entry) -> bool {
        if self.has_labels {
            let labels = entry.labels();
            if !self.labels.matches(|key| labels.get(key)) {
                return false;
            }
        }
        if !self.has_fields {
            return true;
        }
        let (namespace, name) = keys::names(&self.kind, &entry.key);
        // Parsed once for all fields, and only when one needs it.
        let object = if self.reads_object {
            stored::read(&self.kind, entry).ok()
        } else {
            None
        };
        self.fields.matches(|field| match field {
            NAME => Some(name.to_string()),
            NAMESPACE => Some(namespace.to_string()),
            _ => object
                .as_ref()
                .and_then(|object| field_value(&self.kind, object, field)),
        })
    }
}
