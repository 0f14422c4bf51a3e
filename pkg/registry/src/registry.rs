//! The registry itself: what every verb shares.

use std::ops::RangeInclusive;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ipnet::IpNet;
use kedge_api::{Catalog, Kind};
use kedge_machinery::Status;
use kedge_store::{CommitError, Store};
use tokio::sync::watch;

use crate::admission::Admission;
use crate::allocate::Pools;
use crate::request::Target;
use crate::strategy::{self, Rules, Strategy, rules};

/// What a registry is made of.
pub struct RegistryConfig {
    pub store: Store,
    pub catalog: Arc<Catalog>,
    /// One range, or one of each family; the first one's family is the primary.
    pub service_cidrs: Vec<IpNet>,
    pub node_ports: RangeInclusive<u16>,
    /// Asked in this order.
    pub admission: Vec<Box<dyn Admission>>,
}

/// Every verb on every kind; cheap to clone, every clone is the same registry.
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    /// The kinds that are there without definitions.
    pub(crate) builtin: Arc<Catalog>,
    /// Those, and what definitions make.
    catalog: ArcSwap<Catalog>,
    changed: watch::Sender<()>,
    pub(crate) pools: Pools,
    pub(crate) admission: Vec<Box<dyn Admission>>,
}

impl Registry {
    #[must_use]
    pub fn new(config: RegistryConfig) -> Self {
        let RegistryConfig {
            store,
            catalog,
            service_cidrs,
            node_ports,
            admission,
        } = config;
        let pools = Pools {
            cidrs: service_cidrs.into_iter().map(|net| net.trunc()).collect(),
            node_ports,
        };
        Self {
            inner: Arc::new(Inner {
                store,
                catalog: ArcSwap::from(Arc::clone(&catalog)),
                builtin: catalog,
                changed: watch::Sender::new(()),
                pools,
                admission,
            }),
        }
    }

    /// The kinds that are served now; a definition may change them at any moment.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.inner.catalog.load_full()
    }

    /// Tells of every change of the catalog from now on.
    #[must_use]
    pub fn catalog_changes(&self) -> watch::Receiver<()> {
        self.inner.changed.subscribe()
    }

    /// Until a kind is not served any more as it is: its definition went, or asks for something else.
    pub async fn withdrawn(self, kind: Arc<Kind>) {
        let mut changes = self.catalog_changes();
        while self.catalog().serves(&kind) && changes.changed().await.is_ok() {}
    }

    pub(crate) fn builtin(&self) -> &Arc<Catalog> {
        &self.inner.builtin
    }

    pub(crate) fn serve(&self, catalog: Arc<Catalog>) {
        self.inner.catalog.store(catalog);
        self.inner.changed.send_replace(());
    }

    /// The latest revision: the `resourceVersion` of an empty list.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.inner.store.revision()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }
}

impl Target {
    pub(crate) fn key(&self) -> String {
        crate::keys::object(&self.kind, &self.namespace, &self.name)
    }

    pub(crate) fn rules(&self) -> Rules {
        strategy::rules::of(&self.kind)
    }

    pub(crate) fn strategy(&self) -> &'static dyn Strategy {
        strategy::of(&self.kind)
    }

    pub(crate) fn not_found(&self) -> Status {
        Status::not_found(&self.kind.group, &self.kind.plural, &self.name)
    }

    pub(crate) fn conflict(&self, why: &str) -> Status {
        Status::conflict(&self.kind.group, &self.kind.plural, &self.name, why)
    }

    /// 409: the object is not the one that was meant.
    pub(crate) fn precondition_failed(&self, what: &str, asked: &str, found: &str) -> Status {
        self.conflict(&format!(
            "Precondition failed: {what} in precondition: {asked}, {what} in object meta: {found}"
        ))
    }
}

/// True of a kind whose PUT makes an object where there is none.
#[must_use]
pub fn creates_on_update(kind: &Kind) -> bool {
    rules::of(kind).create_on_update
}

/// What a client reads of a kind that upstream asks people to leave, as a `Warning` of every answer.
#[must_use]
pub fn deprecation(kind: &Kind) -> Option<&str> {
    if let Some(custom) = &kind.custom {
        return custom.warning.as_deref();
    }
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("", "Endpoints") => {
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        }
        _ => None,
    }
}

/// Why others changed the object first; upstream's words.
pub(crate) const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

/// A failure of the store itself.
pub(crate) fn failed(error: &CommitError) -> Status {
    tracing::error!(%error, "a write failed");
    Status::internal(error.to_string())
}

/// A random number (122 bits of it).
pub(crate) fn random() -> u128 {
    uuid::Uuid::new_v4().as_u128()
}
