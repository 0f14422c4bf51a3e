//! Evictions, with and without budgets.

use serde_json::{Value, json};

use crate::{PODS, World, success};

const BUDGETS: &str = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";

fn eviction(name: &str, options: Value) -> Value {
    json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}, "deleteOptions": options})
}

impl World {
    async fn evict(&self, name: &str, options: Value) -> (u16, Value) {
        let path = format!("{PODS}/{name}/eviction");
        self.post(&path, eviction(name, options)).await
    }

    /// A Pod that runs on a node, and is ready.
    async fn running(&self, name: &str) {
        self.pod(name, "n").await;
        let ready =
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        self.report(&format!("{PODS}/{name}"), ready).await;
    }

    /// A budget of all Pods of the test; `status` is what its keeper says of it.
    async fn budget(&self, name: &str, status: Value) {
        let budget = json!({
            "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        });
        let (code, made) = self.post(BUDGETS, budget).await;
        assert_eq!(code, 201, "{made}");
        self.report(&format!("{BUDGETS}/{name}"), status).await;
    }
}

#[tokio::test]
async fn a_pod_without_a_budget_is_deleted_with_its_grace() {
    let world = World::new().await;
    world.running("web").await;
    assert_eq!(world.evict("web", json!(null)).await, (201, success()));
    let pod = world.get(&format!("{PODS}/web")).await;
    assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], 30);
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    let condition = conditions.last().unwrap();
    assert_eq!(condition["type"], "DisruptionTarget");
    assert_eq!(condition["status"], "True");
    assert_eq!(condition["reason"], "EvictionByEvictionAPI");
    assert_eq!(condition["message"], "Eviction API: evicting");

    // Again, and then at once.
    assert_eq!(world.evict("web", json!({})).await, (201, success()));
    let now = json!({"gracePeriodSeconds": 0});
    assert_eq!(world.evict("web", now).await, (201, success()));
    let (code, told) = world.evict("web", json!({})).await;
    assert_eq!(
        (code, &told["message"]),
        (404, &json!("pods \"web\" not found"))
    );
}

#[tokio::test]
async fn what_never_ran_or_has_ended_asks_no_budget() {
    let world = World::new().await;
    world
        .budget(
            "b",
            json!({"disruptionsAllowed": 0, "observedGeneration": 1}),
        )
        .await;
    world.pod("pending", "").await;
    world.pod("failed", "n").await;
    world
        .report(&format!("{PODS}/failed"), json!({"phase": "Failed"}))
        .await;
    for name in ["pending", "failed"] {
        assert_eq!(world.evict(name, json!({})).await, (201, success()));
        assert_eq!(world.get(&format!("{PODS}/{name}")).await["code"], 404);
    }
}

#[tokio::test]
async fn a_budget_refuses_and_pays() {
    let world = World::new().await;
    for name in ["web-0", "web-1"] {
        world.running(name).await;
    }
    world
        .budget(
            "b",
            json!({"currentHealthy": 2, "desiredHealthy": 1, "observedGeneration": 0}),
        )
        .await;
    let refusal = |cause: &str| {
        let cause = json!({"reason": "DisruptionBudget", "message": cause});
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "TooManyRequests",
            "message": "Cannot evict pod as it would violate the pod's disruption budget.", "code": 429,
            "details": {"causes": [cause]},
        })
    };
    let (code, told) = world.evict("web-0", json!({})).await;
    let mut expected = refusal("The disruption budget b is still being processed by the server.");
    expected["details"]["retryAfterSeconds"] = 10.into();
    assert_eq!((code, told), (429, expected));

    let at = format!("{BUDGETS}/b");
    world.report(&at, json!({"observedGeneration": 1})).await;
    let (code, told) = world.evict("web-0", json!({})).await;
    let expected = refusal("The disruption budget b needs 1 healthy pods and has 2 currently");
    assert_eq!((code, told), (429, expected));

    world.report(&at, json!({"disruptionsAllowed": 1})).await;
    // A trial, and what is not meant, cost nothing.
    let trial = world.evict("web-0", json!({"dryRun": ["All"]})).await;
    assert_eq!(trial, (201, success()));
    let path = format!("{PODS}/web-0/eviction?dryRun=All");
    let trial = world.post(&path, eviction("web-0", json!(null))).await;
    assert_eq!(trial, (201, success()));
    let other = json!({"preconditions": {"uid": "another"}});
    let (code, told) = world.evict("web-0", other).await;
    assert_eq!((code, &told["reason"]), (409, &json!("Conflict")));
    let pod = world.get(&format!("{PODS}/web-0")).await;
    assert_eq!(pod["metadata"].get("deletionTimestamp"), None);
    assert_eq!(world.get(&at).await["status"]["disruptionsAllowed"], 1);

    assert_eq!(world.evict("web-0", json!({})).await, (201, success()));
    let budget = world.get(&at).await;
    let status = &budget["status"];
    assert_eq!(status["disruptionsAllowed"], 0);
    assert!(status["disruptedPods"]["web-0"].is_string(), "{status}");
    assert_eq!(status["conditions"][0]["reason"], "InsufficientPods");
    let managers = budget["metadata"]["managedFields"].as_array().unwrap();
    let paid = managers
        .iter()
        .find(|m| m["manager"] == "kube-apiserver")
        .unwrap();
    assert_eq!(paid["subresource"], "status");
    assert_eq!(
        paid["fieldsV1"]["f:status"]["f:disruptionsAllowed"],
        json!({})
    );
    assert_eq!(world.evict("web-1", json!({})).await.0, 429);

    // Whom nobody can choose between.
    world
        .budget(
            "c",
            json!({"disruptionsAllowed": 1, "observedGeneration": 1}),
        )
        .await;
    let (code, told) = world.evict("web-1", json!({})).await;
    let why = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    assert_eq!(
        (code, &told["message"], told.get("reason")),
        (500, &json!(why), None)
    );
}

#[tokio::test]
async fn an_eviction_names_its_pod() {
    let world = World::new().await;
    world.running("web").await;
    let path = format!("{PODS}/web/eviction");
    let refused = |told: (u16, Value)| (told.0, told.1["message"].as_str().unwrap().to_string());
    let why = "name in URL does not match name in Eviction object";
    for body in [json!({}), eviction("other", json!({}))] {
        assert_eq!(refused(world.post(&path, body).await), (400, why.into()));
    }
    let mut elsewhere = eviction("web", json!({}));
    elsewhere["metadata"]["namespace"] = "other".into();
    assert_eq!(world.post(&path, elsewhere).await.0, 400);
    let mut old = eviction("web", json!({}));
    old["apiVersion"] = "v1".into();
    assert_eq!(world.post(&path, old).await.0, 400);
    let unknown = json!({"metadata": {"name": "web"}, "why": 1});
    let strict = format!("{path}?fieldValidation=Strict");
    let (code, told) = refused(world.post(&strict, unknown).await);
    assert_eq!(code, 400);
    assert!(told.contains("unknown field \"why\""), "{told}");
    // Programs that are older than the group's version are heard still.
    let mut old = eviction("web", json!({}));
    old["apiVersion"] = "policy/v1beta1".into();
    assert_eq!(world.post(&path, old).await, (201, success()));
    // Kind and version may be left out.
    let bare = json!({"metadata": {"name": "web"}});
    assert_eq!(world.post(&path, bare).await, (201, success()));
}
