//! The object that a token ends with.

use std::sync::Arc;

use kedge_machinery::{Object, Status};
use kedge_pki::claims::Reference;
use kedge_registry::{GetOptions, Registry, Target};
use kedge_store::Entry;
use serde_json::Value;

/// What is written into a token about it.
#[derive(Debug, Default)]
pub(super) struct Bound {
    pub node: Option<Reference>,
    pub pod: Option<Reference>,
    pub secret: Option<Reference>,
}

/// Looks up `spec.boundObjectRef`; nothing when there is none.
pub(super) fn find(
    registry: &Registry,
    account: &Target,
    reference: Option<&Value>,
) -> Result<Bound, Status> {
    let Some(reference) = reference.filter(|reference| !reference.is_null()) else {
        return Ok(Bound::default());
    };
    let text = |key: &str| {
        reference
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (api_version, kind, name) = (text("apiVersion"), text("kind"), text("name"));
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let plural = match (group, kind) {
        ("", "Pod") => "pods",
        ("", "Node") => "nodes",
        ("", "Secret") => "secrets",
        _ => {
            return Err(Status::bad_request(format!(
                "cannot bind token to object of type {group}/{version}, Kind={kind}"
            )));
        }
    };
    let object = get(registry, plural, &account.namespace, name)?;
    let mut bound = Bound::default();
    let own = self::reference(&object);
    match kind {
        "Pod" => {
            let spec = |key| {
                object
                    .at(&["spec", key])
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            if spec("serviceAccountName") != account.name {
                return Err(Status::bad_request(format!(
                    "cannot bind token for serviceaccount {:?} to pod running with different serviceaccount name.",
                    account.name
                )));
            }
            bound.pod = Some(own);
            bound.node = node(registry, spec("nodeName"))?;
        }
        "Node" => bound.node = Some(own),
        _ => bound.secret = Some(own),
    }
    let asked = text("uid");
    if !asked.is_empty() && asked != object.uid() {
        let why = format!(
            "the UID in the bound object reference ({asked}) does not match the UID in record. The object might have been deleted and then recreated"
        );
        return Err(Status::conflict(group, kind, name, &why));
    }
    Ok(bound)
}

/// The node that a Pod runs on; its name alone when nobody has told of it yet.
fn node(registry: &Registry, name: &str) -> Result<Option<Reference>, Status> {
    if name.is_empty() {
        return Ok(None);
    }
    match get(registry, "nodes", "", name) {
        Ok(node) => Ok(Some(reference(&node))),
        Err(status) if status.is_not_found() => Ok(Some(Reference {
            name: name.into(),
            uid: String::new(),
        })),
        Err(status) => Err(status),
    }
}

fn reference(object: &Object) -> Reference {
    Reference {
        name: object.name().into(),
        uid: object.uid().into(),
    }
}

fn get(registry: &Registry, plural: &str, namespace: &str, name: &str) -> Result<Object, Status> {
    let catalog = registry.catalog();
    let kind = catalog.find("", "v1", plural);
    let kind = kind.ok_or_else(|| Status::internal(format!("the catalog has no {plural}")))?;
    let namespace = if kind.namespaced { namespace } else { "" };
    let target = Target::new(Arc::clone(kind), namespace, name);
    let entry = registry.get(&target, &GetOptions::default())?;
    parse(&entry)
}

/// The object of an entry.
pub(super) fn parse(entry: &Entry) -> Result<Object, Status> {
    let value = serde_json::from_slice(&entry.value()).ok();
    value
        .and_then(Object::from_value)
        .ok_or_else(|| Status::internal(format!("{}: the stored value is no object", entry.key)))
}
