//! Which address families a Service has (KEP-563; upstream: `initIPFamilyFields`).

use std::net::IpAddr;

use kedge_machinery::{FieldError, Object};
use serde_json::{Value, json};

use super::spec::{NONE, Spec, spec_mut};
use super::validate::cluster_ips;
use crate::allocate::Family;

/// Fills `ipFamilyPolicy` and `ipFamilies` from what the Service says, what it was, and what the cluster has
/// (`cluster`: one or two families, the primary first). Errors are the answer: nothing else is looked at then.
pub(super) fn settle(
    new: &mut Object,
    old: Option<&Object>,
    cluster: &[Family],
) -> Vec<FieldError> {
    if !Spec::of(new).needs_cluster_ip() || old.is_some_and(|old| keeps_preference(new, old)) {
        return Vec::new();
    }
    settle_policy(new, old);
    let errors = cluster_ips(Spec::of(new));
    if !errors.is_empty() {
        return errors;
    }
    let mut errors = old.map(|old| downgrade(new, old)).unwrap_or_default();
    errors.extend(policy_against_lists(Spec::of(new)));
    errors.extend(infer_from_addresses(new, cluster));
    if !errors.is_empty() {
        return errors;
    }
    let spec = Spec::of(new);
    let free = spec.cluster_ip() == NONE && !spec.has_selector();
    let errors = if free {
        Vec::new()
    } else {
        against_cluster(spec, cluster)
    };
    if errors.is_empty() {
        complete(new, cluster, free);
    }
    errors
}

/// A PreferDualStack Service follows the cluster from one family to two only when it is told to.
fn keeps_preference(new: &Object, old: &Object) -> bool {
    let (was, is) = (Spec::of(old), Spec::of(new));
    let both_prefer = was.policy() == "PreferDualStack" && is.policy() == "PreferDualStack";
    both_prefer
        && was.kind() == is.kind()
        && was.cluster_ips() == is.cluster_ips()
        && was.families() == is.families()
}

fn settle_policy(new: &mut Object, old: Option<&Object>) {
    let is = Spec::of(new);
    if !is.policy().is_empty() {
        return;
    }
    let before = old.map(|old| Spec::of(old).policy()).unwrap_or_default();
    let policy = if !before.is_empty() {
        before
    } else if is.cluster_ip() == NONE && !is.has_selector() {
        "RequireDualStack"
    } else {
        "SingleStack"
    };
    spec_mut(new).insert("ipFamilyPolicy".into(), policy.into());
}

/// An update to SingleStack gives up the second family; any other policy must not lose it silently.
fn downgrade(new: &mut Object, old: &Object) -> Vec<FieldError> {
    let (was, is) = (Spec::of(old), Spec::of(new));
    let (ips, families) = (is.cluster_ips(), is.families());
    let same_ips = was.cluster_ip() == is.cluster_ip() && was.cluster_ips() == ips;
    let same_families = was.families() == families;
    if is.policy() == "SingleStack" {
        let ip = (same_ips && ips.len() > 1).then(|| json!([ips[0]]));
        let family = (same_families && families.len() > 1).then(|| json!([families[0]]));
        let spec = spec_mut(new);
        ip.map(|ip| spec.insert("clusterIPs".into(), ip));
        family.map(|family| spec.insert("ipFamilies".into(), family));
        return Vec::new();
    }
    let mut errors = Vec::new();
    let mut reduced = |before: Vec<&str>, after: &[&str], what: &str| {
        if !after.is_empty() && after.len() < before.len() {
            let detail = format!("must be 'SingleStack' to release the secondary {what}");
            errors.push(FieldError::invalid(
                "spec.ipFamilyPolicy",
                is.policy(),
                detail,
            ));
        }
    };
    reduced(was.cluster_ips(), &ips, "cluster IP");
    reduced(was.families(), &families, "IP family");
    errors
}

fn policy_against_lists(spec: Spec<'_>) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut check = |count: usize, what: &str| {
        if spec.policy() == "SingleStack" && count == 2 {
            let detail = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            );
            errors.push(FieldError::invalid(
                "spec.ipFamilyPolicy",
                spec.policy(),
                detail,
            ));
        }
    };
    check(spec.cluster_ips().len(), "cluster IPs");
    check(spec.families().len(), "IP families");
    errors
}

fn infer_from_addresses(new: &mut Object, cluster: &[Family]) -> Vec<FieldError> {
    let spec = Spec::of(new);
    let ips = spec.cluster_ips();
    let mut families: Vec<String> = spec.families().into_iter().map(String::from).collect();
    let mut errors = Vec::new();
    for (i, ip) in ips.iter().enumerate().skip(families.len()) {
        let Ok(address) = ip.parse::<IpAddr>() else {
            break;
        };
        let family = Family::of(address);
        if cluster.contains(&family) {
            families.push(family.as_str().to_string());
        } else {
            let detail = format!("{} is not configured on this cluster", family.as_str());
            errors.push(FieldError::invalid(
                format!("spec.clusterIPs[{i}]"),
                json!(ips),
                detail,
            ));
        }
    }
    if !families.is_empty() {
        spec_mut(new).insert("ipFamilies".into(), json!(families));
    }
    errors
}

fn against_cluster(spec: Spec<'_>, cluster: &[Family]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if spec.policy() == "RequireDualStack" && cluster.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid(
            "spec.ipFamilyPolicy",
            spec.policy(),
            detail,
        ));
    }
    for (i, family) in spec.families().into_iter().enumerate() {
        if !cluster.iter().any(|f| f.as_str() == family) {
            let path = format!("spec.ipFamilies[{i}]");
            errors.push(FieldError::invalid(
                path,
                family,
                "not configured on this cluster",
            ));
        }
    }
    errors
}

/// Appends the missing family where the policy wants two and the cluster (or, for a headless Service without
/// a selector, nobody) limits it.
fn complete(new: &mut Object, cluster: &[Family], free: bool) {
    let spec = Spec::of(new);
    let mut families: Vec<String> = spec.families().into_iter().map(String::from).collect();
    if families.is_empty() {
        families.extend(cluster.first().map(|f| f.as_str().to_string()));
    }
    let wants_two = spec.policy() != "SingleStack";
    if let (true, [only]) = (
        wants_two && (free || cluster.len() == 2),
        families.as_slice(),
    ) {
        let other = if only == "IPv4" { "IPv6" } else { "IPv4" };
        families.push(other.to_string());
    }
    spec_mut(new).insert("ipFamilies".into(), Value::from(families));
}

#[cfg(test)]
mod tests;
