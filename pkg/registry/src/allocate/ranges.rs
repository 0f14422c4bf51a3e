//! Ranges of ClusterIPs beside the server's own: those of ServiceCIDRs (KEP-1880).

use std::net::IpAddr;

use ipnet::IpNet;
use kedge_machinery::{Object, service_cidr};
use kedge_store::{Condition, Snapshot};

use crate::keys;
use crate::stored::parse;
use crate::value::{field, list, text};

/// The ranges of a ServiceCIDR, and which state of it says so.
struct Held {
    key: String,
    revision: u64,
    cidrs: Vec<IpNet>,
}

/// Ranges that addresses may be taken from.
pub(crate) fn ready(snapshot: &Snapshot) -> Vec<IpNet> {
    held(snapshot).flat_map(|held| held.cidrs).collect()
}

/// What must still be so when an address of a ServiceCIDR is claimed: that it may be taken from there.
pub(crate) fn still_ready(snapshot: &Snapshot, address: IpAddr) -> Option<Condition> {
    let contains = |held: &Held| held.cidrs.iter().any(|net| net.contains(&address));
    let Held { key, revision, .. } = held(snapshot).find(contains)?;
    Some(Condition::Revision { key, revision })
}

fn held(snapshot: &Snapshot) -> impl Iterator<Item = Held> {
    let prefix = keys::resource("networking.k8s.io", "servicecidrs");
    let entries = snapshot.range(&prefix, None);
    let ready = entries.filter_map(|entry| {
        let range = parse(&entry).ok().filter(is_ready)?;
        Some(Held {
            key: entry.key.to_string(),
            revision: entry.revision,
            cidrs: service_cidr::ranges_of(&range),
        })
    });
    ready.collect::<Vec<_>>().into_iter()
}

/// One that says nothing of itself is ready.
fn is_ready(range: &Object) -> bool {
    let conditions = list(field(&range.0, "status"), "conditions");
    let ready = conditions.iter().find(|c| text(c, "type") == "Ready");
    !range.is_terminating() && ready.is_none_or(|c| text(c, "status") == "True")
}
