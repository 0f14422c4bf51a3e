//! Patches: JSON, merge, strategic merge.

use kedge_machinery::patch;

use super::{CATALOG, chosen, object};
use crate::corpus::bodies;

/// What an object can grow to by a patch: its copies are bounded at 3 MiB, and all else is no longer than the patch, which
/// escapes can make six times as long.
const GROWTH: usize = 4 << 20;

pub(super) fn json_seeds() -> Vec<Vec<u8>> {
    chosen(&bodies("application/json-patch"))
}

pub(super) fn json(input: &[u8]) {
    let Some((object, _, body)) = object(input) else {
        return;
    };
    if let Ok(patched) = patch::json::apply(object, body) {
        let size = patched.to_string().len();
        assert!(
            size < GROWTH + object.to_string().len() + 6 * body.len(),
            "grew to {size}"
        );
    }
}

pub(super) fn merge_seeds() -> Vec<Vec<u8>> {
    chosen(&bodies("application/merge-patch"))
}

/// Merging twice is merging once (RFC 7386, 2: a patch says what is to be).
pub(super) fn merge(input: &[u8]) {
    let Some((object, _, body)) = object(input) else {
        return;
    };
    let Ok(once) = patch::merge::apply(object, body) else {
        return;
    };
    let twice = patch::merge::apply(&once, body);
    assert_eq!(twice.as_ref(), Ok(&once), "a merge changes what it made");
    let size = once.to_string().len();
    assert!(
        size <= object.to_string().len() + 6 * body.len() + 64,
        "grew to {size}"
    );
}

pub(super) fn strategic_seeds() -> Vec<Vec<u8>> {
    chosen(&bodies("application/strategic-merge-patch"))
}

pub(super) fn strategic(input: &[u8]) {
    let Some((object, kind, body)) = object(input) else {
        return;
    };
    let schema = CATALOG.schema(kind);
    if let Ok(patched) = patch::strategic::apply(CATALOG.definitions(), schema, object, body) {
        let size = patched.to_string().len();
        assert!(
            size <= object.to_string().len() + 6 * body.len() + 64,
            "grew to {size}"
        );
    }
}
