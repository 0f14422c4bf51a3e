//! Ranges of ClusterIPs beside the server's own: those of ServiceCIDRs (KEP-1880).

use std::borrow::Cow;
use std::net::IpAddr;

use ipnet::IpNet;
use kedge_machinery::service_cidr::ServiceCidrSpec;
use kedge_store::{Condition, Snapshot};
use serde::Deserialize;

use crate::keys;
use crate::stored::Going;

/// The widest IPv6 range that upstream's allocator gives addresses of. A ServiceCIDR may be wider, and none comes from it then.
const SHORTEST_V6: u8 = 64;

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
        let value = entry.value();
        let range: Range<'_> = serde_json::from_slice(&value).ok()?;
        let ready = range.is_ready();
        let mut cidrs = range.spec.unwrap_or_default().cidrs;
        cidrs.retain(|net| net.addr().is_ipv4() || net.prefix_len() >= SHORTEST_V6);
        ready.then(|| Held {
            key: entry.key.to_string(),
            revision: entry.revision,
            cidrs,
        })
    });
    ready.collect::<Vec<_>>().into_iter()
}

/// A ServiceCIDR, read for every address that is given: no more of it than that takes.
#[derive(Deserialize)]
struct Range<'a> {
    metadata: Going,
    spec: Option<ServiceCidrSpec>,
    #[serde(borrow)]
    status: Option<Status<'a>>,
}

#[derive(Deserialize)]
struct Status<'a> {
    #[serde(borrow)]
    conditions: Option<Vec<Said<'a>>>,
}

/// A condition.
#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    status: Cow<'a, str>,
}

impl Range<'_> {
    /// One that says nothing of itself is ready.
    fn is_ready(&self) -> bool {
        let status = self.status.as_ref();
        let conditions = status.and_then(|status| status.conditions.as_ref());
        let ready = conditions.into_iter().flatten().find(|c| c.kind == "Ready");
        !self.metadata.is_terminating() && ready.is_none_or(|c| c.status == "True")
    }
}
