//! What a request is about, read from its method and path: the words that authorization, limits and verbs speak.
//!
//! The grammar is kube-apiserver's (`apiserver/pkg/endpoints/request/requestinfo.go`).

use http::Method;
use kedge_machinery::names;

use crate::query;

/// A request, parsed as far as its path says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RequestInfo {
    /// False for paths such as `/version`: then `verb` is the method in lower case and only `path` counts.
    pub is_resource: bool,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Decoded.
    pub path: String,
    /// Empty for the core group.
    pub group: String,
    pub version: String,
    /// Empty for cluster-scoped resources and for all namespaces.
    pub namespace: String,
    pub resource: String,
    pub subresource: String,
    /// Empty for collections; from `fieldSelector=metadata.name=X` for a list of one.
    pub name: String,
    /// What follows the subresource: a path into a proxied Service, for example.
    pub rest: Vec<String>,
    /// True when the name stands in the path.
    pub named: bool,
    /// True when the verb does, in the older form of a watch: `/api/v1/watch/services`.
    pub verb_in_path: bool,
    /// True when nothing follows such a verb, so that there is no resource to speak of.
    pub is_cut_short: bool,
    /// The text of `fieldSelector`, where objects are selected.
    pub field_selector: String,
}

/// Verbs that may stand before a resource.
const VERBS_IN_PATHS: [&str; 2] = ["proxy", "watch"];

/// Subresources of a namespace; any other word after its name is a resource in it.
const NAMESPACE_SUBRESOURCES: [&str; 2] = ["status", "finalize"];

impl RequestInfo {
    /// Reads a request's line. `path` is still percent-encoded; `query` too, and may be empty.
    #[must_use]
    pub fn parse(method: &Method, path: &str, query: &str) -> Self {
        // Decoded before it is split, as upstream does it: an encoded slash separates too.
        let path = query::decode_path(path);
        let info = Self::read(method, &path, query);
        Self { path, ..info }
    }

    /// All but the path itself.
    fn read(method: &Method, path: &str, query: &str) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let mut info = Self::default();
        let mut parts = match segments[..] {
            ["api", version, _, ..] => {
                info.version = version.into();
                &segments[2..]
            }
            ["apis", group, version, _, ..] => {
                info.group = group.into();
                info.version = version.into();
                &segments[3..]
            }
            _ => {
                info.verb = method.as_str().to_ascii_lowercase();
                return info;
            }
        };
        info.is_resource = true;
        info.verb = match *method {
            Method::POST => "create",
            Method::GET | Method::HEAD => "get",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE => "delete",
            _ => "",
        }
        .into();
        if let [verb, rest @ ..] = parts
            && VERBS_IN_PATHS.contains(verb)
        {
            info.verb = (*verb).into();
            info.verb_in_path = true;
            info.is_cut_short = rest.is_empty();
            parts = rest;
        }
        parts = info.take_namespace(parts);
        info.take_resource(parts);
        info.widen(query);
        info
    }

    fn take_namespace<'a, 'p>(&mut self, parts: &'a [&'p str]) -> &'a [&'p str] {
        match parts {
            ["namespaces", namespace, third, ..] if !NAMESPACE_SUBRESOURCES.contains(third) => {
                self.namespace = (*namespace).into();
                &parts[2..]
            }
            ["namespaces", namespace, ..] => {
                self.namespace = (*namespace).into();
                parts
            }
            _ => parts,
        }
    }

    fn take_resource(&mut self, parts: &[&str]) {
        let mut parts = parts.iter().map(|part| String::from(*part));
        self.resource = parts.next().unwrap_or_default();
        self.name = parts.next().unwrap_or_default();
        if self.verb != "proxy" {
            self.subresource = parts.next().unwrap_or_default();
        }
        self.rest = parts.collect();
        self.named = !self.name.is_empty();
    }

    /// A get without a name is a list or a watch, a delete without one is of a collection.
    fn widen(&mut self, query: &str) {
        // On a named object upstream ignores `watch`: a get stays a get. Where the path says the verb, selectors do not count.
        if self.named || self.verb_in_path {
            return;
        }
        let wanted = |key: &str| query::first(query, key);
        let widened = match self.verb.as_str() {
            "get" if wanted("watch").is_some_and(|value| query::truth(&value)) => "watch",
            "get" => "list",
            "delete" => "deletecollection",
            _ => return,
        };
        self.verb = widened.into();
        self.field_selector = wanted("fieldSelector").unwrap_or_default().into_owned();
        let name = selected(&self.field_selector, "metadata.name").unwrap_or_default();
        if widened != "deletecollection" && names::path_segment(name).is_empty() {
            self.name = name.into();
        }
    }

    /// The request in the words of rules.
    #[must_use]
    pub fn asked(&self) -> kedge_rbac::Request<'_> {
        if self.is_resource {
            kedge_rbac::Request::Resource {
                verb: &self.verb,
                group: &self.group,
                resource: &self.resource,
                subresource: &self.subresource,
                namespace: &self.namespace,
                name: &self.name,
            }
        } else {
            kedge_rbac::Request::Path {
                verb: &self.verb,
                path: &self.path,
            }
        }
    }

    /// True for a kind's objects and what is below them.
    #[must_use]
    pub fn is_of(&self, group: &str, resource: &str) -> bool {
        self.is_resource && self.group == group && self.resource == resource
    }

    /// The value that objects are selected by in a field, where it is one.
    #[must_use]
    pub fn selected(&self, field: &str) -> Option<&str> {
        selected(&self.field_selector, field)
    }

    /// True for requests that hold their connection: they are counted apart and have no time limit.
    #[must_use]
    pub fn is_long_running(&self) -> bool {
        self.verb == "watch"
    }
}

/// The value that a selector wants a field to have: `FIELD=X`, alone or with more.
fn selected<'a>(selector: &'a str, field: &str) -> Option<&'a str> {
    selector.split(',').find_map(|term| {
        let value = term.trim().strip_prefix(field)?.strip_prefix('=')?;
        let value = value.strip_prefix('=').unwrap_or(value);
        (!value.is_empty()).then_some(value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// `verb group/version namespace resource/name/subresource`, with `-` for what is empty.
    fn words(method: Method, line: &str) -> String {
        let (path, query) = line.split_once('?').unwrap_or((line, ""));
        let info = RequestInfo::parse(&method, path, query);
        if !info.is_resource {
            return format!("{} {}", info.verb, info.path);
        }
        let dash = |text: &str| {
            if text.is_empty() {
                "-".to_string()
            } else {
                text.to_string()
            }
        };
        format!(
            "{} {}/{} {} {}/{}/{}",
            dash(&info.verb),
            dash(&info.group),
            info.version,
            dash(&info.namespace),
            dash(&info.resource),
            dash(&info.name),
            dash(&info.subresource)
        )
    }

    #[rstest]
    // The table of upstream's requestinfo_test, for the words that are served here.
    #[case(Method::GET, "/api/v1/namespaces", "list -/v1 - namespaces/-/-")]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other",
        "get -/v1 other namespaces/other/-"
    )]
    #[case(
        Method::PUT,
        "/api/v1/namespaces/other/finalize",
        "update -/v1 other namespaces/other/finalize"
    )]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other/status",
        "get -/v1 other namespaces/other/status"
    )]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other/pods",
        "list -/v1 other pods/-/-"
    )]
    #[case(
        Method::HEAD,
        "/api/v1/namespaces/other/pods/foo",
        "get -/v1 other pods/foo/-"
    )]
    #[case(Method::GET, "/api/v1/pods", "list -/v1 - pods/-/-")]
    #[case(Method::POST, "/api/v1/pods", "create -/v1 - pods/-/-")]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other/pods/foo?watch=true",
        "get -/v1 other pods/foo/-"
    )]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other/pods?watch=1",
        "watch -/v1 other pods/-/-"
    )]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other/pods?watch=false",
        "list -/v1 other pods/-/-"
    )]
    #[case(Method::GET, "/api/v1/pods?watch", "watch -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/pods?watch=", "watch -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/pods?watch=0", "list -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/pods?watch=False", "list -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/pods?watch=no", "watch -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/pods?watch=0&watch=1", "list -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/pods?limit=x&watch=1", "watch -/v1 - pods/-/-")]
    #[case(Method::POST, "/api/v1/pods?watch=1", "create -/v1 - pods/-/-")]
    #[case(Method::GET, "/api/v1/watch/pods", "watch -/v1 - pods/-/-")]
    #[case(
        Method::GET,
        "/api/v1/watch/namespaces/other/pods",
        "watch -/v1 other pods/-/-"
    )]
    #[case(
        Method::GET,
        "/api/v1/namespaces/other/pods?fieldSelector=metadata.name%3Dfoo",
        "list -/v1 other pods/foo/-"
    )]
    #[case(
        Method::GET,
        "/api/v1/pods?fieldSelector=metadata.name%3Da%2Fb",
        "list -/v1 - pods/-/-"
    )]
    #[case(
        Method::GET,
        "/api/v1/watch/pods?fieldSelector=metadata.name%3Dfoo",
        "watch -/v1 - pods/-/-"
    )]
    #[case(
        Method::GET,
        "/api/v1/proxy/namespaces/other/pods/foo/more",
        "proxy -/v1 other pods/foo/-"
    )]
    #[case(
        Method::DELETE,
        "/api/v1/namespaces/other/pods?fieldSelector=metadata.name%3Dfoo",
        "deletecollection -/v1 other pods/-/-"
    )]
    #[case(
        Method::DELETE,
        "/api/v1/namespaces/other/pods",
        "deletecollection -/v1 other pods/-/-"
    )]
    #[case(
        Method::DELETE,
        "/api/v1/namespaces/other/pods/foo",
        "delete -/v1 other pods/foo/-"
    )]
    #[case(
        Method::PATCH,
        "/api/v1/namespaces/other/pods/foo/status",
        "patch -/v1 other pods/foo/status"
    )]
    #[case(
        Method::GET,
        "/apis/discovery.k8s.io/v1/endpointslices",
        "list discovery.k8s.io/v1 - endpointslices/-/-"
    )]
    #[case(
        Method::POST,
        "/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices",
        "create discovery.k8s.io/v1 ns endpointslices/-/-"
    )]
    #[case(
        Method::POST,
        "/api/v1/namespaces/ns/serviceaccounts/robot/token",
        "create -/v1 ns serviceaccounts/robot/token"
    )]
    #[case(
        Method::GET,
        "/api/v1/namespaces/ns/services/a%2Fb",
        "get -/v1 ns services/a/b"
    )]
    #[case(Method::OPTIONS, "/api/v1/pods", "- -/v1 - pods/-/-")]
    #[case(Method::GET, "/api", "get /api")]
    #[case(Method::GET, "/api/v1", "get /api/v1")]
    #[case(
        Method::GET,
        "/apis/discovery.k8s.io/v1",
        "get /apis/discovery.k8s.io/v1"
    )]
    #[case(Method::POST, "/version", "post /version")]
    #[case(Method::GET, "/", "get /")]
    fn the_path_is_read_as_upstream_reads_it(
        #[case] method: Method,
        #[case] line: &str,
        #[case] expected: &str,
    ) {
        assert_eq!(words(method, line), expected);
    }

    #[rstest]
    #[case("/api/v1/watch", true)]
    #[case("/api/v1/watch/", true)]
    #[case("/api/v1/proxy", true)]
    #[case("/apis/apps/v1/watch", true)]
    #[case("/api/watch", false)]
    #[case("/api/v1/watch/pods", false)]
    #[case("/api/v1/pods", false)]
    fn a_verb_alone_is_no_request(#[case] path: &str, #[case] expected: bool) {
        let info = RequestInfo::parse(&Method::GET, path, "");
        assert_eq!(info.is_cut_short, expected);
    }
}
