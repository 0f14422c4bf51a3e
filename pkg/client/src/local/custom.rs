//! Custom resources as [`Resource`]s, whose names outlive the definition: they are kept once for the life of the process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use kedge_api::{Catalog, Kind};

use crate::Resource;

/// The custom resources, each in the version that is preferred.
pub(super) fn all(catalog: &Catalog) -> Vec<(Resource, Arc<Kind>)> {
    let mut found: Vec<(Resource, Arc<Kind>)> = Vec::new();
    for kind in catalog.kinds().iter().filter(|kind| kind.custom.is_some()) {
        let known = |(_, other): &(_, Arc<Kind>)| is_same(other, kind);
        if !found.iter().any(known) {
            found.push((resource(kind), Arc::clone(kind)));
        }
    }
    found
}

/// A resource in whichever version there is.
pub(super) fn any_version(catalog: &Catalog, resource: Resource) -> Option<Arc<Kind>> {
    let mut kinds = catalog.kinds().iter();
    let found = kinds.find(|kind| {
        kind.custom.is_some() && kind.group == resource.group && kind.plural == resource.plural
    });
    found.cloned()
}

pub(super) fn find(catalog: &Catalog, api_version: &str, kind: &str) -> Option<(Resource, bool)> {
    let (group, version) = api_version.split_once('/')?;
    let asked = catalog.find_kind(group, version, kind)?;
    let preferred = catalog
        .kinds()
        .iter()
        .find(|kind| kind.custom.is_some() && is_same(kind, asked))?;
    Some((resource(preferred), preferred.namespaced))
}

fn is_same(one: &Kind, other: &Kind) -> bool {
    one.group == other.group && one.plural == other.plural
}

fn resource(kind: &Kind) -> Resource {
    Resource {
        group: kept(&kind.group),
        version: kept(&kind.version),
        plural: kept(&kind.plural),
        kind: kept(&kind.kind),
    }
}

/// The same text for ever; each is kept once.
fn kept(text: &str) -> &'static str {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = texts.get(text) {
        return known;
    }
    let text: &'static str = Box::leak(text.into());
    texts.insert(text);
    text
}
