//! A Pod has the labels of its node that tell where it is (KEP-4742; upstream: `plugin/pkg/admission/podtopologylabels`).

use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, Status};

use super::{Admission, Attributes, Operation};
use crate::value::{field, text};

const LABELS: [&str; 2] = [
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
];

/// Upstream's plugin `PodTopologyLabels`: what is made on a node, or bound to one, gets its labels. A node that is not there has none.
pub struct PodTopologyLabels;

impl Admission for PodTopologyLabels {
    fn plugin(&self) -> Option<&'static str> {
        Some("PodTopologyLabels")
    }

    fn change(&self, attributes: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        let (target, kind) = (attributes.target, &attributes.target.kind);
        let of_pods = kind.group.is_empty() && kind.plural == "pods";
        if attributes.operation != Operation::Create || !of_pods {
            return Ok(());
        }
        let node = match target.subresource.as_str() {
            "" => text(field(&object.0, "spec"), "nodeName"),
            "binding" => match field(&object.0, "target") {
                to if text(to, "kind") == "Node" => text(to, "name"),
                _ => "",
            },
            _ => "",
        };
        if node.is_empty() {
            return Ok(());
        }
        let Some(node) = attributes.view.object("", "nodes", "", node)? else {
            return Ok(());
        };
        for (key, value) in node.labels().filter(|(key, _)| LABELS.contains(key)) {
            child_mut(object.meta_mut(), "labels").insert(key.into(), value.into());
        }
        Ok(())
    }
}
