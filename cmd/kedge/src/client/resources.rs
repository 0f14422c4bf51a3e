//! What the server serves, from its aggregated discovery (KEP-3352).

use http::Method;
use kedge_client::http::HttpClient;
use serde::Deserialize;

use super::CommandError;

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// One resource of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    singular: String,
    short_names: Vec<String>,
    pub namespaced: bool,
    pub has_status: bool,
}

impl Resource {
    /// `/api/v1/namespaces/NS/services`, or without a namespace for all of them.
    #[must_use]
    pub fn path(&self, namespace: Option<&str>) -> String {
        let root = match self.group.as_str() {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        };
        match namespace.filter(|_| self.namespaced) {
            Some(namespace) => format!("{root}/namespaces/{namespace}/{}", self.plural),
            None => format!("{root}/{}", self.plural),
        }
    }

    /// `service/web`, `endpointslice.discovery.k8s.io/web-x`: as kubectl prints names.
    #[must_use]
    pub fn named(&self, name: &str) -> String {
        match self.group.as_str() {
            "" => format!("{}/{name}", self.singular),
            group => format!("{}.{group}/{name}", self.singular),
        }
    }
}

/// All resources of a server.
#[derive(Debug)]
pub struct Resources(Vec<Resource>);

impl Resources {
    /// Asks the server.
    pub async fn discover(client: &HttpClient) -> Result<Self, CommandError> {
        let mut all = Vec::new();
        for path in ["/api", "/apis"] {
            let answer = client
                .request(Method::GET, path, &[("Accept", AGGREGATED)], "")
                .await?
                .ok()?;
            all.extend(parse(&answer.body)?);
        }
        Ok(Self(all))
    }

    /// By plural, singular, kind or short name, with or without the group behind a dot.
    pub fn find(&self, word: &str) -> Result<&Resource, CommandError> {
        let word = word.to_ascii_lowercase();
        let called = |r: &&Resource| {
            let names = [&r.plural, &r.singular, &r.kind.to_ascii_lowercase()].map(String::clone);
            names
                .iter()
                .chain(&r.short_names)
                .any(|name| word == *name || word == format!("{name}.{}", r.group))
        };
        self.0.iter().find(called).ok_or_else(|| {
            let mut names: Vec<&str> = self.0.iter().map(|r| r.plural.as_str()).collect();
            names.sort_unstable();
            names.dedup();
            CommandError::UnknownKind(word.clone(), names.join(", "))
        })
    }

    /// The resource of an object.
    #[must_use]
    pub fn of(&self, api_version: &str, kind: &str) -> Option<&Resource> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        self.0
            .iter()
            .find(|r| r.group == group && r.version == version && r.kind == kind)
    }
}

#[derive(Deserialize)]
struct GroupList {
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: Metadata,
    versions: Vec<Version>,
}

#[derive(Deserialize, Default)]
struct Metadata {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Version {
    version: String,
    #[serde(default)]
    resources: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    resource: String,
    response_kind: ResponseKind,
    scope: String,
    singular_resource: String,
    #[serde(default)]
    short_names: Vec<String>,
    #[serde(default)]
    subresources: Vec<Subresource>,
}

#[derive(Deserialize)]
struct ResponseKind {
    kind: String,
}

#[derive(Deserialize)]
struct Subresource {
    subresource: String,
}

fn parse(body: &[u8]) -> Result<Vec<Resource>, serde_json::Error> {
    let list: GroupList = serde_json::from_slice(body)?;
    let mut all = Vec::new();
    for group in list.items {
        for version in group.versions {
            for entry in version.resources {
                all.push(Resource {
                    group: group.metadata.name.clone(),
                    version: version.version.clone(),
                    kind: entry.response_kind.kind,
                    plural: entry.resource,
                    singular: entry.singular_resource,
                    short_names: entry.short_names,
                    namespaced: entry.scope == "Namespaced",
                    has_status: entry.subresources.iter().any(|s| s.subresource == "status"),
                });
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resources() -> Resources {
        let core = br#"{"items":[{"versions":[{"version":"v1","resources":[
            {"resource":"services","responseKind":{"group":"","version":"v1","kind":"Service"},"scope":"Namespaced",
             "singularResource":"service","shortNames":["svc"],"subresources":[{"subresource":"status"}]},
            {"resource":"nodes","responseKind":{"group":"","version":"v1","kind":"Node"},"scope":"Cluster","singularResource":"node"}]}]}]}"#;
        let groups = br#"{"items":[{"metadata":{"name":"discovery.k8s.io"},"versions":[{"version":"v1","resources":[
            {"resource":"endpointslices","responseKind":{"kind":"EndpointSlice"},"scope":"Namespaced","singularResource":"endpointslice"}]}]}]}"#;
        Resources([parse(core).unwrap(), parse(groups).unwrap()].concat())
    }

    #[test]
    fn a_kind_goes_by_many_names() {
        let all = resources();
        for word in ["services", "service", "Service", "svc"] {
            assert_eq!(all.find(word).unwrap().plural, "services", "{word}");
        }
        assert_eq!(
            all.find("endpointslices.discovery.k8s.io").unwrap().kind,
            "EndpointSlice"
        );
        let error = all.find("deployments").unwrap_err().to_string();
        assert!(
            error.contains("deployments") && error.contains("endpointslices, nodes, services"),
            "{error}"
        );
    }

    #[test]
    fn paths_and_names() {
        let all = resources();
        let slice = all.of("discovery.k8s.io/v1", "EndpointSlice").unwrap();
        assert_eq!(
            slice.path(Some("shop")),
            "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
        );
        assert_eq!(slice.named("web-x"), "endpointslice.discovery.k8s.io/web-x");
        let node = all.of("v1", "Node").unwrap();
        assert_eq!(
            (node.path(Some("shop")), node.named("n1")),
            ("/api/v1/nodes".into(), "node/n1".into())
        );
    }
}
