//! Where objects stand in the store: `/registry/<group>/<plural>/<namespace>/<name>`, the core group
//! and the namespace of cluster-scoped kinds left out, as kube-apiserver lays etcd out.

use kedge_api::Kind;

use crate::stored;

/// Bytes that most keys fit in: each request makes one, which shall not grow piece by piece.
const ROOM: usize = 96;

/// The key of an object; `namespace` is ignored for a cluster-scoped kind.
pub(crate) fn object(kind: &Kind, namespace: &str, name: &str) -> String {
    let mut key = prefix(kind, namespace);
    key.push_str(name);
    key
}

/// What all keys of a kind in a namespace begin with; an empty namespace means all.
pub(crate) fn prefix(kind: &Kind, namespace: &str) -> String {
    let mut key = match stored::shown(kind) {
        Some(shown) => resource(shown.group, shown.plural),
        None => resource(&kind.group, &kind.plural),
    };
    if kind.namespaced && !namespace.is_empty() {
        key.push_str(namespace);
        key.push('/');
    }
    key
}

/// What all keys of a resource begin with.
pub(crate) fn resource(group: &str, plural: &str) -> String {
    let mut key = self::group(group);
    key.push_str(plural);
    key.push('/');
    key
}

/// What all keys of a group begin with; of the core group, all objects' keys.
pub(crate) fn group(group: &str) -> String {
    let mut key = String::with_capacity(ROOM);
    key.push_str("/registry/");
    if !group.is_empty() {
        key.push_str(group);
        key.push('/');
    }
    key
}

/// Namespace (empty for a cluster-scoped kind) and name in a store key of the kind.
#[must_use]
pub fn names<'a>(kind: &Kind, key: &'a str) -> (&'a str, &'a str) {
    let (rest, name) = key.rsplit_once('/').unwrap_or(("", key));
    if kind.namespaced {
        (
            rest.rsplit_once('/')
                .map_or(rest, |(_, namespace)| namespace),
            name,
        )
    } else {
        ("", name)
    }
}

/// The key of a Namespace object.
pub(crate) fn namespace(name: &str) -> String {
    format!("/registry/namespaces/{name}")
}

/// The key of the definition of a custom kind.
pub(crate) fn definition(kind: &Kind) -> String {
    format!(
        "/registry/apiextensions.k8s.io/customresourcedefinitions/{}.{}",
        kind.plural, kind.group
    )
}

/// The claim on a ClusterIP: the key of its `IPAddress` object, named by the address in canonical form.
pub(crate) fn cluster_ip(address: std::net::IpAddr) -> String {
    format!("/registry/networking.k8s.io/ipaddresses/{address}")
}

/// The claim on a node port. Not an object: it stands outside `/registry`, so that nobody lists it.
pub(crate) fn node_port(port: u16) -> String {
    format!("/kedge/nodeports/{port}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(group: &str, plural: &str, namespaced: bool) -> Kind {
        Kind {
            group: group.into(),
            plural: plural.into(),
            namespaced,
            ..Kind::default()
        }
    }

    #[test]
    fn keys_follow_the_layout() {
        let services = kind("", "services", true);
        assert_eq!(
            object(&services, "default", "web"),
            "/registry/services/default/web"
        );
        assert_eq!(prefix(&services, ""), "/registry/services/");
        assert_eq!(
            names(&services, "/registry/services/default/web"),
            ("default", "web")
        );
        let slices = kind("discovery.k8s.io", "endpointslices", true);
        assert_eq!(
            prefix(&slices, "ns"),
            "/registry/discovery.k8s.io/endpointslices/ns/"
        );
        let nodes = kind("", "nodes", false);
        assert_eq!(object(&nodes, "ignored", "n1"), "/registry/nodes/n1");
        assert_eq!(names(&nodes, "/registry/nodes/n1"), ("", "n1"));
        assert_eq!(
            cluster_ip("2001:db8:0::1".parse().unwrap()),
            "/registry/networking.k8s.io/ipaddresses/2001:db8::1"
        );
    }
}
