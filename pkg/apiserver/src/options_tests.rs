use super::*;
use rstest::rstest;
use serde_json::json;

fn agent(text: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(USER_AGENT, http::HeaderValue::from_static(text))])
}

fn cause(status: &Status) -> (u16, String, String) {
    let details = status.details.as_ref().unwrap();
    let cause = &details.causes[0];
    assert_eq!(details.group, "meta.k8s.io");
    (
        status.code,
        details.kind.clone(),
        format!("{} {}", cause.field, cause.reason),
    )
}

#[test]
fn a_manager_comes_from_the_user_agent() {
    assert_eq!(
        write("CreateOptions", "", &agent("kubectl/v1.32 (linux)"))
            .unwrap()
            .field_manager,
        "kubectl"
    );
    assert_eq!(
        write("CreateOptions", "fieldManager=me", &agent("kubectl/v1.32"))
            .unwrap()
            .field_manager,
        "me"
    );
    assert_eq!(
        write("CreateOptions", "", &HeaderMap::new())
            .unwrap()
            .field_manager,
        "unknown"
    );
}

#[rstest]
#[case("dryRun=Some", "dryRun FieldValueNotSupported")]
#[case("dryRun=", "dryRun FieldValueNotSupported")]
#[case("fieldValidation=Often", "fieldValidation FieldValueNotSupported")]
#[case("fieldManager=a%0Ab", "fieldManager FieldValueInvalid")]
fn wrong_write_options_are_422(#[case] query: &str, #[case] expected: &str) {
    let status = write("CreateOptions", query, &HeaderMap::new()).unwrap_err();
    assert_eq!(
        cause(&status),
        (422, "CreateOptions".into(), expected.into())
    );
}

#[test]
fn a_manager_has_a_longest_name() {
    let status = write(
        "UpdateOptions",
        &format!("fieldManager={}", "x".repeat(129)),
        &HeaderMap::new(),
    )
    .unwrap_err();
    assert_eq!(
        cause(&status),
        (
            422,
            "UpdateOptions".into(),
            "fieldManager FieldValueTooLong".into()
        )
    );
}

#[rstest]
#[case("a b_c.d/é", "")]
#[case("e%CC%81", "")]
#[case("a%09b", "U+0009 (at position 1)")]
#[case("%C2%A0", "U+00A0 (at position 0)")]
#[case("ab%E2%80%8Bc", "U+200B (at position 2)")]
#[case("%F0%9F%98%80", "")]
#[case("a%F3%A0%80%81", "U+E0001 (at position 1)")]
fn a_manager_can_be_printed(#[case] manager: &str, #[case] expected: &str) {
    let query = format!("fieldManager={manager}");
    let read = write("CreateOptions", &query, &HeaderMap::new());
    let told = read.err().map(|status| status.message).unwrap_or_default();
    assert!(told.ends_with(expected), "{told}");
    assert_eq!(told.is_empty(), expected.is_empty(), "{told}");
}

#[test]
fn a_manager_is_as_much_of_an_agent_as_fits() {
    let text = format!("{}\u{e9}\u{e9}/1", "x".repeat(127));
    let value = http::HeaderValue::from_bytes(text.as_bytes()).unwrap();
    let headers = HeaderMap::from_iter([(USER_AGENT, value)]);
    let read = write("CreateOptions", "", &headers).unwrap();
    assert_eq!(read.field_manager, "x".repeat(127));
}

#[test]
fn messages_are_upstreams() {
    let told = |query: &str| write("CreateOptions", query, &HeaderMap::new()).unwrap_err();
    assert_eq!(
        told("dryRun=All&dryRun=Some").message,
        "CreateOptions.meta.k8s.io \"\" is invalid: dryRun: Unsupported value: [\"All\",\"Some\"]: supported values: \"All\""
    );
    assert_eq!(
        told("fieldValidation=strict").message,
        "CreateOptions.meta.k8s.io \"\" is invalid: fieldValidation: Unsupported value: \"strict\": \
         supported values: \"\", \"Ignore\", \"Strict\", \"Warn\""
    );
    assert_eq!(
        include_object("includeObject=all").unwrap_err().message,
        "Unable to convert to Table as requested: includeObject: Invalid value: \"all\": must be 'Metadata', 'Object', 'None', or empty"
    );
}

#[test]
fn an_apply_names_its_manager_and_only_an_apply_forces() {
    let status = patch(PatchKind::Apply, "", &agent("kubectl/1")).unwrap_err();
    assert_eq!(
        cause(&status),
        (
            422,
            "PatchOptions".into(),
            "fieldManager FieldValueRequired".into()
        )
    );
    let status = patch(PatchKind::Merge, "force=true", &agent("kubectl/1")).unwrap_err();
    assert_eq!(
        cause(&status),
        (
            422,
            "PatchOptions".into(),
            "force FieldValueForbidden".into()
        )
    );
    let options = patch(
        PatchKind::Apply,
        "fieldManager=me&force=true&dryRun=All",
        &agent("kubectl/1"),
    )
    .unwrap();
    assert!(options.force && options.dry_run);
}

#[test]
fn a_watch_has_a_list_s_place_to_go_on_from_too() {
    let (options, _) = watch("watch=1&continue=here&resourceVersion=5").unwrap();
    assert_eq!(options.continue_token, "here");
}

#[test]
fn numbers_must_be_numbers() {
    assert_eq!(list("limit=x").unwrap_err().code, 400);
    assert_eq!(list("timeoutSeconds=x").unwrap_err().code, 400);
    assert_eq!(watch("timeoutSeconds=x").unwrap_err().code, 400);
    assert_eq!(list("limit=-3").unwrap().limit, 0);
    assert_eq!(list("limit=3&limit=x").unwrap().limit, 3);
    let timeout = |query: &str| watch(query).unwrap().1;
    assert_eq!(timeout("timeoutSeconds=0"), None);
    assert_eq!(timeout("timeoutSeconds=7&timeoutSeconds=8"), Some(7));
    assert_eq!(timeout("timeoutSeconds=-1"), Some(0));
    assert_eq!(delete("gracePeriodSeconds=x", None).unwrap_err().code, 400);
}

#[test]
fn a_delete_reads_its_body_before_its_query() {
    let body = Object::from_value(json!({
        "gracePeriodSeconds": 7, "propagationPolicy": "Foreground", "dryRun": ["All"],
        "preconditions": {"uid": "u", "resourceVersion": "9"},
    }));
    let (options, _) = delete(
        "gracePeriodSeconds=1&propagationPolicy=Orphan",
        body.as_ref(),
    )
    .unwrap();
    assert_eq!(options.grace_period, Some(7));
    assert_eq!(options.propagation, Some(Propagation::Foreground));
    assert!(options.dry_run);
    assert_eq!(
        (options.uid.as_deref(), options.resource_version.as_deref()),
        (Some("u"), Some("9"))
    );
    let (options, old) = delete("gracePeriodSeconds=1&orphanDependents=false", None).unwrap();
    assert_eq!(
        (options.grace_period, options.propagation),
        (Some(1), Some(Propagation::Background))
    );
    assert!(old);
    let (options, _) = delete("uid=u&resourceVersion=9", None).unwrap();
    assert_eq!(
        (options.uid.as_deref(), options.resource_version.as_deref()),
        (Some("u"), Some("9"))
    );
    let (options, _) = delete("uid=&resourceVersion=", None).unwrap();
    assert_eq!((options.uid, options.resource_version), (None, None));
}

#[test]
fn all_that_is_wrong_with_a_delete_is_told() {
    let query = "dryRun=No&orphanDependents=true&propagationPolicy=Sideways";
    let causes = delete(query, None).unwrap_err().details.unwrap().causes;
    let told: Vec<_> = causes
        .iter()
        .map(|cause| format!("{} {}", cause.field, cause.reason))
        .collect();
    assert_eq!(
        told,
        [
            "propagationPolicy FieldValueInvalid",
            "propagationPolicy FieldValueNotSupported",
            "dryRun FieldValueNotSupported"
        ]
    );
}

#[rstest]
#[case(
    "propagationPolicy=Sideways",
    "propagationPolicy FieldValueNotSupported"
)]
#[case(
    "propagationPolicy=Orphan&orphanDependents=true",
    "propagationPolicy FieldValueInvalid"
)]
#[case("dryRun=No", "dryRun FieldValueNotSupported")]
fn wrong_delete_options_are_422(#[case] query: &str, #[case] expected: &str) {
    let status = delete(query, None).unwrap_err();
    assert_eq!(
        cause(&status),
        (422, "DeleteOptions".into(), expected.into())
    );
}

#[test]
fn a_table_includes_what_is_asked() {
    assert_eq!(include_object("").unwrap(), IncludeObject::Metadata);
    assert_eq!(
        include_object("includeObject=Object").unwrap(),
        IncludeObject::Object
    );
    assert_eq!(include_object("includeObject=All").unwrap_err().code, 400);
}

#[test]
fn all_that_is_wrong_is_told_in_upstreams_order() {
    let query = "fieldValidation=Often&dryRun=x&fieldManager=a%0Ab&force=true";
    let status = patch(PatchKind::Merge, query, &agent("kubectl/1")).unwrap_err();
    let causes = status.details.unwrap().causes;
    let fields: Vec<_> = causes.iter().map(|cause| cause.field.as_str()).collect();
    assert_eq!(
        fields,
        ["force", "fieldManager", "dryRun", "fieldValidation"]
    );
}
