//! The cluster's DNS on this node, and the Service `kube-dns`: by it its address is taken, and found by who looks for it.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use kedge_client::{ObjectKey, Resource, SharedClient};
use kedge_machinery::{Object, Status};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::config::Config;

const NAME: &str = "kube-dns";
const NAMESPACE: &str = "kube-system";

/// Opens the server's sockets. `lan`: the subnets of the node's links.
///
/// # Errors
/// The address is taken.
pub fn bind(
    config: &Config,
    lan: watch::Receiver<Arc<[IpNet]>>,
    client: &SharedClient,
) -> Result<kedge_dns::Server, kedge_dns::BindError> {
    let cluster = [config.service_cidrs.clone(), config.cluster_cidrs.clone()].concat();
    let dns = &config.dns;
    let config = kedge_dns::Config {
        address: (config.cluster_dns, 53).into(),
        domain: config.cluster_domain.clone(),
        reverse: cluster.clone(),
        hosts: dns.hosts.clone(),
        clients: kedge_dns::Clients {
            cluster,
            lan,
            named: dns.clients.clone(),
            rate_limit: dns.rate_limit,
        },
        resolvers: kedge_dns::Options {
            upstreams: dns.upstreams.clone(),
            resolv_conf: "/etc/resolv.conf".into(),
            tls_authorities: dns.tls_authorities.clone(),
        },
    };
    kedge_dns::Server::bind(config, client)
}

/// Makes the Service, or makes it anew when it has another address. The node itself owns the address and answers
/// there, so the label of another proxy keeps ours from making rules for it.
pub async fn ensure(client: &SharedClient, address: IpAddr) -> Result<(), Status> {
    let key = ObjectKey {
        resource: Resource::SERVICES,
        namespace: NAMESPACE.into(),
        name: NAME.into(),
    };
    match client.get(&key).await {
        Ok(there) if there.at(&["spec", "clusterIP"]) == Some(&json!(address.to_string())) => {
            return Ok(());
        }
        Ok(there) => client.delete(&key, Some(there.uid())).await?,
        Err(status) if status.is_not_found() => {}
        Err(status) => return Err(status),
    }
    client
        .create(Resource::SERVICES, object(service(address)))
        .await?;
    Ok(())
}

fn service(address: IpAddr) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": NAME,
            "namespace": NAMESPACE,
            "labels": {
                "k8s-app": "kube-dns",
                "kubernetes.io/name": "kedge",
                "service.kubernetes.io/service-proxy-name": "kedge-node",
            },
        },
        "spec": {
            "clusterIP": address.to_string(),
            "ports": [
                {"name": "dns", "protocol": "UDP", "port": 53},
                {"name": "dns-tcp", "protocol": "TCP", "port": 53},
            ],
        },
    })
}

/// Writes a warning about the cluster's own state.
pub async fn event(client: &SharedClient, reason: &str, message: &str) -> Result<(), Status> {
    let now = kedge_machinery::time::rfc3339(jiff::Timestamp::now());
    let body = json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": "kedge-", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Namespace", "name": "default"},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "source": {"component": "kedge"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    });
    client.create(Resource::EVENTS, object(body)).await?;
    Ok(())
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap_or_default()
}
