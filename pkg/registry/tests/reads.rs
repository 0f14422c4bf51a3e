//! Lists, pages and watches.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{World, build, configmap, names, parse, world};
use kedge_registry::{GetOptions, ListOptions, WatchEvent, WatchOptions, resume_token};
use serde_json::{Value, json};

async fn fill(world: &World, count: usize) {
    for i in 0..count {
        world
            .create("configmaps", configmap(&format!("c{i}")))
            .await
            .unwrap();
    }
}

fn limit(limit: usize, continue_token: &str) -> ListOptions {
    ListOptions {
        limit,
        continue_token: continue_token.into(),
        ..ListOptions::default()
    }
}

#[tokio::test]
async fn pages_are_of_one_revision() {
    let world = world().await;
    fill(&world, 5).await;
    let first = world.list("configmaps", &limit(2, "")).unwrap();
    assert_eq!(
        (names(&first), first.remaining),
        (vec!["c0".into(), "c1".into()], Some(3))
    );

    // What changes meanwhile is not seen: gone, new, and changed ones alike.
    world.delete("configmaps", "c2").await.unwrap();
    world.create("configmaps", configmap("c11")).await.unwrap();
    world
        .merge(
            &world.target("configmaps", "c3"),
            json!({"data": {"a": "2"}}),
        )
        .await
        .unwrap();

    let second = world
        .list("configmaps", &limit(2, &first.continue_token))
        .unwrap();
    assert_eq!(
        (names(&second), second.remaining, second.revision),
        (vec!["c2".into(), "c3".into()], Some(1), first.revision)
    );
    assert_eq!(parse(&second.items[1].value())["data"]["a"], "1");
    let last = world
        .list("configmaps", &limit(2, &second.continue_token))
        .unwrap();
    assert_eq!(
        (names(&last), last.remaining, last.continue_token.as_str()),
        (vec!["c4".into()], None, "")
    );

    assert_eq!(
        world
            .list("configmaps", &limit(2, "garbage"))
            .unwrap_err()
            .code,
        400
    );
    let both = ListOptions {
        resource_version: "5".into(),
        ..limit(2, &first.continue_token)
    };
    assert_eq!(world.list("configmaps", &both).unwrap_err().code, 400);
}

#[tokio::test]
async fn a_token_that_is_too_old_says_so_and_is_renewed() {
    let world = build(&["10.43.0.0/28"], 8).await;
    fill(&world, 4).await;
    let first = world.list("configmaps", &limit(2, "")).unwrap();
    for i in 0..40 {
        world
            .merge(
                &world.target("configmaps", "c0"),
                json!({"data": {"a": format!("{i}")}}),
            )
            .await
            .unwrap();
    }
    world.delete("configmaps", "c2").await.unwrap();
    let gone = world
        .list("configmaps", &limit(2, &first.continue_token))
        .unwrap_err();
    assert_eq!((gone.code, gone.reason), (410, "Expired"));
    let fresh = resume_token(&first.continue_token).unwrap();
    let rest = world.list("configmaps", &limit(2, &fresh)).unwrap();
    assert_eq!(names(&rest), ["c3"]);
    assert_eq!(rest.revision, world.registry.revision());
}

#[tokio::test]
async fn revisions_and_how_to_match_them() {
    let world = world().await;
    fill(&world, 2).await;
    let then = world.registry.revision();
    fill_one_more(&world).await;
    let at = |version: String, word: &str| ListOptions {
        resource_version: version,
        resource_version_match: word.into(),
        ..ListOptions::default()
    };
    let count = |options: &ListOptions| {
        world
            .list("configmaps", options)
            .map(|page| (page.items.len(), page.revision))
    };
    let now = world.registry.revision();
    assert_eq!(count(&at(String::new(), "")).unwrap(), (3, now));
    assert_eq!(count(&at("0".into(), "")).unwrap(), (3, now));
    assert_eq!(count(&at(then.to_string(), "")).unwrap(), (3, now));
    assert_eq!(
        count(&at(then.to_string(), "NotOlderThan")).unwrap(),
        (3, now)
    );
    assert_eq!(count(&at(then.to_string(), "Exact")).unwrap(), (2, then));
    assert_eq!(
        count(&ListOptions {
            limit: 10,
            ..at(then.to_string(), "")
        })
        .unwrap(),
        (2, then)
    );
    assert_eq!(count(&at((now + 1).to_string(), "")).unwrap_err().code, 504);
    assert_eq!(count(&at("x".into(), "")).unwrap_err().code, 400);
    assert_eq!(count(&at("0".into(), "Exact")).unwrap_err().code, 422);
    let ahead = GetOptions {
        resource_version: (now + 1).to_string(),
    };
    assert_eq!(
        world
            .registry
            .get(&world.target("configmaps", "c0"), &ahead)
            .unwrap_err()
            .code,
        504
    );
}

async fn fill_one_more(world: &World) {
    world
        .create("configmaps", configmap("one-more"))
        .await
        .unwrap();
}

#[tokio::test]
async fn what_is_wrong_with_a_selection_is_told_in_upstreams_order() {
    let world = world().await;
    let kind = world.kind("configmaps");
    let told = |labels: &str, fields: &str, word: &str| {
        let list = ListOptions {
            label_selector: labels.into(),
            field_selector: fields.into(),
            resource_version_match: word.into(),
            ..ListOptions::default()
        };
        let watch = WatchOptions {
            label_selector: labels.into(),
            field_selector: fields.into(),
            resource_version_match: word.into(),
            ..WatchOptions::default()
        };
        let list = world.registry.list(&kind, "", &list).err();
        let watch = world.registry.watch(&kind, "", &watch).err();
        [list, watch].map(|status| status.map_or(0, |status| status.code))
    };
    assert_eq!(told("a b", "spec=1", "Odd"), [400, 400]);
    assert_eq!(told("a", "spec", "Odd"), [400, 400]);
    assert_eq!(told("a", "spec=1", "Odd"), [422, 422]);
    assert_eq!(told("a", "spec=1", ""), [400, 400]);
    assert_eq!(told("a", "metadata.name=1", ""), [0, 0]);
}

#[tokio::test]
async fn selectors() {
    let world = world().await;
    for (name, labels) in [
        ("a", json!({"k": "1", "x": "y"})),
        ("b", json!({"k": "2"})),
        ("c", json!({})),
    ] {
        world
            .create(
                "configmaps",
                json!({"metadata": {"name": name, "labels": labels}}),
            )
            .await
            .unwrap();
    }
    let by = |labels: &str, fields: &str| {
        let options = ListOptions {
            label_selector: labels.into(),
            field_selector: fields.into(),
            ..ListOptions::default()
        };
        world
            .list("configmaps", &options)
            .map(|page| names(&page).join(" "))
    };
    for (labels, fields, want) in [
        ("k", "", "a b"),
        ("!k", "", "c"),
        ("k in (1,2),x!=y", "", "b"),
        ("k notin (1)", "", "b c"),
        ("", "metadata.name=a", "a"),
        ("", "metadata.name!=a,metadata.namespace=default", "b c"),
        ("k=2", "metadata.name=a", ""),
    ] {
        assert_eq!(by(labels, fields).unwrap(), want, "{labels} {fields}");
    }
    for (labels, fields) in [("(((", ""), ("", "data.a=1"), ("", "bogus")] {
        assert_eq!(
            by(labels, fields).unwrap_err().code,
            400,
            "{labels} {fields}"
        );
    }
    let pod = |name: &str, node: &str| json!({"metadata": {"name": name}, "spec": {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}});
    world.create("pods", pod("p", "n1")).await.unwrap();
    world.create("pods", pod("q", "n2")).await.unwrap();
    let options = ListOptions {
        field_selector: "spec.nodeName=n2".into(),
        ..ListOptions::default()
    };
    assert_eq!(names(&world.list("pods", &options).unwrap()), ["q"]);
}

/// An event in short: its type, the object's name and `data.a`.
fn short(event: &WatchEvent) -> String {
    let of = |kind: &str, bytes: &[u8]| {
        let object: Value = parse(bytes);
        format!(
            "{kind} {} {}",
            object["metadata"]["name"].as_str().unwrap(),
            object["data"]["a"].as_str().unwrap_or("-")
        )
    };
    match event {
        WatchEvent::Added(bytes) => of("ADDED", bytes),
        WatchEvent::Modified(bytes) => of("MODIFIED", bytes),
        WatchEvent::Deleted(bytes) => of("DELETED", bytes),
        WatchEvent::Bookmark { initial_end, .. } => format!("BOOKMARK {initial_end}"),
        WatchEvent::Error(status) => format!("ERROR {}", status.code),
    }
}

fn watch(world: &World, options: WatchOptions) -> kedge_registry::Watcher {
    world
        .registry
        .watch(&world.kind("configmaps"), "default", &options)
        .unwrap()
}

fn here(watcher: &mut kedge_registry::Watcher) -> Vec<String> {
    std::iter::from_fn(|| watcher.try_next())
        .map(|event| short(&event))
        .collect()
}

async fn change(world: &World, name: &str, value: &str) {
    world
        .merge(
            &world.target("configmaps", name),
            json!({"data": {"a": value}}),
        )
        .await
        .unwrap();
}

#[tokio::test]
async fn a_watch_from_a_revision() {
    let world = world().await;
    let made = world.create("configmaps", configmap("c")).await.unwrap();
    change(&world, "c", "2").await;
    world.delete("configmaps", "c").await.unwrap();
    let revision = made["metadata"]["resourceVersion"]
        .as_str()
        .unwrap()
        .to_string();
    let mut watcher = watch(
        &world,
        WatchOptions {
            resource_version: revision,
            ..WatchOptions::default()
        },
    );
    assert_eq!(here(&mut watcher), ["MODIFIED c 2", "DELETED c 2"]);
    let waits = tokio::time::timeout(std::time::Duration::from_millis(20), watcher.next()).await;
    assert!(waits.is_err());
    world.create("configmaps", configmap("d")).await.unwrap();
    assert_eq!(short(&watcher.next().await.unwrap()), "ADDED d 1");
}

#[tokio::test]
async fn a_watch_from_now_and_of_everything() {
    let world = world().await;
    fill(&world, 2).await;
    let initial = ["ADDED c0 1", "ADDED c1 1"];
    for version in ["", "0"] {
        let mut watcher = watch(
            &world,
            WatchOptions {
                resource_version: version.into(),
                ..WatchOptions::default()
            },
        );
        assert_eq!(here(&mut watcher), initial);
    }
    let streaming = |send| WatchOptions {
        resource_version_match: "NotOlderThan".into(),
        send_initial_events: Some(send),
        allow_bookmarks: true,
        ..WatchOptions::default()
    };
    let mut watcher = watch(&world, streaming(true));
    assert_eq!(
        here(&mut watcher),
        ["ADDED c0 1", "ADDED c1 1", "BOOKMARK true"]
    );
    let mut later = watch(&world, streaming(false));
    assert!(here(&mut later).is_empty());
    change(&world, "c0", "2").await;
    assert_eq!(here(&mut later), ["MODIFIED c0 2"]);
    match later.bookmark() {
        Some(WatchEvent::Bookmark {
            revision,
            initial_end: false,
        }) => assert_eq!(revision, world.registry.revision()),
        other => panic!("{other:?}"),
    }
    let plain = WatchOptions {
        send_initial_events: Some(true),
        ..WatchOptions::default()
    };
    let refused = world
        .registry
        .watch(&world.kind("configmaps"), "default", &plain)
        .err()
        .unwrap();
    assert_eq!(
        refused.details.unwrap().causes[0].field,
        "resourceVersionMatch"
    );
}

#[tokio::test]
async fn selectors_make_additions_and_deletions_of_changes() {
    let world = world().await;
    let options = WatchOptions {
        label_selector: "k=v".into(),
        allow_bookmarks: true,
        ..WatchOptions::default()
    };
    let mut watcher = watch(&world, options);
    let target = world.target("configmaps", "c");
    let label = |value: Value| json!({"metadata": {"labels": {"k": value}}});
    world.create("configmaps", configmap("c")).await.unwrap();
    world.merge(&target, label(json!("v"))).await.unwrap();
    change(&world, "c", "2").await;
    world.merge(&target, label(json!("w"))).await.unwrap();
    let left = world.registry.revision();
    world.merge(&target, label(json!("v"))).await.unwrap();
    world.delete("configmaps", "c").await.unwrap();
    let events: Vec<_> = std::iter::from_fn(|| watcher.try_next()).collect();
    let want = [
        "BOOKMARK true",
        "ADDED c 1",
        "MODIFIED c 2",
        "DELETED c 2",
        "ADDED c 2",
        "DELETED c 2",
    ];
    assert_eq!(events.iter().map(short).collect::<Vec<_>>(), want);
    // The state that was selected, at the revision that ended it.
    let WatchEvent::Deleted(bytes) = &events[3] else {
        panic!("{:?}", events[3])
    };
    let object = parse(bytes);
    assert_eq!(object["metadata"]["labels"]["k"], "v");
    assert_eq!(object["metadata"]["resourceVersion"], left.to_string());
}

#[tokio::test]
async fn hidden_events_make_a_bookmark_due() {
    let world = world().await;
    let options = WatchOptions {
        label_selector: "k=v".into(),
        allow_bookmarks: true,
        ..WatchOptions::default()
    };
    let mut watcher = watch(&world, options);
    world.create("configmaps", configmap("c")).await.unwrap();
    for i in 0..300 {
        change(&world, "c", &i.to_string()).await;
    }
    assert_eq!(here(&mut watcher), ["BOOKMARK true", "BOOKMARK false"]);
}

#[tokio::test]
async fn one_name_and_not_its_neighbours() {
    let world = world().await;
    let options = WatchOptions {
        field_selector: "metadata.name=web".into(),
        ..WatchOptions::default()
    };
    let mut watcher = watch(&world, options);
    for name in ["web", "web2", "we"] {
        world.create("configmaps", configmap(name)).await.unwrap();
    }
    assert_eq!(here(&mut watcher), ["ADDED web 1"]);
}

#[tokio::test]
async fn a_revision_that_is_gone_is_told_once() {
    let world = build(&["10.43.0.0/28"], 4).await;
    world.create("configmaps", configmap("c")).await.unwrap();
    for i in 0..20 {
        change(&world, "c", &i.to_string()).await;
    }
    let mut watcher = watch(
        &world,
        WatchOptions {
            resource_version: "2".into(),
            ..WatchOptions::default()
        },
    );
    assert_eq!(short(&watcher.next().await.unwrap()), "ERROR 410");
    assert!(watcher.next().await.is_none());
}

#[tokio::test]
async fn who_falls_behind_is_cut_off() {
    let world = build(&["10.43.0.0/28"], 4).await;
    world.create("configmaps", configmap("c")).await.unwrap();
    let mut watcher = watch(&world, WatchOptions::default());
    // The store lets more than a thousand events wait.
    for i in 0..1200 {
        change(&world, "c", &i.to_string()).await;
    }
    let told = here(&mut watcher);
    assert_eq!(told.last().unwrap(), "ERROR 410");
    assert!(watcher.next().await.is_none());
}

#[tokio::test]
async fn tables() {
    use kedge_registry::{IncludeObject, MetaVersion, TableOptions, table};
    let world = world().await;
    fill(&world, 2).await;
    let page = world.list("configmaps", &ListOptions::default()).unwrap();
    let kind = world.kind("configmaps");
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let show = |include, definitions| {
        let values: Vec<_> = page.items.iter().map(|entry| entry.value()).collect();
        let rows = values.iter().map(|value| &value[..]);
        let metadata = json!({"resourceVersion": page.revision.to_string()});
        let metadata = metadata.as_object().cloned().unwrap();
        let version = MetaVersion::V1;
        let options = TableOptions {
            version,
            include,
            now,
        };
        table::table(&kind, rows, metadata, options, definitions)
    };
    let shown = show(IncludeObject::Metadata, true);
    assert_eq!(shown["kind"], "Table");
    assert_eq!(
        shown["metadata"]["resourceVersion"],
        page.revision.to_string()
    );
    let rows = shown["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    let columns = shown["columnDefinitions"].as_array().unwrap().len();
    assert_eq!(rows[0]["cells"].as_array().unwrap().len(), columns);
    assert_eq!(rows[0]["object"]["kind"], "PartialObjectMetadata");
    assert_eq!(rows[0]["object"]["metadata"]["name"], "c0");
    assert!(rows[0]["object"].get("data").is_none());
    let whole = show(IncludeObject::Object, false);
    assert!(whole["columnDefinitions"].is_null());
    assert_eq!(whole["rows"][1]["object"]["data"]["a"], "1");
    let bare = &show(IncludeObject::None, true)["rows"][0];
    assert!(bare.get("object").is_none() && bare.get("conditions").is_none());
}

/// `kubectl get` and others tell Pods that have ended by a condition of their rows.
#[tokio::test]
async fn rows_of_pods_that_have_ended() {
    use kedge_registry::{TableOptions, table};
    let world = world().await;
    let options = TableOptions {
        version: Default::default(),
        include: Default::default(),
        now: "2026-01-01T00:00:00Z".parse().unwrap(),
    };
    let pod =
        |phase: &str| json!({"metadata": {"name": "p"}, "status": {"phase": phase}}).to_string();
    let pods = ["Running", "Failed"].map(pod);
    let pods = pods.iter().map(String::as_bytes);
    let shown = table::table(
        &world.kind("pods"),
        pods,
        serde_json::Map::new(),
        options,
        true,
    );
    assert!(shown["rows"][0].get("conditions").is_none());
    assert_eq!(shown["rows"][1]["conditions"][0]["reason"], "Failed");
}
