//! A registry over a real store in a folder of its own.
// Each test file uses a part of this.
#![allow(dead_code)]

use std::sync::Arc;

use kedge_api::{Catalog, Kind};
use kedge_machinery::{Object, Status};
use kedge_registry::admission::Admission;
use kedge_registry::{
    DeleteOptions, Deleted, GetOptions, ListOptions, Page, Patch, PatchKind, Registry,
    RegistryConfig, Target, WriteOptions, Written,
};
use kedge_store::{EngineKind, Options, Store};
use serde_json::{Value, json};
use tempfile::TempDir;

pub struct World {
    pub registry: Registry,
    pub store: Store,
    _folder: TempDir,
}

/// A world with the namespaces of every cluster, and one range of 14 ClusterIPs and one of 40 node ports.
pub async fn world() -> World {
    build(&["10.43.0.0/28"], 10_000).await
}

pub async fn build(cidrs: &[&str], window: usize) -> World {
    build_with(cidrs, window, Vec::new()).await
}

pub async fn build_with(
    cidrs: &[&str],
    window: usize,
    admission: Vec<Box<dyn Admission>>,
) -> World {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        path: folder.path().join("store"),
        engine: EngineKind::Sled,
        window,
    };
    let (store, _) = tokio::task::spawn_blocking(move || Store::open(&options))
        .await
        .unwrap()
        .unwrap();
    let registry = Registry::new(RegistryConfig {
        store: store.clone(),
        catalog: Catalog::builtin(),
        service_cidrs: cidrs.iter().map(|c| c.parse().unwrap()).collect(),
        node_ports: 30000..=30039,
        admission,
    });
    registry.bootstrap().await.unwrap();
    World {
        registry,
        store,
        _folder: folder,
    }
}

pub fn options() -> WriteOptions {
    WriteOptions {
        field_manager: "test".into(),
        ..WriteOptions::default()
    }
}

pub fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

pub fn parse(value: &[u8]) -> Value {
    serde_json::from_slice(value).unwrap()
}

pub fn configmap(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "1"}})
}

impl World {
    /// A registry over the same store that was told other ranges.
    pub fn restarted(&self, cidrs: &[&str]) -> Registry {
        Registry::new(RegistryConfig {
            store: self.store.clone(),
            catalog: Catalog::builtin(),
            service_cidrs: cidrs.iter().map(|c| c.parse().unwrap()).collect(),
            node_ports: 30000..=30039,
            admission: Vec::new(),
        })
    }

    pub fn kind(&self, plural: &str) -> Arc<Kind> {
        let catalog = self.registry.catalog();
        let mut kinds = catalog.kinds().iter();
        Arc::clone(kinds.find(|kind| kind.plural == plural).unwrap())
    }

    /// In the namespace `default`, for a namespaced kind.
    pub fn target(&self, plural: &str, name: &str) -> Target {
        Target::new(self.kind(plural), "default", name)
    }

    /// An object of the cluster, not of the namespace that tests use.
    pub fn cluster_target(&self, plural: &str, name: &str) -> Target {
        Target::new(self.kind(plural), "", name)
    }

    /// What stands at a key.
    pub fn stored(&self, key: &str) -> Value {
        parse(
            &self
                .store
                .get(key)
                .unwrap_or_else(|| panic!("{key}"))
                .value(),
        )
    }

    pub async fn create(&self, plural: &str, value: Value) -> Result<Value, Status> {
        let written = self
            .registry
            .create(&self.target(plural, ""), object(value), &options())
            .await?;
        assert!(written.created);
        Ok(parse(&written.value))
    }

    pub async fn update(&self, plural: &str, value: Value) -> Result<Written, Status> {
        let target = self.target(plural, value["metadata"]["name"].as_str().unwrap());
        self.registry
            .update(&target, object(value), &options())
            .await
    }

    pub async fn merge(&self, target: &Target, value: Value) -> Result<Value, Status> {
        let patch = Patch {
            kind: PatchKind::Merge,
            body: value.to_string().into(),
        };
        Ok(parse(
            &self.registry.patch(target, patch, &options()).await?.value,
        ))
    }

    pub async fn delete(&self, plural: &str, name: &str) -> Result<Deleted, Status> {
        self.registry
            .delete(&self.target(plural, name), &DeleteOptions::default())
            .await
    }

    pub fn get(&self, plural: &str, name: &str) -> Result<Value, Status> {
        Ok(parse(
            &self
                .registry
                .get(&self.target(plural, name), &GetOptions::default())?
                .value(),
        ))
    }

    pub fn list(&self, plural: &str, options: &ListOptions) -> Result<Page, Status> {
        self.registry.list(&self.kind(plural), "default", options)
    }

    /// Keys under a prefix of the store.
    pub fn keys(&self, prefix: &str) -> Vec<String> {
        self.store
            .snapshot()
            .range(prefix, None)
            .map(|entry| entry.key.to_string())
            .collect()
    }
}

/// The fields that a refusal tells of.
pub fn causes(status: Status) -> Vec<String> {
    assert_eq!(status.code, 422, "{}", status.message);
    let causes = status.details.unwrap().causes;
    causes.into_iter().map(|cause| cause.field).collect()
}

pub fn names(page: &Page) -> Vec<String> {
    page.items
        .iter()
        .map(|entry| entry.key.rsplit('/').next().unwrap().to_string())
        .collect()
}
