use super::*;
use crate::value::field;

const V4: &[Family] = &[Family::V4];
const DUAL: &[Family] = &[Family::V4, Family::V6];

fn service(mut spec: Value) -> Object {
    if spec.get("type").is_none() {
        spec["type"] = "ClusterIP".into();
    }
    Object::from_value(json!({"spec": spec})).unwrap()
}

fn settled(spec: Value, cluster: &[Family]) -> Result<(String, Vec<String>), Vec<String>> {
    changed(spec, None, cluster)
}

fn changed(
    spec: Value,
    old: Option<Value>,
    cluster: &[Family],
) -> Result<(String, Vec<String>), Vec<String>> {
    let mut new = service(spec);
    let errors = settle(&mut new, old.map(service).as_ref(), cluster);
    if !errors.is_empty() {
        return Err(errors.into_iter().map(|e| e.field).collect());
    }
    let spec = Spec(field(&new.0, "spec"));
    Ok((
        spec.policy().into(),
        spec.families().into_iter().map(String::from).collect(),
    ))
}

fn ok(policy: &str, families: &[&str]) -> Result<(String, Vec<String>), Vec<String>> {
    Ok((
        policy.into(),
        families.iter().map(ToString::to_string).collect(),
    ))
}

fn err(fields: &[&str]) -> Result<(String, Vec<String>), Vec<String>> {
    Err(fields.iter().map(ToString::to_string).collect())
}

#[test]
fn new_services() {
    assert_eq!(settled(json!({}), V4), ok("SingleStack", &["IPv4"]));
    assert_eq!(
        settled(json!({}), &[Family::V6]),
        ok("SingleStack", &["IPv6"])
    );
    assert_eq!(settled(json!({}), DUAL), ok("SingleStack", &["IPv4"]));
    let prefer = json!({"ipFamilyPolicy": "PreferDualStack"});
    assert_eq!(
        settled(prefer.clone(), V4),
        ok("PreferDualStack", &["IPv4"])
    );
    assert_eq!(
        settled(prefer, DUAL),
        ok("PreferDualStack", &["IPv4", "IPv6"])
    );
    let require = json!({"ipFamilyPolicy": "RequireDualStack", "ipFamilies": ["IPv6"]});
    assert_eq!(
        settled(require.clone(), DUAL),
        ok("RequireDualStack", &["IPv6", "IPv4"])
    );
    assert_eq!(
        settled(require, V4),
        err(&["spec.ipFamilyPolicy", "spec.ipFamilies[0]"])
    );
    assert_eq!(
        settled(json!({"ipFamilies": ["IPv6"]}), V4),
        err(&["spec.ipFamilies[0]"])
    );
    assert_eq!(
        settled(json!({"ipFamilies": ["IPv5"]}), V4),
        err(&["spec.ipFamilies[0]"])
    );
}

#[test]
fn addresses_tell_families() {
    let one = json!({"clusterIP": "fd00::1", "clusterIPs": ["fd00::1"]});
    assert_eq!(settled(one.clone(), DUAL), ok("SingleStack", &["IPv6"]));
    assert_eq!(settled(one, V4), err(&["spec.clusterIPs[0]"]));
    let two = json!({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]});
    assert_eq!(settled(two, DUAL), err(&["spec.ipFamilyPolicy"]));
}

#[test]
fn headless_services() {
    let free = json!({"clusterIP": "None", "clusterIPs": ["None"]});
    assert_eq!(settled(free, V4), ok("RequireDualStack", &["IPv4", "IPv6"]));
    let selects = json!({"clusterIP": "None", "clusterIPs": ["None"], "selector": {"a": "b"}});
    assert_eq!(settled(selects, DUAL), ok("SingleStack", &["IPv4"]));
    let single =
        json!({"clusterIP": "None", "clusterIPs": ["None"], "ipFamilyPolicy": "SingleStack"});
    assert_eq!(settled(single, V4), ok("SingleStack", &["IPv4"]));
}

#[test]
fn upgrade_and_downgrade() {
    let single = json!({
        "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
    });
    let mut wants = single.clone();
    wants["ipFamilyPolicy"] = "RequireDualStack".into();
    assert_eq!(
        changed(wants, Some(single.clone()), DUAL),
        ok("RequireDualStack", &["IPv4", "IPv6"])
    );

    let dual = json!({
        "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"], "ipFamilies": ["IPv4", "IPv6"],
        "ipFamilyPolicy": "RequireDualStack",
    });
    let mut back = dual.clone();
    back["ipFamilyPolicy"] = "SingleStack".into();
    assert_eq!(
        changed(back, Some(dual.clone()), DUAL),
        ok("SingleStack", &["IPv4"])
    );
    let mut lost = dual.clone();
    lost["clusterIPs"] = json!(["10.0.0.1"]);
    assert_eq!(
        changed(lost, Some(dual), DUAL),
        err(&["spec.ipFamilyPolicy"])
    );
}

#[test]
fn a_preference_is_not_upgraded_by_itself() {
    let prefer = json!({
        "clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1"], "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "PreferDualStack",
    });
    assert_eq!(
        changed(prefer.clone(), Some(prefer), DUAL),
        ok("PreferDualStack", &["IPv4"])
    );
}

/// What upstream makes of a new Service: for every range of the cluster and every address asked for, under each
/// policy (none, single, prefer, require), what the families none, 4, 6, 46 and 64 come to; `-` is refused. `None!` selects nothing.
#[rstest::rstest]
#[case("4", "", ["4 4 - - -", "4 4 - - -", "4 4 - - -", "- - - - -"])]
#[case("4", "4", ["4 4 - - -", "4 4 - - -", "4 4 - - -", "- - - - -"])]
#[case("4", "6", ["- - - - -", "- - - - -", "- - - - -", "- - - - -"])]
#[case("4", "46", ["- - - - -", "- - - - -", "- - - - -", "- - - - -"])]
#[case("4", "64", ["- - - - -", "- - - - -", "- - - - -", "- - - - -"])]
#[case("4", "None", ["4 4 - - -", "4 4 - - -", "4 4 - - -", "- - - - -"])]
#[case("4", "None!", ["46 46 64 46 64", "4 4 6 - -", "46 46 64 46 64", "46 46 64 46 64"])]
#[case("6", "", ["6 - 6 - -", "6 - 6 - -", "6 - 6 - -", "- - - - -"])]
#[case("6", "4", ["- - - - -", "- - - - -", "- - - - -", "- - - - -"])]
#[case("6", "6", ["6 - 6 - -", "6 - 6 - -", "6 - 6 - -", "- - - - -"])]
#[case("6", "46", ["- - - - -", "- - - - -", "- - - - -", "- - - - -"])]
#[case("6", "64", ["- - - - -", "- - - - -", "- - - - -", "- - - - -"])]
#[case("6", "None", ["6 - 6 - -", "6 - 6 - -", "6 - 6 - -", "- - - - -"])]
#[case("6", "None!", ["64 46 64 46 64", "6 4 6 - -", "64 46 64 46 64", "64 46 64 46 64"])]
#[case("46", "", ["4 4 6 - -", "4 4 6 - -", "46 46 64 46 64", "46 46 64 46 64"])]
#[case("46", "4", ["4 4 - - -", "4 4 - - -", "46 46 - 46 -", "46 46 - 46 -"])]
#[case("46", "6", ["6 - 6 - -", "6 - 6 - -", "64 - 64 - 64", "64 - 64 - 64"])]
#[case("46", "46", ["- - - - -", "- - - - -", "46 46 - 46 -", "46 46 - 46 -"])]
#[case("46", "64", ["- - - - -", "- - - - -", "64 - 64 - 64", "64 - 64 - 64"])]
#[case("46", "None", ["4 4 6 - -", "4 4 6 - -", "46 46 64 46 64", "46 46 64 46 64"])]
#[case("46", "None!", ["46 46 64 46 64", "4 4 6 - -", "46 46 64 46 64", "46 46 64 46 64"])]
#[case("64", "", ["6 4 6 - -", "6 4 6 - -", "64 46 64 46 64", "64 46 64 46 64"])]
#[case("64", "4", ["4 4 - - -", "4 4 - - -", "46 46 - 46 -", "46 46 - 46 -"])]
#[case("64", "6", ["6 - 6 - -", "6 - 6 - -", "64 - 64 - 64", "64 - 64 - 64"])]
#[case("64", "46", ["- - - - -", "- - - - -", "46 46 - 46 -", "46 46 - 46 -"])]
#[case("64", "64", ["- - - - -", "- - - - -", "64 - 64 - 64", "64 - 64 - 64"])]
#[case("64", "None", ["6 4 6 - -", "6 4 6 - -", "64 46 64 46 64", "64 46 64 46 64"])]
#[case("64", "None!", ["64 46 64 46 64", "6 4 6 - -", "64 46 64 46 64", "64 46 64 46 64"])]
fn every_new_service(#[case] cluster: &str, #[case] addresses: &str, #[case] expected: [&str; 4]) {
    let family = |c: char| if c == '4' { Family::V4 } else { Family::V6 };
    let ranges: Vec<Family> = cluster.chars().map(family).collect();
    let headless = addresses.starts_with("None");
    let ips: Vec<&str> = if headless {
        vec!["None"]
    } else {
        let address = |c| if c == '4' { "10.0.0.1" } else { "fd00::1" };
        addresses.chars().map(address).collect()
    };
    let policies = ["", "SingleStack", "PreferDualStack", "RequireDualStack"];
    for (policy, expected) in policies.into_iter().zip(expected) {
        let got = ["", "4", "6", "46", "64"].map(|asked| {
            let mut spec = json!({});
            if addresses != "None!" {
                spec["selector"] = json!({"a": "b"});
            }
            if let Some(first) = ips.first() {
                spec["clusterIP"] = json!(first);
                spec["clusterIPs"] = json!(ips);
            }
            if !policy.is_empty() {
                spec["ipFamilyPolicy"] = policy.into();
            }
            let asked: Vec<&str> = asked.chars().map(|c| family(c).as_str()).collect();
            if !asked.is_empty() {
                spec["ipFamilies"] = json!(asked);
            }
            match settled(spec, &ranges) {
                Ok((_, families)) => families.iter().map(|f| &f[3..]).collect(),
                Err(_) => String::from("-"),
            }
        });
        assert_eq!(got.join(" "), expected, "{policy}");
    }
}
