//! kube-rs, as programs in Rust use it: typed objects, apply, watchers, a controller.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Service};
use kedge_tests::site::Site;
use kube::api::{DeleteParams, ListParams, PartialObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::controller::Action;
use kube::runtime::watcher::{self, Event, InitialListStrategy, watcher};
use kube::runtime::{Controller, WatchStreamExt};
use kube::{Api, Client, Config, ResourceExt};
use serde_json::json;

/// Runs a program on the site's node. Its threads are made inside, so that its sockets are there too.
fn on_the_node<F: Future<Output = ()>>(site: &Site, program: impl FnOnce(Client) -> F + Send) {
    let kubeconfig = site.server().kubeconfig();
    site.lab
        .node
        .enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let file = Kubeconfig::read_from(kubeconfig).unwrap();
                let options = KubeConfigOptions::default();
                let config = Config::from_custom_kubeconfig(file, &options)
                    .await
                    .unwrap();
                let limit = Duration::from_secs(60);
                let work = program(Client::try_from(config).unwrap());
                tokio::time::timeout(limit, work).await.unwrap();
            });
        })
        .unwrap();
}

fn typed<T: serde::de::DeserializeOwned>(value: serde_json::Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn map(name: &str, value: &str) -> ConfigMap {
    typed(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": {"of": "kube-rs"}},
        "data": {"value": value},
    }))
}

#[test]
fn objects_are_written_and_read() {
    let site = Site::new().unwrap();
    on_the_node(&site, |client| async move {
        let services: Api<Service> = Api::default_namespaced(client.clone());
        let web = typed(json!({
            "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
        }));
        let mut made = services.create(&PostParams::default(), &web).await.unwrap();
        assert!(made.spec.as_ref().unwrap().cluster_ip.is_some());
        made.labels_mut().insert("tier".into(), "front".into());
        let replaced = services
            .replace("web", &PostParams::default(), &made)
            .await
            .unwrap();
        assert_eq!(replaced.labels()["tier"], "front");
        let stale = services.replace("web", &PostParams::default(), &made).await;
        assert!(matches!(stale, Err(kube::Error::Api(status)) if status.code == 409));
        let patch = json!({"metadata": {"annotations": {"a": "b"}}});
        services
            .patch("web", &PatchParams::default(), &Patch::Merge(patch))
            .await
            .unwrap();

        let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
        let one = PatchParams::apply("one");
        maps.patch("m", &one, &Patch::Apply(map("m", "1")))
            .await
            .unwrap();
        let two = PatchParams::apply("two");
        let conflict = maps.patch("m", &two, &Patch::Apply(map("m", "2"))).await;
        assert!(matches!(conflict, Err(kube::Error::Api(status)) if status.code == 409));
        let forced = maps
            .patch("m", &two.force(), &Patch::Apply(map("m", "2")))
            .await;
        assert_eq!(forced.unwrap().data.unwrap()["value"], "2");
        let metadata = maps
            .list_metadata(&ListParams::default().labels("of=kube-rs"))
            .await;
        assert_eq!(metadata.unwrap().items.len(), 1);

        let leases: Api<Lease> = Api::default_namespaced(client.clone());
        let lease = typed(
            json!({"metadata": {"name": "l"}, "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15}}),
        );
        leases.create(&PostParams::default(), &lease).await.unwrap();

        let deployments: Api<Deployment> = Api::default_namespaced(client);
        let deployment = typed(json!({
            "metadata": {"name": "d"}, "spec": {
                "selector": {"matchLabels": {"app": "d"}},
                "template": {
                    "metadata": {"labels": {"app": "d"}}, "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        }));
        deployments
            .create(&PostParams::default(), &deployment)
            .await
            .unwrap();
        let patch = Patch::Merge(json!({"spec": {"replicas": 3}}));
        let scale = deployments
            .patch_scale("d", &PatchParams::default(), &patch)
            .await;
        assert_eq!(scale.unwrap().spec.unwrap().replicas, Some(3));
        deployments
            .delete("d", &DeleteParams::foreground())
            .await
            .unwrap();
    });
}

#[test]
fn watchers_begin_with_the_state_and_follow() {
    let site = Site::new().unwrap();
    on_the_node(&site, |client| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
        maps.create(&PostParams::default(), &map("early", "1"))
            .await
            .unwrap();
        for strategy in [
            InitialListStrategy::ListWatch,
            InitialListStrategy::StreamingList,
        ] {
            let config = watcher::Config {
                initial_list_strategy: strategy.clone(),
                ..watcher::Config::default().labels("of=kube-rs")
            };
            let mut events = watcher(maps.clone(), config).boxed();
            let mut begun = Vec::new();
            loop {
                match events.try_next().await.unwrap().unwrap() {
                    Event::InitApply(map) => begun.push(map.name_any()),
                    Event::InitDone => break,
                    _ => {}
                }
            }
            assert_eq!(begun, ["early"]);
            maps.create(&PostParams::default(), &map("late", "1"))
                .await
                .unwrap();
            let told = events.try_next().await.unwrap();
            assert!(matches!(told, Some(Event::Apply(map)) if map.name_any() == "late"));
            maps.delete("late", &DeleteParams::default()).await.unwrap();
            let told = events.try_next().await.unwrap();
            assert!(matches!(told, Some(Event::Delete(map)) if map.name_any() == "late"));
        }
        let config = watcher::Config::default()
            .labels("of=kube-rs")
            .streaming_lists();
        let metadata: Api<PartialObjectMeta<ConfigMap>> = Api::default_namespaced(client);
        let mut metadata = watcher(metadata, config).applied_objects().boxed();
        let first = metadata.try_next().await.unwrap().unwrap();
        assert_eq!(first.name_any(), "early");
    });
}

/// Upper-cases a value into another key, once.
async fn reconcile(map: Arc<ConfigMap>, maps: Arc<Api<ConfigMap>>) -> Result<Action, kube::Error> {
    let value = map.data.iter().flatten().find(|(key, _)| *key == "value");
    let loud = value
        .map(|(_, value)| value.to_uppercase())
        .unwrap_or_default();
    let data = BTreeMap::from([("loud", loud)]);
    let patch = Patch::Merge(json!({"data": data}));
    maps.patch(&map.name_any(), &PatchParams::default(), &patch)
        .await?;
    Ok(Action::await_change())
}

#[test]
fn a_controller_reconciles() {
    let site = Site::new().unwrap();
    on_the_node(&site, |client| async move {
        let maps: Api<ConfigMap> = Api::default_namespaced(client);
        maps.create(&PostParams::default(), &map("quiet", "words"))
            .await
            .unwrap();
        let config = watcher::Config::default().labels("of=kube-rs");
        let retry = |_: Arc<ConfigMap>, _: &kube::Error, _: Arc<Api<ConfigMap>>| {
            Action::requeue(Duration::from_secs(1))
        };
        let mut done = Controller::new(maps.clone(), config)
            .run(reconcile, retry, Arc::new(maps.clone()))
            .boxed();
        done.try_next().await.unwrap().unwrap();
        let quiet = maps.get("quiet").await.unwrap();
        assert_eq!(quiet.data.unwrap()["loud"], "WORDS");
    });
}
