//! What every cluster has from its first moment on. Nothing is written when it is there.

use std::sync::Arc;

use futures_util::future::{try_join, try_join_all};
use kedge_api::Kind;
use kedge_machinery::{Object, Status};
use serde_json::{Value, json};

use crate::registry::Registry;
use crate::request::{GetOptions, Target, WriteOptions};
use crate::strategy::priority_class::SYSTEM_CLASSES;

mod access;
mod kubernetes_service;
mod service_cidr;

pub(crate) use service_cidr::NAME as SERVICE_CIDR;

/// Namespaces that people and programs count on.
const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// Who owns these objects in `managedFields`: upstream gives them this name.
const MANAGER: &str = "kube-apiserver";

impl Registry {
    /// Makes what is missing of the namespaces, the priority classes, the range of ClusterIPs, and then the roles and
    /// their bindings, sharing flushes.
    pub async fn bootstrap(&self) -> Result<(), Status> {
        let namespaces = self.kind("", "namespaces")?;
        let priorities = self.kind("scheduling.k8s.io", "priorityclasses")?;
        let namespace = |name: &&str| json!({"metadata": {"name": name}});
        let priority = |(name, value, description): &(&str, i64, &str)| {
            json!({
                "metadata": {"name": name}, "value": value, "description": description,
                "globalDefault": false, "preemptionPolicy": "PreemptLowerPriority",
            })
        };
        let namespaces = NAMESPACES.iter().map(|n| (&namespaces, namespace(n)));
        let classes = SYSTEM_CLASSES.iter().map(|c| (&priorities, priority(c)));
        let missing = namespaces
            .chain(classes)
            .map(|(kind, body)| self.provide(kind, body));
        try_join(try_join_all(missing), self.ensure_service_cidr()).await?;
        self.ensure_access().await
    }

    /// Makes an object of a cluster-scoped kind unless one of its name is there.
    async fn provide(&self, kind: &Arc<Kind>, body: Value) -> Result<(), Status> {
        let body = object(body);
        let target = Target::new(Arc::clone(kind), "", body.name());
        if self.get(&target, &GetOptions::default()).is_ok() {
            return Ok(());
        }
        let options = options();
        settled(self.create(&target, body, &options).await.map(|_| ()))
    }

    /// Makes an object so, or takes it away.
    async fn ensure(&self, target: &Target, body: Option<Value>) -> Result<(), Status> {
        let there = self.get(target, &GetOptions::default()).is_ok();
        match body {
            Some(body) if there => self
                .update(target, object(body), &options())
                .await
                .map(|_| ()),
            Some(body) => settled(
                self.create(target, object(body), &options())
                    .await
                    .map(|_| ()),
            ),
            None if there => self.delete(target, &Default::default()).await.map(|_| ()),
            None => Ok(()),
        }
    }

    fn kind(&self, group: &str, plural: &str) -> Result<Arc<Kind>, Status> {
        let found = self.inner.builtin.find(group, "v1", plural).cloned();
        found.ok_or_else(|| Status::internal(format!("the catalog has no {plural}")))
    }
}

fn options() -> WriteOptions {
    WriteOptions {
        field_manager: MANAGER.into(),
        ..WriteOptions::default()
    }
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap_or_default()
}

/// Another one made it first: good as well.
fn settled(result: Result<(), Status>) -> Result<(), Status> {
    match result {
        Err(status) if status.is_already_exists() => Ok(()),
        other => other,
    }
}
