//! What is refused, kept or bound in ConfigMaps, Secrets, Pods, classes and accounts.

use http::Method;
use serde_json::{Value, json};

use crate::support::{self, Lab};
use crate::typed::{MERGE, STRATEGIC, Typed};

fn of(lab: &Lab, kind: &str, plural: &str) -> Typed {
    Typed::new(
        &lab.admin,
        "v1",
        kind,
        &format!("namespaces/default/{plural}"),
    )
}

#[tokio::test]
async fn keys_have_names_and_data_may_be_for_ever() {
    let lab = Lab::start().await;
    for (kind, plural, one, other) in [
        ("ConfigMap", "configmaps", "b25l", "b3RoZXI="),
        ("Secret", "secrets", "b25l", "b3RoZXI="),
    ] {
        let all = of(&lab, kind, plural);
        let nameless = json!({"metadata": {"name": "x"}, "data": {"": one}});
        assert_eq!(all.create(&nameless).await.unwrap_err().0, 422, "{kind}");
        let made = all
            .create(&json!({"metadata": {"name": "a"}, "data": {"k": one}}))
            .await
            .unwrap();
        // Without a version, as a client that keeps its own copy does.
        let update = json!({"metadata": {"name": "a"}, "data": {"k": other}});
        let updated = all.update(&update, "").await.unwrap();
        assert_eq!(updated["data"], json!({"k": other}), "{kind}");
        assert_eq!(
            updated["metadata"]["uid"], made["metadata"]["uid"],
            "{kind}"
        );
        all.patch("a", MERGE, &json!({"immutable": true}))
            .await
            .unwrap();
        for change in [
            json!({"data": {"k": one}}),
            json!({"immutable": false}),
            json!({"immutable": null}),
        ] {
            let refused = all.patch("a", MERGE, &change).await.unwrap_err();
            assert_eq!(
                (refused.0, &refused.1["reason"]),
                (422, &json!("Invalid")),
                "{kind} {change}"
            );
        }
        let label = json!({"metadata": {"labels": {"x": "y"}}});
        all.patch("a", MERGE, &label).await.unwrap();
        all.delete("a", json!({})).await.unwrap();
    }
}

#[tokio::test]
async fn pods_that_cannot_be_are_refused() {
    let lab = Lab::start().await;
    let pods = of(&lab, "Pod", "pods");
    let pod = |more: Value| {
        let mut spec = json!({"containers": [{"name": "c", "image": "c"}]});
        spec.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"metadata": {"name": "a"}, "spec": spec})
    };
    let refused = pods
        .create(&pod(json!({"runtimeClassName": "none"})))
        .await
        .unwrap_err();
    assert_eq!(
        (refused.0, &refused.1["reason"]),
        (403, &json!("Forbidden"))
    );
    let sysctl = |name: &str| json!({"name": name, "value": "1"});
    let names = ["foo-", "kernel.shmmax", "safe-and-unsafe", "bar.."];
    let sysctls = json!({"securityContext": {"sysctls": names.map(sysctl)}});
    let (code, refused) = pods.create(&pod(sysctls)).await.unwrap_err();
    let text = refused["message"].as_str().unwrap();
    assert_eq!(code, 422);
    for (name, told) in names.into_iter().zip([true, false, false, true]) {
        assert_eq!(text.contains(name), told, "{name}: {text}");
    }
    // Volumes of drivers that nobody has are somebody else's matter.
    let volumes = json!({
        "volumes": [{"name": "one", "csi": {"driver": "e2e.example.com"}},
            {"name": "two", "csi": {"driver": "e2e.example.com", "fsType": "ext4", "readOnly": true}}],
    });
    let made = pods.create(&pod(volumes.clone())).await.unwrap();
    assert_eq!(made["spec"]["volumes"], volumes["volumes"]);
    pods.delete("a", json!({})).await.unwrap();
    assert_eq!(pods.get("a").await.unwrap_err().0, 404);
}

#[tokio::test]
async fn the_value_of_a_priority_stays() {
    let lab = Lab::start().await;
    let classes = Typed::new(
        &lab.admin,
        "scheduling.k8s.io/v1",
        "PriorityClass",
        "priorityclasses",
    );
    let mut class = classes
        .create(&json!({"metadata": {"name": "p"}, "value": 1}))
        .await
        .unwrap();
    class["value"] = 10.into();
    assert!(classes.update(&class, "").await.is_err());
    assert!(
        classes
            .patch("p", STRATEGIC, &json!({"value": 10}))
            .await
            .is_err()
    );
    let patch = json!({"description": "patched"});
    assert_eq!(
        classes.patch("p", STRATEGIC, &patch).await.unwrap()["value"],
        1
    );
}

#[tokio::test]
async fn an_account_gets_a_token_that_is_its_own() {
    let lab = Lab::start().await;
    let accounts = of(&lab, "ServiceAccount", "serviceaccounts");
    let account = accounts
        .create(&json!({"metadata": {"name": "robot"}}))
        .await
        .unwrap();
    let tokens = Typed::new(&lab.admin, "authentication.k8s.io/v1", "TokenRequest", "");
    let tokens = tokens.at(&format!("{}/robot/token", accounts.path));
    let given = tokens
        .create(&json!({"metadata": {}, "spec": {}, "status": {"token": "", "expirationTimestamp": null}}))
        .await
        .unwrap();
    let token = given["status"]["token"].as_str().unwrap();
    let reviews = Typed::new(
        &lab.admin,
        "authentication.k8s.io/v1",
        "TokenReview",
        "tokenreviews",
    );
    let review = reviews
        .create(&json!({"metadata": {}, "spec": {"token": token}, "status": {"authenticated": false, "user": {"username": "", "uid": ""}, "error": ""}}))
        .await
        .unwrap();
    assert_eq!(review["status"]["authenticated"], true);
    assert_eq!(review["status"].get("error"), None);
    assert_eq!(review["status"]["user"]["uid"], account["metadata"]["uid"]);
}

#[tokio::test]
async fn a_review_foretells_what_a_request_gets() {
    const GROUPS: [&str; 3] = [
        "system:authenticated",
        "system:serviceaccounts",
        "system:serviceaccounts:default",
    ];
    let lab = Lab::start().await;
    let name = "system:serviceaccount:default:robot";
    let attributes =
        json!({"verb": "list", "resource": "configmaps", "namespace": "default", "version": "v1"});
    let spec =
        json!({"resourceAttributes": attributes, "user": name, "groups": GROUPS, "uid": "u"});
    for (kind, resource, metadata) in [
        ("SubjectAccessReview", "subjectaccessreviews", json!({})),
        (
            "LocalSubjectAccessReview",
            "namespaces/default/localsubjectaccessreviews",
            json!({"namespace": "default"}),
        ),
    ] {
        let reviews = Typed::new(&lab.admin, "authorization.k8s.io/v1", kind, resource);
        let review = reviews
            .create(&json!({"metadata": metadata, "spec": spec, "status": {"allowed": false, "reason": "", "evaluationError": "", "denied": false}}))
            .await
            .unwrap();
        assert_eq!(review["status"]["allowed"], false, "{kind}");
    }
    let mut headers = vec![("impersonate-user", name), ("impersonate-uid", "u")];
    headers.extend(GROUPS.map(|group| ("impersonate-group", group)));
    let path = "/api/v1/namespaces/default/configmaps";
    let asked = lab
        .admin
        .request(Method::GET, path, &headers, "")
        .await
        .unwrap();
    assert_eq!(asked.status, 403);

    headers.push(("impersonate-extra-known-languages", "python"));
    headers.push(("impersonate-extra-known-languages", "javascript"));
    let review =
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).to_string();
    let path = "/apis/authentication.k8s.io/v1/selfsubjectreviews";
    let told = lab
        .admin
        .request(Method::POST, path, &headers, review)
        .await
        .unwrap();
    let user = support::json(&told)["status"]["userInfo"].take();
    assert_eq!(
        (&user["username"], &user["uid"]),
        (&json!(name), &json!("u"))
    );
    assert_eq!(user["groups"], json!(GROUPS));
    assert_eq!(
        user["extra"],
        json!({"known-languages": ["python", "javascript"]})
    );
}

/// Times as a Go test counts them from its zero, in the year 1.
#[tokio::test]
async fn a_lease_keeps_its_times_by_every_way_in() {
    let lab = Lab::start().await;
    let leases = Typed::new(
        &lab.admin,
        "coordination.k8s.io/v1",
        "Lease",
        "namespaces/default/leases",
    );
    let spec = |holder: &str, second: u32| {
        json!({
            "holderIdentity": holder, "leaseDurationSeconds": 30, "leaseTransitions": 0,
            "acquireTime": format!("0001-01-01T00:00:{second:02}.000000Z"),
            "renewTime": format!("0001-01-01T00:00:{:02}.000123Z", second + 5),
        })
    };
    let first = json!({"metadata": {"name": "l"}, "spec": spec("one", 2)});
    let mut lease = leases.create(&first).await.unwrap();
    assert_eq!(lease["spec"], spec("one", 2));
    lease["spec"] = spec("two", 20);
    assert_eq!(
        leases.update(&lease, "").await.unwrap()["spec"],
        spec("two", 20)
    );
    let patch = json!({"spec": spec("three", 50)});
    leases.patch("l", STRATEGIC, &patch).await.unwrap();
    assert_eq!(leases.get("l").await.unwrap()["spec"], spec("three", 50));
}
