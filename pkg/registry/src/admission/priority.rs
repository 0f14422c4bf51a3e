//! The priority of a Pod is that of its class (upstream's plugin `Priority`).

use kedge_machinery::{Object, Status};
use serde_json::{Value, json};

use super::{Admission, Attributes, Operation};
use crate::value::{field, int, text};

const GROUP: &str = "scheduling.k8s.io";
const PLURAL: &str = "priorityclasses";

/// Fills a new Pod's priority from the class that it names, or from the default one; and keeps the default one alone.
pub struct Priority;

impl Admission for Priority {
    fn plugin(&self) -> Option<&'static str> {
        Some("Priority")
    }

    fn change(&self, attributes: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        let (kind, target) = (&attributes.target.kind, attributes.target);
        if attributes.operation != Operation::Create
            || !target.subresource.is_empty()
            || (kind.group.as_str(), kind.kind.as_str()) != ("", "Pod")
        {
            return Ok(());
        }
        let refuse = |why: String| Status::forbidden("", "pods", &target.name, &why);
        let spec = field(&object.0, "spec");
        let class = match text(spec, "priorityClassName") {
            "" => default_class(attributes)?,
            name => {
                let found = attributes.view.object(GROUP, PLURAL, "", name)?;
                Some(found.ok_or_else(|| {
                    refuse(format!("no PriorityClass with name {name} was found"))
                })?)
            }
        };
        let value = class
            .as_ref()
            .map_or(0, |class| field(&class.0, "value").as_i64().unwrap_or(0));
        if spec.get("priority").is_some() && int(spec, "priority") != value {
            return Err(refuse(format!(
                "the integer value of priority ({}) must not be provided in pod spec; priority admission \
                 controller computed {value} from the given PriorityClass name",
                int(spec, "priority")
            )));
        }
        let Some(spec) = object.0.get_mut("spec").and_then(Value::as_object_mut) else {
            return Ok(());
        };
        spec.insert("priority".into(), json!(value));
        if let Some(class) = class {
            spec.insert("priorityClassName".into(), json!(class.name()));
            let policy = field(&class.0, "preemptionPolicy").clone();
            spec.entry("preemptionPolicy").or_insert(policy);
        }
        Ok(())
    }

    fn check(&self, attributes: &Attributes<'_>, object: Option<&Object>) -> Result<(), Status> {
        let (kind, target) = (&attributes.target.kind, attributes.target);
        let Some(class) = object else { return Ok(()) };
        if (kind.group.as_str(), kind.kind.as_str()) != (GROUP, "PriorityClass")
            || !is_default(class)
        {
            return Ok(());
        }
        match default_class(attributes)? {
            Some(other) if other.name() != target.name => Err(Status::forbidden(
                GROUP,
                PLURAL,
                &target.name,
                &format!(
                    "PriorityClass {} is already marked as default. Only one default can exist",
                    other.name()
                ),
            )),
            _ => Ok(()),
        }
    }
}

fn is_default(class: &Object) -> bool {
    field(&class.0, "globalDefault") == &json!(true)
}

/// The default class with the smallest value, should there be several.
fn default_class(attributes: &Attributes<'_>) -> Result<Option<Object>, Status> {
    let classes = attributes.view.objects(GROUP, PLURAL, "")?;
    let defaults = classes.into_iter().filter(is_default);
    Ok(defaults.min_by_key(|class| field(&class.0, "value").as_i64().unwrap_or(0)))
}
