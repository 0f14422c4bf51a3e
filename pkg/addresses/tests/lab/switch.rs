//! A switch with namespaces on its ports.

use std::sync::atomic::{AtomicU32, Ordering};

use super::Namespace;

/// A bridge in a namespace of its own.
pub struct Switch {
    pub namespace: Namespace,
    ports: AtomicU32,
}

impl Switch {
    pub fn new() -> Self {
        let namespace = Namespace::new();
        namespace.ip("link add switch type bridge stp_state 0 mcast_snooping 0");
        namespace.ip("link set switch up");
        Self {
            namespace,
            ports: AtomicU32::new(1),
        }
    }

    /// Plugs a link of a host in, up and with these addresses; the port's name.
    pub fn plug(&self, host: &Namespace, link: &str, addresses: &[&str]) -> String {
        let port = format!("port{}", self.ports.fetch_add(1, Ordering::Relaxed));
        self.namespace.ip(&format!(
            "link add {port} type veth peer name {link} netns {}",
            host.name()
        ));
        self.namespace
            .ip(&format!("link set {port} master switch up"));
        host.ip(&format!("link set {link} up"));
        for address in addresses {
            host.ip(&format!("addr add {address} dev {link}"));
        }
        port
    }

    /// A host with one link.
    pub fn host(&self, addresses: &[&str]) -> Namespace {
        let host = Namespace::new();
        self.plug(&host, "eth0", addresses);
        host
    }

    /// The port behind which the switch has last heard of a hardware address.
    pub fn port_of(&self, mac: super::Mac) -> Option<String> {
        let mac: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        let table = self.namespace.run("bridge fdb show br switch dynamic");
        let line = table
            .lines()
            .find(|line| line.starts_with(&mac.join(":")))?;
        line.split(' ').nth(2).map(str::to_owned)
    }
}
