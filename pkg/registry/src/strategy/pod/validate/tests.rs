//! The parts of a Pod together, and what is looked at in no part alone.

use rstest::rstest;
use serde_json::json;

use super::super::defaults;
use super::*;

fn made(metadata: Value, spec: Value) -> Object {
    let mut object = Object::from_value(json!({"metadata": metadata, "spec": spec})).unwrap();
    defaults::apply(&mut object);
    object
}

fn fields(errors: Vec<FieldError>) -> Vec<String> {
    errors.into_iter().map(|e| e.field).collect()
}

fn with(spec: Value) -> Vec<String> {
    fields(new(&made(json!({"name": "p"}), spec)))
}

fn one(more: Value) -> Value {
    let mut spec = json!({"containers": [{"name": "c", "image": "i"}]});
    let fields = spec.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    spec
}

#[rstest]
#[case(one(json!({})), &[])]
#[case(json!({"containers": []}), &["spec.containers"])]
#[case(json!({"containers": [{}]}), &["spec.containers[0].name", "spec.containers[0].image"])]
#[case(
    json!({"containers": [{"name": "c", "image": "i"}], "initContainers": [{"name": "c", "image": "i"}]}),
    &["spec.initContainers[0].name"]
)]
#[case(
    json!({"containers": [{"name": "c", "image": "i", "ports": [
        {}, {"containerPort": 70000}, {"containerPort": 1, "protocol": "X", "name": "a"}, {"containerPort": 2, "name": "a"},
    ]}]}),
    &[
        "spec.containers[0].ports[0].containerPort", "spec.containers[0].ports[1].containerPort",
        "spec.containers[0].ports[2].protocol", "spec.containers[0].ports[3].name",
    ]
)]
#[case(
    json!({
        "containers": [{"name": "c", "image": " i", "volumeMounts": [{"name": "none", "mountPath": "/a"}], "env": [{"name": "a=b"}]}],
        "volumes": [{"name": "v", "emptyDir": {}, "secret": {}}],
    }),
    &["spec.volumes[0].secret", "spec.containers[0].env[0].name", "spec.containers[0].volumeMounts[0].name", "spec.containers[0].image"]
)]
#[case(one(json!({"restartPolicy": "Often", "dnsPolicy": "Mine", "hostname": "a.b"})), &["spec.restartPolicy", "spec.dnsPolicy", "spec.hostname"])]
#[case(one(json!({"serviceAccountName": "A", "nodeName": "b_c", "activeDeadlineSeconds": 0, "subdomain": "x."})), &[
    "spec.serviceAccountName", "spec.nodeName", "spec.activeDeadlineSeconds", "spec.subdomain",
])]
#[case(one(json!({"priorityClassName": "A", "runtimeClassName": "", "preemptionPolicy": "Maybe", "overhead": {"disk": "1"}})), &[
    "spec.priorityClassName", "spec.runtimeClassName", "spec.preemptionPolicy", "spec.overhead.limits[disk]", "spec.overhead.limits[disk]",
])]
#[case(one(json!({"terminationGracePeriodSeconds": -1})), &[])]
#[case(one(json!({"readinessGates": [{"conditionType": "a b"}], "schedulingGates": [{"name": "a"}, {"name": "a"}, {"name": ""}]})), &[
    "spec.readinessGates[0].conditionType", "spec.schedulingGates[1]", "spec.schedulingGates[2]", "spec.schedulingGates[2]",
])]
#[case(one(json!({"nodeName": "n", "schedulingGates": [{"name": "a"}]})), &["spec.nodeName"])]
#[case(one(json!({"ephemeralContainers": [{"name": "e", "image": "i"}]})), &["spec.ephemeralContainers"])]
#[case(one(json!({"volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]})), &[
    "spec.volumes[0].projected.sources[0].serviceAccountToken",
])]
#[case(one(json!({"nodeSelector": {"a": "b c"}, "os": {"name": "plan9"}})), &["spec.nodeSelector", "spec.os"])]
fn a_pod(#[case] spec: Value, #[case] want: &[&str]) {
    assert_eq!(with(spec), want);
}

#[rstest]
#[case(json!({"name": "a", "resourceClaimName": "b"}), &[])]
#[case(json!({"name": "a", "resourceClaimTemplateName": "b"}), &[])]
#[case(json!({"name": "a"}), &["spec.resourceClaims[0]"])]
#[case(json!({"name": "", "resourceClaimName": "b"}), &["spec.resourceClaims[0].name"])]
#[case(json!({"name": "a.b", "resourceClaimName": "b", "resourceClaimTemplateName": "C"}), &[
    "spec.resourceClaims[0].name", "spec.resourceClaims[0]", "spec.resourceClaims[0].resourceClaimTemplateName",
])]
fn devices(#[case] claim: Value, #[case] want: &[&str]) {
    assert_eq!(with(one(json!({"resourceClaims": [claim]}))), want);
}

#[test]
fn a_template_says_less_and_may_leave_more_open() {
    let spec = one(json!({
        "containers": [{"name": "c", "image": " "}], "schedulingGates": [{"name": "a"}], "nodeName": "n",
        "volumes": [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}],
    }));
    let pod = made(json!({}), spec);
    assert!(template("t", &json!({"spec": pod.0["spec"]})).is_empty());
    let metadata = json!({"annotations": {"controller.kubernetes.io/pod-deletion-cost": "x"}});
    let errors = template("t", &json!({"metadata": metadata, "spec": pod.0["spec"]}));
    assert_eq!(
        fields(errors),
        ["t.annotations[controller.kubernetes.io/pod-deletion-cost]"]
    );
}

#[test]
fn words_are_told_in_upstreams_order() {
    let errors = new(&made(
        json!({"name": "p"}),
        one(json!({"dnsPolicy": "Mine"})),
    ));
    let text = "spec.dnsPolicy: Unsupported value: \"Mine\": supported values: \
        \"ClusterFirstWithHostNet\", \"ClusterFirst\", \"Default\", \"None\"";
    assert_eq!(errors[0].to_string(), text);
}
