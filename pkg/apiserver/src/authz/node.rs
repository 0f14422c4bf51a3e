//! What a node may do by being one (upstream: `plugin/pkg/auth/authorizer/node`).
//!
//! What depends on more than the request's own words is looked up when it is asked: the Pods that run on the node lead to
//! the Secrets, ConfigMaps and accounts that it may read. A graph of all these, as upstream keeps it, would cost memory
//! on every small machine, for questions that a node asks when a Pod starts.

mod related;

use std::sync::OnceLock;

use kedge_rbac::{Rule, defaults};
use kedge_registry::Registry;

use super::{Authorizer, Rules, Verdict};
use crate::authn::User;
use crate::request_info::RequestInfo;
use related::Related;

const LEASES: &str = "kube-node-lease";

/// Allows users `system:node:NAME` in the group `system:nodes` what kubelets and agents do.
pub struct Node {
    registry: Registry,
    /// What all nodes may, whatever roles there are.
    rules: OnceLock<Vec<Rule>>,
}

/// Why not; empty where nothing is to say.
type Refused = String;

impl Node {
    #[must_use]
    pub fn new(registry: Registry) -> Self {
        Self {
            registry,
            rules: OnceLock::new(),
        }
    }

    fn judge(&self, node: &str, request: &RequestInfo) -> Result<(), Refused> {
        let kind = (request.group.as_str(), request.resource.as_str());
        match kind {
            _ if !request.is_resource => {}
            ("", "secrets") => return self.read(node, Related::Secret, request),
            ("", "configmaps") => return self.read(node, Related::ConfigMap, request),
            ("", "persistentvolumeclaims" | "persistentvolumes")
            | ("storage.k8s.io", "volumeattachments")
            | ("resource.k8s.io", "resourceclaims") => {
                only_get(request)?;
                return Err(unrelated(node));
            }
            ("", "serviceaccounts") => return self.account(node, request),
            ("", "nodes") => return own_node(node, request),
            ("", "pods") => return self.pod(node, request),
            ("coordination.k8s.io", "leases") => return lease(node, request),
            ("storage.k8s.io", "csinodes") => return csi_node(node, request),
            _ => {}
        }
        let rules = self.rules.get_or_init(defaults::node_rules);
        if rules.iter().any(|rule| rule.allows(&request.asked())) {
            Ok(())
        } else {
            Err(String::new())
        }
    }

    /// Objects that Pods of the node name, one at a time.
    fn read(&self, node: &str, kind: Related, request: &RequestInfo) -> Result<(), Refused> {
        if !matches!(request.verb.as_str(), "get" | "list" | "watch") {
            return Err("can only read resources of this type".into());
        }
        if !request.subresource.is_empty() {
            return Err("cannot read subresource".into());
        }
        if request.namespace.is_empty() {
            return Err("can only read namespaced object of this type".into());
        }
        self.related(node, kind, request)
    }

    fn related(&self, node: &str, kind: Related, request: &RequestInfo) -> Result<(), Refused> {
        let RequestInfo {
            namespace, name, ..
        } = request;
        if name.is_empty() {
            return Err("No Object name found".into());
        }
        if kind.is_on(&self.registry, node, namespace, name) {
            Ok(())
        } else {
            Err(unrelated(node))
        }
    }

    fn account(&self, node: &str, request: &RequestInfo) -> Result<(), Refused> {
        if request.verb == "get" && request.subresource.is_empty() {
            return self.related(node, Related::ServiceAccount, request);
        }
        if request.verb != "create" || request.name.is_empty() {
            return Err("can only create tokens for individual service accounts".into());
        }
        if request.subresource != "token" {
            return Err("can only create token subresource of serviceaccount".into());
        }
        self.related(node, Related::ServiceAccount, request)
    }

    fn pod(&self, node: &str, request: &RequestInfo) -> Result<(), Refused> {
        match (request.subresource.as_str(), request.verb.as_str()) {
            ("", "get") => self.related(node, Related::Pod, request),
            ("", "list" | "watch") if request.selected("spec.nodeName") == Some(node) => Ok(()),
            ("", "list" | "watch") if !request.name.is_empty() => {
                self.related(node, Related::Pod, request)
            }
            ("", "list" | "watch") => {
                Err("can only list/watch pods with spec.nodeName field selector".into())
            }
            // Which of them, is told by the admission plugin NodeRestriction: it sees the object.
            ("", "create" | "delete") | ("status", "update" | "patch") | ("eviction", "create") => {
                Ok(())
            }
            _ => Err(String::new()),
        }
    }
}

fn unrelated(node: &str) -> Refused {
    format!("no relationship found between node '{node}' and this object")
}

fn only_get(request: &RequestInfo) -> Result<(), Refused> {
    if request.verb != "get" {
        Err("can only get individual resources of this type".into())
    } else if !request.subresource.is_empty() {
        Err("cannot get subresource".into())
    } else if request.name.is_empty() {
        Err("No Object name found".into())
    } else {
        Ok(())
    }
}

fn own_node(node: &str, request: &RequestInfo) -> Result<(), Refused> {
    match (request.subresource.as_str(), request.verb.as_str()) {
        ("", "create" | "update" | "patch") | ("status", "update" | "patch") => Ok(()),
        // By the name alone: a node looks for itself before it is there.
        ("", "get" | "list" | "watch") => match request.name.as_str() {
            name if name == node => Ok(()),
            "" => Err(format!(
                "node '{node}' cannot read all nodes, only its own Node object"
            )),
            other => Err(format!(
                "node '{node}' cannot read '{other}', only its own Node object"
            )),
        },
        _ => Err(String::new()),
    }
}

fn is_write_of_one(verb: &str) -> bool {
    matches!(verb, "get" | "create" | "update" | "patch" | "delete")
}

fn lease(node: &str, request: &RequestInfo) -> Result<(), Refused> {
    if !is_write_of_one(&request.verb) {
        return Err("can only get, create, update, patch, or delete a node lease".into());
    }
    if request.namespace != LEASES {
        return Err(format!(
            "can only access leases in the {LEASES:?} system namespace"
        ));
    }
    // The name of what is created is told by admission.
    if request.verb != "create" && request.name != node {
        return Err("can only access node lease with the same name as the requesting node".into());
    }
    Ok(())
}

fn csi_node(node: &str, request: &RequestInfo) -> Result<(), Refused> {
    if !is_write_of_one(&request.verb) {
        return Err("can only get, create, update, patch, or delete a CSINode".into());
    }
    if !request.subresource.is_empty() {
        return Err("cannot authorize CSINode subresources".into());
    }
    if request.verb != "create" && request.name != node {
        return Err("can only access CSINode with the same name as the requesting node".into());
    }
    Ok(())
}

impl Authorizer for Node {
    fn allows(&self, user: &User, request: &RequestInfo) -> bool {
        user.node()
            .is_some_and(|node| !node.is_empty() && self.judge(node, request).is_ok())
    }

    fn explain(&self, user: &User, request: &RequestInfo) -> Verdict {
        let refused = match user.node() {
            None => String::new(),
            Some("") => format!("unknown node for user {:?}", user.name),
            Some(node) => match self.judge(node, request) {
                Ok(()) => {
                    return Verdict {
                        allowed: true,
                        reason: String::new(),
                    };
                }
                Err(refused) => refused,
            },
        };
        Verdict {
            allowed: false,
            reason: refused,
        }
    }

    fn rules(&self, user: &User, _: &str) -> Rules {
        if user.node().is_none() {
            return Rules::default();
        }
        Rules {
            incomplete: true,
            error: Some("node authorizer does not support user rule resolution".into()),
            ..Rules::default()
        }
    }
}
