//! ServiceCIDRs (KEP-1880; `pkg/apis/networking/validation`): ranges of ClusterIPs.

use ipnet::IpNet;
use kedge_machinery::{FieldError, Object};
use serde_json::json;

use crate::check;
use crate::strategy::Strategy;
use crate::value::{copy_field, field, texts};

const AT: &str = "spec.cidrs";
/// One of each family.
const MAX: usize = 2;

pub(in crate::strategy) struct ServiceCidr;

impl Strategy for ServiceCidr {
    fn prepare_create(&self, new: &mut Object) {
        new.0.insert("status".into(), json!({}));
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        let spec = field(&object.0, "spec");
        let cidrs = texts(spec, "cidrs");
        if cidrs.is_empty() {
            return vec![FieldError::required(AT, "at least one CIDR required")];
        }
        if cidrs.len() > MAX {
            // Upstream shows the whole struct here, with Go's name of the field.
            let shown = json!({"CIDRs": cidrs});
            return vec![FieldError::invalid(
                AT,
                shown,
                "may only hold up to 2 values",
            )];
        }
        let range = |(i, text): (usize, &&str)| canonical(&format!("{AT}[{i}]"), text);
        let mut errors: Vec<_> = cidrs.iter().enumerate().filter_map(range).collect();
        let is_v6 = |text: &str| text.parse::<IpNet>().map(|net| net.addr().is_ipv6()).ok();
        if let [first, second] = cidrs[..]
            && is_v6(first).is_some()
            && is_v6(first) == is_v6(second)
        {
            let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
            errors.push(FieldError::invalid(AT, json!(cidrs), detail));
        }
        errors
    }

    /// An update of the status leaves what people say of the object (`ResetObjectMetaForStatus`).
    fn prepare_update(&self, new: &mut Object, old: &Object, subresource: &str) {
        if subresource == "status" {
            let (was, is) = (old.meta().cloned().unwrap_or_default(), new.meta_mut());
            for key in ["labels", "annotations", "finalizers", "ownerReferences"] {
                copy_field(is, &was, key);
            }
        }
    }

    /// A range may gain the other family, and change in no other way.
    fn validate_update(&self, new: &Object, old: &Object, subresource: &str) -> Vec<FieldError> {
        if subresource == "status" {
            return Vec::new();
        }
        let (is, was) = (cidrs(new), cidrs(old));
        let moved = |(i, (is, was)): (usize, (&&str, &&str))| {
            let path = format!("{AT}[{i}]");
            check::immutable(&path, Some(&json!(is)), Some(&json!(was)))
        };
        let mut errors: Vec<_> = is.iter().zip(&was).enumerate().filter_map(moved).collect();
        match (was.len(), is.len()) {
            (before, after) if before == after => errors,
            (1, MAX) => {
                errors.extend(self.validate(new));
                errors
            }
            _ => vec![FieldError::invalid(
                AT,
                new.at(&["spec", "cidrs"]).cloned().unwrap_or_default(),
                "field is immutable",
            )],
        }
    }
}

fn cidrs(object: &Object) -> Vec<&str> {
    texts(field(&object.0, "spec"), "cidrs")
}

/// A range in the one form that is written so.
fn canonical(path: &str, text: &str) -> Option<FieldError> {
    let error = check::cidr(path, text);
    if error.is_some() {
        return error;
    }
    let right = text.parse::<IpNet>().ok()?.to_string();
    (right != text).then(|| {
        let detail = format!("must be in canonical form (\"{right}\")");
        FieldError::invalid(path, text, detail)
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn range(cidrs: &[&str]) -> Object {
        Object::from_value(json!({"metadata": {"name": "r"}, "spec": {"cidrs": cidrs}})).unwrap()
    }

    #[rstest]
    #[case("10.0.0.1/24", "must not have bits set beyond the prefix length")]
    #[case("FD00:1234::2/64", "must not have bits set beyond the prefix length")]
    #[case("FD00:1234::/64", "must be in canonical form (\"fd00:1234::/64\")")]
    #[case("010.0.0.0/24", "must not have leading 0s in IP or prefix length")]
    #[case("10.0.0.0/024", "must not have leading 0s in IP or prefix length")]
    #[case("::ffff:10.0.0.0/120", "must not have an IPv4-mapped IPv6 address")]
    #[case(
        "10.0.0.0/33",
        "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"
    )]
    fn said_of_a_range(#[case] cidr: &str, #[case] detail: &str) {
        assert_eq!(canonical("p", cidr).unwrap().detail, detail);
    }

    #[rstest]
    #[case(&["10.0.0.0/24"], &[])]
    #[case(&["10.0.0.0/24", "2001:db8::/64"], &[])]
    #[case(&[], &["spec.cidrs"])]
    #[case(&["10.0.0.0/24", "10.1.0.0/24"], &["spec.cidrs"])]
    #[case(&["10.0.0.0/24", "x"], &["spec.cidrs[1]"])]
    #[case(&["10.0.0.1/24", "10.1.0.0/24"], &["spec.cidrs[0]", "spec.cidrs"])]
    #[case(&["a", "b", "c"], &["spec.cidrs"])]
    #[case(&["10.0.0.0"], &["spec.cidrs[0]"])]
    #[case(&["10.0.0.1/24"], &["spec.cidrs[0]"])]
    #[case(&["2001:DB8::/64"], &["spec.cidrs[0]"])]
    #[case(&["FD00:1234::2/64"], &["spec.cidrs[0]"])]
    #[case(&["192.168.0.0/24", "FD00:1234::/64"], &["spec.cidrs[1]"])]
    #[case(&["192.168.007.0/24", "fd00:1234::/64"], &["spec.cidrs[0]"])]
    fn what_is_wrong(#[case] cidrs: &[&str], #[case] wrong: &[&str]) {
        let errors = ServiceCidr.validate(&range(cidrs));
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }

    #[rstest]
    #[case(&["10.0.0.0/24", "10.1.0.0/24"], "spec.cidrs: Invalid value: [\"10.0.0.0/24\",\"10.1.0.0/24\"]: may specify no more than one IP")]
    #[case(&["a", "b", "c"], "spec.cidrs: Invalid value: {\"CIDRs\":[\"a\",\"b\",\"c\"]}: may only hold up to 2 values")]
    #[case(&[], "spec.cidrs: Required value: at least one CIDR required")]
    fn what_is_shown(#[case] cidrs: &[&str], #[case] said: &str) {
        let errors = ServiceCidr.validate(&range(cidrs));
        assert!(errors[0].to_string().starts_with(said), "{}", errors[0]);
    }

    #[test]
    fn a_range_that_is_taken_away_is_shown_as_none() {
        let none = Object::from_value(json!({"spec": {}})).unwrap();
        let errors = ServiceCidr.validate_update(&none, &range(&["10.0.0.0/24"]), "");
        let said = "spec.cidrs: Invalid value: null: field is immutable";
        assert_eq!(errors[0].to_string(), said);
    }

    #[test]
    fn a_status_says_nothing_of_the_metadata() {
        let mut new = range(&["10.0.0.0/24"]);
        new.meta_mut()
            .insert("annotations".into(), json!({"a": "b"}));
        let mut changed = new.clone();
        ServiceCidr.prepare_update(&mut changed, &range(&["10.0.0.0/24"]), "status");
        assert!(changed.annotations().next().is_none());
        ServiceCidr.prepare_update(&mut new, &range(&["10.0.0.0/24"]), "");
        assert!(new.annotations().next().is_some());
    }

    #[rstest]
    #[case(&["10.0.0.0/24"], &[])]
    #[case(&["10.0.0.0/24", "2001:db8::/64"], &[])]
    #[case(&["10.1.0.0/24", "2001:db8::/64"], &["spec.cidrs[0]"])]
    #[case(&["10.0.0.0/16"], &["spec.cidrs[0]"])]
    #[case(&["10.0.0.0/24", "10.9.0.0/24"], &["spec.cidrs"])]
    #[case(&["10.0.0.0/24", "x"], &["spec.cidrs[1]"])]
    #[case(&[], &["spec.cidrs"])]
    fn what_may_change(#[case] cidrs: &[&str], #[case] wrong: &[&str]) {
        let errors = ServiceCidr.validate_update(&range(cidrs), &range(&["10.0.0.0/24"]), "");
        let found: Vec<&str> = errors.iter().map(|e| e.field.as_str()).collect();
        assert_eq!(found, wrong);
    }
}
