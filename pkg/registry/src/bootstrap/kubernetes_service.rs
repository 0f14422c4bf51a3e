//! The Service by which programs in the cluster find the API.

use std::net::IpAddr;
use std::sync::Arc;

use kedge_machinery::Status;
use serde_json::{Value, json};

use super::{object, options, settled};
use crate::allocate::Family;
use crate::registry::Registry;
use crate::request::{GetOptions, Target};

const NAME: &str = "kubernetes";
const HTTPS: u16 = 443;

impl Registry {
    /// The Service `default/kubernetes` at the first address of the primary range, and where the API answers: its
    /// EndpointSlices (one a family) and Endpoints. Writes only what differs; a Service that people changed stays.
    pub async fn ensure_kubernetes_service(
        &self,
        endpoints: &[IpAddr],
        port: u16,
    ) -> Result<(), Status> {
        let mut endpoints: Vec<IpAddr> = endpoints.to_vec();
        endpoints.sort_unstable();
        endpoints.dedup();
        let first = self.inner.pools.first_address();
        let first =
            first.ok_or_else(|| Status::internal("the service address range has no address"))?;
        let service = Target::new(self.kind("", "services")?, "default", NAME);
        if self.get(&service, &GetOptions::default()).is_err() {
            let body = object(self::service(first, port));
            settled(self.create(&service, body, &options()).await.map(|_| ()))?;
        }
        let slices = self.kind("discovery.k8s.io", "endpointslices")?;
        for family in [Family::V4, Family::V6] {
            let addresses: Vec<IpAddr> = of_family(&endpoints, family);
            // The primary family's slice has the Service's own name, as upstream's reconciler gives it.
            let name = if family == Family::of(first) {
                NAME.to_string()
            } else {
                format!("{NAME}-{}", family.as_str().to_lowercase())
            };
            let target = Target::new(Arc::clone(&slices), "default", name);
            let body =
                (!addresses.is_empty()).then(|| slice(&target.name, family, &addresses, port));
            self.ensure(&target, body).await?;
        }
        let target = Target::new(self.kind("", "endpoints")?, "default", NAME);
        let addresses = of_family(&endpoints, Family::of(first));
        let body = (!addresses.is_empty()).then(|| self::endpoints(&addresses, port));
        self.ensure(&target, body).await
    }
}

fn of_family(addresses: &[IpAddr], family: Family) -> Vec<IpAddr> {
    addresses
        .iter()
        .copied()
        .filter(|address| Family::of(*address) == family)
        .collect()
}

fn labels() -> Value {
    json!({"component": "apiserver", "provider": "kubernetes"})
}

fn service(address: IpAddr, port: u16) -> Value {
    json!({
        "metadata": {"name": NAME, "labels": labels()},
        "spec": {
            "clusterIP": address.to_string(), "clusterIPs": [address.to_string()], "type": "ClusterIP",
            "ipFamilies": [Family::of(address).as_str()], "ipFamilyPolicy": "SingleStack",
            "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": HTTPS, "targetPort": port}],
        },
    })
}

fn slice(name: &str, family: Family, addresses: &[IpAddr], port: u16) -> Value {
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|a| json!({"addresses": [a.to_string()], "conditions": {"ready": true}}))
        .collect();
    json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/service-name": NAME}},
        "addressType": family.as_str(),
        "endpoints": endpoints,
        "ports": [{"name": "https", "protocol": "TCP", "port": port}],
    })
}

/// The label keeps mirroring controllers from making a slice of it once more.
fn endpoints(addresses: &[IpAddr], port: u16) -> Value {
    let addresses: Vec<Value> = addresses
        .iter()
        .map(|a| json!({"ip": a.to_string()}))
        .collect();
    json!({
        "metadata": {"name": NAME, "labels": {"endpointslice.kubernetes.io/skip-mirror": "true"}},
        "subsets": [{"addresses": addresses, "ports": [{"name": "https", "protocol": "TCP", "port": port}]}],
    })
}
