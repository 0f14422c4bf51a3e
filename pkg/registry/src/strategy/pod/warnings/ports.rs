//! Ports of a Pod's containers, all of which share its address.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::strategy::pod::CONTAINERS;
use crate::value::{int, list, text};

/// Ports that are said twice, or that overlap, in any containers.
pub(super) fn ports(containers: &[(String, &Value)]) -> Vec<String> {
    let mut said = Vec::new();
    let mut all: BTreeMap<(i64, &str), Vec<(String, &Value)>> = BTreeMap::new();
    for (place, container) in containers {
        for (i, port) in list(container, "ports").iter().enumerate() {
            let here = format!("{place}.ports[{i}]");
            let (address, host) = (text(port, "hostIP"), int(port, "hostPort"));
            if !address.is_empty() && host == 0 {
                let (name, own) = (text(port, "name"), int(port, "containerPort"));
                let protocol = text(port, "protocol");
                // As Go prints the struct.
                said.push(format!(
                    "{here}: hostIP set without hostPort: {{Name:{name} HostPort:0 ContainerPort:{own} Protocol:{protocol} HostIP:{address}}}"
                ));
            }
            let same = all
                .entry((int(port, "containerPort"), text(port, "protocol")))
                .or_default();
            for (there, other) in same.iter() {
                let (their_address, their_host) = (text(other, "hostIP"), int(other, "hostPort"));
                let how = if (address, host) == (their_address, their_host) {
                    "duplicate"
                } else if host == 0 || their_host == 0 {
                    "overlapping"
                } else if host == their_host && address.is_empty() != their_address.is_empty() {
                    "dangerously ambiguous"
                } else {
                    continue;
                };
                said.push(format!("{here}: {how} port definition with {there}"));
            }
            same.push((here, port));
        }
    }
    said
}

/// Names of ports that containers which run together share: what selects by name takes the first.
pub(super) fn names(at: &str, containers: &[(String, &Value)]) -> Vec<String> {
    let mut said = Vec::new();
    let mut taken: BTreeMap<&str, String> = BTreeMap::new();
    let initial = format!("{at}.{}[", CONTAINERS[1]);
    for (place, container) in containers {
        if place.starts_with(&initial) && text(container, "restartPolicy") != "Always" {
            continue;
        }
        for (i, port) in list(container, "ports").iter().enumerate() {
            let here = format!("{place}.ports[{i}]");
            match text(port, "name") {
                "" => {}
                name => match taken.get(name) {
                    None => drop(taken.insert(name, here)),
                    Some(first) => said.push(format!(
                        "{here}: duplicate port name \"{name}\" with {first}, services and probes that select ports by name will use {first}"
                    )),
                },
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"ports": [{"containerPort": 80}, {"containerPort": 80}]}), Some("duplicate port definition with spec.containers[0].ports[0]"))]
    #[case(json!({"ports": [{"containerPort": 80}, {"containerPort": 80, "hostPort": 81}]}), Some("overlapping"))]
    #[case(json!({"ports": [
        {"containerPort": 80, "hostPort": 81}, {"containerPort": 80, "hostPort": 81, "hostIP": "10.0.0.1"},
    ]}), Some("dangerously ambiguous"))]
    #[case(json!({"ports": [{"containerPort": 80, "hostPort": 81}, {"containerPort": 80, "hostPort": 82}]}), None)]
    #[case(json!({"ports": [{"containerPort": 80, "hostIP": "10.0.0.1"}]}), Some(
        "hostIP set without hostPort: {Name: HostPort:0 ContainerPort:80 Protocol: HostIP:10.0.0.1}"
    ))]
    fn twice(#[case] container: Value, #[case] about: Option<&str>) {
        let said = ports(&[("spec.containers[0]".into(), &container)]);
        match about {
            Some(text) => assert!(said.len() == 1 && said[0].contains(text), "{said:?}"),
            None => assert!(said.is_empty(), "{said:?}"),
        }
    }

    #[test]
    fn names_of_ports_are_looked_for_in_all_that_run() {
        let one = |name: &str, restart: &str, port: i64| {
            let ports = json!([{"containerPort": port, "name": "http"}]);
            json!({"name": name, "restartPolicy": restart, "ports": ports})
        };
        let said = |initial: Value, containers: Value| {
            let spec = json!({"initContainers": initial, "containers": containers});
            names("spec", &super::super::containers("spec", &spec))
        };
        let (main, side) = (one("a", "", 1), one("b", "Always", 2));
        let first = |place: &str| {
            format!(
                "duplicate port name \"http\" with {place}, services and probes that select ports by name will use {place}"
            )
        };
        let place = "spec.containers[0].ports[0]";
        let want = format!("spec.containers[1].ports[0]: {}", first(place));
        assert_eq!(said(json!([]), json!([main, one("c", "", 3)])), [want]);
        let want = format!("{place}: {}", first("spec.initContainers[0].ports[0]"));
        assert_eq!(said(json!([side]), json!([main])), [want]);
        assert!(said(json!([one("d", "", 4)]), json!([main])).is_empty());
    }
}
