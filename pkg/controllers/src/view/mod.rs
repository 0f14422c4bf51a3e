//! The parts of objects that controllers look at, read out of their bytes without the rest.

mod address_pool;
mod endpoint_slice;
mod pod;
mod service;

use std::collections::BTreeMap;

use kedge_client::Json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

pub(crate) use address_pool::{AddressPool, L2Advertisement, PoolStatus};
pub(crate) use endpoint_slice::EndpointSlice;
pub(crate) use pod::Pod;
pub(crate) use service::{Ingress, Service, ServicePort, TargetPort};

/// Reads an object. Nothing, said in the log, when its JSON is not of that shape: the server validates what it takes
/// in, so that is another program's server, and its one odd object must not stop the rest.
pub(crate) fn read<T: DeserializeOwned>(object: &Json) -> Option<T> {
    serde_json::from_slice(&object.text())
        .inspect_err(|error| tracing::warn!("passing over an object that cannot be read: {error}"))
        .ok()
}

/// `null` is as good as absent.
pub(crate) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// An object of which only the metadata matters.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct MetaOnly {
    #[serde(default)]
    pub metadata: Meta,
}

/// `metav1.ObjectMeta`, in part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Meta {
    pub name: String,
    pub namespace: String,
    pub uid: String,
    pub resource_version: String,
    /// RFC 3339, so that texts compare as times do.
    #[serde(deserialize_with = "nullable")]
    pub creation_timestamp: String,
    #[serde(deserialize_with = "nullable")]
    pub deletion_timestamp: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub finalizers: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub owner_references: Vec<OwnerReference>,
}

/// `metadata.finalizers` that name what is to become of dependents when an owner goes.
pub(crate) const FOREGROUND: &str = "foregroundDeletion";
pub(crate) const ORPHAN: &str = "orphan";

impl Meta {
    /// It is going, and its dependents are being dealt with: nobody is to make new ones.
    pub(crate) fn gives_up_dependents(&self) -> bool {
        let policy = |finalizer: &String| finalizer == FOREGROUND || finalizer == ORPHAN;
        self.deletion_timestamp.is_some() && self.finalizers.iter().any(policy)
    }
}

/// `metav1.OwnerReference`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct OwnerReference {
    pub api_version: String,
    pub kind: String,
    pub name: String,
    pub uid: String,
    #[serde(deserialize_with = "nullable")]
    pub block_owner_deletion: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_reads_as_absent() {
        let text = r#"{"metadata":{"name":"a","labels":null,"creationTimestamp":null,"ownerReferences":null}}"#;
        let object: MetaOnly = read(&text.into()).unwrap();
        assert_eq!(
            object.metadata,
            Meta {
                name: "a".into(),
                ..Meta::default()
            }
        );
    }

    #[test]
    fn another_shape_reads_as_nothing() {
        assert!(read::<MetaOnly>(&r#"{"metadata":{"labels":["a"]}}"#.into()).is_none());
    }
}
