//! The client inside the process: the registry itself, with no bytes on a wire.

mod custom;
mod feed;
mod known;

use std::sync::Arc;

use kedge_api::Kind;
use kedge_machinery::{Object, Status};
use kedge_registry::{
    DeleteOptions, GetOptions, ListOptions, Patch, PatchKind, Propagation, Registry, Target,
    WriteOptions,
};

use crate::{BoxFuture, Client, Feed, ObjectKey, Resource};

/// A [`Client`] over the registry of this process.
#[derive(Clone)]
pub struct Local {
    registry: Registry,
    /// Who owns what is written through it, in `managedFields`.
    manager: Arc<str>,
}

impl Local {
    #[must_use]
    pub fn new(registry: Registry, manager: impl Into<Arc<str>>) -> Self {
        Self {
            registry,
            manager: manager.into(),
        }
    }

    fn kind(&self, resource: Resource) -> Result<Arc<Kind>, Status> {
        let catalog = self.registry.catalog();
        let found = catalog.find(resource.group, resource.version, resource.plural);
        found
            .cloned()
            .or_else(|| custom::any_version(&catalog, resource))
            .ok_or_else(|| Status::not_found(resource.group, resource.plural, ""))
    }

    fn target(&self, key: &ObjectKey) -> Result<Target, Status> {
        Ok(Target::new(
            self.kind(key.resource)?,
            key.namespace.as_str(),
            key.name.as_str(),
        ))
    }

    fn options(&self) -> WriteOptions {
        WriteOptions {
            field_manager: self.manager.to_string(),
            ..WriteOptions::default()
        }
    }

    async fn end(
        &self,
        key: &ObjectKey,
        uid: Option<&str>,
        propagation: Propagation,
    ) -> Result<(), Status> {
        let options = DeleteOptions {
            propagation: Some(propagation),
            // Who deletes from within has waited already where there was something to wait for.
            grace_period: Some(0),
            uid: uid.map(String::from),
            ..DeleteOptions::default()
        };
        let target = self.target(key)?;
        self.registry.delete(&target, &options).await.map(drop)
    }
}

fn parse(value: &[u8]) -> Result<Object, Status> {
    let tree =
        serde_json::from_slice(value).map_err(|error| Status::internal(error.to_string()))?;
    Object::from_value(tree).ok_or_else(|| Status::internal("not an object"))
}

impl Client for Local {
    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            parse(
                &self
                    .registry
                    .get(&self.target(key)?, &GetOptions::default())?
                    .value(),
            )
        })
    }

    fn list<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Object>, Status>> {
        Box::pin(async move {
            let page =
                self.registry
                    .list(&self.kind(resource)?, namespace, &ListOptions::default())?;
            page.items
                .iter()
                .map(|entry| parse(&entry.value()))
                .collect()
        })
    }

    fn create<'a>(
        &'a self,
        resource: Resource,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let target = Target::new(self.kind(resource)?, object.namespace(), "");
            parse(
                &self
                    .registry
                    .create(&target, object, &self.options())
                    .await?
                    .value,
            )
        })
    }

    fn update<'a>(
        &'a self,
        resource: Resource,
        subresource: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let target = Target::new(self.kind(resource)?, object.namespace(), object.name())
                .subresource(subresource);
            parse(
                &self
                    .registry
                    .update(&target, object, &self.options())
                    .await?
                    .value,
            )
        })
    }

    fn apply<'a>(
        &'a self,
        resource: Resource,
        manager: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let target = Target::new(self.kind(resource)?, object.namespace(), object.name());
            let patch = Patch {
                kind: PatchKind::Apply,
                body: object.into_value().to_string().into(),
            };
            let options = WriteOptions {
                field_manager: manager.into(),
                force: true,
                ..WriteOptions::default()
            };
            parse(&self.registry.patch(&target, patch, &options).await?.value)
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.end(key, uid, Propagation::Background))
    }

    fn delete_after_dependents<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.end(key, Some(uid), Propagation::Foreground))
    }

    fn feed(&self, resources: &[Resource]) -> Box<dyn Feed> {
        Box::new(feed::LocalFeed::new(self.registry.clone(), resources))
    }

    fn feed_with_custom(&self, resources: &[Resource]) -> Box<dyn Feed> {
        Box::new(feed::LocalFeed::with_custom(
            self.registry.clone(),
            resources,
        ))
    }

    fn find_custom(&self, api_version: &str, kind: &str) -> Option<(Resource, bool)> {
        custom::find(&self.registry.catalog(), api_version, kind)
    }
}
