//! What this kernel lacks.

use kedge_nftables::Family;
use kedge_nftables::probe::{FEATURES, Feature, missing};

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It works, with something less.
    Warning,
    /// Services do not work.
    Error,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

/// Tries everything that the rules need, in the calling thread's network namespace, without
/// changing anything.
#[must_use]
pub fn probe() -> Vec<Finding> {
    match missing(&FEATURES) {
        Ok(missing) => missing
            .into_iter()
            .filter_map(|missing| finding(missing.feature, &missing.source.to_string()))
            .collect(),
        Err(error) => vec![Finding {
            severity: Severity::Error,
            what: format!("netlink to nf_tables does not work: {error}"),
            advice: "run as root, or with the capability CAP_NET_ADMIN".into(),
        }],
    }
}

/// What a missing feature means; `None` if it means nothing here.
fn finding(feature: Feature, why: &str) -> Option<Finding> {
    let severity = match feature {
        // Not used: there is a way that works everywhere.
        Feature::Destroy | Feature::Intervals => return None,
        Feature::Conntrack => Severity::Warning,
        _ => Severity::Error,
    };
    let option = option(feature);
    let consequence = match feature {
        Feature::Conntrack => "; UDP clients may stay with endpoints that are gone",
        _ => "",
    };
    Some(Finding {
        severity,
        what: format!("the kernel lacks {feature} ({why}){consequence}"),
        advice: format!("load or build the module for {option}"),
    })
}

/// The kernel's configuration option for a feature.
fn option(feature: Feature) -> &'static str {
    match feature {
        Feature::NfTables | Feature::Basics | Feature::VerdictMap => "CONFIG_NF_TABLES",
        Feature::Table(Family::Ip6) => "CONFIG_NF_TABLES_IPV6",
        Feature::Table(_) => "CONFIG_NF_TABLES_IPV4",
        Feature::NatChain(_) | Feature::Dnat(_) => "CONFIG_NFT_NAT",
        Feature::Ct => "CONFIG_NFT_CT",
        Feature::Numgen => "CONFIG_NFT_NUMGEN",
        Feature::Masquerade => "CONFIG_NFT_MASQ",
        Feature::Reject(Family::Ip6) => "CONFIG_NFT_REJECT_IPV6",
        Feature::Reject(_) => "CONFIG_NFT_REJECT_IPV4",
        Feature::Fib => "CONFIG_NFT_FIB_IPV4 and CONFIG_NFT_FIB_IPV6",
        Feature::Conntrack => "CONFIG_NF_CT_NETLINK",
        _ => "CONFIG_NF_TABLES with sets (CONFIG_NFT_HASH)",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_finding_says_what_to_do() {
        for feature in FEATURES {
            if let Some(finding) = finding(feature, "Operation not supported") {
                assert!(finding.advice.contains("CONFIG_"), "{finding:?}");
                assert!(finding.what.contains("Operation not supported"));
            }
        }
    }

    #[test]
    fn what_is_not_used_is_not_missed() {
        assert_eq!(finding(Feature::Destroy, ""), None);
    }
}
