//! Allocation from pools: cases, and what must hold of every one.

mod choice;
mod families;
mod holders;
mod properties;
mod sharing;

use kedge_machinery::AddressRange;
use kedge_machinery::selector::LabelSelector;

use super::*;
use crate::loadbalancer::pool::ServiceAllocation;

fn name(text: &str) -> Name {
    ("a".into(), text.into())
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn pools(texts: &[&str]) -> Vec<Pool> {
    let ranges: Vec<AddressRange> = texts.iter().map(|text| text.parse().unwrap()).collect();
    vec![Pool::of_settings(&ranges)]
}

fn pool(name: &str, texts: &[&str]) -> Pool {
    Pool {
        name: name.into(),
        ..pools(texts).remove(0)
    }
}

/// Pools that one label of a Service opens.
fn pinned(name: &str, texts: &[&str], priority: u32, label: &str) -> Pool {
    Pool {
        allocation: Some(ServiceAllocation {
            priority,
            service_selectors: vec![LabelSelector::from_pairs([(label, "yes")])],
            ..ServiceAllocation::default()
        }),
        ..pool(name, texts)
    }
}

fn allocate_all(pools: &[Pool], requests: &BTreeMap<Name, Request>) -> BTreeMap<Name, Outcome> {
    let world = World {
        pools,
        namespaces: &BTreeMap::new(),
        held: &BTreeMap::new(),
        promised: &BTreeMap::new(),
    };
    allocate(world, &requests.iter().collect())
}

fn request(created: &str, current: &[&str]) -> Request {
    Request {
        created: created.into(),
        families: vec![false],
        current: current.iter().map(|text| ip(text)).collect(),
        ..Request::default()
    }
}

fn run(pools: &[Pool], requests: &[(&str, Request)]) -> BTreeMap<String, Outcome> {
    let requests = requests
        .iter()
        .map(|(text, request)| (name(text), request.clone()))
        .collect();
    let outcomes = allocate_all(pools, &requests);
    outcomes
        .into_iter()
        .map(|((_, name), outcome)| (name, outcome))
        .collect()
}

/// A Service with a label.
fn labelled(label: &str, created: &str) -> Request {
    Request {
        labels: [(label.to_string(), "yes".to_string())].into(),
        ..request(created, &[])
    }
}
