//! One object, many forms: what is accepted and what is answered.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::io::Read;

use http::Method;
use kedge_client::http::{HttpClient, Response};
use serde_json::{Value, json};
use support::{Lab, header, json};

const CONFIGMAPS: &str = "/api/v1/namespaces/default/configmaps";
const TABLE: &str = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const PARTIAL: &str = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io";
const PARTIAL_LIST: &str = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

async fn get(client: &HttpClient, path: &str, headers: &[(&str, &str)]) -> Response {
    client
        .request(Method::GET, path, headers, "")
        .await
        .unwrap()
}

async fn create(lab: &Lab, name: &str, data: &str) {
    let body = json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": name}, "data": {"k": data}});
    let response = lab
        .admin
        .request(Method::POST, CONFIGMAPS, &[], body.to_string())
        .await
        .unwrap();
    assert_eq!(response.status, 201, "{:?}", response.body);
}

/// The items of a list without what the server added to their metadata.
fn names(list: &Value) -> Vec<&str> {
    list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["metadata"]["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_list_is_the_same_in_every_encoding() {
    let lab = Lab::start().await;
    assert_eq!(
        json(&get(&lab.admin, CONFIGMAPS, &[]).await)["items"],
        json!([])
    );
    for (name, data) in [("a", "one\n\n  two: \"x\"\n"), ("b", "}]\\"), ("c", "")] {
        create(&lab, name, data).await;
    }
    let plain = json(&get(&lab.admin, CONFIGMAPS, &[]).await);
    assert_eq!(
        (names(&plain), &plain["kind"]),
        (vec!["a", "b", "c"], &json!("ConfigMapList"))
    );
    assert!(
        plain["items"][0].get("kind").is_none(),
        "the items of a list carry no type of their own"
    );
    let pretty = get(&lab.admin, &format!("{CONFIGMAPS}?pretty=true"), &[]).await;
    assert!(pretty.body.starts_with(b"{\n  \"apiVersion\""));
    assert_eq!(json(&pretty), plain);
    let curl = get(&lab.admin, CONFIGMAPS, &[("user-agent", "curl/8")]).await;
    assert_eq!(curl.body, pretty.body);
    let yaml = get(&lab.admin, CONFIGMAPS, &[("accept", "application/yaml")]).await;
    assert_eq!(header(&yaml, "content-type"), "application/yaml");
    assert_eq!(
        serde_saphyr::from_slice::<Value>(&yaml.body).unwrap(),
        plain
    );
    let none = get(
        &lab.admin,
        "/api/v1/namespaces/none/configmaps",
        &[("accept", "application/yaml")],
    )
    .await;
    assert_eq!(
        serde_saphyr::from_slice::<Value>(&none.body).unwrap()["items"],
        json!([])
    );
    let none = get(
        &lab.admin,
        "/api/v1/namespaces/none/configmaps?pretty=1",
        &[],
    )
    .await;
    assert_eq!(json(&none)["items"], json!([]));
}

#[tokio::test]
async fn a_long_list_is_streamed_and_packed() {
    let lab = Lab::start().await;
    for number in 0..60 {
        create(
            &lab,
            &format!("c{number:02}"),
            &format!("{number} ").repeat(2000),
        )
        .await;
    }
    let plain = get(&lab.admin, CONFIGMAPS, &[]).await;
    assert!(plain.body.len() > 200_000);
    assert_eq!(names(&json(&plain)).len(), 60);
    let packed = get(&lab.admin, CONFIGMAPS, &[("accept-encoding", "gzip")]).await;
    assert_eq!(header(&packed, "content-encoding"), "gzip");
    assert!(packed.body.len() < plain.body.len() / 5);
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(packed.body.as_ref())
        .read_to_end(&mut unpacked)
        .unwrap();
    assert_eq!(unpacked, plain.body);
    let small = get(
        &lab.admin,
        &format!("{CONFIGMAPS}?limit=2"),
        &[("accept-encoding", "gzip")],
    )
    .await;
    assert_eq!(header(&small, "content-encoding"), "");
    let page = json(&small);
    assert_eq!(
        (names(&page), &page["metadata"]["remainingItemCount"]),
        (vec!["c00", "c01"], &json!(58))
    );
    let next = page["metadata"]["continue"].as_str().unwrap();
    let page = json(
        &get(
            &lab.admin,
            &format!("{CONFIGMAPS}?limit=2&continue={next}"),
            &[],
        )
        .await,
    );
    assert_eq!(names(&page), ["c02", "c03"]);
}

#[tokio::test]
async fn tables_and_partial_metadata_are_made_of_one_and_of_many() {
    let lab = Lab::start().await;
    create(&lab, "a", "x").await;
    for path in [CONFIGMAPS.to_string(), format!("{CONFIGMAPS}/a")] {
        let table = json(&get(&lab.admin, &path, &[("accept", TABLE)]).await);
        assert_eq!(
            (&table["kind"], &table["apiVersion"]),
            (&json!("Table"), &json!("meta.k8s.io/v1"))
        );
        assert_eq!(table["columnDefinitions"][0]["name"], "Name");
        assert_eq!(table["rows"][0]["cells"][0], "a");
        assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
        let table = json(
            &get(
                &lab.admin,
                &format!("{path}?includeObject=Object"),
                &[("accept", TABLE)],
            )
            .await,
        );
        assert_eq!(table["rows"][0]["object"]["data"]["k"], "x");
        let refused = get(
            &lab.admin,
            &format!("{path}?includeObject=Some"),
            &[("accept", TABLE)],
        )
        .await;
        assert_eq!(refused.status, 400);
    }
    let partial = json(
        &get(
            &lab.admin,
            &format!("{CONFIGMAPS}/a"),
            &[("accept", PARTIAL)],
        )
        .await,
    );
    assert_eq!(
        (&partial["kind"], partial.get("data")),
        (&json!("PartialObjectMetadata"), None)
    );
    assert_eq!(partial["metadata"]["name"], "a");
    let list = json(&get(&lab.admin, CONFIGMAPS, &[("accept", PARTIAL_LIST)]).await);
    assert_eq!(
        (&list["kind"], &list["items"][0]["kind"]),
        (
            &json!("PartialObjectMetadataList"),
            &json!("PartialObjectMetadata")
        )
    );
}

#[tokio::test]
async fn what_cannot_be_made_is_406_and_what_cannot_be_read_415() {
    let lab = Lab::start().await;
    let documents = ["/api/v1", "/apis", "/openapi/v2", "/openapi/v3"];
    let protobuf = "application/vnd.kubernetes.protobuf";
    let table = "application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1";
    for (accept, paths) in [
        (protobuf, &documents[..]),
        (table, &[CONFIGMAPS]),
        (
            "application/cbor",
            &[&documents[..], &[CONFIGMAPS]].concat(),
        ),
        ("text/html", &[&documents[..], &[CONFIGMAPS]].concat()),
    ] {
        for path in paths {
            let refused = get(&lab.admin, path, &[("accept", accept)]).await;
            assert_eq!(
                (refused.status.as_u16(), &json(&refused)["reason"]),
                (406, &json!("NotAcceptable")),
                "{path} {accept}"
            );
        }
    }
    // Upstream's router is of fewer words than its handlers.
    let said = "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf";
    for (accept, told, details) in [
        ("text/html", "406: Not Acceptable", Some(&json!({}))),
        (table, said, None),
    ] {
        let refused = json(&get(&lab.admin, CONFIGMAPS, &[("accept", accept)]).await);
        assert_eq!(
            (&refused["message"], refused.get("details")),
            (&json!(told), details)
        );
    }
    let patch = [("content-type", "application/bogus")];
    let one = format!("{CONFIGMAPS}/a");
    let refused = lab
        .admin
        .request(Method::PATCH, &one, &patch, "{}")
        .await
        .unwrap();
    assert_eq!(json(&refused)["message"], "415: Unsupported Media Type");
    let accept = "application/vnd.kubernetes.protobuf;q=0.9,application/json;q=0.5";
    assert_eq!(
        get(&lab.admin, CONFIGMAPS, &[("accept", accept)])
            .await
            .status,
        200
    );
    let watch = format!("{CONFIGMAPS}?watch=true");
    let refused = get(&lab.admin, &watch, &[("accept", "application/yaml")]).await;
    assert_eq!(refused.status, 406);
    assert_eq!(
        json(&refused)["message"],
        "only the following media types are accepted: \
         application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch"
    );
    create(&lab, "a", "x").await;
    for (path, accept, told) in [
        (
            CONFIGMAPS.to_string(),
            PARTIAL,
            "you requested PartialObjectMetadata, but the requested object is a list (*core.ConfigMapList)",
        ),
        (
            format!("{CONFIGMAPS}/a"),
            PARTIAL_LIST,
            "you requested PartialObjectMetadataList, but the requested object is not a list (*core.ConfigMap)",
        ),
    ] {
        let refused = get(&lab.admin, &path, &[("accept", accept)]).await;
        assert_eq!(
            (refused.status.as_u16(), &json(&refused)["message"]),
            (406, &json!(told))
        );
    }
    for media in [
        "application/cbor",
        "text/plain",
        "application/merge-patch+json",
    ] {
        let refused = lab
            .admin
            .request(Method::POST, CONFIGMAPS, &[("content-type", media)], "{}")
            .await
            .unwrap();
        assert_eq!(
            (refused.status.as_u16(), &json(&refused)["reason"]),
            (415, &json!("UnsupportedMediaType")),
            "{media}"
        );
    }
}

#[tokio::test]
async fn what_is_no_line_ends_without_a_line_break() {
    let lab = Lab::start().await;
    create(&lab, "a", "x").await;
    let one = format!("{CONFIGMAPS}/a");
    let discovery = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    for (path, accept, ends) in [
        (&*one, "", true),
        (&one, TABLE, true),
        (&one, PARTIAL, true),
        (&one, "application/json;pretty=1", false),
        (CONFIGMAPS, "", true),
        (CONFIGMAPS, "application/json;pretty=1", false),
        ("/api/v1", "", true),
        ("/apis", discovery, true),
        ("/version", "", false),
        ("/", "", false),
        ("/index.html", "application/yaml", false),
    ] {
        let answer = get(&lab.admin, path, &[("accept", accept)]).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.body.ends_with(b"\n"), ends, "{path} {accept}");
        let inner = answer.body.trim_ascii_end();
        assert_eq!(inner.contains(&b'\n'), !ends, "{path} {accept}");
    }
}

#[tokio::test]
async fn every_answer_has_an_audit_id_and_is_not_cached() {
    let lab = Lab::start().await;
    for path in [CONFIGMAPS, "/livez", "/api", "/nothing"] {
        let response = get(&lab.admin, path, &[]).await;
        assert_eq!(header(&response, "audit-id").len(), 36, "{path}");
        assert_eq!(
            header(&response, "cache-control"),
            "no-cache, private",
            "{path}"
        );
    }
    let long = "x".repeat(500);
    for mine in ["mine", &long] {
        let response = get(&lab.admin, "/livez", &[("audit-id", mine)]).await;
        assert_eq!(header(&response, "audit-id"), mine);
    }
}

#[tokio::test]
async fn what_is_wrong_first_is_told_first() {
    let lab = Lab::start().await;
    create(&lab, "a", "x").await;
    let one = format!("{CONFIGMAPS}/a");
    let text = ("content-type", "text/plain");
    let html = ("accept", "text/html");
    for (method, path, query, headers, body, code) in [
        // The answer's type, the body's, the options, the body.
        (
            Method::POST,
            CONFIGMAPS,
            "dryRun=No",
            &[html, text][..],
            "{",
            406,
        ),
        (Method::POST, CONFIGMAPS, "dryRun=No", &[text], "{", 415),
        (Method::POST, CONFIGMAPS, "dryRun=No", &[], "{", 422),
        (Method::POST, CONFIGMAPS, "", &[], "{", 400),
        (Method::PUT, &one, "dryRun=No", &[html, text], "{", 406),
        (Method::PUT, &one, "dryRun=No", &[text], "{", 422),
        (Method::PUT, &one, "", &[text], "{", 415),
        (Method::PATCH, &one, "dryRun=No", &[html, text], "{", 415),
        (
            Method::PATCH,
            &one,
            "dryRun=No",
            &[html, ("content-type", "application/merge-patch+json")],
            "{",
            406,
        ),
        (
            Method::PATCH,
            &one,
            "dryRun=No",
            &[("content-type", "application/merge-patch+json")],
            "{",
            422,
        ),
        // What a body of options cannot be read as has no status of its own.
        (Method::DELETE, &one, "", &[text], "{}", 415),
        (Method::DELETE, &one, "", &[], "{", 500),
        (
            Method::DELETE,
            &one,
            "",
            &[],
            r#"{"kind":"Pod","apiVersion":"v1"}"#,
            500,
        ),
        (
            Method::DELETE,
            &one,
            "",
            &[],
            r#"{"gracePeriodSeconds":"1"}"#,
            500,
        ),
        (Method::DELETE, &one, "gracePeriodSeconds=x", &[], "", 400),
        (Method::DELETE, &one, "resourceVersion=1", &[], "", 409),
        (Method::DELETE, &one, "uid=other", &[], "", 409),
        (Method::DELETE, &one, "dryRun=All", &[], "", 200),
    ] {
        let path = format!("{path}?{query}");
        let answer = lab
            .admin
            .request(method.clone(), &path, headers, body)
            .await;
        assert_eq!(
            answer.unwrap().status,
            code,
            "{method} {path} {headers:?} {body}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_told_as_go_tells_it() {
    let lab = Lab::start().await;
    let typed = r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    for (path, body, why, shown) in [
        (CONFIGMAPS, "", "unexpected end of JSON input", "<empty>"),
        (
            CONFIGMAPS,
            "{\"a\": }",
            "invalid character '}' looking for beginning of value",
            "{\"a\": }",
        ),
        (
            CONFIGMAPS,
            "no",
            "invalid character 'o' in literal null (expecting 'u')",
            "6e6f",
        ),
        (
            CONFIGMAPS,
            "{\"metadata\": {\"name\": \"a\" \"b\": 1}}",
            "invalid character '\"' after object key:value pair",
            "{\"metadata\": {\"name\": \"a\" \"b\": ...",
        ),
        (
            CONFIGMAPS,
            "[1]",
            &format!("json: cannot unmarshal array into Go value of type {typed}"),
            "5b315d",
        ),
        (
            "/api/v1/namespaces/default/serviceaccounts/default/token",
            "{",
            "unexpected end of JSON input",
            "{",
        ),
    ] {
        let kind = if path == CONFIGMAPS {
            "ConfigMap"
        } else {
            "TokenRequest"
        };
        let refused = lab
            .admin
            .request(Method::POST, path, &[], body)
            .await
            .unwrap();
        assert_eq!(refused.status, 400);
        assert_eq!(
            json(&refused)["message"],
            format!(
                "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why} ({shown})"
            )
        );
    }
}

#[tokio::test]
async fn a_verb_in_a_path_needs_something_behind_it() {
    let lab = Lab::start().await;
    let answer = get(&lab.admin, "/api/v1/watch/?a=1&b=%3C", &[]).await;
    assert_eq!(answer.status, 500);
    assert_eq!(header(&answer, "content-type"), "text/plain; charset=utf-8");
    assert_eq!(
        answer.body,
        "Internal Server Error: \"/api/v1/watch/?a=1&amp;b=%3C\": failed to create RequestInfo: \
         unable to determine kind and namespace from url, /api/v1/watch/?a=1&amp;b=%3C\n"
    );
    create(&lab, "a", "x").await;
    for path in [
        "/api/v1/watch/configmaps",
        "/api/v1/watch/namespaces/default/configmaps/a",
        CONFIGMAPS,
    ] {
        let path = format!("{path}?watch=1&timeoutSeconds=-1");
        let over = get(&lab.admin, &path, &[]).await;
        assert_eq!(over.status, 200, "{path}");
    }
    let one = "/api/v1/watch/namespaces/default/configmaps/a?timeoutSeconds=-1&fieldSelector=";
    for (selector, code) in [
        ("metadata.name%3Da", 200),
        ("metadata.namespace%3Ddefault,metadata.name%3Da", 200),
        ("metadata.name%3Db", 400),
        ("metadata.name!%3Da", 400),
        ("metadata.namespace%3Ddefault", 400),
        ("a", 400),
    ] {
        let answer = get(&lab.admin, &format!("{one}{selector}"), &[]).await;
        assert_eq!(answer.status, code, "{selector}");
    }
}

#[tokio::test]
async fn a_refusal_of_the_user_is_not_to_be_guessed_at() {
    let lab = Lab::start().await;
    let other = lab.user("other", "nobody");
    let refused = get(&other, CONFIGMAPS, &[]).await;
    assert_eq!(refused.status, 403);
    assert_eq!(header(&refused, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn warnings_reach_the_client() {
    let lab = Lab::start().await;
    let body =
        json!({"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "w"}, "bogus": 1});
    let response = lab
        .admin
        .request(Method::POST, CONFIGMAPS, &[], body.to_string())
        .await
        .unwrap();
    assert_eq!(response.status, 201);
    assert_eq!(
        response.warnings().collect::<Vec<_>>(),
        ["unknown field \"bogus\""]
    );
    let response = get(&lab.admin, "/api/v1/endpoints", &[]).await;
    assert!(
        response
            .warnings()
            .next()
            .unwrap()
            .contains("EndpointSlice")
    );
}

/// What client-go sends.
const OPENAPI_V2: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

#[tokio::test]
async fn openapi_v2_is_a_message_for_who_asks_so() {
    let lab = Lab::start().await;
    let message = get(&lab.admin, "/openapi/v2", &[("accept", OPENAPI_V2)]).await;
    assert_eq!(
        header(&message, "content-type"),
        "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
    );
    // Field 1, 3 bytes: `swagger`.
    assert!(message.body.ends_with(b"\x0a\x032.0"));
    let json = get(&lab.admin, "/openapi/v2", &[]).await;
    assert_eq!(header(&json, "content-type"), "application/json");
    assert_ne!(header(&json, "etag"), header(&message, "etag"));
    let refused = get(&lab.admin, "/openapi/v2", &[("accept", "application/yaml")]).await;
    assert_eq!(refused.status, 406);
    let text = String::from_utf8_lossy(&refused.body);
    assert!(text.contains("media types are accepted: application/json, application/com.github.proto-openapi.spec.v2.v1.0+protobuf"), "{text}");
}

#[tokio::test]
async fn discovery_and_openapi_can_be_asked_again_cheaply() {
    let lab = Lab::start().await;
    let aggregated =
        "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    for (path, accept) in [
        ("/api", aggregated),
        ("/apis", aggregated),
        ("/openapi/v3", ""),
        ("/openapi/v2", ""),
        ("/openapi/v2", OPENAPI_V2),
    ] {
        let first = get(&lab.admin, path, &[("accept", accept)]).await;
        assert_eq!(first.status, 200, "{path}");
        let tag = header(&first, "etag").to_string();
        assert!(tag.starts_with('"'), "{path} {tag}");
        let again = get(
            &lab.admin,
            path,
            &[("accept", accept), ("if-none-match", &tag)],
        )
        .await;
        assert_eq!(
            (again.status.as_u16(), again.body.len()),
            (304, 0),
            "{path}"
        );
        let cached = match path.starts_with("/openapi") {
            true => "no-cache, private",
            false => "public",
        };
        for answer in [&first, &again] {
            assert_eq!(header(answer, "cache-control"), cached, "{path}");
        }
    }
    let index = json(&get(&lab.admin, "/openapi/v3", &[]).await);
    let address = index["paths"]["api/v1"]["serverRelativeURL"]
        .as_str()
        .unwrap();
    let document = get(&lab.admin, address, &[]).await;
    assert_eq!(header(&document, "cache-control"), "public, immutable");
    assert!(json(&document)["components"]["schemas"]["io.k8s.api.core.v1.Service"].is_object());
    let elsewhere = get(&lab.admin, "/openapi/v3/api/v1?hash=OLD", &[]).await;
    assert_eq!(
        (elsewhere.status.as_u16(), header(&elsewhere, "location")),
        (301, address)
    );
    assert_eq!(
        get(&lab.admin, "/openapi/v3/apis/none/v1", &[])
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn version_is_a_release_with_ours_as_build_metadata() {
    let lab = Lab::start().await;
    let version = json(&get(&lab.admin, "/version", &[]).await);
    assert_eq!(
        (&version["major"], &version["minor"]),
        (&json!("1"), &json!("36"))
    );
    assert!(
        version["gitVersion"]
            .as_str()
            .unwrap()
            .starts_with("v1.36.2+kedge.")
    );
}

#[tokio::test]
async fn refusals_are_told_as_the_client_likes_it() {
    let lab = Lab::start().await;
    let missing = format!("{CONFIGMAPS}/missing");
    let reason = |text: &str| -> Value {
        let status: Value = serde_saphyr::from_str(text).unwrap();
        status["reason"].clone()
    };
    for (headers, path, content_type, is_long) in [
        (&[][..], &*missing, "application/json", false),
        (
            &[("user-agent", "curl/8")][..],
            &missing,
            "application/json",
            true,
        ),
        (
            &[][..],
            &format!("{missing}?pretty=1"),
            "application/json",
            true,
        ),
        (
            &[("accept", "application/yaml")][..],
            &missing,
            "application/yaml",
            true,
        ),
        (
            &[("accept", "text/html")][..],
            &missing,
            "application/json",
            false,
        ),
    ] {
        let answer = get(&lab.admin, path, headers).await;
        assert_eq!(header(&answer, "content-type"), content_type);
        let length = answer.body.len().to_string();
        assert_eq!(header(&answer, "content-length"), length);
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(text.trim_end().contains('\n'), is_long, "{text}");
        // Go's encoders end a line, and what is indented is no line.
        let ends = content_type == "application/yaml" || !is_long;
        assert_eq!(text.ends_with('\n'), ends, "{text}");
        let expected = match answer.status.as_u16() {
            406 => "NotAcceptable",
            _ => "NotFound",
        };
        assert_eq!(reason(&text), expected);
    }
}

#[tokio::test]
async fn what_a_patch_says_twice_is_told() {
    let mut lab = Lab::start().await;
    create(&lab, "c", "1").await;
    let bodies = [
        (
            "application/merge-patch+json",
            r#"{"data":{"k":"2","k":"3"}}"#,
        ),
        (
            "application/strategic-merge-patch+json",
            r#"{"data":{"k":"2","k":"3"}}"#,
        ),
        (
            "application/json-patch+json",
            r#"[{"op":"add","path":"/data/k","value":"2","value":"3"}]"#,
        ),
        (
            "application/apply-patch+yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  k: '2'\n  k: '3'\n",
        ),
    ];
    for (media, body) in bodies {
        for (level, code, warnings) in [
            ("Strict", None, 0),
            ("Warn", Some(200), 1),
            ("Ignore", Some(200), 0),
        ] {
            let is_apply = media.contains("apply");
            let more = if is_apply {
                "&fieldManager=m&force=true"
            } else {
                ""
            };
            let path = format!("{CONFIGMAPS}/c?fieldValidation={level}{more}");
            let headers = [("content-type", media)];
            let patch = lab.admin.request(Method::PATCH, &path, &headers, body);
            let response = patch.await.unwrap();
            let refused = if is_apply { 400 } else { 422 };
            assert_eq!(response.status, code.unwrap_or(refused), "{media} {level}");
            let told = response.headers.get_all("warning").iter().count();
            assert_eq!(told, warnings, "{media} {level}");
        }
    }
    lab.stop().await;
}
