//! IPAddressPools and L2Advertisements (`metallb.io/v1beta1`), as the load balancer looks at them.

use serde::Deserialize;
use serde_json::Value;

use super::{Meta, nullable};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AddressPool {
    pub metadata: Meta,
    #[serde(deserialize_with = "nullable")]
    pub spec: PoolSpec,
    /// Nothing as long as nobody counted.
    pub status: Option<PoolStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct PoolSpec {
    #[serde(deserialize_with = "nullable")]
    pub addresses: Vec<String>,
    pub auto_assign: Option<bool>,
    #[serde(rename = "avoidBuggyIPs", deserialize_with = "nullable")]
    pub avoid_buggy_ips: bool,
    pub service_allocation: Option<ServiceAllocation>,
}

/// Selectors are left as they are, for `kedge_machinery` to read.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct ServiceAllocation {
    #[serde(deserialize_with = "nullable")]
    pub priority: u32,
    #[serde(deserialize_with = "nullable")]
    pub namespaces: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub namespace_selectors: Vec<Value>,
    #[serde(deserialize_with = "nullable")]
    pub service_selectors: Vec<Value>,
}

/// `status` of an IPAddressPool: numbers of addresses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct PoolStatus {
    #[serde(rename = "assignedIPv4")]
    pub assigned_ipv4: i64,
    #[serde(rename = "assignedIPv6")]
    pub assigned_ipv6: i64,
    #[serde(rename = "availableIPv4")]
    pub available_ipv4: i64,
    #[serde(rename = "availableIPv6")]
    pub available_ipv6: i64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct L2Advertisement {
    #[serde(deserialize_with = "nullable")]
    pub spec: AdvertisementSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct AdvertisementSpec {
    #[serde(rename = "ipAddressPools", deserialize_with = "nullable")]
    pub pools: Vec<String>,
    #[serde(rename = "ipAddressPoolSelectors", deserialize_with = "nullable")]
    pub pool_selectors: Vec<Value>,
    #[serde(deserialize_with = "nullable")]
    pub interfaces: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub node_selectors: Vec<Value>,
    #[serde(deserialize_with = "nullable")]
    pub service_selectors: Vec<Value>,
}
