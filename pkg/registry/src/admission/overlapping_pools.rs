//! No address is in two pools, nor in a pool and in a range of ClusterIPs: who has it would depend on who is asked.

use kedge_machinery::service_cidr::ranges_of;
use kedge_machinery::{AddressRange, Object, Status};

use super::{Admission, Attributes, Operation};
use crate::value::{field, texts};

const GROUP: &str = "metallb.io";
const PLURAL: &str = "ipaddresspools";

/// Refuses an IPAddressPool that has an address of another one, in whatever namespace, as MetalLB's webhook does within its own;
/// and one that has an address of a ServiceCIDR.
pub struct OverlappingPools;

impl Admission for OverlappingPools {
    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let target = attributes.target;
        let (Some(pool), "") = (object, target.subresource.as_str()) else {
            return Ok(());
        };
        if (target.kind.group.as_str(), target.kind.plural.as_str()) != (GROUP, PLURAL)
            || attributes.operation == Operation::Delete
        {
            return Ok(());
        }
        let ranges = ranges(pool);
        let refuse = |why: String| Err(Status::forbidden(GROUP, PLURAL, &target.name, &why));
        for service_cidr in attributes
            .view
            .objects("networking.k8s.io", "servicecidrs", "")?
        {
            for cidr in ranges_of(&service_cidr) {
                if let Some(own) = ranges.iter().find(|own| own.overlaps_net(&cidr)) {
                    return refuse(format!(
                        "{own} overlaps with {cidr} of the ServiceCIDR {}: choose addresses of the LAN",
                        service_cidr.name()
                    ));
                }
            }
        }
        for other in attributes.view.objects(GROUP, PLURAL, "")? {
            if (other.namespace(), other.name()) == (pool.namespace(), pool.name()) {
                continue;
            }
            for theirs in self::ranges(&other) {
                if let Some(own) = ranges.iter().find(|own| own.overlaps(&theirs)) {
                    return refuse(format!(
                        "{own} overlaps with {theirs} of the IPAddressPool {}/{}: an address is in one pool at most",
                        other.namespace(),
                        other.name()
                    ));
                }
            }
        }
        Ok(())
    }
}

fn ranges(pool: &Object) -> Vec<AddressRange> {
    let texts = texts(field(&pool.0, "spec"), "addresses");
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}
