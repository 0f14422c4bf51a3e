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
    let core = info.path.starts_with("/api/") || info.path == "/api";
    let known_group = core
        || group_of(&info.path)
            .is_some_and(|group| catalog.kinds().iter().any(|k| k.group == group));
    if !known_group {
        return Route::Nowhere;
    }
    let kind = catalog.find(&info.group, &info.version, &info.resource);
    let Some(kind) = kind.filter(|_| info.is_resource) else {
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
    use kedge_api::Subresource;
    use kedge_machinery::schema::Definitions;
    use rstest::rstest;

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
        Catalog::new(kinds, Arc::new(Definitions::default()))
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
