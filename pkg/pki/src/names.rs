//! The names and addresses that a server certificate answers for.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// Subject alternative names, without order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SubjectNames {
    pub dns: BTreeSet<String>,
    pub addresses: BTreeSet<IpAddr>,
}

impl SubjectNames {
    /// From any names and addresses. Names are compared in lower case.
    pub fn new(
        dns: impl IntoIterator<Item = impl Into<String>>,
        addresses: impl IntoIterator<Item = IpAddr>,
    ) -> Self {
        Self {
            dns: dns
                .into_iter()
                .map(|name| name.into().to_ascii_lowercase())
                .collect(),
            addresses: addresses.into_iter().collect(),
        }
    }

    /// The names under which clients inside a cluster know the API: the `kubernetes` Service of `default`.
    #[must_use]
    pub fn of_service(cluster_domain: &str) -> [String; 5] {
        [
            "kubernetes".into(),
            "kubernetes.default".into(),
            "kubernetes.default.svc".into(),
            format!("kubernetes.default.svc.{cluster_domain}"),
            "localhost".into(),
        ]
    }
}
