//! The client of an API server in another process: this project's, or any other that passes Kubernetes'
//! conformance tests.

mod feed;
mod reflector;
mod wire;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use kedge_machinery::{Object, Status};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::http::{HttpClient, HttpError, Streaming};
use crate::{BoxFuture, Client, Feed, ObjectKey, Resource};

const JSON: &str = "application/json";
/// Server-side apply takes YAML, of which JSON is a part.
const APPLY: &str = "application/apply-patch+yaml";

/// A [`Client`] over HTTPS. Clones share the connection.
#[derive(Clone)]
pub struct Remote {
    kubeconfig: Arc<Path>,
    /// Who owns what is written through it, in `managedFields`.
    manager: Arc<str>,
    http: Arc<Mutex<HttpClient>>,
}

impl Remote {
    /// A client with the server and credentials of the file's current context. Nothing is sent yet. The file is read
    /// again when the server takes the credentials no more, so that a token which somebody renews is followed.
    ///
    /// # Errors
    /// The file cannot be read, or what it says cannot be used.
    pub fn from_kubeconfig(path: &Path, manager: &str) -> Result<Self, HttpError> {
        Ok(Self {
            kubeconfig: path.into(),
            manager: manager.into(),
            http: Arc::new(Mutex::new(HttpClient::from_kubeconfig(path)?)),
        })
    }

    /// Asks, and gives an answer of success as it comes; anything else is the server's refusal.
    async fn stream(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Bytes,
    ) -> Result<Streaming, Status> {
        let headers = [("content-type", media)];
        let client = self.http.lock().await.clone();
        let mut answer = client
            .stream(method.clone(), path, &headers, body.clone())
            .await
            .map_err(unreachable)?;
        if answer.status == StatusCode::UNAUTHORIZED {
            let renewed = HttpClient::from_kubeconfig(&self.kubeconfig).map_err(unreachable)?;
            *self.http.lock().await = renewed.clone();
            answer = renewed
                .stream(method, path, &headers, body)
                .await
                .map_err(unreachable)?;
        }
        if answer.status.is_success() {
            return Ok(answer);
        }
        match answer.collect().await.map_err(unreachable)?.ok() {
            Err(status) => Err(status),
            Ok(answer) => Err(Status::internal(format!("answered {}", answer.status))),
        }
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: impl Into<Bytes>,
    ) -> Result<Bytes, Status> {
        let answer = self.stream(method, path, media, body.into()).await?;
        Ok(answer.collect().await.map_err(unreachable)?.body)
    }

    async fn write(
        &self,
        method: Method,
        path: &str,
        media: &str,
        object: Object,
    ) -> Result<Object, Status> {
        let body = object.into_value().to_string();
        parse(&self.ask(method, path, media, body).await?)
    }

    async fn end(
        &self,
        key: &ObjectKey,
        uid: Option<&str>,
        propagation: &str,
    ) -> Result<(), Status> {
        let mut options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "gracePeriodSeconds": 0, "propagationPolicy": propagation,
        });
        if let Some(uid) = uid {
            options["preconditions"] = json!({ "uid": uid });
        }
        let path = path(key.resource, &key.namespace, &key.name, "");
        let body = Value::to_string(&options);
        self.ask(Method::DELETE, &path, JSON, body).await.map(drop)
    }
}

/// No answer at all: 503, with what was tried.
fn unreachable(error: HttpError) -> Status {
    Status::new(503, "ServiceUnavailable", error.to_string())
}

fn parse(body: &[u8]) -> Result<Object, Status> {
    serde_json::from_slice(body)
        .ok()
        .and_then(Object::from_value)
        .ok_or_else(|| Status::internal("the server's answer is no object"))
}

/// `/api/v1/namespaces/NS/services/NAME/SUB`: what is empty is left out.
fn path(resource: Resource, namespace: &str, name: &str, subresource: &str) -> String {
    let mut path = match resource.group {
        "" => format!("/api/{}", resource.version),
        group => format!("/apis/{group}/{}", resource.version),
    };
    if !namespace.is_empty() {
        path.push_str("/namespaces/");
        path.push_str(namespace);
    }
    for part in [resource.plural, name, subresource] {
        if !part.is_empty() {
            path.push('/');
            path.push_str(part);
        }
    }
    path
}

impl Client for Remote {
    fn get<'a>(&'a self, key: &'a ObjectKey) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let path = path(key.resource, &key.namespace, &key.name, "");
            parse(&self.ask(Method::GET, &path, JSON, "").await?)
        })
    }

    fn list<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> BoxFuture<'a, Result<Vec<Object>, Status>> {
        Box::pin(async move {
            let list = reflector::list(self, resource, namespace).await?;
            list.items
                .iter()
                .map(|item| {
                    let mut object = parse(&item.json)?;
                    // A list says once what its items are.
                    let api_version = match resource.group {
                        "" => resource.version.to_string(),
                        group => format!("{group}/{}", resource.version),
                    };
                    object.0.insert("apiVersion".into(), api_version.into());
                    object.0.insert("kind".into(), resource.kind.into());
                    Ok(object)
                })
                .collect()
        })
    }

    fn create<'a>(
        &'a self,
        resource: Resource,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let path = path(resource, object.namespace(), "", "");
            let path = format!("{path}?fieldManager={}", self.manager);
            self.write(Method::POST, &path, JSON, object).await
        })
    }

    fn update<'a>(
        &'a self,
        resource: Resource,
        subresource: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let path = path(resource, object.namespace(), object.name(), subresource);
            let path = format!("{path}?fieldManager={}", self.manager);
            self.write(Method::PUT, &path, JSON, object).await
        })
    }

    fn apply<'a>(
        &'a self,
        resource: Resource,
        manager: &'a str,
        object: Object,
    ) -> BoxFuture<'a, Result<Object, Status>> {
        Box::pin(async move {
            let path = path(resource, object.namespace(), object.name(), "");
            let path = format!("{path}?fieldManager={manager}&force=true");
            self.write(Method::PATCH, &path, APPLY, object).await
        })
    }

    fn delete<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: Option<&'a str>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.end(key, uid, "Background"))
    }

    fn delete_after_dependents<'a>(
        &'a self,
        key: &'a ObjectKey,
        uid: &'a str,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(self.end(key, Some(uid), "Foreground"))
    }

    fn feed(&self, resources: &[Resource]) -> Box<dyn Feed> {
        Box::new(feed::RemoteFeed::new(self.clone(), resources))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let nodes = path(Resource::NODES, "", "n1", "status");
        assert_eq!(nodes, "/api/v1/nodes/n1/status");
        let slices = path(Resource::ENDPOINTSLICES, "default", "", "");
        let wanted = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
        assert_eq!(slices, wanted);
    }
}
