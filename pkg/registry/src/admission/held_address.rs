//! What the server itself holds is not taken away under it.

use kedge_machinery::{Object, Status};
use serde_json::Value;

use super::{Admission, Attributes, Operation};
use crate::bootstrap::SERVICE_CIDR;
use crate::value::{child, field, text, texts};

const GROUP: &str = "networking.k8s.io";

/// Keeps the IPAddress of a ClusterIP while its Service has it, and the range that the server was told. Upstream makes
/// such objects again some time later; here nothing is missing in between.
pub struct HeldAddress;

impl Admission for HeldAddress {
    fn check(&self, attributes: &Attributes<'_>, _object: Option<&Object>) -> Result<(), Status> {
        let target = attributes.target;
        if attributes.operation != Operation::Delete
            || attributes.user.is_none()
            || target.kind.group != GROUP
        {
            return Ok(());
        }
        let refuse = |why: &str| {
            Err(Status::forbidden(
                GROUP,
                &target.kind.plural,
                &target.name,
                why,
            ))
        };
        match target.kind.kind.as_str() {
            "ServiceCIDR" if target.name == SERVICE_CIDR => {
                refuse("it is the range that the server was started with")
            }
            "IPAddress" => match holder(attributes)? {
                Some(service) => refuse(&format!(
                    "the Service {service} has this address: delete the Service"
                )),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

/// `namespace/name` of the Service that has the address.
fn holder(attributes: &Attributes<'_>) -> Result<Option<String>, Status> {
    let Some(address) = attributes.old else {
        return Ok(None);
    };
    let parent = child(field(&address.0, "spec"), "parentRef");
    if !text(parent, "group").is_empty() || text(parent, "resource") != "services" {
        return Ok(None);
    }
    let (namespace, name) = (text(parent, "namespace"), text(parent, "name"));
    let service = attributes.view.object("", "services", namespace, name)?;
    let has = |service: &Object| {
        let spec: &Value = field(&service.0, "spec");
        texts(spec, "clusterIPs").contains(&attributes.target.name.as_str())
    };
    Ok(service
        .filter(has)
        .map(|service| format!("{namespace}/{}", service.name())))
}
