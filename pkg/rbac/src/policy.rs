//! All roles and bindings, in the form that answers fastest: bindings by whom they mean, rules read when they are
//! first asked for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde::Deserialize;

use crate::binding::SubjectKind;
use crate::rule::nullable;
use crate::{Binding, GROUP, Request, RoleKind, RoleRef, Rule, Who};

/// Which of the four kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    ClusterRoles,
    ClusterRoleBindings,
    Roles,
    RoleBindings,
}

impl Resource {
    /// By its plural name; `None` for any other.
    #[must_use]
    pub fn parse(plural: &str) -> Option<Self> {
        Some(match plural {
            "clusterroles" => Self::ClusterRoles,
            "clusterrolebindings" => Self::ClusterRoleBindings,
            "roles" => Self::Roles,
            "rolebindings" => Self::RoleBindings,
            _ => return None,
        })
    }
}

/// Every role and binding there is. A cluster's namespace is the empty one.
#[derive(Debug, Default)]
pub struct Policy {
    roles: HashMap<Box<str>, HashMap<Box<str>, Role>>,
    bindings: HashMap<Box<str>, Bindings>,
}

/// A role that shares its bytes with whoever holds the object, until somebody needs its rules: most roles that a
/// cluster begins with are never used.
#[derive(Debug)]
struct Role {
    json: Bytes,
    rules: OnceLock<Box<[Rule]>>,
}

impl Role {
    fn rules(&self) -> &[Rule] {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct Parsed {
            #[serde(deserialize_with = "nullable")]
            rules: Box<[Rule]>,
        }
        self.rules.get_or_init(|| {
            // What cannot be read allows nothing.
            let parsed: Parsed = serde_json::from_slice(&self.json).unwrap_or_default();
            parsed.rules
        })
    }
}

/// The bindings of one namespace, or of the cluster.
#[derive(Debug, Default)]
struct Bindings {
    by_name: BTreeMap<Box<str>, Arc<Binding>>,
    users: HashMap<Box<str>, Vec<Arc<Binding>>>,
    groups: HashMap<Box<str>, Vec<Arc<Binding>>>,
}

impl Bindings {
    fn insert(&mut self, binding: Binding) {
        let binding = Arc::new(binding);
        for subject in &binding.subjects {
            let (index, key) = match (subject.kind, binding.user_of(subject)) {
                (SubjectKind::Group, _) => (&mut self.groups, subject.name.clone()),
                (_, Some(user)) => (&mut self.users, user),
                _ => continue,
            };
            let known = index.entry(key).or_default();
            if !known.iter().any(|other| Arc::ptr_eq(other, &binding)) {
                known.push(Arc::clone(&binding));
            }
        }
        self.by_name.insert(binding.name.clone(), binding);
    }

    fn remove(&mut self, name: &str) {
        let Some(binding) = self.by_name.remove(name) else {
            return;
        };
        for index in [&mut self.users, &mut self.groups] {
            index.retain(|_, known| {
                known.retain(|other| !Arc::ptr_eq(other, &binding));
                !known.is_empty()
            });
        }
    }

    /// The bindings that mean somebody; one that does so in several ways comes several times.
    fn of<'a>(&'a self, who: Who<'a>) -> impl Iterator<Item = &'a Arc<Binding>> {
        let groups = who
            .groups
            .iter()
            .filter_map(|group| self.groups.get(&**group));
        self.users.get(who.name).into_iter().chain(groups).flatten()
    }
}

/// Why something is allowed; its `Display` is upstream's reason.
#[derive(Debug)]
pub struct Grant<'a> {
    binding: &'a Binding,
    who: Who<'a>,
}

impl fmt::Display for Grant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RBAC: allowed by {}", self.binding.describe(&self.who))
    }
}

/// The rules that somebody has in a namespace, and what stands in the way of knowing them all.
#[derive(Debug, Default)]
pub struct RulesFor<'a> {
    pub rules: Vec<&'a Rule>,
    /// Roles that bindings name and that are not there.
    pub errors: Vec<String>,
}

impl RulesFor<'_> {
    /// The errors in one text, as upstream joins them; `None` when there are none.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        let mut distinct: Vec<&str> = Vec::new();
        for error in &self.errors {
            if !distinct.contains(&error.as_str()) {
                distinct.push(error);
            }
        }
        match distinct.as_slice() {
            [] => None,
            [one] => Some((*one).to_string()),
            many => Some(format!("[{}]", many.join(", "))),
        }
    }
}

impl Policy {
    /// Takes an object in, in the place of what has its name. `namespace` is empty for the two kinds of the cluster.
    pub fn put(&mut self, resource: Resource, namespace: &str, name: &str, json: Bytes) {
        self.remove(resource, namespace, name);
        match resource {
            Resource::ClusterRoles | Resource::Roles => {
                let role = Role {
                    json,
                    rules: OnceLock::new(),
                };
                let roles = self.roles.entry(namespace.into()).or_default();
                roles.insert(name.into(), role);
            }
            Resource::ClusterRoleBindings | Resource::RoleBindings => {
                if let Some(binding) = Binding::parse(namespace, name, &json) {
                    let bindings = self.bindings.entry(namespace.into()).or_default();
                    bindings.insert(binding);
                }
            }
        }
    }

    /// Forgets an object.
    pub fn remove(&mut self, resource: Resource, namespace: &str, name: &str) {
        match resource {
            Resource::ClusterRoles | Resource::Roles => {
                if let Some(roles) = self.roles.get_mut(namespace) {
                    roles.remove(name);
                    if roles.is_empty() {
                        self.roles.remove(namespace);
                    }
                }
            }
            Resource::ClusterRoleBindings | Resource::RoleBindings => {
                if let Some(bindings) = self.bindings.get_mut(namespace) {
                    bindings.remove(name);
                    if bindings.by_name.is_empty() {
                        self.bindings.remove(namespace);
                    }
                }
            }
        }
    }

    /// Why somebody may do something; `None` when no rule allows it.
    #[must_use]
    pub fn allows<'a>(&'a self, who: Who<'a>, request: &Request<'_>) -> Option<Grant<'a>> {
        self.places(request.namespace())
            .flat_map(|bindings| bindings.of(who))
            .find(|binding| {
                self.role(&binding.role, &binding.namespace)
                    .is_some_and(|role| role.rules().iter().any(|rule| rule.allows(request)))
            })
            .map(|binding| Grant { binding, who })
    }

    /// Every rule that somebody has in a namespace: those of the cluster first, by the names of the bindings.
    #[must_use]
    pub fn rules_for(&self, who: Who<'_>, namespace: &str) -> RulesFor<'_> {
        let mut found = RulesFor::default();
        for bindings in self.places(namespace) {
            for binding in bindings.by_name.values() {
                if binding.subject_for(&who).is_none() {
                    continue;
                }
                match self.role_rules(&binding.role, &binding.namespace) {
                    Ok(rules) => found.rules.extend(rules),
                    Err(error) => found.errors.push(error),
                }
            }
        }
        found
    }

    /// The rules of a role that a binding in a namespace gives; the error says which role is not there.
    pub fn role_rules(&self, role: &RoleRef, namespace: &str) -> Result<&[Rule], String> {
        self.role(role, namespace)
            .map(Role::rules)
            .ok_or_else(|| match role.kind {
                RoleKind::Other => "unsupported role reference kind: \"\"".to_string(),
                kind => format!(
                    "{}.{GROUP} {:?} not found",
                    kind.as_str().to_lowercase(),
                    role.name
                ),
            })
    }

    fn role(&self, role: &RoleRef, namespace: &str) -> Option<&Role> {
        let namespace = match role.kind {
            RoleKind::ClusterRole => "",
            RoleKind::Role if !namespace.is_empty() => namespace,
            RoleKind::Role | RoleKind::Other => return None,
        };
        self.roles.get(namespace)?.get(&*role.name)
    }

    /// Bindings that count in a namespace: the cluster's, and its own.
    fn places(&self, namespace: &str) -> impl Iterator<Item = &Bindings> {
        let own = (!namespace.is_empty()).then(|| self.bindings.get(namespace));
        self.bindings.get("").into_iter().chain(own.flatten())
    }
}

#[cfg(test)]
mod tests;
