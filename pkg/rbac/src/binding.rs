//! A binding: a role, and who has it (upstream: `pkg/registry/rbac/validation/rule.go`).

use serde::Deserialize;

use crate::Who;
use crate::rule::nullable;

const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// What a binding's subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum SubjectKind {
    User,
    Group,
    ServiceAccount,
    /// One that nobody is.
    #[default]
    #[serde(other)]
    Other,
}

/// Whom a binding means.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Subject {
    pub kind: SubjectKind,
    pub name: Box<str>,
    /// Of a service account; empty: that of the binding.
    pub namespace: Box<str>,
}

/// What a role is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum RoleKind {
    Role,
    ClusterRole,
    #[default]
    #[serde(other)]
    Other,
}

impl RoleKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::ClusterRole => "ClusterRole",
            Self::Other => "",
        }
    }
}

/// The role that a binding gives. A `Role` is one of the binding's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct RoleRef {
    pub kind: RoleKind,
    pub name: Box<str>,
}

/// A RoleBinding, or where the namespace is empty, a ClusterRoleBinding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub namespace: Box<str>,
    pub name: Box<str>,
    pub role: RoleRef,
    pub subjects: Box<[Subject]>,
}

impl Binding {
    /// Out of an object's JSON; `None` when it is no binding.
    pub(crate) fn parse(namespace: &str, name: &str, json: &[u8]) -> Option<Self> {
        #[derive(Deserialize, Default)]
        #[serde(default, rename_all = "camelCase")]
        struct Parsed {
            role_ref: RoleRef,
            #[serde(deserialize_with = "nullable")]
            subjects: Box<[Subject]>,
        }
        let Parsed { role_ref, subjects } = serde_json::from_slice(json).ok()?;
        Some(Self {
            namespace: namespace.into(),
            name: name.into(),
            role: role_ref,
            subjects,
        })
    }

    /// The name of the user that a subject stands for; `None` when it stands for a group, or for nobody.
    pub(crate) fn user_of(&self, subject: &Subject) -> Option<Box<str>> {
        match subject.kind {
            SubjectKind::User => Some(subject.name.clone()),
            SubjectKind::ServiceAccount => {
                let namespace = self.namespace_of(subject);
                let name = &subject.name;
                (!namespace.is_empty())
                    .then(|| format!("{SERVICE_ACCOUNT}{namespace}:{name}").into())
            }
            SubjectKind::Group | SubjectKind::Other => None,
        }
    }

    fn namespace_of<'a>(&'a self, subject: &'a Subject) -> &'a str {
        if subject.namespace.is_empty() {
            &self.namespace
        } else {
            &subject.namespace
        }
    }

    /// The first subject that somebody is.
    pub(crate) fn subject_for(&self, who: &Who<'_>) -> Option<&Subject> {
        self.subjects.iter().find(|subject| match subject.kind {
            SubjectKind::User => *subject.name == *who.name,
            SubjectKind::Group => who.is_in(&subject.name),
            SubjectKind::ServiceAccount => who
                .name
                .strip_prefix(SERVICE_ACCOUNT)
                .and_then(|rest| rest.split_once(':'))
                .is_some_and(|(namespace, name)| {
                    namespace == self.namespace_of(subject) && name == &*subject.name
                }),
            SubjectKind::Other => false,
        })
    }

    /// As upstream tells of it: `ClusterRoleBinding "a" of ClusterRole "b" to Group "c"`.
    pub(crate) fn describe(&self, who: &Who<'_>) -> String {
        let role = &self.role;
        let binding = if self.namespace.is_empty() {
            format!("ClusterRoleBinding {:?}", self.name)
        } else {
            format!(
                "RoleBinding {:?}",
                format!("{}/{}", self.name, self.namespace)
            )
        };
        let subject = match self.subject_for(who) {
            Some(subject) => match subject.kind {
                SubjectKind::User => format!("User {:?}", subject.name),
                SubjectKind::Group => format!("Group {:?}", subject.name),
                SubjectKind::ServiceAccount => {
                    let name = format!("{}/{}", subject.name, self.namespace_of(subject));
                    format!("ServiceAccount {name:?}")
                }
                SubjectKind::Other => String::new(),
            },
            None => String::new(),
        };
        format!(
            "{binding} of {} {:?} to {subject}",
            role.kind.as_str(),
            role.name
        )
    }
}
