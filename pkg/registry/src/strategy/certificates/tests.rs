//! Tables of what upstream takes and refuses.

use rstest::rstest;

use super::*;

/// A request of the key's holder, common name `jo`, made with openssl.
const PEM: &str = include_str!("request.pem");

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap()
}

fn request(change: impl FnOnce(&mut Value)) -> Object {
    let mut value = json!({
        "metadata": {"name": "jo"},
        "spec": {
            "request": STANDARD.encode(PEM), "signerName": "kubernetes.io/kube-apiserver-client",
            "usages": ["client auth"],
        },
    });
    change(&mut value);
    object(value)
}

fn fields(errors: Vec<FieldError>) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

#[rstest]
#[case("usages", json!(["client auth", "digital signature"]), "")]
#[case("request", json!("bm9uZQ=="), "spec.request: Invalid value")]
#[case("usages", json!([]), "spec.usages: Required value")]
#[case("usages", json!(["flying"]), "spec.usages[0]: Unsupported value: \"flying\"")]
#[case("usages", json!(["any", "any"]), "spec.usages[1]: Duplicate value: \"any\"")]
#[case("expirationSeconds", json!(599), "spec.expirationSeconds: Invalid value: 599")]
#[case("expirationSeconds", json!(600), "")]
#[case("signerName", json!(""), "spec.signerName: Required value")]
#[case("signerName", json!("kubernetes.io/legacy-unknown"), "the legacy signerName is not allowed")]
#[case("signerName", json!("example.com"), "must be a fully qualified domain and path")]
#[case("signerName", json!("example/x"), "at least two segments")]
#[case("signerName", json!("example.com/X"), "validating label \"X\"")]
#[case("signerName", json!("example.com/ns.name"), "")]
fn what_may_be_asked_for(#[case] key: &str, #[case] value: Value, #[case] expected: &str) {
    let changed = request(|v| v["spec"][key] = value);
    let errors = fields(CertificateSigningRequest.validate(&changed));
    match expected {
        "" => assert!(errors.is_empty(), "{errors:?}"),
        _ => assert!(
            errors.len() == 1 && errors[0].contains(expected),
            "{errors:?}"
        ),
    }
}

#[test]
fn the_server_writes_down_who_asks() {
    let strategy = CertificateSigningRequest;
    let mut new = request(|v| v["spec"]["username"] = json!("root"));
    strategy.reset(&mut new, None, "");
    assert!(new.at(&["spec", "username"]).is_none());
    let user = User {
        name: "jo".into(),
        groups: vec!["g".into()],
        extra: vec![("k".into(), vec!["v".into()])],
        ..User::default()
    };
    strategy.ask(&mut new, Some(&user));
    let spec = &new.0["spec"];
    assert_eq!(
        (&spec["username"], &spec["groups"], &spec["extra"]),
        (&json!("jo"), &json!(["g"]), &json!({"k": ["v"]}))
    );
    assert!(spec.get("uid").is_none());
}

fn with(conditions: Value) -> Object {
    request(|v| v["status"] = json!({"conditions": conditions}))
}

fn condition(kind: &str) -> Value {
    json!({"type": kind, "status": "True", "reason": "r", "lastUpdateTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z"})
}

#[rstest]
#[case("approval", json!([]), json!([condition("Approved")]), "")]
#[case("approval", json!([condition("Approved")]), json!([condition("Approved"), condition("Denied")]), "mutually exclusive")]
#[case("approval", json!([condition("Approved")]), json!([]), "updates may not remove a condition of type \"Approved\"")]
#[case("approval", json!([]), json!([{"type": "Approved", "status": "False"}]), "status.conditions[0].status: Unsupported value")]
#[case("approval", json!([]), json!([{"type": "Approved"}]), "status.conditions[0].status: Required value")]
#[case("approval", json!([]), json!([{"type": "Odd", "status": "False"}]), "")]
#[case("approval", json!([]), json!([condition("Odd"), condition("Odd")]), "status.conditions[1].type: Duplicate value")]
#[case("status", json!([]), json!([condition("Approved")]), "updates may not add a condition of type \"Approved\"")]
#[case("status", json!([condition("Denied")]), json!([condition("Denied"), condition("Failed")]), "")]
#[case("status", json!([condition("Denied")]), json!([]), "updates may not remove a condition of type \"Denied\"")]
#[case("", json!([condition("Denied")]), json!([condition("Approved")]), "")]
fn decisions_are_made_in_one_place_and_stay(
    #[case] subresource: &str,
    #[case] before: Value,
    #[case] after: Value,
    #[case] expected: &str,
) {
    let strategy = CertificateSigningRequest;
    let (old, mut new) = (with(before), with(after));
    if subresource.is_empty() {
        // The common part keeps the status.
        copy_field(&mut new.0, &old.0, "status");
    }
    strategy.reset(&mut new, Some(&old), subresource);
    strategy.prepare_update(&mut new, &old, subresource);
    let errors = fields(strategy.validate_update(&new, &old, subresource));
    match expected {
        "" => assert!(errors.is_empty(), "{errors:?}"),
        _ => assert!(
            errors.iter().any(|error| error.contains(expected)),
            "{errors:?}"
        ),
    }
}

#[test]
fn times_are_written_where_there_are_none() {
    let strategy = CertificateSigningRequest;
    let old = with(json!([condition("Odd")]));
    let mut new =
        with(json!([{"type": "Odd", "status": "True"}, {"type": "New", "status": "True"}]));
    strategy.prepare_update(&mut new, &old, "approval");
    let list = new.at(&["status", "conditions"]).unwrap();
    assert_eq!(list[0]["lastTransitionTime"], "2026-01-01T00:00:00Z");
    assert!(list[0]["lastUpdateTime"].is_string() && list[1]["lastTransitionTime"].is_string());
}

#[test]
fn a_certificate_comes_once_and_is_one() {
    let strategy = CertificateSigningRequest;
    let issued =
        |pem: &str| request(|v| v["status"] = json!({"certificate": STANDARD.encode(pem)}));
    let none = request(|_| {});
    let told = |new: &Object, old: &Object, subresource: &str| {
        fields(strategy.validate_update(new, old, subresource))
    };
    let errors = told(&issued(PEM), &none, "status");
    assert!(
        errors[0].contains("only CERTIFICATE PEM blocks are allowed"),
        "{errors:?}"
    );
    let errors = told(&issued("hello"), &none, "status");
    assert!(
        errors[0].contains("at least one CERTIFICATE PEM block"),
        "{errors:?}"
    );
    let errors = told(&issued("hello"), &none, "approval");
    assert!(
        errors[0].contains("updates may not set certificate content"),
        "{errors:?}"
    );
    let errors = told(&issued("hello"), &issued("other"), "status");
    assert!(
        errors[0].contains("updates may not modify existing certificate content"),
        "{errors:?}"
    );
    assert!(told(&issued("hello"), &issued("hello"), "status").is_empty());
}

#[test]
fn what_is_asked_never_changes() {
    let strategy = CertificateSigningRequest;
    let old = request(|_| {});
    for subresource in ["", "status", "approval"] {
        let mut new = request(|v| v["spec"]["usages"] = json!(["any"]));
        strategy.reset(&mut new, Some(&old), subresource);
        assert_eq!(new.0["spec"], old.0["spec"], "{subresource}");
    }
}
