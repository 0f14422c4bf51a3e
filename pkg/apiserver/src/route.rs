//! Where a resource's path leads: to a verb of a kind, or to the refusal that upstream's router gives.

use std::sync::Arc;

use http::Method;
use kedge_api::{Catalog, Kind};
use kedge_machinery::Status;
use kedge_registry::Target;

use crate::refusal;
use crate::request_info::RequestInfo;

/// What a path leads to.
#[derive(Debug)]
pub(crate) enum Route {
    /// A verb in discovery's words, of the object or collection, or of a subresource of it.
    Verb(Verb, Target),
    Refused(Status),
    /// Nothing of ours: plain text, not a `Status`.
    Nowhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    List,
    Watch,
    Create,
    Update,
    Patch,
    Delete,
    DeleteCollection,
}

impl Verb {
    fn parse(verb: &str) -> Option<Self> {
        Some(match verb {
            "get" => Self::Get,
            "list" => Self::List,
            "watch" => Self::Watch,
            "create" => Self::Create,
            "update" => Self::Update,
            "patch" => Self::Patch,
            "delete" => Self::Delete,
            "deletecollection" => Self::DeleteCollection,
            _ => return None,
        })
    }
}

/// Looks the path up among the kinds served.
pub(crate) fn find(catalog: &Catalog, method: &Method, info: &RequestInfo) -> Route {
    let kind = catalog.find(&info.group, &info.version, &info.resource);
    let kind = kind.filter(|_| info.is_resource);
    if let Some(kind) = kind.filter(|kind| kind.custom.is_some()) {
        return find_custom(kind, info);
    }
    let core = info.path.starts_with("/api/") || info.path == "/api";
    if !core && !group_of(&info.path).is_some_and(|group| has_paths(catalog, group)) {
        return Route::Nowhere;
    }
    let Some(kind) = kind else {
        return Route::Refused(Status::no_such_resource());
    };
    match check(kind, method, info) {
        Ok(verb) => {
            let namespace = if kind.namespaced {
                info.namespace.clone()
            } else {
                String::new()
            };
            let mut target = Target::new(Arc::clone(kind), namespace, info.name.clone());
            target.subresource.clone_from(&info.subresource);
            Route::Verb(verb, target)
        }
        Err(status) => Route::Refused(status),
    }
}

/// The group in `/apis/GROUP/...`.
fn group_of(path: &str) -> Option<&str> {
    path.strip_prefix("/apis/")?
        .split('/')
        .next()
        .filter(|group| !group.is_empty())
}

/// True for a group whose paths upstream's router knows: those that definitions make, it does not.
pub(crate) fn has_paths(catalog: &Catalog, group: &str) -> bool {
    let mut kinds = catalog.kinds().iter();
    kinds.any(|kind| kind.group == group && kind.custom.is_none())
}

/// Custom resources have no paths upstream, but a handler that goes by the words of the request
/// (`apiextensions-apiserver`, `customresource_handler.go`).
fn find_custom(kind: &Arc<Kind>, info: &RequestInfo) -> Route {
    let everywhere = matches!(info.verb.as_str(), "list" | "watch");
    let in_place = match info.namespace.is_empty() {
        true => !kind.namespaced || everywhere,
        false => kind.namespaced,
    };
    if !in_place {
        return Route::Nowhere;
    }
    let verbs = match info.subresource.as_str() {
        "" => Some(&kind.verbs),
        part => kind.subresource(part).map(|part| &part.verbs),
    };
    let (group, plural) = (&kind.group, &kind.plural);
    let Some(verbs) = verbs else {
        return Route::Refused(Status::not_found(group, plural, &info.name));
    };
    let known = verbs.iter().any(|verb| *verb == info.verb);
    let Some(verb) = Verb::parse(&info.verb).filter(|_| known) else {
        return Route::Refused(Status::method_not_allowed(group, plural, &info.verb));
    };
    if matches!(verb, Verb::Update | Verb::Patch) && !info.named {
        return Route::Refused(Status::bad_request("name must be provided"));
    }
    // What is created has its name in itself.
    let name = match verb {
        Verb::Create => String::new(),
        _ => info.name.clone(),
    };
    let mut target = Target::new(Arc::clone(kind), info.namespace.as_str(), name);
    target.subresource.clone_from(&info.subresource);
    Route::Verb(verb, target)
}

/// Whether this kind has such a path, and takes this method at it.
fn check(kind: &Kind, method: &Method, info: &RequestInfo) -> Result<Verb, Status> {
    // There are older paths of watches, of whole objects, and no more of proxies.
    if info.verb_in_path && (info.verb == "proxy" || !info.subresource.is_empty()) {
        return Err(Status::no_such_resource());
    }
    let subresource = match info.subresource.as_str() {
        "" => None,
        name => Some(
            kind.subresource(name)
                .ok_or_else(|| no_such_part(kind, name))?,
        ),
    };
    let in_place = if kind.namespaced {
        // All namespaces at once can be listed and watched, nothing more.
        !info.namespace.is_empty() || !info.named
    } else {
        info.namespace.is_empty() || kind.plural == "namespaces"
    };
    if !in_place || !info.rest.is_empty() {
        return Err(Status::no_such_resource());
    }
    let refuse = || Err(refusal::method_not_allowed());
    let Some(verb) = Verb::parse(&info.verb) else {
        return refuse();
    };
    let verbs = subresource.map_or(&kind.verbs, |subresource| &subresource.verbs);
    let everywhere =
        kind.namespaced && info.namespace.is_empty() && !matches!(verb, Verb::List | Verb::Watch);
    let item_verb = matches!(verb, Verb::Get | Verb::Update | Verb::Patch | Verb::Delete);
    let misplaced = match verb {
        Verb::Create => info.named != subresource.is_some(),
        _ => item_verb != info.named && verb != Verb::Watch,
    };
    if method == Method::HEAD
        || (info.verb_in_path && method != Method::GET)
        || everywhere
        || misplaced
        || !verbs.iter().any(|own| *own == info.verb)
    {
        return refuse();
    }
    Ok(verb)
}

/// What a Pod has elsewhere by its containers is asked for by people, who learn why it is not here.
fn no_such_part(kind: &Kind, subresource: &str) -> Status {
    let by_containers = matches!(subresource, "attach" | "exec" | "log" | "portforward");
    if by_containers && kind.plural == "pods" {
        refusal::no_containers(subresource)
    } else {
        Status::no_such_resource()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use kedge_api::Subresource;
    use kedge_machinery::Object;
    use kedge_machinery::schema::Definitions;
    use rstest::rstest;
    use serde_json::json;

    const ALL: [&str; 8] = [
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    ];

    fn catalog() -> Catalog {
        let kind = |group: &str, kind: &str, plural: &str, namespaced| {
            Arc::new(Kind {
                group: group.into(),
                version: "v1".into(),
                kind: kind.into(),
                plural: plural.into(),
                namespaced,
                verbs: ALL.to_vec(),
                subresources: vec![Subresource {
                    name: "status".into(),
                    verbs: vec!["get", "patch", "update"],
                    ..Subresource::default()
                }],
                ..Kind::default()
            })
        };
        let kinds = vec![
            kind("", "Service", "services", true),
            kind("", "Node", "nodes", false),
            kind("", "Namespace", "namespaces", false),
            kind("discovery.k8s.io", "EndpointSlice", "endpointslices", true),
        ];
        let definitions = [custom("gadgets", true), custom("widgets", false)];
        let kinds = kinds.into_iter().chain(definitions.into_iter().flatten());
        Catalog::new(kinds.collect(), Arc::new(Definitions::default()))
    }

    /// A kind of `example.com` with a status.
    fn custom(plural: &str, namespaced: bool) -> Vec<Arc<Kind>> {
        let names = json!({"plural": plural, "kind": plural});
        let scope = if namespaced { "Namespaced" } else { "Cluster" };
        let version =
            json!({"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}});
        let definition = json!({"spec": {"group": "example.com", "scope": scope, "names": names, "versions": [version]}});
        let definition = Object::from_value(definition).unwrap();
        kedge_api::custom::kinds(&definition, &names, &Bytes::new(), 1)
    }

    fn lead(method: &Method, path: &str) -> String {
        match find(&catalog(), method, &RequestInfo::parse(method, path, "")) {
            Route::Verb(verb, target) => {
                format!(
                    "{verb:?} {} [{}] [{}] [{}]",
                    target.kind.kind, target.namespace, target.name, target.subresource
                )
            }
            Route::Refused(status) => status.code.to_string(),
            Route::Nowhere => "text".into(),
        }
    }

    #[rstest]
    #[case(Method::GET, "gadgets", "List gadgets [] [] []")]
    #[case(Method::GET, "watch/gadgets", "Watch gadgets [] [] []")]
    #[case(
        Method::GET,
        "watch/namespaces/n/gadgets/g",
        "Watch gadgets [n] [g] []"
    )]
    #[case(Method::GET, "namespaces/n/gadgets/g", "Get gadgets [n] [g] []")]
    #[case(Method::HEAD, "namespaces/n/gadgets/g", "Get gadgets [n] [g] []")]
    #[case(Method::HEAD, "namespaces/n/gadgets", "List gadgets [n] [] []")]
    #[case(Method::POST, "namespaces/n/gadgets", "Create gadgets [n] [] []")]
    #[case(Method::POST, "namespaces/n/gadgets/g", "Create gadgets [n] [] []")]
    #[case(Method::PUT, "namespaces/n/gadgets/g", "Update gadgets [n] [g] []")]
    #[case(
        Method::GET,
        "namespaces/n/gadgets/g/status",
        "Get gadgets [n] [g] [status]"
    )]
    #[case(
        Method::GET,
        "namespaces/n/gadgets/g/status/more",
        "Get gadgets [n] [g] [status]"
    )]
    #[case(Method::DELETE, "widgets", "DeleteCollection widgets [] [] []")]
    #[case(Method::PUT, "namespaces/n/gadgets", "400 name must be provided")]
    #[case(Method::PATCH, "widgets", "400 name must be provided")]
    #[case(
        Method::OPTIONS,
        "widgets",
        "405  is not supported on resources of kind \"widgets.example.com\""
    )]
    #[case(
        Method::DELETE,
        "widgets/w/status",
        "405 delete is not supported on resources of kind \"widgets.example.com\""
    )]
    #[case(
        Method::GET,
        "widgets/w/scale",
        "404 widgets.example.com \"w\" not found"
    )]
    #[case(Method::POST, "gadgets", "text")]
    #[case(Method::DELETE, "gadgets", "text")]
    #[case(Method::GET, "gadgets/g", "text")]
    #[case(Method::GET, "namespaces/n/widgets", "text")]
    #[case(Method::GET, "nothing", "text")]
    fn custom_resources_are_found_by_words(
        #[case] method: Method,
        #[case] path: &str,
        #[case] expected: &str,
    ) {
        let path = format!("/apis/example.com/v1/{path}");
        let told = match find(&catalog(), &method, &RequestInfo::parse(&method, &path, "")) {
            Route::Refused(status) => format!("{} {}", status.code, status.message),
            _ => lead(&method, &path),
        };
        assert_eq!(told, expected);
    }

    #[rstest]
    #[case(Method::GET, "/api/v1/services", "List Service [] [] []")]
    #[case(Method::POST, "/api/v1/services", "405")]
    #[case(Method::DELETE, "/api/v1/services", "405")]
    #[case(Method::GET, "/api/v1/services/x", "404")]
    #[case(Method::GET, "/api/v1/namespaces/n/services", "List Service [n] [] []")]
    #[case(
        Method::POST,
        "/api/v1/namespaces/n/services",
        "Create Service [n] [] []"
    )]
    #[case(Method::PUT, "/api/v1/namespaces/n/services", "405")]
    #[case(Method::PATCH, "/api/v1/namespaces/n/services", "405")]
    #[case(
        Method::DELETE,
        "/api/v1/namespaces/n/services",
        "DeleteCollection Service [n] [] []"
    )]
    #[case(Method::POST, "/api/v1/namespaces/n/services/x", "405")]
    #[case(Method::HEAD, "/api/v1/namespaces/n/services/x", "405")]
    #[case(Method::OPTIONS, "/api/v1/namespaces/n/services/x", "405")]
    #[case(
        Method::GET,
        "/api/v1/namespaces/n/services/x/status",
        "Get Service [n] [x] [status]"
    )]
    #[case(Method::DELETE, "/api/v1/namespaces/n/services/x/status", "405")]
    #[case(Method::GET, "/api/v1/namespaces/n/services/x/scale", "404")]
    #[case(Method::GET, "/api/v1/namespaces/n/services/x/status/more", "404")]
    #[case(Method::GET, "/api/v1/namespaces/n/gadgets", "404")]
    #[case(Method::GET, "/api/v1/namespaces/n/nodes", "404")]
    #[case(
        Method::GET,
        "/api/v1/watch/namespaces/n/services/x",
        "Watch Service [n] [x] []"
    )]
    #[case(
        Method::GET,
        "/api/v1/watch/namespaces/n/services",
        "Watch Service [n] [] []"
    )]
    #[case(Method::GET, "/api/v1/watch/services", "Watch Service [] [] []")]
    #[case(Method::GET, "/api/v1/watch/nodes/x", "Watch Node [] [x] []")]
    #[case(Method::GET, "/api/v1/watch/namespaces/n", "Watch Namespace [] [n] []")]
    #[case(Method::GET, "/api/v1/watch/namespaces/n/services/x/status", "404")]
    #[case(Method::GET, "/api/v1/watch/gadgets", "404")]
    #[case(Method::POST, "/api/v1/watch/services", "405")]
    #[case(Method::DELETE, "/api/v1/watch/namespaces/n/services/x", "405")]
    #[case(Method::GET, "/api/v1/proxy/namespaces/n/services/x", "404")]
    #[case(Method::GET, "/api/v1/nodes/x", "Get Node [] [x] []")]
    #[case(Method::DELETE, "/api/v1/nodes", "DeleteCollection Node [] [] []")]
    #[case(Method::PUT, "/api/v1/namespaces/n", "Update Namespace [] [n] []")]
    #[case(
        Method::PATCH,
        "/api/v1/namespaces/n/status",
        "Patch Namespace [] [n] [status]"
    )]
    #[case(Method::GET, "/api/v2", "404")]
    #[case(Method::GET, "/api/v2/services/x", "404")]
    #[case(
        Method::GET,
        "/apis/discovery.k8s.io/v1/endpointslices",
        "List EndpointSlice [] [] []"
    )]
    #[case(Method::GET, "/apis/discovery.k8s.io/v9", "404")]
    #[case(Method::GET, "/apis/none.example.com/v1", "text")]
    #[case(Method::GET, "/apis/none.example.com/v1/namespaces/n/things", "text")]
    #[case(Method::GET, "/nothing", "text")]
    #[case(Method::GET, "/apiary", "text")]
    fn paths_lead_where_upstreams_do(
        #[case] method: Method,
        #[case] path: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(lead(&method, path), expected);
    }
}
