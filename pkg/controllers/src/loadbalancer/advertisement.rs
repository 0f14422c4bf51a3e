//! Which addresses this machine announces, and on which links: what L2Advertisements say.
//!
//! As in MetalLB, an address of an IPAddressPool is announced where an L2Advertisement of the same namespace selects the pool,
//! the node and the Service; with none it is given and not announced. Those of the settings' pool need none.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use kedge_client::Json;
use kedge_client::ObjectKey;
use kedge_machinery::selector::LabelSelector;

use super::outcome::Name;
use super::pool::{Labels, Pool, SETTINGS};
use super::pools::selectors;
use crate::view::{self, L2Advertisement};

/// Names of links; any where there are none.
pub(super) type Links = Option<BTreeSet<String>>;

/// An L2Advertisement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Advertisement {
    pools: BTreeSet<String>,
    pool_selectors: Vec<LabelSelector>,
    interfaces: BTreeSet<String>,
    node_selectors: Vec<LabelSelector>,
    service_selectors: Vec<LabelSelector>,
}

/// All of them, by namespace and name.
#[derive(Debug, Default)]
pub(super) struct Advertisements(BTreeMap<Name, Advertisement>);

impl Advertisement {
    fn read(bytes: &Json) -> Option<Self> {
        let L2Advertisement { spec } = view::read(bytes)?;
        Some(Self {
            pools: spec.pools.into_iter().collect(),
            pool_selectors: selectors(&spec.pool_selectors),
            interfaces: spec.interfaces.into_iter().collect(),
            node_selectors: selectors(&spec.node_selectors),
            service_selectors: selectors(&spec.service_selectors),
        })
    }

    fn links(&self) -> Links {
        (!self.interfaces.is_empty()).then(|| self.interfaces.clone())
    }

    fn selects(&self, pool: &Pool, pool_labels: &Labels, node: &Labels, service: &Labels) -> bool {
        let every_pool = self.pools.is_empty() && self.pool_selectors.is_empty();
        let this_pool =
            every_pool || self.pools.contains(&pool.name) || any(&self.pool_selectors, pool_labels);
        this_pool
            && (self.node_selectors.is_empty() || any(&self.node_selectors, node))
            && (self.service_selectors.is_empty() || any(&self.service_selectors, service))
    }
}

fn any(selectors: &[LabelSelector], labels: &Labels) -> bool {
    let label = |key: &str| labels.get(key).map(String::as_str);
    selectors.iter().any(|selector| selector.matches(label))
}

impl Advertisements {
    /// Takes an L2Advertisement in. True where it is another now.
    pub(super) fn observe(&mut self, key: &ObjectKey, bytes: Option<&Json>) -> bool {
        let name = (key.namespace.clone(), key.name.clone());
        let new = bytes.and_then(Advertisement::read);
        let changed = self.0.get(&name) != new.as_ref();
        match new {
            Some(advertisement) => self.0.insert(name, advertisement),
            None => self.0.remove(&name),
        };
        changed
    }

    /// The links on which a Service's addresses of a pool are announced by a node; `None` where it announces them nowhere.
    pub(super) fn links(
        &self,
        pool: &Pool,
        pool_labels: &Labels,
        node: &Labels,
        service: &Labels,
    ) -> Option<Links> {
        if (pool.namespace.as_str(), pool.name.as_str()) == ("", SETTINGS) {
            return Some(None);
        }
        let all = self.0.iter();
        let links = all
            .filter(|((namespace, _), _)| *namespace == pool.namespace)
            .filter(|(_, advertisement)| advertisement.selects(pool, pool_labels, node, service))
            .map(|(_, advertisement)| advertisement.links());
        links.reduce(both)
    }
}

/// The links of either.
fn both(own: Links, other: Links) -> Links {
    own.zip(other).map(|(mut own, other)| {
        own.extend(other);
        own
    })
}

/// Adds the links of one more Service on an address.
pub(super) fn add(announced: &mut BTreeMap<IpAddr, Links>, ip: IpAddr, links: Links) {
    let links = match announced.remove(&ip) {
        Some(others) => both(others, links),
        None => links,
    };
    announced.insert(ip, links);
}

#[cfg(test)]
mod tests {
    use kedge_client::Resource;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::key;

    fn these(names: &[&str]) -> Option<Links> {
        Some(Some(names.iter().map(ToString::to_string).collect()))
    }

    // The pool "lan" has the label zone=east, the node host=a, the Service app=web.
    #[rstest]
    #[case::nothing(&[], None)]
    #[case::everything(&[json!({})], Some(None))]
    #[case::by_name(&[json!({"ipAddressPools": ["dmz", "lan"]})], Some(None))]
    #[case::another_pool(&[json!({"ipAddressPools": ["dmz"]})], None)]
    #[case::by_label(&[json!({"ipAddressPools": ["dmz"], "ipAddressPoolSelectors": [{"matchLabels": {"zone": "east"}}]})], Some(None))]
    #[case::other_label(&[json!({"ipAddressPoolSelectors": [{"matchLabels": {"zone": "west"}}]})], None)]
    #[case::node(&[json!({"nodeSelectors": [{"matchLabels": {"host": "b"}}, {"matchLabels": {"host": "a"}}]})], Some(None))]
    #[case::other_node(&[json!({"nodeSelectors": [{"matchLabels": {"host": "b"}}]})], None)]
    #[case::service(&[json!({"serviceSelectors": [{"matchLabels": {"app": "web"}}]})], Some(None))]
    #[case::other_service(&[json!({"serviceSelectors": [{"matchLabels": {"app": "db"}}]})], None)]
    #[case::links(&[json!({"interfaces": ["eth0"]}), json!({"interfaces": ["eth1"]})], these(&["eth0", "eth1"]))]
    #[case::all_links(&[json!({"interfaces": ["eth0"]}), json!({})], Some(None))]
    #[case::of_those_that_select(&[json!({"interfaces": ["eth0"]}), json!({"ipAddressPools": ["dmz"]})], these(&["eth0"]))]
    fn where_an_address_is_announced(#[case] specs: &[Value], #[case] wanted: Option<Links>) {
        let mut all = Advertisements::default();
        for (i, spec) in specs.iter().enumerate() {
            let bytes = Json::from(json!({"spec": spec}).to_string());
            let key = key(Resource::L2ADVERTISEMENTS, "m", &i.to_string());
            assert!(all.observe(&key, Some(&bytes)) && !all.observe(&key, Some(&bytes)));
        }
        let labels = |key: &str, value: &str| Labels::from([(key.to_string(), value.to_string())]);
        let of = |namespace: &str, name: &str| {
            let pool = Pool {
                namespace: namespace.into(),
                name: name.into(),
                ..Pool::default()
            };
            let (node, service) = (labels("host", "a"), labels("app", "web"));
            all.links(&pool, &labels("zone", "east"), &node, &service)
        };
        assert_eq!(of("m", "lan"), wanted);
        assert_eq!(of("elsewhere", "lan"), None);
        assert_eq!(of("", SETTINGS), Some(None));
    }
}
