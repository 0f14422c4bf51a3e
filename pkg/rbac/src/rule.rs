//! A rule, and what it allows (upstream: `pkg/apis/rbac/v1/evaluation_helpers.go`).

use serde::{Deserialize, Deserializer, Serialize};

use crate::{ALL, Request};

/// Texts that are seldom many and never change.
pub(crate) type Texts = Box<[Box<str>]>;

/// A `PolicyRule`: every verb on every resource of every group in it, or every verb on every path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Rule {
    #[serde(deserialize_with = "nullable")]
    pub verbs: Texts,
    #[serde(
        deserialize_with = "nullable",
        skip_serializing_if = "<[Box<str>]>::is_empty"
    )]
    pub api_groups: Texts,
    /// `pods`, `pods/log`, `*/scale`, `*`.
    #[serde(
        deserialize_with = "nullable",
        skip_serializing_if = "<[Box<str>]>::is_empty"
    )]
    pub resources: Texts,
    /// Empty: all.
    #[serde(
        deserialize_with = "nullable",
        skip_serializing_if = "<[Box<str>]>::is_empty"
    )]
    pub resource_names: Texts,
    /// Paths; a `*` at the end stands for whatever follows.
    #[serde(
        rename = "nonResourceURLs",
        deserialize_with = "nullable",
        skip_serializing_if = "<[Box<str>]>::is_empty"
    )]
    pub non_resource_urls: Texts,
}

/// A list that may be null.
pub(crate) fn nullable<'de, D, T>(from: D) -> Result<Box<[T]>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Vec<T>>::deserialize(from)?
        .unwrap_or_default()
        .into())
}

/// Whether a text is among them.
pub(crate) fn has(texts: &[Box<str>], text: &str) -> bool {
    texts.iter().any(|own| **own == *text)
}

fn has_or_all(texts: &[Box<str>], text: &str) -> bool {
    texts.iter().any(|own| **own == *text || **own == *ALL)
}

impl Rule {
    /// Whether this rule alone allows a request.
    #[must_use]
    pub fn allows(&self, request: &Request<'_>) -> bool {
        match *request {
            Request::Resource {
                verb,
                group,
                resource,
                subresource,
                name,
                ..
            } => {
                has_or_all(&self.verbs, verb)
                    && has_or_all(&self.api_groups, group)
                    && self.names_resource(resource, subresource)
                    && (self.resource_names.is_empty() || has(&self.resource_names, name))
            }
            Request::Path { verb, path } => {
                has_or_all(&self.verbs, verb)
                    && self
                        .non_resource_urls
                        .iter()
                        .any(|own| path_covers(own, path))
            }
        }
    }

    fn names_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|own| {
            if **own == *ALL || subresource.is_empty() {
                return **own == *ALL || **own == *resource;
            }
            own.strip_suffix(subresource)
                .and_then(|rest| rest.strip_suffix('/'))
                .is_some_and(|rest| rest == resource || rest == ALL)
        })
    }
}

/// Whether a path of a rule stands for a path, or for all that another one stands for.
pub(crate) fn path_covers(own: &str, path: &str) -> bool {
    own == path || (own.ends_with('*') && path.starts_with(own.trim_end_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn rule(json: serde_json::Value) -> Rule {
        serde_json::from_value(json).unwrap()
    }

    #[rstest]
    #[case("get pods", true)]
    #[case("list pods", false)]
    #[case("get pods/log", true)]
    #[case("get pods/exec", false)]
    #[case("get deployments/scale", true)]
    #[case("get scale", false)]
    #[case("get x/log", false)]
    #[case("get pods/", true)]
    fn resources(#[case] words: &str, #[case] expected: bool) {
        let rule = rule(serde_json::json!({
            "verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log", "*/scale"],
        }));
        let (verb, resource) = words.split_once(' ').unwrap();
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let request = Request::Resource {
            verb,
            group: "",
            resource,
            subresource,
            namespace: "ns",
            name: "x",
        };
        assert_eq!(rule.allows(&request), expected);
    }

    #[rstest]
    #[case(&["*"], &["*"], &["*"], &[], true)]
    #[case(&["*"], &[""], &["*"], &[], false)]
    #[case(&["get"], &["apps"], &["deployments"], &["web"], true)]
    #[case(&["get"], &["apps"], &["deployments"], &["other"], false)]
    #[case(&["get"], &["apps"], &["deployments"], &["*"], false)]
    #[case(&["get"], &["apps"], &["deployments/*"], &[], false)]
    #[case(&["get"], &[], &["deployments"], &[], false)]
    fn groups_and_names(
        #[case] verbs: &[&str],
        #[case] groups: &[&str],
        #[case] resources: &[&str],
        #[case] names: &[&str],
        #[case] expected: bool,
    ) {
        let rule = rule(serde_json::json!({
            "verbs": verbs, "apiGroups": groups, "resources": resources, "resourceNames": names,
        }));
        let request = Request::Resource {
            verb: "get",
            group: "apps",
            resource: "deployments",
            subresource: "",
            namespace: "ns",
            name: "web",
        };
        assert_eq!(rule.allows(&request), expected);
    }

    #[rstest]
    #[case("/api", "/api", true)]
    #[case("/api", "/api/", false)]
    #[case("/api/*", "/api/v1", true)]
    #[case("/api/*", "/api", false)]
    #[case("/healthz*", "/healthz/etcd", true)]
    #[case("*", "/anything", true)]
    #[case("/a*/b", "/ax/b", false)]
    fn paths(#[case] own: &str, #[case] path: &str, #[case] expected: bool) {
        let rule = rule(serde_json::json!({"verbs": ["get"], "nonResourceURLs": [own]}));
        assert_eq!(rule.allows(&Request::Path { verb: "get", path }), expected);
        assert!(!rule.allows(&Request::Path { verb: "put", path }));
    }

    #[test]
    fn a_rule_for_paths_is_none_for_resources_and_the_other_way_round() {
        let paths =
            rule(serde_json::json!({"verbs": ["*"], "nonResourceURLs": ["*"], "resources": null}));
        let resources =
            rule(serde_json::json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}));
        let path = Request::Path {
            verb: "get",
            path: "/pods",
        };
        let pods = Request::Resource {
            verb: "get",
            group: "",
            resource: "pods",
            subresource: "",
            namespace: "",
            name: "",
        };
        assert!(paths.allows(&path) && !paths.allows(&pods));
        assert!(resources.allows(&pods) && !resources.allows(&path));
    }
}
