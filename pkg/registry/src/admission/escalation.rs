//! Nobody gives away more than he has (upstream: `pkg/registry/rbac/*/policybased`).
//!
//! Rules that a role gets must be held by whoever writes it, or he must be allowed the verb `escalate` on the role; so must
//! the rules of a role that a binding gives, or the verb `bind` on that role.

use kedge_machinery::{Object, Status};
use kedge_rbac::{
    ALL, GROUP, MASTERS, Policy, Request, Resource, RoleKind, RoleRef, Rule, Who, compact, missing,
};
use serde::Deserialize;

use super::policy::policy;
use super::{Admission, Attributes, Operation};
use crate::user::User;
use crate::value::{field, list};

/// The rule. Only for the four kinds of RBAC; kedge itself and `system:masters` may write what they will.
pub struct Escalation;

impl Admission for Escalation {
    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let (Some(user), Some(object)) = (attributes.user, object) else {
            return Ok(());
        };
        let target = attributes.target;
        if target.kind.group != GROUP
            || attributes.operation == Operation::Delete
            || user.is_in(MASTERS)
            || attributes
                .old
                .is_some_and(|old| only_collected(old, object))
        {
            return Ok(());
        }
        let Some(resource) = Resource::parse(&target.kind.plural) else {
            return Ok(());
        };
        let asker = Asker {
            policy: policy(&attributes.view),
            user,
            namespace: &target.namespace,
        };
        let refused = match resource {
            Resource::ClusterRoles | Resource::Roles => asker.role(attributes, object),
            Resource::ClusterRoleBindings | Resource::RoleBindings => asker.binding(object),
        };
        refused.map_err(|why| match why {
            Refused::NoRole(text) => no_role(&text),
            Refused::Escalates(text) => {
                Status::forbidden(GROUP, &target.kind.plural, &target.name, &text)
            }
        })
    }
}

/// Why a write is refused.
enum Refused {
    /// The role that a binding gives is not there.
    NoRole(RoleRef),
    Escalates(String),
}

/// Who writes, and what he may do now.
struct Asker<'a> {
    policy: Policy,
    user: &'a User,
    namespace: &'a str,
}

impl Asker<'_> {
    fn who(&self) -> Who<'_> {
        Who {
            name: &self.user.name,
            groups: &self.user.groups,
        }
    }

    fn may(&self, verb: &str, resource: &str, name: &str) -> bool {
        let request = Request::Resource {
            verb,
            group: GROUP,
            resource,
            subresource: "",
            namespace: self.namespace,
            name,
        };
        self.policy.allows(self.who(), &request).is_some()
    }

    fn role(&self, attributes: &Attributes<'_>, role: &Object) -> Result<(), Refused> {
        // The verb is asked of the request's path, and that of a create has no name.
        let name = match attributes.operation {
            Operation::Create => "",
            _ => role.name(),
        };
        if self.may("escalate", &attributes.target.kind.plural, name) {
            return Ok(());
        }
        self.confirm(&rules(role))?;
        let aggregates = is_aggregate(role) || attributes.old.is_some_and(is_aggregate);
        if aggregates && self.lacks(&everything()).is_some() {
            let why = "must have cluster-admin privileges to use the aggregationRule";
            return Err(Refused::Escalates(why.into()));
        }
        Ok(())
    }

    fn binding(&self, binding: &Object) -> Result<(), Refused> {
        let role = field(&binding.0, "roleRef");
        let role = RoleRef::deserialize(role).unwrap_or_default();
        if self.may("bind", plural(&role), &role.name) {
            return Ok(());
        }
        match self.policy.role_rules(&role, self.namespace) {
            Ok(rules) => self.confirm(rules),
            Err(_) => Err(Refused::NoRole(role)),
        }
    }

    fn confirm(&self, rules: &[Rule]) -> Result<(), Refused> {
        match self.lacks(rules) {
            None => Ok(()),
            Some(text) => Err(Refused::Escalates(text)),
        }
    }

    /// What is said where the user does not hold rules.
    fn lacks(&self, rules: &[Rule]) -> Option<String> {
        let held = self.policy.rules_for(self.who(), self.namespace);
        let missing = missing(&held.rules, rules);
        if missing.is_empty() {
            return None;
        }
        let mut texts: Vec<String> = compact(missing).iter().map(ToString::to_string).collect();
        texts.sort_unstable();
        texts.dedup();
        let groups: Vec<String> = self
            .user
            .groups
            .iter()
            .map(|group| format!("{group:?}"))
            .collect();
        let mut text = format!(
            "user {:?} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
            self.user.name,
            groups.join(" "),
            texts.join("\n")
        );
        if let Some(error) = held.error() {
            text.push_str(&format!("; resolution errors: [{error}]"));
        }
        Some(text)
    }
}

/// 404 for a role that is not there.
fn no_role(role: &RoleRef) -> Status {
    Status::not_found(GROUP, plural(role), &role.name)
}

fn plural(role: &RoleRef) -> &'static str {
    match role.kind {
        RoleKind::ClusterRole => "clusterroles",
        RoleKind::Role | RoleKind::Other => "roles",
    }
}

fn rules(role: &Object) -> Vec<Rule> {
    let rules = field(&role.0, "rules").as_array().into_iter().flatten();
    rules
        .filter_map(|rule| Rule::deserialize(rule).ok())
        .collect()
}

/// A role that comes to hold what others do: it may grow without another write of its writer's.
fn is_aggregate(role: &Object) -> bool {
    let aggregation = field(&role.0, "aggregationRule");
    !list(aggregation, "clusterRoleSelectors").is_empty()
}

/// The rules of who may do everything.
fn everything() -> [Rule; 2] {
    let all = || Box::new([ALL.into()]);
    [
        Rule {
            verbs: all(),
            api_groups: all(),
            resources: all(),
            ..Rule::default()
        },
        Rule {
            verbs: all(),
            non_resource_urls: all(),
            ..Rule::default()
        },
    ]
}

/// True for a change of nothing but what the collector of garbage changes.
fn only_collected(old: &Object, new: &Object) -> bool {
    let rest = |object: &Object| {
        let mut rest = object.clone();
        for key in [
            "ownerReferences",
            "finalizers",
            "managedFields",
            "resourceVersion",
        ] {
            rest.meta_mut().remove(key);
        }
        rest
    };
    rest(old) == rest(new)
}
