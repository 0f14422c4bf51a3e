//! What every namespace has: the ServiceAccount `default`, and the authority's certificate in the ConfigMap
//! `kube-root-ca.crt` (upstream: `serviceaccounts-controller`, `root-ca-cert-publisher`). One that is deleted or changed
//! comes back at once; a namespace that is going gets none.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::Object;
use kedge_machinery::object::child_mut;
use serde_json::{Value, json};

use crate::engine::{Reconcile, Write, key};
use crate::view::{self, MetaOnly};

/// On a ConfigMap: what it is for.
const DESCRIPTION: &str = "kubernetes.io/description";
const ABOUT_ROOT_CA: &str = "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.";

/// An object that every namespace has.
pub(crate) struct EachNamespace {
    resource: Resource,
    name: &'static str,
    /// `data`, and whether an object without exactly this is put right.
    data: Option<Value>,
    /// Namespaces that are not going.
    namespaces: BTreeSet<String>,
    /// Those that have the object.
    furnished: BTreeSet<String>,
    /// Objects that say something else than they should.
    wrong: BTreeMap<String, Object>,
    /// Namespaces to look at.
    due: BTreeSet<String>,
}

impl EachNamespace {
    /// The ServiceAccount that Pods have which name none.
    pub(crate) fn default_account() -> Self {
        Self::new(Resource::SERVICEACCOUNTS, "default", None)
    }

    /// The certificate by which Pods know the API.
    pub(crate) fn root_ca(pem: &str) -> Self {
        let data = json!({"ca.crt": pem});
        Self::new(Resource::CONFIGMAPS, "kube-root-ca.crt", Some(data))
    }

    fn new(resource: Resource, name: &'static str, data: Option<Value>) -> Self {
        Self {
            resource,
            name,
            data,
            namespaces: BTreeSet::new(),
            furnished: BTreeSet::new(),
            wrong: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    fn observe_namespace(&mut self, change: &Change) {
        let name = &change.key.name;
        let meta = change.object.as_ref().and_then(view::read::<MetaOnly>);
        let stays = meta.is_some_and(|object| object.metadata.deletion_timestamp.is_none());
        if !stays {
            self.namespaces.remove(name);
        } else if self.namespaces.insert(name.clone()) {
            self.due.insert(name.clone());
        }
    }

    fn observe_object(&mut self, change: &Change) {
        let namespace = &change.key.namespace;
        self.wrong.remove(namespace);
        let Some(bytes) = &change.object else {
            self.furnished.remove(namespace);
            self.due.insert(namespace.clone());
            return;
        };
        self.furnished.insert(namespace.clone());
        if self.data.is_none() {
            return;
        }
        let object = view::read::<Value>(bytes).and_then(Object::from_value);
        if let Some(object) = object.filter(|object| !self.is_right(object)) {
            self.wrong.insert(namespace.clone(), object);
            self.due.insert(namespace.clone());
        }
    }

    fn is_right(&self, object: &Object) -> bool {
        let described = |(key, value): (&str, &str)| key == DESCRIPTION && !value.is_empty();
        object.0.get("data") == self.data.as_ref() && object.annotations().any(described)
    }

    fn furnish(&self, mut object: Object) -> Object {
        if let Some(data) = &self.data {
            object.0.insert("data".into(), data.clone());
            child_mut(object.meta_mut(), "annotations")
                .insert(DESCRIPTION.into(), ABOUT_ROOT_CA.into());
        }
        object
    }
}

impl Reconcile for EachNamespace {
    const NAME: &'static str = "each-namespace";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::NAMESPACES, self.resource]
    }

    fn observe(&mut self, change: &Change) {
        if change.key.resource == Resource::NAMESPACES {
            self.observe_namespace(change);
        } else if change.key.name == self.name {
            self.observe_object(change);
        }
    }

    async fn plan(&mut self, _: &SharedClient, _: Timestamp) -> Vec<Write> {
        let mut writes = Vec::new();
        for namespace in std::mem::take(&mut self.due) {
            if !self.namespaces.contains(&namespace) {
                continue;
            }
            let about = key(Resource::NAMESPACES, "", &namespace);
            if let Some(object) = self.wrong.remove(&namespace) {
                let object = self.furnish(object);
                writes.push(Write::update(&about, self.resource, "", object));
            } else if !self.furnished.contains(&namespace) {
                let meta = json!({"metadata": {"namespace": namespace, "name": self.name}});
                let object = self.furnish(Object::from_value(meta).unwrap_or_default());
                writes.push(Write::create(&about, self.resource, object));
            }
        }
        writes
    }

    fn again(&mut self, about: &ObjectKey) {
        self.due.insert(about.name.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::Fake;

    fn namespace(name: &str) -> Value {
        json!({"metadata": {"name": name}})
    }

    fn account(fake: &Fake, namespace: &str) -> Option<Object> {
        fake.one(Resource::SERVICEACCOUNTS, namespace, "default")
    }

    #[tokio::test]
    async fn an_account_comes_with_its_namespace_and_comes_back() {
        let fake = Fake::new();
        fake.put(Resource::NAMESPACES, namespace("a"));
        let _running = fake.run(EachNamespace::default_account);
        fake.until(|fake| account(fake, "a").is_some()).await;
        fake.put(Resource::NAMESPACES, namespace("b"));
        fake.until(|fake| account(fake, "b").is_some()).await;
        fake.settled().await;
        fake.remove(Resource::SERVICEACCOUNTS, "a", "default");
        fake.until(|fake| account(fake, "a").is_some()).await;
        assert_eq!(fake.settled().await.len(), 1);
        // What people write into it is theirs.
        let own = json!({"metadata": {"namespace": "a", "name": "default"}, "automountServiceAccountToken": false});
        fake.put(Resource::SERVICEACCOUNTS, own);
        assert!(fake.settled().await.is_empty());
    }

    #[tokio::test]
    async fn a_namespace_that_goes_gets_none() {
        let fake = Fake::new();
        let mut going = namespace("a");
        going["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        going["spec"] = json!({"finalizers": ["kubernetes"]});
        fake.put(Resource::NAMESPACES, going);
        let _running = fake.run(EachNamespace::default_account);
        assert!(fake.settled().await.is_empty());
    }

    #[tokio::test]
    async fn the_certificate_is_put_right() {
        let fake = Fake::new();
        fake.put(Resource::NAMESPACES, namespace("a"));
        let place = |data: Value| json!({"metadata": {"namespace": "a", "name": "kube-root-ca.crt", "labels": {"mine": "1"}}, "data": data});
        fake.put(
            Resource::CONFIGMAPS,
            place(json!({"ca.crt": "old", "more": "1"})),
        );
        let _running = fake.run(|| EachNamespace::root_ca("PEM"));
        let right = |fake: &Fake| {
            let found = fake.one(Resource::CONFIGMAPS, "a", "kube-root-ca.crt");
            found.is_some_and(|object| object.0["data"] == json!({"ca.crt": "PEM"}))
        };
        fake.until(right).await;
        let found = fake
            .one(Resource::CONFIGMAPS, "a", "kube-root-ca.crt")
            .unwrap();
        assert_eq!(found.labels().collect::<Vec<_>>(), [("mine", "1")]);
        assert!(found.annotations().any(|(key, _)| key == DESCRIPTION));
        fake.settled().await;
        fake.put(
            Resource::CONFIGMAPS,
            json!({"metadata": {"namespace": "a", "name": "other"}}),
        );
        assert!(fake.settled().await.is_empty());
        fake.remove(Resource::CONFIGMAPS, "a", "kube-root-ca.crt");
        fake.until(right).await;
    }
}
