//! A lab with a server on its node: what most end-to-end tests begin with.

use std::net::{IpAddr, SocketAddr};

use serde_json::{Value, json};

use crate::kubectl::Kubectl;
use crate::lab::{Lab, PODS, PORT};
use crate::server::{Server, kedge};
use crate::tool::ToolError;
use crate::wait::until;

/// Flags that every server of a lab gets: both families, and a pool on the LAN.
pub const FLAGS: [&str; 10] = [
    "--node-name",
    "node",
    "--node-ip",
    "192.168.50.10,fd00:50::10",
    "--service-cidr",
    "10.43.0.0/16,fd00:43::/112",
    "--cluster-cidr",
    "10.42.0.0/16,fd00:42::/64",
    "--lb-pool",
    "192.168.50.240-192.168.50.250,fd00:50::f0-fd00:50::ff",
];

/// A site and its server; the server ends before the site goes.
#[derive(Debug)]
pub struct Site {
    server: Option<Server>,
    flags: Vec<&'static str>,
    pub lab: Lab,
}

impl Site {
    /// A lab of its own with a server on it.
    ///
    /// # Errors
    /// As [`Lab::new`] and [`Server::start`].
    pub fn new() -> Result<Self, ToolError> {
        Self::on(Lab::new()?)
    }

    /// A server on a lab that stands.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn on(lab: Lab) -> Result<Self, ToolError> {
        Self::with(lab, &[])
    }

    /// The same with further flags, which it is started again with too.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn with(lab: Lab, more: &[&'static str]) -> Result<Self, ToolError> {
        Self::flagged(lab, [&FLAGS, more].concat())
    }

    /// The same without a pool in its settings.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn without_pool(lab: Lab, more: &[&'static str]) -> Result<Self, ToolError> {
        let flags = FLAGS.split(|flag| *flag == "--lb-pool").next();
        Self::flagged(lab, [flags.unwrap_or_default(), more].concat())
    }

    fn flagged(lab: Lab, flags: Vec<&'static str>) -> Result<Self, ToolError> {
        Ok(Self {
            server: Some(lab.server(&flags)?),
            flags,
            lab,
        })
    }

    /// The server that runs.
    ///
    /// # Panics
    /// It was stopped.
    #[must_use]
    pub fn server(&self) -> &Server {
        match &self.server {
            Some(server) => server,
            None => panic!("the server was stopped"),
        }
    }

    /// Ends the server by SIGKILL.
    pub fn kill(&mut self) {
        if let Some(server) = self.server.take() {
            server.kill();
        }
    }

    /// Ends the server by SIGTERM.
    ///
    /// # Errors
    /// As [`Server::stop`].
    pub fn stop(&mut self) -> Result<(), ToolError> {
        self.server.take().map_or(Ok(()), Server::stop)
    }

    /// Starts the server again on its data.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start(&mut self) -> Result<(), ToolError> {
        self.server = Some(self.lab.server(&self.flags)?);
        Ok(())
    }

    /// Leaves all of it running.
    pub fn keep(&mut self) {
        self.lab.keep();
        if let Some(server) = &mut self.server {
            server.keep();
        }
    }

    /// `kedge WORDS` on the node.
    ///
    /// # Errors
    /// What kedge says.
    pub fn kedge(&self, words: &[&str]) -> Result<String, ToolError> {
        kedge(
            &self.lab.node,
            &self.lab.data().join("kubeconfig.yaml"),
            words,
            "",
        )
    }

    /// Applies manifests, their status too.
    ///
    /// # Errors
    /// What kedge says.
    pub fn apply(&self, manifests: &[Value]) -> Result<String, ToolError> {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": manifests});
        let kubeconfig = self.lab.data().join("kubeconfig.yaml");
        kedge(
            &self.lab.node,
            &kubeconfig,
            &["apply", "--with-status", "-f", "-"],
            &list.to_string(),
        )
    }

    /// See [`until`].
    ///
    /// # Errors
    /// The state does not come.
    pub fn until(
        &self,
        words: &[&str],
        right: impl Fn(&Value) -> bool,
    ) -> Result<Value, ToolError> {
        until(
            &self.lab.node,
            &self.lab.data().join("kubeconfig.yaml"),
            words,
            right,
        )
    }

    /// Waits until a Service's slices of one family have so many ready endpoints.
    ///
    /// # Errors
    /// They do not come.
    pub fn until_endpoints(
        &self,
        service: &str,
        family: &str,
        count: usize,
    ) -> Result<(), ToolError> {
        let selector = format!("kubernetes.io/service-name={service}");
        let ready = |slice: &Value| {
            slice["addressType"] == family
                && slice["endpoints"].as_array().map_or(0, |all| {
                    all.iter()
                        .filter(|e| e["conditions"]["ready"] != json!(false))
                        .count()
                }) == count
        };
        self.until(&["endpointslices", "-l", &selector], ready)
            .map(drop)
    }

    /// A Service as the API has it now.
    ///
    /// # Errors
    /// There is none.
    pub fn service(&self, name: &str) -> Result<Value, ToolError> {
        let text = self.kedge(&["get", "service", name, "-o", "json"])?;
        serde_json::from_str(&text).map_err(|e| ToolError::Other(format!("{e}: {text}")))
    }

    /// The first ClusterIP of a family, with a port.
    ///
    /// # Errors
    /// The Service has none.
    pub fn cluster_ip(&self, name: &str, ipv4: bool, port: u16) -> Result<SocketAddr, ToolError> {
        let service = self.service(name)?;
        let ip = service["spec"]["clusterIPs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|v| v.as_str()?.parse::<IpAddr>().ok())
            .find(|ip| ip.is_ipv4() == ipv4);
        ip.map(|ip| (ip, port).into())
            .ok_or_else(|| ToolError::Other(format!("no ClusterIP in {service}")))
    }

    /// The LoadBalancer address of a family, once there is one, with a port.
    ///
    /// # Errors
    /// There comes none.
    pub fn balancer(&self, name: &str, ipv4: bool, port: u16) -> Result<SocketAddr, ToolError> {
        let find = |service: &Value| {
            let ingress = service["status"]["loadBalancer"]["ingress"].as_array()?;
            ingress
                .iter()
                .filter_map(|i| i["ip"].as_str()?.parse::<IpAddr>().ok())
                .find(|ip| ip.is_ipv4() == ipv4)
        };
        let service = self.until(&["service", name], |service| find(service).is_some())?;
        find(&service)
            .map(|ip| (ip, port).into())
            .ok_or_else(|| ToolError::Other("no address".into()))
    }

    /// kubectl on the node; `None` where this machine has none.
    #[must_use]
    pub fn kubectl(&self) -> Option<Kubectl<'_>> {
        Kubectl::new(&self.lab.node, &self.lab.data().join("kubeconfig.yaml"))
    }
}

/// The lab's backends as Pods with their status: `web-1` to `web-3`, labelled `app: web`.
#[must_use]
pub fn pods() -> Vec<Value> {
    PODS.iter()
        .enumerate()
        .map(|(i, [v4, v6])| {
            json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("web-{}", i + 1), "namespace": "default", "labels": {"app": "web"}},
                "spec": {
                    "nodeName": "node",
                    "containers": [{"name": "web", "image": "web", "ports": [{"name": "http", "containerPort": PORT}]}],
                },
                "status": {
                    "phase": "Running", "podIP": v4, "podIPs": [{"ip": v4}, {"ip": v6}],
                    "conditions": [{"type": "Ready", "status": "True"}],
                },
            })
        })
        .collect()
}

/// A dual-stack Service over the backends: TCP 80 and UDP 80, both to their port; `spec` is laid over it.
#[must_use]
pub fn service(name: &str, spec: Value) -> Value {
    let mut service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "selector": {"app": "web"},
            "ipFamilyPolicy": "RequireDualStack",
            "ports": [
                {"name": "tcp", "port": 80, "targetPort": PORT},
                {"name": "udp", "protocol": "UDP", "port": 80, "targetPort": PORT},
            ],
        },
    });
    if let (Some(target), Value::Object(over)) = (service["spec"].as_object_mut(), spec) {
        target.extend(over.into_iter().filter(|(_, v)| !v.is_null()));
    }
    service
}
