//! The real kubectl asks who may do what, and gives and takes roles.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use kedge_tests::kubectl::Kubectl;
use kedge_tests::site::Site;
use kedge_tests::skip::skip;

/// A site, or nothing where there is no kubectl.
fn site(test: &str) -> Option<Site> {
    if kedge_tests::kubectl::find().is_none() {
        skip(test, "there is no kubectl on the PATH nor in $KUBECTL");
        return None;
    }
    Some(Site::new().unwrap())
}

/// Runs a line of words and fails with kubectl's own.
fn ok(kubectl: &Kubectl<'_>, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    kubectl
        .run(&words)
        .unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// What kubectl complains of.
fn refused(kubectl: &Kubectl<'_>, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let output = kubectl.finish(&words).unwrap();
    assert!(!output.status.success(), "{line}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// The columns of the line that begins with a word, of a table.
fn line<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let lines = table.lines().map(|line| line.split_whitespace());
    lines
        .map(Iterator::collect)
        .find(|line: &Vec<&str>| line.first() == Some(&first))
        .unwrap_or_else(|| panic!("no {first} in {table}"))
}

#[test]
fn roles_are_created_described_and_asked_about() {
    let Some(site) = site("roles_are_created_described_and_asked_about") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let can = |words: &str| {
        let all: Vec<&str> = ["auth", "can-i"]
            .into_iter()
            .chain(words.split(' '))
            .collect();
        let output = kubectl.finish(&all).unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_string()
    };
    assert_eq!(can("delete nodes"), "yes");
    assert_eq!(can("list pods --as=jo"), "no");
    let created =
        |line: &str, what: &str| assert_eq!(ok(&kubectl, line), format!("{what} created\n"));
    created(
        "create role looks --verb=get,list,watch --resource=pods,services",
        "role.rbac.authorization.k8s.io/looks",
    );
    created(
        "create clusterrole measures --verb=get --non-resource-url=/metrics",
        "clusterrole.rbac.authorization.k8s.io/measures",
    );
    created(
        "create rolebinding jo --role=looks --user=jo --serviceaccount=default:robot",
        "rolebinding.rbac.authorization.k8s.io/jo",
    );
    created(
        "create clusterrolebinding crowd --clusterrole=measures --group=crowd",
        "clusterrolebinding.rbac.authorization.k8s.io/crowd",
    );
    for (question, answer) in [
        ("list pods --as=jo", "yes"),
        ("delete pods --as=jo", "no"),
        ("list pods --as=jo -n kube-system", "no"),
        ("list pods --as=jo --all-namespaces", "no"),
        (
            "get services/web --as=system:serviceaccount:default:robot",
            "yes",
        ),
        ("get /metrics --as=al --as-group=crowd", "yes"),
        ("get /metrics --as=al", "no"),
        ("get /healthz --as=al", "yes"),
        ("create deployments.apps/scale --as=jo", "no"),
    ] {
        assert_eq!(can(question), answer, "{question}");
    }
    let described = ok(&kubectl, "describe role looks");
    assert_eq!(
        line(&described, "pods"),
        ["pods", "[]", "[]", "[get", "list", "watch]"]
    );
    let described = ok(&kubectl, "describe rolebinding jo");
    assert_eq!(
        line(&described, "ServiceAccount"),
        ["ServiceAccount", "robot", "default"]
    );
    let wide = ok(&kubectl, "get rolebindings -o wide --no-headers");
    assert!(
        wide.contains("Role/looks") && wide.contains("default/robot"),
        "{wide}"
    );

    let text = refused(&kubectl, "get pods --as=jo -n kube-system");
    let forbidden = "User \"jo\" cannot list resource \"pods\" in API group \"\" in the namespace \"kube-system\"";
    assert!(text.contains(forbidden), "{text}");
    assert!(ok(&kubectl, "get pods --as=jo").is_empty());
}

#[test]
fn what_one_may_is_listed() {
    let Some(site) = site("what_one_may_is_listed") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let all = ok(&kubectl, "auth can-i --list");
    assert_eq!(line(&all, "*.*"), ["*.*", "[]", "[]", "[*]"]);
    ok(
        &kubectl,
        "create rolebinding jo --clusterrole=view --user=jo",
    );
    let list = ok(&kubectl, "auth can-i --list --as=jo");
    assert_eq!(
        line(&list, "configmaps"),
        ["configmaps", "[]", "[]", "[get", "list", "watch]"]
    );
    assert_eq!(
        line(&list, "deployments.apps"),
        ["deployments.apps", "[]", "[]", "[get", "list", "watch]"]
    );
    assert!(!list.contains("secrets"), "{list}");
    let other = ok(&kubectl, "auth can-i --list --as=jo -n kube-system");
    assert!(!other.contains("configmaps"), "{other}");
    let node = ok(
        &kubectl,
        "auth can-i --list --as=system:node:n --as-group=system:nodes",
    );
    assert!(node.contains("selfsubjectreviews"), "{node}");
}

const POLICY: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: mine, labels: {rbac.authorization.k8s.io/aggregate-to-view: 'true'}}
rules:
- {apiGroups: [example.com], resources: [gadgets], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: mine}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mine}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: jo}
";

#[test]
fn policies_are_reconciled_and_aggregated() {
    let Some(site) = site("policies_are_reconciled_and_aggregated") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    let reconcile = |policy: &str| {
        kubectl
            .with_input(&["auth", "reconcile"], policy)
            .unwrap_or_else(|e| panic!("{e}"))
    };
    let first = reconcile(POLICY);
    assert!(
        first.contains("clusterrole.rbac.authorization.k8s.io/mine reconciled"),
        "{first}"
    );
    let more = POLICY
        .replace("verbs: [get]", "verbs: [list]")
        .replace("name: jo", "name: al");
    reconcile(&more);
    let role = ok(
        &kubectl,
        "get clusterrole mine -o jsonpath={.rules[*].verbs}",
    );
    assert_eq!(role, "[\"get\"] [\"list\"]");
    let subjects = ok(
        &kubectl,
        "get clusterrolebinding mine -o jsonpath={.subjects[*].name}",
    );
    assert_eq!(subjects, "jo al");
    // The role `view` has grown by it.
    let wait = "wait clusterrole/view --timeout=20s --for=jsonpath={.rules[?(@.verbs[0]==\"list\")].resources[0]}=gadgets";
    ok(&kubectl, wait);

    let other = POLICY.replace(
        "kind: ClusterRole, name: mine",
        "kind: ClusterRole, name: view",
    );
    let error = kubectl
        .with_input(&["apply"], &other)
        .unwrap_err()
        .to_string();
    assert!(error.contains("cannot change roleRef"), "{error}");
}

#[test]
fn nobody_gives_away_more_than_he_has() {
    let Some(site) = site("nobody_gives_away_more_than_he_has") else {
        return;
    };
    let kubectl = site.kubectl().unwrap();
    ok(
        &kubectl,
        "create rolebinding jo --clusterrole=admin --user=jo",
    );
    ok(
        &kubectl,
        "create rolebinding al --clusterrole=view --user=al --as=jo",
    );
    let text = refused(
        &kubectl,
        "create rolebinding al2 --clusterrole=cluster-admin --user=al --as=jo",
    );
    let why = "user \"jo\" (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently held:\n{APIGroups:[\"*\"], Resources:[\"*\"], Verbs:[\"*\"]}";
    assert!(text.contains(why), "{text}");
    let text = refused(
        &kubectl,
        "create role big --verb=impersonate --resource=users --as=jo",
    );
    assert!(
        text.contains("is attempting to grant RBAC permissions"),
        "{text}"
    );
    let text = refused(
        &kubectl,
        "create clusterrolebinding al --clusterrole=view --user=al --as=jo",
    );
    assert!(text.contains("at the cluster scope"), "{text}");
    ok(
        &kubectl,
        "create role small --verb=get --resource=configmaps --as=jo",
    );
    assert!(ok(&kubectl, "auth whoami --as=jo --as-group=crowd").contains("crowd"));
}
