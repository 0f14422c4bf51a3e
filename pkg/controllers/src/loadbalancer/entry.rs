//! A Service, as the load balancer remembers it.

use std::net::IpAddr;

use kedge_client::Json;
use kedge_client::Resource;
use kedge_machinery::Object;
use kedge_machinery::object::child_mut;
use serde_json::{Value, json};

use super::outcome::{Name, Outcome};
use super::request::{Port, Request, ports};
use crate::engine::{Write, key};
use crate::events::About;
use crate::view::{self, Ingress, Service};

/// KEP-1860: packets to the address keep it as their destination until they are here.
const IP_MODE: &str = "VIP";

/// A Service that has a part in this.
pub(super) struct Entry {
    pub uid: String,
    pub node_ports: Vec<Port>,
    pub role: Role,
}

pub(super) enum Role {
    /// It is ours to serve.
    Ours(Box<Ours>),
    /// It is another's, who may have given it these addresses.
    Others(Vec<IpAddr>),
}

pub(super) struct Ours {
    pub request: Request,
    ingress: Vec<Ingress>,
    bytes: Json,
}

impl Entry {
    /// Reads a Service; nothing of one that neither has nor wants what others could want. `class` is the class that is served
    /// beside none.
    pub(super) fn read(bytes: &Json, class: Option<&str>) -> Option<Self> {
        let service: Service = view::read(bytes)?;
        let node_ports = ports(&service, |port| port.node_port);
        let wanted = service.spec.load_balancer_class.as_deref();
        let ours = service.is_load_balancer() && (wanted.is_none() || wanted == class);
        let role = if ours {
            Role::Ours(Box::new(Ours {
                request: Request::of(&service),
                ingress: service.ingress().to_vec(),
                bytes: bytes.clone(),
            }))
        } else {
            let ingress = service.ingress().iter();
            Role::Others(ingress.filter_map(|i| i.ip.parse().ok()).collect())
        };
        let idle = node_ports.is_empty()
            && matches!(&role, Role::Others(addresses) if addresses.is_empty());
        (!idle).then_some(Self {
            uid: service.metadata.uid,
            node_ports,
            role,
        })
    }

    /// The Service, for an Event.
    pub(super) fn about(&self, name: &Name) -> About {
        About {
            api_version: "v1".into(),
            kind: "Service".into(),
            namespace: name.0.clone(),
            name: name.1.clone(),
            uid: self.uid.clone(),
        }
    }

    pub(super) fn ours(&self) -> Option<&Ours> {
        match &self.role {
            Role::Ours(ours) => Some(ours),
            Role::Others(_) => None,
        }
    }

    /// It matters to nobody that this is there instead of what was: what it has to do with others is the same, and it is as
    /// it was told to be.
    pub(super) fn is_as(&self, name: &Name, before: &Self, told: Option<&Outcome>) -> bool {
        let same = match (&self.role, &before.role) {
            (Role::Others(addresses), Role::Others(before)) => addresses == before,
            (Role::Ours(ours), Role::Ours(before)) => {
                !ours.request.edited
                    && ours.request.asks_as(&before.request)
                    && told.is_some_and(|told| ours.status(name, &told.addresses).is_none())
            }
            _ => false,
        };
        same && self.node_ports == before.node_ports
    }

    /// Notes whether the Service asks for something else than it did.
    pub(super) fn follows(&mut self, before: &Self) {
        if let (Role::Ours(ours), Some(before)) = (&mut self.role, before.ours()) {
            let same = ours.request.asks_as(&before.request);
            ours.request.edited = before.request.edited || !same;
        }
    }

    /// It was served as it asks now.
    pub(super) fn settle(&mut self) {
        if let Role::Ours(ours) = &mut self.role {
            ours.request.edited = false;
        }
    }
}

impl Ours {
    /// The write that gives the Service these addresses; none where it has them.
    pub(super) fn status(&self, name: &Name, addresses: &[IpAddr]) -> Option<Write> {
        let wanted: Vec<Ingress> = addresses
            .iter()
            .map(|ip| Ingress {
                ip: ip.to_string(),
                ip_mode: IP_MODE.into(),
                ..Ingress::default()
            })
            .collect();
        if wanted == self.ingress {
            return None;
        }
        let mut service = Object::from_value(view::read(&self.bytes)?)?;
        let list: Vec<Value> = wanted
            .iter()
            .map(|ingress| json!({"ip": ingress.ip, "ipMode": ingress.ip_mode}))
            .collect();
        let balancer = child_mut(child_mut(&mut service.0, "status"), "loadBalancer");
        if list.is_empty() {
            balancer.remove("ingress");
        } else {
            balancer.insert("ingress".into(), list.into());
        }
        let about = key(Resource::SERVICES, &name.0, &name.1);
        Some(Write::update(&about, Resource::SERVICES, "status", service))
    }
}
