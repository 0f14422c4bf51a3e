//! Fills Secrets of type `kubernetes.io/service-account-token`, for programs that ask for no tokens of their own
//! (upstream: `pkg/controller/serviceaccount/tokens_controller.go`). Such a Secret goes when its account does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use kedge_client::{Change, ObjectKey, Resource, SharedClient};
use kedge_machinery::object::child_mut;
use kedge_machinery::{Object, Status};
use kedge_pki::TokenKeys;
use kedge_pki::claims::LegacyClaims;
use serde::Deserialize;
use serde_json::Value;

use crate::engine::{Reconcile, Write, key};
use crate::view::{self, Meta, MetaOnly, nullable};

const TYPE: &str = "kubernetes.io/service-account-token";
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

/// The controller.
pub(crate) struct TokenSecrets {
    keys: Arc<TokenKeys>,
    /// The authority's certificate, base64.
    root_ca: String,
    /// The uid of each account, by its key.
    accounts: BTreeMap<ObjectKey, String>,
    /// The account that each Secret of this type is of.
    secrets: BTreeMap<ObjectKey, Held>,
    due: BTreeSet<ObjectKey>,
}

struct Held {
    account: ObjectKey,
    /// Empty where none was written yet.
    account_uid: String,
    uid: String,
    whole: bool,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    metadata: Meta,
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    kind: String,
    #[serde(default, deserialize_with = "nullable")]
    data: BTreeMap<String, String>,
}

impl TokenSecrets {
    pub(crate) fn new(keys: Arc<TokenKeys>, root_ca: &str) -> Self {
        Self {
            keys,
            root_ca: STANDARD.encode(root_ca),
            accounts: BTreeMap::new(),
            secrets: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }

    fn observe_account(&mut self, change: &Change) {
        let object = change.object.as_ref().and_then(view::read::<MetaOnly>);
        match object {
            Some(object) => self
                .accounts
                .insert(change.key.clone(), object.metadata.uid),
            None => self.accounts.remove(&change.key),
        };
        let of = self
            .secrets
            .iter()
            .filter(|(_, held)| held.account == change.key);
        self.due.extend(of.map(|(key, _)| key.clone()));
    }

    fn observe_secret(&mut self, change: &Change) {
        let object = change.object.as_ref().and_then(view::read::<Secret>);
        let Some(secret) = object.filter(|secret| secret.kind == TYPE) else {
            self.secrets.remove(&change.key);
            return;
        };
        let note = |name| {
            secret
                .metadata
                .annotations
                .get(name)
                .cloned()
                .unwrap_or_default()
        };
        let has = |name| secret.data.get(name).is_some_and(|value| !value.is_empty());
        let held = Held {
            account: key(
                Resource::SERVICEACCOUNTS,
                &change.key.namespace,
                &note(ACCOUNT),
            ),
            account_uid: note(ACCOUNT_UID),
            whole: has("token")
                && has("namespace")
                && secret.data.get("ca.crt") == Some(&self.root_ca),
            uid: secret.metadata.uid.clone(),
        };
        self.secrets.insert(change.key.clone(), held);
        self.due.insert(change.key.clone());
    }

    /// What is to become of a Secret.
    async fn settle(
        &self,
        client: &SharedClient,
        about: &ObjectKey,
    ) -> Result<Option<Write>, Status> {
        let Some(held) = self.secrets.get(about) else {
            return Ok(None);
        };
        let account = self.accounts.get(&held.account);
        let account =
            account.filter(|uid| held.account_uid.is_empty() || held.account_uid == **uid);
        let Some(uid) = account else {
            return Ok(Some(Write::delete(about, about.clone(), &held.uid)));
        };
        if held.whole && !held.account_uid.is_empty() {
            return Ok(None);
        }
        let secret = client.get(about).await?;
        if secret.uid() != held.uid {
            return Ok(None);
        }
        let secret = self.filled(secret, &held.account, uid)?;
        Ok(Some(Write::update(about, Resource::SECRETS, "", secret)))
    }

    fn filled(&self, mut secret: Object, account: &ObjectKey, uid: &str) -> Result<Object, Status> {
        let (namespace, name) = (secret.namespace().to_string(), secret.name().to_string());
        let data = child_mut(&mut secret.0, "data");
        let empty = |data: &serde_json::Map<String, Value>, key: &str| {
            data.get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .is_empty()
        };
        data.insert("ca.crt".into(), self.root_ca.as_str().into());
        if empty(data, "namespace") {
            data.insert("namespace".into(), STANDARD.encode(&namespace).into());
        }
        if empty(data, "token") {
            let claims = LegacyClaims::new(&namespace, &account.name, uid, &name);
            let token = self
                .keys
                .sign(&claims)
                .map_err(|error| Status::internal(error.to_string()))?;
            data.insert("token".into(), STANDARD.encode(token).into());
        }
        let notes = child_mut(secret.meta_mut(), "annotations");
        notes.insert(ACCOUNT.into(), account.name.as_str().into());
        notes.insert(ACCOUNT_UID.into(), uid.into());
        Ok(secret)
    }
}

impl Reconcile for TokenSecrets {
    const NAME: &'static str = "token-secrets";

    fn resources(&self) -> Vec<Resource> {
        vec![Resource::SERVICEACCOUNTS, Resource::SECRETS]
    }

    fn observe(&mut self, change: &Change) {
        if change.key.resource == Resource::SECRETS {
            self.observe_secret(change);
        } else {
            self.observe_account(change);
        }
    }

    async fn plan(&mut self, client: &SharedClient, _: Timestamp) -> Vec<Write> {
        let mut writes = Vec::new();
        for about in std::mem::take(&mut self.due) {
            match self.settle(client, &about).await {
                Ok(write) => writes.extend(write),
                // The feed tells when it is gone.
                Err(status) if status.is_not_found() => {}
                Err(status) => {
                    tracing::warn!(
                        "cannot fill Secret {}/{}: {status}",
                        about.namespace,
                        about.name
                    );
                    self.due.insert(about);
                }
            }
        }
        writes
    }

    fn again(&mut self, about: &ObjectKey) {
        self.due.insert(about.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{Fake, Running};
    use kedge_pki::{Authority, Token};
    use serde_json::json;

    fn keys() -> Arc<TokenKeys> {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::load_or_create(folder.path(), Timestamp::now()).unwrap();
        Arc::new(authority.token_keys().unwrap())
    }

    fn run(fake: &Fake, keys: &Arc<TokenKeys>) -> Running {
        let keys = Arc::clone(keys);
        fake.run(move || TokenSecrets::new(Arc::clone(&keys), "PEM"))
    }

    fn account() -> Value {
        json!({"metadata": {"namespace": "a", "name": "robot"}})
    }

    fn secret(kind: &str) -> Value {
        json!({"metadata": {"namespace": "a", "name": "s", "annotations": {ACCOUNT: "robot"}}, "type": kind})
    }

    fn value(secret: &Object, key: &str) -> String {
        let text = secret.at(&["data", key]).and_then(Value::as_str).unwrap();
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_secret_is_filled_and_goes_with_its_account() {
        let (fake, keys) = (Fake::new(), keys());
        let robot = fake.put(Resource::SERVICEACCOUNTS, account());
        let _running = run(&fake, &keys);
        fake.put(Resource::SECRETS, secret(TYPE));
        let filled = |fake: &Fake| {
            let found = fake.one(Resource::SECRETS, "a", "s");
            found.is_some_and(|secret| secret.at(&["data", "token"]).is_some())
        };
        fake.until(filled).await;
        let found = fake.one(Resource::SECRETS, "a", "s").unwrap();
        assert_eq!(
            (value(&found, "ca.crt"), value(&found, "namespace")),
            ("PEM".into(), "a".into())
        );
        let claims = LegacyClaims::new("a", "robot", robot.uid(), "s");
        assert_eq!(
            keys.verify(&value(&found, "token")),
            Ok(Token::Legacy(Box::new(claims)))
        );
        assert_eq!(fake.settled().await.len(), 1, "one write and no more");
        // An account of the same name is another.
        fake.remove(Resource::SERVICEACCOUNTS, "a", "robot");
        fake.put(Resource::SERVICEACCOUNTS, account());
        fake.until(|fake| fake.one(Resource::SECRETS, "a", "s").is_none())
            .await;
    }

    #[tokio::test]
    async fn one_without_an_account_goes_and_others_are_nobodys_business() {
        let (fake, keys) = (Fake::new(), keys());
        let _running = run(&fake, &keys);
        fake.put(Resource::SECRETS, secret("Opaque"));
        assert!(fake.settled().await.is_empty());
        fake.put(Resource::SECRETS, secret(TYPE));
        fake.until(|fake| fake.one(Resource::SECRETS, "a", "s").is_none())
            .await;
    }
}
