//! What is measured of announcements, under MetalLB's names.

use std::net::IpAddr;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// What the LAN was told, and when it did not agree. Questions of neighbours are answered by the kernel, and counted by nobody.
/// Clones are the same.
#[derive(Debug, Clone, Default)]
pub struct AnnounceMetrics {
    gratuitous: Family<IpLabel, Counter>,
    conflicts: Family<IpLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct IpLabel {
    ip: String,
}

fn label(ip: IpAddr) -> IpLabel {
    IpLabel { ip: ip.to_string() }
}

impl AnnounceMetrics {
    /// Names what is measured.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "metallb_layer2_gratuitous_sent",
            "Times that an address was announced unasked, by gratuitous ARP or an unsolicited neighbour advertisement",
            self.gratuitous.clone(),
        );
        registry.register(
            "kedge_address_conflicts",
            "Times that a neighbour turned out to have an address, or claimed it",
            self.conflicts.clone(),
        );
    }

    pub(crate) fn announced(&self, ip: IpAddr) {
        self.gratuitous.get_or_create(&label(ip)).inc();
    }

    pub(crate) fn conflict(&self, ip: IpAddr) {
        self.conflicts.get_or_create(&label(ip)).inc();
    }

    /// An address that is no longer here.
    pub(crate) fn released(&self, ip: IpAddr) {
        self.gratuitous.remove(&label(ip));
    }
}
