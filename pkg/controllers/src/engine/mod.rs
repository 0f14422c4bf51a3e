//! What a controller is, and what runs it.

mod drive;
mod follow;
mod own_writes;
mod retry;

use std::future::Future;

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::Object;

pub(crate) use drive::supervise;
pub(crate) use follow::Follow;

/// A controller: changes in, writes out.
pub(crate) trait Reconcile: Send {
    /// For the log.
    const NAME: &'static str;

    /// True for one that sees every custom resource too.
    const CUSTOM: bool = false;

    /// The kinds whose changes it sees.
    fn resources(&self) -> Vec<Resource>;

    /// Takes a change in, its own writes included. Decides nothing yet.
    fn observe(&mut self, change: &Change);

    /// What is to be written now, by everything observed since the last call. Called for the first time when the whole state
    /// was observed.
    fn plan(
        &mut self,
        client: &SharedClient,
        now: Timestamp,
    ) -> impl Future<Output = Vec<Write>> + Send;

    /// A write about this object failed some time ago: plan it again.
    fn again(&mut self, about: &ObjectKey);

    /// Waits for a change of what comes by another way than the API. Dropped and called again at any moment.
    fn changed(&mut self) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

/// Something to write, and the object on whose behalf.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    /// What [`Reconcile::again`] is asked about when it fails.
    pub about: ObjectKey,
    /// What is written; its name is empty where the server is to make one.
    pub target: ObjectKey,
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    Create(Object),
    /// Replaces the object; with its `resourceVersion`, so that nobody's change is lost.
    Update {
        subresource: &'static str,
        object: Object,
    },
    /// Says what some fields of the object are to be, whoever owns them, in the name of a manager.
    Apply {
        manager: &'static str,
        object: Object,
    },
    /// Only that very object, not one of the same name.
    Delete {
        uid: String,
        /// It stays until its dependents are gone.
        after_dependents: bool,
    },
}

/// The key of an object of a kind.
pub(crate) fn key(resource: Resource, namespace: &str, name: &str) -> ObjectKey {
    ObjectKey {
        resource,
        namespace: namespace.into(),
        name: name.into(),
    }
}

impl Write {
    pub(crate) fn create(about: &ObjectKey, resource: Resource, object: Object) -> Self {
        let target = key(resource, object.namespace(), object.name());
        Self {
            about: about.clone(),
            target,
            action: Action::Create(object),
        }
    }

    pub(crate) fn update(
        about: &ObjectKey,
        resource: Resource,
        subresource: &'static str,
        object: Object,
    ) -> Self {
        let target = key(resource, object.namespace(), object.name());
        Self {
            about: about.clone(),
            target,
            action: Action::Update {
                subresource,
                object,
            },
        }
    }

    pub(crate) fn apply(
        about: &ObjectKey,
        resource: Resource,
        manager: &'static str,
        object: Object,
    ) -> Self {
        let target = key(resource, object.namespace(), object.name());
        Self {
            about: about.clone(),
            target,
            action: Action::Apply { manager, object },
        }
    }

    pub(crate) fn delete(about: &ObjectKey, target: ObjectKey, uid: &str) -> Self {
        Self {
            about: about.clone(),
            target,
            action: Action::Delete {
                uid: uid.into(),
                after_dependents: false,
            },
        }
    }

    pub(crate) fn delete_after_dependents(about: &ObjectKey, target: ObjectKey, uid: &str) -> Self {
        Self {
            action: Action::Delete {
                uid: uid.into(),
                after_dependents: true,
            },
            ..Self::delete(about, target, uid)
        }
    }
}
