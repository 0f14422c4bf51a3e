//! Endpoints into slices, with as few writes as there can be.
//!
//! The order of upstream's reconciler (KEP-752): slices keep what is still wanted of them; what is new goes into slices that
//! are written anyway, the fullest first; the rest into one slice that has the room, or into new ones. A
//! half-empty slice is not filled up from another: that would be two writes for none.

use std::collections::BTreeMap;

use serde_json::Value;

/// Endpoints of one family and one weight that serve the same ports.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Group {
    /// `IPv4` or `IPv6`.
    pub address_type: String,
    pub ports: Vec<Value>,
    /// What their Pods' annotation says, if there is one.
    pub weight: Option<String>,
    pub endpoints: Vec<Value>,
}

impl Group {
    pub(crate) fn new(address_type: &str, ports: Vec<Value>) -> Self {
        Self {
            address_type: address_type.into(),
            ports,
            weight: None,
            endpoints: Vec::new(),
        }
    }

    fn serves(&self, other: &Self) -> bool {
        (&self.address_type, &self.ports, &self.weight)
            == (&other.address_type, &other.ports, &other.weight)
    }
}

/// What to write; slices by their place in the list of those that exist.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Packing {
    pub create: Vec<Group>,
    pub update: Vec<(usize, Group)>,
    pub delete: Vec<usize>,
}

/// Packs. `existing` are a Service's slices; their ports must be in the order of `wanted`'s. A group without endpoints
/// stands for a slice without any, which says that the Service has none.
pub(crate) fn pack(existing: &[Group], wanted: Vec<Group>, max: usize) -> Packing {
    let mut packing = Packing::default();
    let mut spare: Vec<usize> = Vec::new();
    let mut claimed = vec![false; existing.len()];
    for group in wanted {
        let members: Vec<usize> = (0..existing.len())
            .filter(|i| !claimed[*i] && existing[*i].serves(&group))
            .collect();
        members.iter().for_each(|i| claimed[*i] = true);
        pack_group(existing, &members, group, max, &mut packing, &mut spare);
    }
    spare.extend((0..existing.len()).filter(|i| !claimed[*i]));
    recycle(existing, spare, &mut packing);
    packing
}

/// `spare` gets the slices that nothing is left in.
fn pack_group(
    existing: &[Group],
    members: &[usize],
    group: Group,
    max: usize,
    packing: &mut Packing,
    spare: &mut Vec<usize>,
) {
    let Group {
        address_type,
        ports,
        weight,
        endpoints,
    } = group;
    let slice = |endpoints| Group {
        address_type: address_type.clone(),
        ports: ports.clone(),
        weight: weight.clone(),
        endpoints,
    };
    if endpoints.is_empty() {
        // One that says "none" is enough.
        match members
            .iter()
            .position(|i| existing[*i].endpoints.is_empty())
        {
            Some(at) => spare.extend(
                members
                    .iter()
                    .enumerate()
                    .filter(|(n, _)| *n != at)
                    .map(|(_, i)| *i),
            ),
            None => {
                spare.extend(members);
                packing.create.push(slice(Vec::new()));
            }
        }
        return;
    }

    let mut wanted: BTreeMap<String, Value> =
        endpoints.into_iter().map(|e| (identity(&e), e)).collect();
    let mut changed: Vec<(usize, Vec<Value>)> = Vec::new();
    let mut unchanged: Vec<usize> = Vec::new();
    for &i in members {
        let kept: Vec<Value> = existing[i]
            .endpoints
            .iter()
            .filter_map(|e| wanted.remove(&identity(e)))
            .collect();
        if kept.is_empty() {
            spare.push(i);
        } else if kept == existing[i].endpoints {
            unchanged.push(i);
        } else {
            changed.push((i, kept));
        }
    }

    let mut rest: Vec<Value> = wanted.into_values().collect();
    changed.sort_by_key(|(_, kept)| std::cmp::Reverse(kept.len()));
    for (_, kept) in &mut changed {
        let room = rest.len().min(max.saturating_sub(kept.len()));
        kept.extend(rest.drain(..room));
    }
    while !rest.is_empty() {
        let fits = |i: &&usize| existing[**i].endpoints.len() + rest.len() <= max;
        let fullest = unchanged
            .iter()
            .filter(fits)
            .max_by_key(|i| existing[**i].endpoints.len())
            .copied();
        if let Some(i) = fullest {
            let mut all = existing[i].endpoints.clone();
            all.append(&mut rest);
            changed.push((i, all));
        } else {
            let room = rest.len().min(max);
            packing.create.push(slice(rest.drain(..room).collect()));
        }
    }
    packing.update.extend(
        changed
            .into_iter()
            .map(|(i, endpoints)| (i, slice(endpoints))),
    );
}

/// A slice that would go takes the place of one that would come, in its own family: one write instead of two.
fn recycle(existing: &[Group], spare: Vec<usize>, packing: &mut Packing) {
    for i in spare {
        let fitting = packing
            .create
            .iter()
            .position(|group| group.address_type == existing[i].address_type);
        match fitting {
            Some(at) => packing.update.push((i, packing.create.remove(at))),
            None => packing.delete.push(i),
        }
    }
}

/// What makes an endpoint the same endpoint (upstream: `hashEndpoint`): addresses, host name and whom it is for.
fn identity(endpoint: &Value) -> String {
    let part = |key: &str| endpoint.get(key).map(Value::to_string).unwrap_or_default();
    format!(
        "{}|{}|{}",
        part("addresses"),
        part("hostname"),
        part("targetRef")
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const MAX: usize = 4;

    fn endpoint(number: u8, ready: bool) -> Value {
        json!({"addresses": [format!("10.0.0.{number}")], "conditions": {"ready": ready}})
    }

    fn group(ports: u16, endpoints: &[u8]) -> Group {
        let endpoints = endpoints.iter().map(|n| endpoint(*n, true)).collect();
        Group {
            endpoints,
            ..Group::new("IPv4", vec![json!({"port": ports})])
        }
    }

    /// What is there after the packing is written.
    fn written(existing: &[Group], packing: Packing) -> Vec<Group> {
        let mut slices: Vec<Option<Group>> = existing.iter().cloned().map(Some).collect();
        for (i, group) in packing.update {
            slices[i] = Some(group);
        }
        for i in packing.delete {
            slices[i] = None;
        }
        slices.into_iter().flatten().chain(packing.create).collect()
    }

    #[test]
    fn a_new_endpoint_goes_into_the_fullest_slice_with_room() {
        let existing = [
            group(80, &[1]),
            group(80, &[2, 3]),
            group(80, &[4, 5, 6, 7]),
        ];
        let packing = pack(&existing, vec![group(80, &[1, 2, 3, 4, 5, 6, 7, 8])], MAX);
        assert_eq!(packing.update, [(1, group(80, &[2, 3, 8]))]);
        assert!(packing.create.is_empty() && packing.delete.is_empty());
    }

    #[test]
    fn a_slice_that_is_written_anyway_takes_the_new_endpoint() {
        let existing = [group(80, &[1, 2]), group(80, &[3, 4, 5])];
        let packing = pack(&existing, vec![group(80, &[1, 3, 4, 5, 6])], MAX);
        assert_eq!(packing.update, [(0, group(80, &[1, 6]))]);
    }

    #[test]
    fn a_full_set_gets_another_slice() {
        let packing = pack(
            &[group(80, &[1, 2, 3, 4])],
            vec![group(80, &[1, 2, 3, 4, 5])],
            MAX,
        );
        assert_eq!(
            packing,
            Packing {
                create: vec![group(80, &[5])],
                ..Packing::default()
            }
        );
    }

    #[test]
    fn a_change_of_ports_rewrites_the_slice() {
        let packing = pack(&[group(80, &[1, 2])], vec![group(81, &[1, 2])], MAX);
        assert_eq!(
            packing,
            Packing {
                update: vec![(0, group(81, &[1, 2]))],
                ..Packing::default()
            }
        );
    }

    #[test]
    fn another_weight_takes_another_slice() {
        let slow = |endpoints: &[u8]| Group {
            weight: Some("10".into()),
            ..group(80, endpoints)
        };
        let packing = pack(
            &[group(80, &[1, 2])],
            vec![slow(&[1]), group(80, &[2])],
            MAX,
        );
        assert_eq!(
            packing,
            Packing {
                create: vec![slow(&[1])],
                update: vec![(0, group(80, &[2]))],
                ..Packing::default()
            }
        );
        let packing = pack(
            &[slow(&[1]), group(80, &[2])],
            vec![group(80, &[1, 2])],
            MAX,
        );
        assert_eq!(packing.update, [(1, group(80, &[2, 1]))]);
        assert_eq!(packing.delete, [0]);
    }

    #[test]
    fn the_last_endpoint_leaves_an_empty_slice() {
        let none = Group::new("IPv4", Vec::new());
        let packing = pack(&[group(80, &[1])], vec![none.clone()], MAX);
        assert_eq!(
            packing,
            Packing {
                update: vec![(0, none.clone())],
                ..Packing::default()
            }
        );
        assert_eq!(
            pack(std::slice::from_ref(&none), vec![none.clone()], MAX),
            Packing::default()
        );
    }

    #[test]
    fn a_family_that_went_takes_its_slices_along() {
        let v6 = Group {
            address_type: "IPv6".into(),
            ..group(80, &[1])
        };
        let packing = pack(&[v6, group(80, &[1])], vec![group(80, &[1])], MAX);
        assert_eq!(
            packing,
            Packing {
                delete: vec![0],
                ..Packing::default()
            }
        );
    }

    prop_compose! {
        fn any_groups()(members in prop::collection::btree_map(1u8..40, (80u16..82, any::<bool>()), 0..30)) -> Vec<Group> {
            let mut groups = Vec::new();
            for port in 80..82 {
                let mut group = group(port, &[]);
                let of_port = members.iter().filter(|(_, (p, _))| *p == port);
                group.endpoints = of_port.map(|(n, (_, ready))| endpoint(*n, *ready)).collect();
                if !group.endpoints.is_empty() {
                    groups.push(group);
                }
            }
            if groups.is_empty() {
                groups.push(Group::new("IPv4", Vec::new()));
            }
            groups
        }
    }

    fn flat(groups: &[Group]) -> Vec<(String, String)> {
        let mut all: Vec<_> = groups
            .iter()
            .flat_map(|group| {
                group
                    .endpoints
                    .iter()
                    .map(|e| (format!("{:?}", group.ports), e.to_string()))
            })
            .collect();
        all.sort();
        all
    }

    proptest! {
        #[test]
        fn every_endpoint_is_there_once_whatever_was_before(history in prop::collection::vec(any_groups(), 1..6)) {
            let mut slices: Vec<Group> = Vec::new();
            for wanted in history {
                let packing = pack(&slices, wanted.clone(), MAX);
                for (i, group) in &packing.update {
                    prop_assert!(slices[*i] != *group, "a write that changes nothing");
                }
                slices = written(&slices, packing);
                prop_assert_eq!(flat(&slices), flat(&wanted));
                prop_assert!(slices.iter().all(|slice| slice.endpoints.len() <= MAX));
                prop_assert!(!slices.is_empty());
                let empty = slices.iter().filter(|slice| slice.endpoints.is_empty()).count();
                prop_assert!(empty <= 1 && (empty == 0 || slices.len() == 1));
                // Settled: the same again is nothing to write.
                prop_assert_eq!(pack(&slices, wanted, MAX), Packing::default());
            }
        }

        #[test]
        fn one_endpoint_more_or_less_is_one_write(mut numbers in prop::collection::btree_set(1u8..40, 2..30)) {
            let list = |numbers: &BTreeSet<u8>| numbers.iter().copied().collect::<Vec<_>>();
            let slices = written(&[], pack(&[], vec![group(80, &list(&numbers))], MAX));
            numbers.pop_first();
            let less = pack(&slices, vec![group(80, &list(&numbers))], MAX);
            prop_assert_eq!(less.update.len() + less.delete.len() + less.create.len(), 1);
            let slices = written(&slices, less);
            numbers.insert(50);
            let more = pack(&slices, vec![group(80, &list(&numbers))], MAX);
            prop_assert_eq!(more.update.len() + more.delete.len() + more.create.len(), 1);
        }
    }
}
