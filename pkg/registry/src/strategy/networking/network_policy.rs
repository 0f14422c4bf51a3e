//! NetworkPolicies (`pkg/apis/networking/v1/defaults.go` and `validation`): stored and checked; who enforces them
//! reads them here.

use kedge_machinery::object::child_mut;
use kedge_machinery::{FieldError, Object, names};
use serde_json::{Map, Value, json};

use crate::check;
use crate::strategy::Strategy;
use crate::value::{child, default, field, list, present, structs_mut, text, texts};

/// In the order that upstream names them in.
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
const TYPES: &[&str] = &["Ingress", "Egress"];
/// Lists of rules, and the lists of peers in them.
const DIRECTIONS: [(&str, &str); 2] = [("ingress", "from"), ("egress", "to")];

pub(in crate::strategy) struct NetworkPolicy;

impl Strategy for NetworkPolicy {
    fn default(&self, object: &mut Object) {
        let spec = child_mut(&mut object.0, "spec");
        child_mut(spec, "podSelector");
        for (direction, _) in DIRECTIONS {
            for rule in structs_mut(spec, direction) {
                structs_mut(rule, "ports").for_each(|port| default(port, "protocol", "TCP"));
            }
        }
        if is_empty_list(spec, "policyTypes") {
            let mut types = vec!["Ingress"];
            if !is_empty_list(spec, "egress") {
                types.push("Egress");
            }
            spec.insert("policyTypes".into(), json!(types));
        }
    }

    fn blank(&self) -> Option<Object> {
        Object::from_value(json!({"metadata": {}, "spec": {"podSelector": {}}}))
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        spec(object, &[])
    }

    /// A range that stood anywhere before may stand anywhere, as it is.
    fn validate_update(&self, new: &Object, old: &Object, _subresource: &str) -> Vec<FieldError> {
        let known: Vec<&str> = ranges(old).into_iter().map(|(_, range)| range).collect();
        spec(new, &known)
    }

    fn warnings(&self, new: &Object, old: Option<&Object>) -> Vec<String> {
        let _ = old;
        let each = ranges(new).into_iter();
        each.filter_map(|(at, range)| check::unusual_cidr(&at, range))
            .collect()
    }
}

fn spec(object: &Object, known: &[&str]) -> Vec<FieldError> {
    let spec = field(&object.0, "spec");
    let mut errors = check::selector("spec.podSelector", child(spec, "podSelector"));
    for (direction, peers) in DIRECTIONS {
        for (i, rule) in list(spec, direction).iter().enumerate() {
            let at = format!("spec.{direction}[{i}]");
            for (j, value) in list(rule, "ports").iter().enumerate() {
                errors.extend(port(&format!("{at}.ports[{j}]"), value));
            }
            for (j, value) in list(rule, peers).iter().enumerate() {
                errors.extend(peer(&format!("{at}.{peers}[{j}]"), value, known));
            }
        }
    }
    let types = texts(spec, "policyTypes");
    if types.len() > TYPES.len() {
        let detail = "may not specify more than two policyTypes";
        errors.push(FieldError::invalid(
            "spec.policyTypes",
            json!(types),
            detail,
        ));
        return errors;
    }
    for (i, kind) in types.into_iter().enumerate() {
        if !TYPES.contains(&kind) {
            let at = format!("spec.policyTypes[{i}]");
            errors.push(FieldError::not_supported(at, kind, TYPES));
        }
    }
    errors
}

/// Every range of a policy, and where it stands.
fn ranges(object: &Object) -> Vec<(String, &str)> {
    let spec = field(&object.0, "spec");
    let mut all = Vec::new();
    for (direction, peers) in DIRECTIONS {
        for (i, rule) in list(spec, direction).iter().enumerate() {
            for (j, peer) in list(rule, peers).iter().enumerate() {
                let at = format!("spec.{direction}[{i}].{peers}[{j}].ipBlock");
                let block = child(peer, "ipBlock");
                all.push((format!("{at}.cidr"), text(block, "cidr")));
                let excepts = texts(block, "except").into_iter().enumerate();
                all.extend(excepts.map(|(k, except)| (format!("{at}.except[{k}]"), except)));
            }
        }
    }
    all
}

fn is_empty_list(spec: &Map<String, Value>, key: &str) -> bool {
    field(spec, key).as_array().is_none_or(Vec::is_empty)
}

fn port(path: &str, port: &Value) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let mut errors = Vec::new();
    let protocol = text(port, "protocol");
    if !protocol.is_empty() && !PROTOCOLS.contains(&protocol) {
        errors.push(FieldError::not_supported(
            at("protocol"),
            protocol,
            PROTOCOLS,
        ));
    }
    let end = present(port, "endPort").and_then(Value::as_i64);
    match (child(port, "port"), end) {
        (Value::Null, None) => {}
        (Value::Null, Some(end)) => {
            let detail = "may not be specified when `port` is not specified";
            errors.push(FieldError::invalid(at("endPort"), end, detail));
        }
        (Value::String(name), end) => {
            if let Some(end) = end {
                let detail = "may not be specified when `port` is non-numeric";
                errors.push(FieldError::invalid(at("endPort"), end, detail));
            }
            errors.extend(check::invalid(&at("port"), name, names::port_name(name)));
        }
        (number, end) => {
            let number = number.as_i64().unwrap_or_default();
            errors.extend(check::port(&at("port"), number));
            if let Some(end) = end {
                if end < number {
                    let detail = "must be greater than or equal to `port`";
                    errors.push(FieldError::invalid(at("endPort"), end, detail));
                }
                errors.extend(check::port(&at("endPort"), end));
            }
        }
    }
    errors
}

fn peer(path: &str, peer: &Value, known: &[&str]) -> Vec<FieldError> {
    let at = |key: &str| format!("{path}.{key}");
    let [pods, namespaces, block] =
        ["podSelector", "namespaceSelector", "ipBlock"].map(|key| present(peer, key));
    let mut errors = Vec::new();
    errors.extend(pods.map_or_else(Vec::new, |pods| check::selector(&at("podSelector"), pods)));
    errors
        .extend(namespaces.map_or_else(Vec::new, |n| check::selector(&at("namespaceSelector"), n)));
    errors.extend(block.map_or_else(Vec::new, |block| ip_block(&at("ipBlock"), block, known)));
    if pods.is_none() && namespaces.is_none() && block.is_none() {
        errors.push(FieldError::required(path, "must specify a peer"));
    } else if block.is_some() && (pods.is_some() || namespaces.is_some()) {
        let detail = "may not specify both ipBlock and another peer";
        errors.push(FieldError::forbidden(path, detail));
    }
    errors
}

fn ip_block(path: &str, block: &Value, known: &[&str]) -> Vec<FieldError> {
    let (at, cidr) = (format!("{path}.cidr"), text(block, "cidr"));
    if cidr.is_empty() {
        return vec![FieldError::required(at, "")];
    }
    let wrong = |at: &str, range| match known.contains(&range) {
        true => None,
        false => check::cidr(at, range),
    };
    let mut errors = Vec::from_iter(wrong(&at, cidr));
    let Some(whole) = check::loose_net(cidr) else {
        return errors;
    };
    for (i, except) in texts(block, "except").into_iter().enumerate() {
        let at = format!("{path}.except[{i}]");
        errors.extend(wrong(&at, except));
        let Some(part) = check::loose_net(except) else {
            continue;
        };
        if !(whole.contains(&part.addr()) && whole.prefix_len() < part.prefix_len()) {
            let detail = "must be a strict subset of `cidr`";
            errors.push(FieldError::invalid(at, except, detail));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn policy(spec: Value) -> Object {
        let mut object =
            Object::from_value(json!({"metadata": {"name": "p"}, "spec": spec})).unwrap();
        NetworkPolicy.default(&mut object);
        object
    }

    fn from(peer: Value) -> Value {
        json!({"podSelector": {}, "ingress": [{"from": [peer]}]})
    }

    fn to_port(port: Value) -> Value {
        json!({"podSelector": {}, "egress": [{"ports": [port]}]})
    }

    #[rstest]
    #[case(json!({"podSelector": {}}), "")]
    #[case(json!({"podSelector": {"matchLabels": {"a b": ""}}}), "spec.podSelector.matchLabels")]
    #[case(json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}}), "spec.podSelector.matchExpressions[0].values")]
    #[case(json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]}}), "spec.podSelector.matchExpressions[0].values")]
    #[case(json!({"podSelector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}), "spec.podSelector.matchExpressions[0].operator")]
    #[case(json!({"podSelector": {}, "policyTypes": ["Both"]}), "spec.policyTypes[0]")]
    #[case(json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress", "Ingress"]}), "spec.policyTypes")]
    #[case(from(json!({})), "spec.ingress[0].from[0]")]
    #[case(from(json!({"podSelector": {}, "ipBlock": {"cidr": "10.0.0.0/8"}})), "spec.ingress[0].from[0]")]
    #[case(from(json!({"ipBlock": {}})), "spec.ingress[0].from[0].ipBlock.cidr")]
    #[case(from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}})), "")]
    #[case(from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["11.0.0.0/16"]}})), "spec.ingress[0].from[0].ipBlock.except[0]")]
    #[case(from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.0.0.0/8"]}})), "spec.ingress[0].from[0].ipBlock.except[0]")]
    #[case(from(json!({"ipBlock": {"cidr": "10.0.0.1/8"}})), "spec.ingress[0].from[0].ipBlock.cidr")]
    #[case(from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.1/16"]}})), "spec.ingress[0].from[0].ipBlock.except[0]")]
    #[case(from(json!({"ipBlock": {"cidr": "010.0.0.0/8"}})), "spec.ingress[0].from[0].ipBlock.cidr")]
    #[case(from(json!({"podSelector": {"matchLabels": {"a": "b c"}}, "namespaceSelector": {}})), "spec.ingress[0].from[0].podSelector.matchLabels")]
    #[case(from(json!({"podSelector": {}, "namespaceSelector": {}})), "")]
    #[case(from(json!({"ipBlock": {"cidr": "2001:db8::/32", "except": ["2001:db8:1::/48"]}})), "")]
    #[case(from(json!({"ipBlock": {"cidr": "2001:db8::/32", "except": ["10.1.0.0/16"]}})), "spec.ingress[0].from[0].ipBlock.except[0]")]
    #[case(from(json!({"ipBlock": {"cidr": "10.0.0.0/8", "except": ["x"]}})), "spec.ingress[0].from[0].ipBlock.except[0]")]
    #[case(to_port(json!({"port": -1})), "spec.egress[0].ports[0].port")]
    #[case(to_port(json!({"port": "Http"})), "spec.egress[0].ports[0].port")]
    #[case(to_port(json!({"port": 80, "endPort": 65536})), "spec.egress[0].ports[0].endPort")]
    #[case(to_port(json!({"port": 32000, "endPort": 32768, "protocol": "UDP"})), "")]
    #[case(to_port(json!({"port": 80, "endPort": 90})), "")]
    #[case(to_port(json!({"port": 80, "endPort": 70})), "spec.egress[0].ports[0].endPort")]
    #[case(to_port(json!({"port": "http", "endPort": 70})), "spec.egress[0].ports[0].endPort")]
    #[case(to_port(json!({"endPort": 70})), "spec.egress[0].ports[0].endPort")]
    #[case(to_port(json!({"port": 0})), "spec.egress[0].ports[0].port")]
    #[case(to_port(json!({"protocol": "ICMP"})), "spec.egress[0].ports[0].protocol")]
    fn what_is_wrong(#[case] spec: Value, #[case] wrong: &str) {
        let found: Vec<String> = NetworkPolicy
            .validate(&policy(spec))
            .into_iter()
            .map(|e| e.field)
            .collect();
        let wrong = (!wrong.is_empty()).then(|| wrong.to_owned());
        assert_eq!(found, Vec::from_iter(wrong));
    }

    #[test]
    fn an_exception_is_compared_however_its_block_is_spelled() {
        let block = json!({"cidr": "010.0.0.0/8", "except": ["11.0.0.0/16"]});
        let errors = NetworkPolicy.validate(&policy(from(json!({"ipBlock": block}))));
        let details: Vec<&str> = errors.iter().map(|e| e.detail.as_str()).collect();
        let want = [
            "must not have leading 0s in IP or prefix length",
            "must be a strict subset of `cidr`",
        ];
        assert_eq!(details, want);
    }

    #[test]
    fn a_range_that_was_there_may_stay() {
        let block = |cidr: &str, except: &str| {
            policy(from(json!({"ipBlock": {"cidr": cidr, "except": [except]}})))
        };
        let old = block("010.0.0.0/8", "10.1.0.1/16");
        let wrong = |new: &Object| -> Vec<String> {
            let errors = NetworkPolicy.validate_update(new, &old, "");
            errors.into_iter().map(|e| e.field).collect()
        };
        assert!(wrong(&old).is_empty());
        let moved =
            json!({"podSelector": {}, "egress": [{"to": [{"ipBlock": {"cidr": "10.1.0.1/16"}}]}]});
        assert!(wrong(&policy(moved)).is_empty());
        let cidr = "spec.ingress[0].from[0].ipBlock.cidr";
        assert_eq!(wrong(&block("010.0.0.0/9", "10.1.0.1/16")), [cidr]);
        let except = "spec.ingress[0].from[0].ipBlock.except[0]";
        assert_eq!(wrong(&block("10.1.0.1/16", "010.0.0.0/8")), [except]);
    }

    #[test]
    fn what_there_is_instead() {
        let said = |spec: Value| NetworkPolicy.validate(&policy(spec))[0].detail.clone();
        assert_eq!(
            said(to_port(json!({"protocol": "ICMP"}))),
            "supported values: \"TCP\", \"UDP\", \"SCTP\""
        );
        assert_eq!(
            said(json!({"podSelector": {}, "policyTypes": ["Both"]})),
            "supported values: \"Ingress\", \"Egress\""
        );
    }

    #[test]
    fn defaults() {
        let types = |spec: Value| policy(spec).0["spec"]["policyTypes"].clone();
        assert_eq!(types(json!({"podSelector": {}})), json!(["Ingress"]));
        let mut bare = Object::default();
        NetworkPolicy.default(&mut bare);
        let spec = json!({"podSelector": {}, "policyTypes": ["Ingress"]});
        assert_eq!(bare.0["spec"], spec);
        assert_eq!(
            types(json!({"podSelector": {}, "egress": [{}]})),
            json!(["Ingress", "Egress"])
        );
        let policy = policy(to_port(json!({"port": 80})));
        assert_eq!(policy.0["spec"]["egress"][0]["ports"][0]["protocol"], "TCP");
    }
}
