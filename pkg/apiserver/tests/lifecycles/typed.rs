//! Requests as Go's typed clients make them: bodies in protobuf, a preference for answers in it, and the options of a
//! deletion in the body, under the version of the client's group.

use http::Method;
use kedge_api::{Catalog, protobuf};
use kedge_client::http::{HttpClient, Response};
use serde_json::{Value, json};

use crate::support::header;
use crate::wire::{self, PROTOBUF};

pub const MERGE: &str = "application/merge-patch+json";
pub const STRATEGIC: &str = "application/strategic-merge-patch+json";
pub const APPLY: &str = "application/apply-patch+yaml";

/// What client-go accepts when its content type is protobuf.
const ACCEPT: &str = "application/vnd.kubernetes.protobuf, */*";

/// One kind, in a namespace or in none.
#[derive(Clone)]
pub struct Typed {
    client: HttpClient,
    pub api_version: String,
    kind: String,
    /// Of the collection.
    pub path: String,
}

/// The code and the answer's body, where it is no success.
pub type Answered = Result<Value, (u16, Value)>;

impl Typed {
    /// `resource` is `plural` or `namespaces/NAME/plural`.
    pub fn new(client: &HttpClient, api_version: &str, kind: &str, resource: &str) -> Self {
        let root = if api_version.contains('/') {
            "apis"
        } else {
            "api"
        };
        Self {
            client: client.clone(),
            api_version: api_version.into(),
            kind: kind.into(),
            path: format!("/{root}/{api_version}/{resource}"),
        }
    }

    /// The same at another path: for a subresource that is a kind of its own.
    pub fn at(mut self, path: &str) -> Self {
        self.path = path.into();
        self
    }

    pub async fn create(&self, object: &Value) -> Answered {
        self.write(Method::POST, &self.path, object).await
    }

    /// `part` is empty, or `/status` and the like.
    pub async fn update(&self, object: &Value, part: &str) -> Answered {
        let name = object["metadata"]["name"].as_str().unwrap();
        let path = format!("{}/{name}{part}", self.path);
        self.write(Method::PUT, &path, object).await
    }

    pub async fn get(&self, name: &str) -> Answered {
        self.ask(
            Method::GET,
            &format!("{}/{name}", self.path),
            &[],
            Vec::new(),
        )
        .await
    }

    pub async fn patch(&self, name: &str, language: &str, patch: &Value) -> Answered {
        let headers = [("content-type", language)];
        let path = format!("{}/{name}", self.path);
        self.ask(Method::PATCH, &path, &headers, patch.to_string().into())
            .await
    }

    /// `name` may carry a query.
    pub async fn delete(&self, name: &str, options: Value) -> Answered {
        let path = format!("{}/{name}", self.path);
        self.options(&path, options).await
    }

    pub async fn delete_collection(&self, query: &str, options: Value) -> Answered {
        let path = format!("{}?{query}", self.path);
        self.options(&path, options).await
    }

    /// The list with its `items`.
    pub async fn list(&self, query: &str) -> Answered {
        let path = format!("{}?{query}", self.path);
        self.ask(Method::GET, &path, &[], Vec::new()).await
    }

    pub async fn names(&self, query: &str) -> Vec<String> {
        let list = self.list(query).await.unwrap();
        let name = |item: &Value| item["metadata"]["name"].as_str().unwrap().to_string();
        list["items"].as_array().unwrap().iter().map(name).collect()
    }

    pub async fn watch(&self, query: &str) -> wire::Events {
        let path = format!("{}?watch=true&{query}", self.path);
        let headers = [("accept", ACCEPT)];
        let stream = self.client.stream(Method::GET, &path, &headers, "").await;
        wire::Events::new(stream.unwrap())
    }

    async fn options(&self, path: &str, mut options: Value) -> Answered {
        options["apiVersion"] = self.api_version.as_str().into();
        options["kind"] = "DeleteOptions".into();
        let body = wire::delete_options(&options);
        let headers = [("content-type", PROTOBUF)];
        self.ask(Method::DELETE, path, &headers, body).await
    }

    async fn write(&self, method: Method, path: &str, object: &Value) -> Answered {
        let body = protobuf::encode(zeros(self, object).to_string().as_bytes()).unwrap();
        let headers = [("content-type", PROTOBUF)];
        self.ask(method, path, &headers, body).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> Answered {
        let mut all = vec![("accept", ACCEPT)];
        all.extend_from_slice(headers);
        let response = self.client.request(method, path, &all, body).await.unwrap();
        let body = read(&response);
        match response.status.is_success() {
            true => Ok(body),
            false => Err((response.status.as_u16(), body)),
        }
    }
}

/// An answer in whichever encoding it came.
fn read(response: &Response) -> Value {
    match header(response, "content-type") {
        PROTOBUF => wire::decoded(&Catalog::builtin(), &response.body),
        "application/json" => serde_json::from_slice(&response.body).unwrap(),
        other => panic!("{other}: {:?}", response.body),
    }
}

/// The object with its type and the zeros that Go's messages carry.
fn zeros(of: &Typed, object: &Value) -> Value {
    let mut object = object.clone();
    object["apiVersion"] = of.api_version.as_str().into();
    object["kind"] = of.kind.as_str().into();
    let zeros = json!({
        "generateName": "", "namespace": "", "selfLink": "", "uid": "", "resourceVersion": "", "generation": 0,
        "creationTimestamp": null,
    });
    for (key, zero) in zeros.as_object().unwrap() {
        let field = &mut object["metadata"][key];
        if field.is_null() {
            *field = zero.clone();
        }
    }
    object
}
