//! What is asked: by whom, and of what.

/// Who asks, as far as bindings know them.
#[derive(Debug, Clone, Copy)]
pub struct Who<'a> {
    pub name: &'a str,
    pub groups: &'a [String],
}

impl Who<'_> {
    pub(crate) fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}

/// What is to be done; every text may be empty.
#[derive(Debug, Clone, Copy)]
pub enum Request<'a> {
    Resource {
        verb: &'a str,
        group: &'a str,
        resource: &'a str,
        subresource: &'a str,
        /// Empty for cluster-scoped resources and for all namespaces.
        namespace: &'a str,
        /// Empty for collections.
        name: &'a str,
    },
    Path {
        /// The method, in lower case.
        verb: &'a str,
        path: &'a str,
    },
}

impl Request<'_> {
    pub(crate) fn namespace(&self) -> &str {
        match self {
            Self::Resource { namespace, .. } => namespace,
            Self::Path { .. } => "",
        }
    }
}
