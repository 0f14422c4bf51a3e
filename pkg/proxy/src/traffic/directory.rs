//! Whom connections were made to.

use std::net::IpAddr;
use std::sync::Arc;

use kedge_client::Change;
use kedge_nftables::conntrack::Tuple;

use super::key;
use crate::config::{NodePorts, ProxyConfig};
use crate::rules::Rules;

/// Which Service is asked where, by the proxy's own rules: what several ask for, the same one has.
#[derive(Debug)]
pub struct Directory(Rules);

impl Directory {
    /// Of a machine that has these addresses. Node ports count on all of them: where none is open, no connection is.
    #[must_use]
    pub fn new(node_addresses: Arc<[IpAddr]>) -> Self {
        let everywhere = ["0.0.0.0/0", "::/0"];
        let config = ProxyConfig {
            node_ports: NodePorts {
                cidrs: everywhere.iter().filter_map(|c| c.parse().ok()).collect(),
                guarded: false,
            },
            ..ProxyConfig::default()
        };
        Self(Rules::new(config, node_addresses))
    }

    /// Follows the Services of the API.
    pub fn take(&mut self, changes: Vec<Change>) {
        self.0.take(changes);
    }

    /// The machine has other addresses now.
    pub fn set_node_addresses(&mut self, addresses: Arc<[IpAddr]>) {
        self.0.set_node_addresses(addresses);
    }

    /// Namespace and name of the Service that a connection was made to, by its first packet.
    #[must_use]
    pub fn owner(&self, original: &Tuple) -> Option<(&str, &str)> {
        let (name, _) = self.0.state.front(&key(original)?)?;
        Some(name.parts())
    }
}

#[cfg(test)]
mod tests {
    use kedge_client::{ObjectKey, Resource};
    use kedge_nftables::conntrack::Ports;
    use serde_json::{Value, json};

    use super::*;

    fn service(name: &str, object: Option<Value>) -> Change {
        Change {
            key: ObjectKey {
                resource: Resource::SERVICES,
                namespace: "default".into(),
                name: name.into(),
            },
            object: object.map(|object| object.to_string().into()),
        }
    }

    fn web(node_port: u16) -> Change {
        let object = json!({
            "spec": {"clusterIPs": ["10.43.0.1"], "ports": [{"port": 80, "nodePort": node_port}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "198.51.100.1"}]}},
        });
        service("web", Some(object))
    }

    fn directory(changes: Vec<Change>) -> Directory {
        let addresses = ["192.0.2.1", "192.0.2.2"].map(|ip| ip.parse().unwrap());
        let mut directory = Directory::new(addresses.into());
        directory.take(changes);
        directory
    }

    /// Whose a TCP connection is.
    fn owner<'a>(directory: &'a Directory, address: &str, port: u16) -> Option<&'a str> {
        let owner = directory.owner(&Tuple {
            source: [10, 42, 0, 9].into(),
            destination: address.parse().unwrap(),
            protocol: 6,
            ports: Ports::Ports {
                source: 1,
                destination: port,
            },
        });
        owner.map(|(_, name)| name)
    }

    #[test]
    fn a_service_is_known_at_each_of_its_addresses() {
        let mut directory = directory(vec![web(30080)]);
        for (address, port, known) in [
            ("10.43.0.1", 80, Some("web")),
            ("198.51.100.1", 80, Some("web")),
            ("192.0.2.1", 30080, Some("web")),
            ("192.0.2.2", 30080, Some("web")),
            ("192.0.2.3", 30080, None),
            ("10.43.0.1", 81, None),
        ] {
            assert_eq!(owner(&directory, address, port), known, "{address} {port}");
        }
        directory.take(vec![web(30081)]);
        assert_eq!(owner(&directory, "192.0.2.1", 30080), None);
        directory.set_node_addresses(["192.0.2.3".parse().unwrap()].into());
        assert_eq!(owner(&directory, "192.0.2.1", 30081), None);
        assert_eq!(owner(&directory, "192.0.2.3", 30081), Some("web"));
        directory.take(vec![service("web", None)]);
        assert_eq!(owner(&directory, "10.43.0.1", 80), None);
    }

    /// What one Service does with an address that it shares says nothing of the others.
    #[test]
    fn who_shares_an_address_keeps_it() {
        let at = |name, ip: &str, ports: Value| {
            let spec = json!({"clusterIP": ip, "externalIPs": ["198.51.100.7"], "ports": ports});
            service(name, Some(json!({"spec": spec})))
        };
        let (http, https) = (json!([{"port": 80}]), json!([{"port": 443}]));
        let mut directory = directory(vec![
            at("b", "10.43.0.2", http.clone()),
            at("a", "10.43.0.1", http.clone()),
        ]);
        let asked = |directory: &Directory| {
            [80, 443].map(|port| owner(directory, "198.51.100.7", port).map(str::to_owned))
        };
        let named = |names: [Option<&str>; 2]| names.map(|name| name.map(str::to_owned));
        assert_eq!(asked(&directory), named([Some("a"), None]));
        directory.take(vec![at("b", "10.43.0.2", https.clone())]);
        assert_eq!(asked(&directory), named([Some("a"), Some("b")]));
        directory.take(vec![at("b", "10.43.0.2", http.clone())]);
        assert_eq!(asked(&directory), named([Some("a"), None]));
        directory.take(vec![service("a", None)]);
        assert_eq!(asked(&directory), named([Some("b"), None]));
    }
}
