//! An Ingress that names no class gets the default one, where there is one.

use kedge_machinery::{Object, Status};
use serde_json::json;

use super::{Admission, Attributes, Operation};
use crate::value::text;

const GROUP: &str = "networking.k8s.io";
/// On an IngressClass, `"true"`: it is the default.
const IS_DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class";
/// On an Ingress: the older way to name a class.
const OLD_CLASS: &str = "kubernetes.io/ingress.class";

/// The rule of upstream's plugin `DefaultIngressClass`: among several defaults the newest counts, then the first by name.
pub struct DefaultIngressClass;

impl Admission for DefaultIngressClass {
    fn plugin(&self) -> Option<&'static str> {
        Some("DefaultIngressClass")
    }

    fn change(&self, attributes: &Attributes<'_>, object: &mut Object) -> Result<(), Status> {
        let target = attributes.target;
        let is_new_ingress = attributes.operation == Operation::Create
            && target.subresource.is_empty()
            && target.kind.group == GROUP
            && target.kind.kind == "Ingress";
        if !is_new_ingress
            || object.at(&["spec", "ingressClassName"]).is_some()
            || object.at(&["metadata", "annotations", OLD_CLASS]).is_some()
        {
            return Ok(());
        }
        let classes = attributes.view.objects(GROUP, "ingressclasses", "")?;
        if let Some(name) = default_class(&classes)
            && let Some(spec) = object.0.get_mut("spec").and_then(|s| s.as_object_mut())
        {
            spec.insert("ingressClassName".into(), json!(name));
        }
        Ok(())
    }
}

fn default_class(classes: &[Object]) -> Option<&str> {
    classes
        .iter()
        .filter(|class| {
            class
                .at(&["metadata", "annotations"])
                .is_some_and(|annotations| text(annotations, IS_DEFAULT) == "true")
        })
        // RFC 3339 times of one form are in the order of their text.
        .min_by(|a, b| {
            let created = |class: &Object| class.meta_text("creationTimestamp").to_string();
            created(b)
                .cmp(&created(a))
                .then_with(|| a.name().cmp(b.name()))
        })
        .map(Object::name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(&[], None)]
    #[case(&[("a", "2026-01-01T00:00:00Z", "false")], None)]
    #[case(&[("a", "2026-01-01T00:00:00Z", "true"), ("b", "2026-01-02T00:00:00Z", "true")], Some("b"))]
    #[case(&[("b", "2026-01-01T00:00:00Z", "true"), ("a", "2026-01-01T00:00:00Z", "true")], Some("a"))]
    fn the_newest_default_counts(
        #[case] classes: &[(&str, &str, &str)],
        #[case] expected: Option<&str>,
    ) {
        let class = |(name, created, default): &(&str, &str, &str)| {
            Object::from_value(json!({"metadata": {
                "name": name, "creationTimestamp": created, "annotations": {IS_DEFAULT: default},
            }}))
            .unwrap()
        };
        let classes: Vec<Object> = classes.iter().map(class).collect();
        assert_eq!(default_class(&classes), expected);
    }
}
