//! The kinds there are, as controllers see them.

use kedge_client::Resource;

/// A kind that is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    pub resource: Resource,
    pub namespaced: bool,
}

impl Kind {
    /// The kinds of a server without custom resources.
    #[must_use]
    pub fn builtin() -> Vec<Self> {
        kedge_api::catalog::stored()
            .map(|kind| Self {
                resource: Resource {
                    group: kind.group,
                    version: kind.version,
                    plural: kind.plural,
                    kind: kind.kind,
                },
                namespaced: kind.namespaced,
            })
            .collect()
    }
}
