//! Roles and their bindings decide.

use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use kedge_rbac::{GROUP, Policy, Resource, Who};
use kedge_registry::Registry;
use kedge_store::{EventKind, Watch};

use super::{Authorizer, Rules, Verdict};
use crate::authn::User;
use crate::request_info::RequestInfo;

/// Allows what roles do, as kube-apiserver's mode `RBAC`.
///
/// Roles and bindings are kept indexed in memory; no request parses JSON. The index is a reader of the store's own
/// watch, and every question first takes in what the watch holds: a write is in there before it is acknowledged, so
/// it counts for the next request, and there is neither a task nor a timer that could be late. Until the first
/// question that somebody outside `system:masters` asks, there is no index.
pub struct Rbac {
    registry: Registry,
    /// What has changed since `policy` was right; `None` before the first question.
    changes: Mutex<Option<Changes>>,
    policy: RwLock<Policy>,
}

struct Changes {
    /// What the keys begin with.
    prefix: String,
    watch: Watch,
}

impl Rbac {
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            changes: Mutex::new(None),
            policy: RwLock::default(),
        }
    }

    /// All roles and bindings as they are now.
    fn policy(&self) -> RwLockReadGuard<'_, Policy> {
        let changes = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        // Held until the changes are in: another question must not be answered from between the two.
        self.catch_up(changes);
        self.policy.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn catch_up(&self, mut changes: MutexGuard<'_, Option<Changes>>) {
        if let Some(Changes { prefix, watch }) = &mut *changes {
            loop {
                match watch.try_next() {
                    Ok(None) => return,
                    Ok(Some(event)) => {
                        let mut policy =
                            self.policy.write().unwrap_or_else(PoisonError::into_inner);
                        match &event.kind {
                            EventKind::Put(entry) => {
                                if let Some((resource, namespace, name)) = place(prefix, &entry.key)
                                {
                                    policy.put(resource, namespace, name, entry.bytes());
                                }
                            }
                            EventKind::Delete(entry) => {
                                if let Some((resource, namespace, name)) = place(prefix, &entry.key)
                                {
                                    policy.remove(resource, namespace, name);
                                }
                            }
                        }
                    }
                    // More has changed since the last question than a watch keeps.
                    Err(_) => break,
                }
            }
        }
        let (prefix, snapshot, watch) = self.registry.follow_group(GROUP);
        let mut policy = Policy::default();
        for entry in snapshot.range(&prefix, None) {
            if let Some((resource, namespace, name)) = place(&prefix, &entry.key) {
                policy.put(resource, namespace, name, entry.bytes());
            }
        }
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = policy;
        *changes = Some(Changes { prefix, watch });
    }
}

/// Kind, namespace and name of a key; `None` for a kind that decides nothing.
fn place<'a>(prefix: &str, key: &'a str) -> Option<(Resource, &'a str, &'a str)> {
    let (plural, rest) = key.strip_prefix(prefix)?.split_once('/')?;
    let resource = Resource::parse(plural)?;
    let (namespace, name) = match resource {
        Resource::ClusterRoles | Resource::ClusterRoleBindings => ("", rest),
        Resource::Roles | Resource::RoleBindings => rest.split_once('/')?,
    };
    Some((resource, namespace, name))
}

fn who(user: &User) -> Who<'_> {
    Who {
        name: &user.name,
        groups: &user.groups,
    }
}

impl Authorizer for Rbac {
    fn allows(&self, user: &User, request: &RequestInfo) -> bool {
        self.policy().allows(who(user), &request.asked()).is_some()
    }

    fn explain(&self, user: &User, request: &RequestInfo) -> Verdict {
        let policy = self.policy();
        match policy.allows(who(user), &request.asked()) {
            Some(grant) => Verdict {
                allowed: true,
                reason: grant.to_string(),
            },
            None => Verdict {
                allowed: false,
                reason: policy
                    .rules_for(who(user), &request.namespace)
                    .error()
                    .map(|error| format!("RBAC: {error}"))
                    .unwrap_or_default(),
            },
        }
    }

    fn rules(&self, user: &User, namespace: &str) -> Rules {
        let policy = self.policy();
        let found = policy.rules_for(who(user), namespace);
        Rules {
            error: found.error(),
            rules: found.rules.into_iter().cloned().collect(),
            incomplete: false,
        }
    }
}
