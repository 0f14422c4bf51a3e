//! Which Service is asked at an address and port.

use std::collections::HashMap;
use std::net::IpAddr;

use kedge_client::{Change, ObjectKey};
use kedge_nftables::conntrack::Tuple;
use serde_json::Value;

/// Where a Service is asked: node ports on whatever address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Front {
    address: Option<IpAddr>,
    protocol: u8,
    port: u16,
}

/// All Services, or those of a namespace.
#[derive(Debug, Default)]
pub struct Services {
    namespace: Option<String>,
    fronts: HashMap<ObjectKey, Vec<Front>>,
    owners: HashMap<Front, ObjectKey>,
}

impl Services {
    pub fn new(namespace: Option<String>) -> Self {
        Self {
            namespace,
            ..Self::default()
        }
    }

    /// Follows the API.
    pub fn take(&mut self, changes: Vec<Change>) {
        for change in changes {
            let other = |namespace: &String| *namespace != change.key.namespace;
            if self.namespace.as_ref().is_some_and(other) {
                continue;
            }
            for front in self.fronts.remove(&change.key).unwrap_or_default() {
                self.owners.remove(&front);
            }
            let object = change.object.as_deref().map(serde_json::from_slice);
            let Some(Ok(service)) = object else { continue };
            let fronts = fronts(&service);
            for front in &fronts {
                self.owners.insert(*front, change.key.clone());
            }
            self.fronts.insert(change.key, fronts);
        }
    }

    /// Whom a connection was made to, by its first packet.
    pub fn asked_by(&self, original: &Tuple) -> Option<&ObjectKey> {
        let front = |address| Front {
            address,
            protocol: original.protocol,
            port: original.destination_port().unwrap_or_default(),
        };
        let owner = |address| self.owners.get(&front(address));
        owner(Some(original.destination)).or_else(|| owner(None))
    }
}

fn fronts(service: &Value) -> Vec<Front> {
    let texts = |list: &Value| -> Vec<IpAddr> {
        let list = list.as_array().into_iter().flatten();
        list.filter_map(|text| text.as_str()?.parse().ok())
            .collect()
    };
    let spec = &service["spec"];
    let mut addresses = texts(&spec["clusterIPs"]);
    addresses.extend(texts(&spec["externalIPs"]));
    let balanced = service["status"]["loadBalancer"]["ingress"].as_array();
    addresses.extend(
        balanced
            .into_iter()
            .flatten()
            .filter_map(|ingress| ingress["ip"].as_str()?.parse::<IpAddr>().ok()),
    );
    let mut fronts = Vec::new();
    for port in spec["ports"].as_array().into_iter().flatten() {
        let protocol = match port["protocol"].as_str() {
            Some("UDP") => 17,
            Some("SCTP") => 132,
            _ => 6,
        };
        let number = |key: &str| u16::try_from(port[key].as_u64()?).ok();
        if let Some(port) = number("port") {
            fronts.extend(addresses.iter().map(|address| Front {
                address: Some(*address),
                protocol,
                port,
            }));
        }
        if let Some(port) = number("nodePort") {
            fronts.push(Front {
                address: None,
                protocol,
                port,
            });
        }
    }
    fronts
}

#[cfg(test)]
pub mod tests {
    use kedge_client::Resource;
    use kedge_nftables::conntrack::Ports;
    use serde_json::json;

    use super::*;

    /// A Service `default/web` at 10.43.0.1:80, node port 30080, balanced at 192.0.2.7.
    pub fn web() -> Change {
        let object = json!({
            "spec": {"clusterIPs": ["10.43.0.1"], "ports": [{"port": 80, "nodePort": 30080}]},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}},
        });
        Change {
            key: ObjectKey {
                resource: Resource::SERVICES,
                namespace: "default".into(),
                name: "web".into(),
            },
            object: Some(object.to_string().into()),
        }
    }

    /// TCP to an address and port.
    pub fn to(address: &str, port: u16) -> Tuple {
        Tuple {
            source: [10, 42, 0, 9].into(),
            destination: address.parse().unwrap(),
            protocol: 6,
            ports: Ports::Ports {
                source: 1,
                destination: port,
            },
        }
    }

    #[test]
    fn a_service_is_known_at_each_of_its_addresses() {
        let mut services = Services::new(None);
        services.take(vec![web()]);
        let name = |services: &Services, address, port| {
            let key = services.asked_by(&to(address, port));
            key.map(|key| key.name.clone())
        };
        for (address, port) in [("10.43.0.1", 80), ("192.0.2.7", 80), ("192.0.2.1", 30080)] {
            assert_eq!(
                name(&services, address, port).as_deref(),
                Some("web"),
                "{address}"
            );
        }
        assert_eq!(name(&services, "10.43.0.1", 81), None);
        let gone = Change {
            object: None,
            ..web()
        };
        services.take(vec![gone]);
        assert_eq!(name(&services, "10.43.0.1", 80), None);
    }

    #[test]
    fn other_namespaces_may_be_left_out() {
        let mut services = Services::new(Some("other".into()));
        services.take(vec![web()]);
        assert!(services.asked_by(&to("10.43.0.1", 80)).is_none());
    }
}
