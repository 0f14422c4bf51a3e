//! Who asks.

/// The user of requests that carry no credential.
pub const ANONYMOUS: &str = "system:anonymous";
/// The group of everyone who showed a credential.
pub const AUTHENTICATED: &str = "system:authenticated";
/// The group of everyone who did not.
pub const UNAUTHENTICATED: &str = "system:unauthenticated";

/// The group of all nodes.
pub const NODES: &str = "system:nodes";
/// What the names of nodes' users begin with.
const NODE: &str = "system:node:";

/// Who asks, as far as rules know them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    pub name: String,
    pub uid: String,
    pub groups: Vec<String>,
    /// Further facts, each with its values, for example `authentication.kubernetes.io/pod-name`.
    pub extra: Vec<(String, Vec<String>)>,
}

impl User {
    #[must_use]
    pub fn anonymous() -> Self {
        Self {
            name: ANONYMOUS.into(),
            groups: vec![UNAUTHENTICATED.into()],
            ..Self::default()
        }
    }

    /// The node that it is, as agents and kubelets call themselves: `system:node:NAME` in the group [`NODES`]. The name may be
    /// empty, and is then nobody's.
    #[must_use]
    pub fn node(&self) -> Option<&str> {
        let name = self.name.strip_prefix(NODE)?;
        self.is_in(NODES).then_some(name)
    }

    #[must_use]
    pub fn is_in(&self, group: &str) -> bool {
        self.groups.iter().any(|own| own == group)
    }
}
