//! Columns of `metallb.io`, as the printer columns of MetalLB's own definitions of these kinds say: lists are shown as JSON.

use kedge_machinery::Object;
use serde_json::Value;

use super::{Column, NAME, boolean, text, text_at, wide};

pub(super) const IP_ADDRESS_POOL: &[Column] = &[
    NAME,
    boolean(
        "Auto Assign",
        "Whether Services get addresses from here that do not name it.",
    ),
    boolean(
        "Avoid Buggy IPs",
        "Whether addresses that end in .0 or .255 are left out.",
    ),
    text("Addresses", "Ranges of addresses."),
];
pub(super) const L2_ADVERTISEMENT: &[Column] = &[
    NAME,
    text("IPAddressPools", "Pools whose addresses are announced."),
    text("IPAddressPool Selectors", "Selectors of such pools."),
    text("Interfaces", "Links that the addresses are announced on."),
    wide("Node Selectors", "Selectors of the nodes that announce."),
];
pub(super) const SERVICE_L2_STATUS: &[Column] = &[
    NAME,
    text("Allocated Node", "The node that announces."),
    text("Service Name", "The Service whose addresses it announces."),
    text("Service Namespace", "Where that Service is."),
];

pub(super) fn ip_address_pool(pool: &Object) -> Vec<Value> {
    let flag = |name| pool.at(&["spec", name]).cloned().unwrap_or_default();
    vec![
        pool.name().into(),
        flag("autoAssign"),
        flag("avoidBuggyIPs"),
        json(pool, "addresses"),
    ]
}

pub(super) fn l2_advertisement(advertisement: &Object) -> Vec<Value> {
    let mut cells = vec![advertisement.name().into()];
    cells.extend(
        [
            "ipAddressPools",
            "ipAddressPoolSelectors",
            "interfaces",
            "nodeSelectors",
        ]
        .map(|field| json(advertisement, field)),
    );
    cells
}

pub(super) fn service_l2_status(status: &Object) -> Vec<Value> {
    let mut cells = vec![status.name().into()];
    cells.extend(
        ["node", "serviceName", "serviceNamespace"]
            .map(|field| text_at(status, &["status", field]).into()),
    );
    cells
}

fn json(object: &Object, field: &str) -> Value {
    let value = object.at(&["spec", field]);
    value
        .map(|value| value.to_string())
        .unwrap_or_default()
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_are_json() {
        let object = |spec| Object::from_value(json!({"metadata": {"name": "a"}, "spec": spec}));
        let pool = object(
            json!({"addresses": ["10.0.0.0/24"], "autoAssign": true, "avoidBuggyIPs": false}),
        );
        let cells = ip_address_pool(&pool.unwrap());
        assert_eq!(json!(cells), json!(["a", true, false, "[\"10.0.0.0/24\"]"]));
        let cells = l2_advertisement(&object(json!({"interfaces": ["eth0"]})).unwrap());
        assert_eq!(json!(cells), json!(["a", "", "", "[\"eth0\"]", ""]));
    }
}
