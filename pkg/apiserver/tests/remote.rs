//! A client in another process: lists, watches, what happens when the server goes away, and tokens that are renewed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use kedge_client::remote::Remote;
use kedge_client::{Change, Client, Feed, ObjectKey, Resource};
use kedge_machinery::Object;
use kedge_pki::Kubeconfig;
use serde_json::json;
use support::Lab;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What lies between a client and the server, and can be cut.
struct Relay {
    address: SocketAddr,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Relay {
    async fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (open, state) = watch::channel(true);
        let task = tokio::spawn(async move {
            loop {
                let (mut near, _) = listener.accept().await.unwrap();
                let mut state = state.clone();
                tokio::spawn(async move {
                    if !*state.borrow() {
                        return;
                    }
                    let mut far = TcpStream::connect(server).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        _ = state.wait_for(|open| !open) => {}
                    }
                });
            }
        });
        Self {
            address,
            open,
            task,
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn kubeconfig(lab: &Lab, address: SocketAddr) -> PathBuf {
    let certificate = lab
        .authority
        .client(
            "remote",
            "kubernetes-admin",
            "system:masters",
            Timestamp::now(),
        )
        .unwrap();
    let path = lab.folder.path().join("remote.kubeconfig");
    Kubeconfig::new(&format!("https://{address}"), &lab.authority, &certificate)
        .write(&path)
        .unwrap();
    path
}

fn remote(path: &Path) -> Remote {
    Remote::from_kubeconfig(path, "test").unwrap()
}

fn config_map(name: &str, value: &str) -> Object {
    Object::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default"}, "data": {"value": value},
    }))
    .unwrap()
}

fn key(name: &str) -> ObjectKey {
    ObjectKey {
        resource: Resource::CONFIGMAPS,
        namespace: "default".into(),
        name: name.into(),
    }
}

/// What a batch says: `name=value`, or `name` alone when it is gone.
fn told(batch: &[Change]) -> BTreeSet<String> {
    let word = |change: &Change| match &change.object {
        None => change.key.name.clone(),
        Some(json) => {
            let object: serde_json::Value = serde_json::from_slice(&json.text()).unwrap();
            format!(
                "{}={}",
                change.key.name,
                object["data"]["value"].as_str().unwrap_or_default()
            )
        }
    };
    batch.iter().map(word).collect()
}

/// Batches until as many words have been said.
async fn words(feed: &mut Box<dyn Feed>, count: usize) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    while all.len() < count {
        all.extend(told(&feed.next_batch().await.unwrap()));
    }
    all
}

fn set<const N: usize>(words: [&str; N]) -> BTreeSet<String> {
    words.map(String::from).into()
}

#[tokio::test]
async fn the_first_batch_is_everything_and_then_come_changes() {
    let lab = Lab::start().await;
    let client = remote(&kubeconfig(&lab, lab.address));
    // More than a page.
    let names: BTreeSet<String> = (0..501).map(|n| format!("c{n}")).collect();
    for name in &names {
        client
            .create(Resource::CONFIGMAPS, config_map(name, ""))
            .await
            .unwrap();
    }
    let mut feed = client.feed(&[Resource::CONFIGMAPS, Resource::NODES]);
    let first = feed.next_batch().await.unwrap();
    let got: BTreeSet<String> = first.iter().map(|change| change.key.name.clone()).collect();
    assert_eq!(got, names);
    assert_eq!(
        client
            .list(Resource::CONFIGMAPS, "default")
            .await
            .unwrap()
            .len(),
        501
    );

    let mut changed = client.get(&key("c1")).await.unwrap();
    changed.0["data"]["value"] = "new".into();
    client
        .update(Resource::CONFIGMAPS, "", changed)
        .await
        .unwrap();
    client.delete(&key("c2"), None).await.unwrap();
    assert_eq!(words(&mut feed, 2).await, set(["c1=new", "c2"]));
    client
        .apply(Resource::CONFIGMAPS, "other", config_map("c1", "newer"))
        .await
        .unwrap();
    assert_eq!(words(&mut feed, 1).await, set(["c1=newer"]));
}

#[tokio::test]
async fn what_happened_while_the_server_was_away_is_told_once_it_is_back() {
    let lab = Lab::start().await;
    let relay = Relay::to(lab.address).await;
    let near = remote(&kubeconfig(&lab, lab.address));
    let far = remote(&kubeconfig(&lab, relay.address));
    for name in ["stays", "goes", "changes"] {
        near.create(Resource::CONFIGMAPS, config_map(name, "old"))
            .await
            .unwrap();
    }
    let mut feed = far.feed(&[Resource::CONFIGMAPS]);
    let first = set(["stays=old", "goes=old", "changes=old"]);
    assert_eq!(words(&mut feed, 3).await, first);

    relay.open.send_replace(false);
    near.delete(&key("goes"), None).await.unwrap();
    near.apply(Resource::CONFIGMAPS, "test", config_map("changes", "new"))
        .await
        .unwrap();
    let unreached = far.get(&key("stays")).await.unwrap_err();
    assert_eq!(unreached.code, 503, "{}", unreached.message);
    relay.open.send_replace(true);
    assert_eq!(words(&mut feed, 2).await, set(["changes=new", "goes"]));
}

#[tokio::test]
async fn a_token_that_was_renewed_in_its_file_is_used() {
    let lab = Lab::start().await;
    let secret = |id: &str, secret: &str| {
        Object::from_value(json!({
            "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
            "metadata": {"name": format!("bootstrap-token-{id}"), "namespace": "kube-system"},
            "stringData": {"token-id": id, "token-secret": secret, "usage-bootstrap-authentication": "true"},
        }))
        .unwrap()
    };
    let admin = remote(&kubeconfig(&lab, lab.address));
    admin
        .create(Resource::SECRETS, secret("abcdef", "0123456789abcdef"))
        .await
        .unwrap();
    let folder = lab.folder.path();
    std::fs::write(folder.join("ca.pem"), lab.authority.pem()).unwrap();
    std::fs::write(folder.join("token"), "abcdef.ffffffffffffffff").unwrap();
    let path = folder.join("token.kubeconfig");
    let text = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {
            "server": format!("https://{}", lab.address), "certificate-authority": "ca.pem"}}],
        "users": [{"name": "u", "user": {"tokenFile": "token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    });
    std::fs::write(&path, text.to_string()).unwrap();
    let client = remote(&path);
    let ask = || client.list(Resource::NODES, "");
    assert_eq!(ask().await.unwrap_err().code, 401);
    std::fs::write(folder.join("token"), "abcdef.0123456789abcdef").unwrap();
    // Known now, though it may not do this.
    assert_eq!(ask().await.unwrap_err().code, 403);
}
