"""The official Python client, as a program of its users uses it. Ends with 0 when everything was as it should be."""

import datetime
import threading
import time

from kubernetes import client, config, dynamic, utils, watch
from kubernetes.client.rest import ApiException
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

NAMESPACE = "python"

config.load_kube_config()
api = client.ApiClient()
core, apps, batch = client.CoreV1Api(), client.AppsV1Api(), client.BatchV1Api()
coordination, rbac = client.CoordinationV1Api(), client.RbacAuthorizationV1Api()


def service(name, port=80, labels=None):
    return client.V1Service(
        metadata=client.V1ObjectMeta(name=name, labels=labels or {}),
        spec=client.V1ServiceSpec(selector={"app": name}, ports=[client.V1ServicePort(name="http", port=port)]),
    )


def refused(code, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except ApiException as error:
        assert error.status == code, (error.status, error.body)
        return error
    raise AssertionError(f"{call.__name__} was not refused")


def create_read_update_delete():
    made = core.create_namespaced_service(NAMESPACE, service("web"))
    assert made.spec.cluster_ip and made.spec.type == "ClusterIP", made
    refused(409, core.create_namespaced_service, NAMESPACE, service("web"))
    refused(422, core.create_namespaced_service, NAMESPACE, service("bad", port=0))
    made.spec.ports[0].port = 81
    changed = core.replace_namespaced_service("web", NAMESPACE, made)
    assert changed.spec.ports[0].port == 81 and changed.spec.cluster_ip == made.spec.cluster_ip
    refused(409, core.replace_namespaced_service, "web", NAMESPACE, made)
    core.patch_namespaced_service("web", NAMESPACE, {"metadata": {"labels": {"tier": "front"}}})
    assert core.read_namespaced_service("web", NAMESPACE).metadata.labels == {"tier": "front"}
    condition = {"type": "Checked", "status": "True", "reason": "Good", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    status = core.patch_namespaced_service_status("web", NAMESPACE, {"status": {"conditions": [condition]}}).status
    assert status.conditions[0].type == "Checked", status
    core.delete_namespaced_service("web", NAMESPACE)
    refused(404, core.read_namespaced_service, "web", NAMESPACE)

    secret = client.V1Secret(metadata=client.V1ObjectMeta(name="s"), string_data={"key": "value"})
    made = core.create_namespaced_secret(NAMESPACE, secret)
    assert made.data == {"key": "dmFsdWU="} and made.string_data is None, made


def apply_on_the_server():
    dyn = dynamic.DynamicClient(api)
    maps = dyn.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "applied"}, "data": {"a": "1"}}
    maps.server_side_apply(body=body, name="applied", namespace=NAMESPACE, field_manager="one")
    body["data"]["a"] = "2"
    try:
        maps.server_side_apply(body=body, name="applied", namespace=NAMESPACE, field_manager="two")
        raise AssertionError("no conflict")
    except dynamic.exceptions.ConflictError as error:
        assert "FieldManagerConflict" in str(error.body), error.body
    forced = maps.server_side_apply(
        body=body, name="applied", namespace=NAMESPACE, field_manager="two", force_conflicts=True)
    assert forced.data.a == "2"
    found = [event["object"].metadata.name for event in maps.watch(namespace=NAMESPACE, timeout=1)]
    assert "applied" in found, found


def pages():
    for number in range(7):
        core.create_namespaced_config_map(
            NAMESPACE, client.V1ConfigMap(metadata=client.V1ObjectMeta(name=f"page-{number}", labels={"paged": "yes"})))
    names, token = [], None
    while True:
        page = core.list_namespaced_config_map(NAMESPACE, label_selector="paged=yes", limit=3, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"page-{n}" for n in range(7)], names
    core.delete_collection_namespaced_config_map(NAMESPACE, label_selector="paged=yes")
    assert not core.list_namespaced_config_map(NAMESPACE, label_selector="paged=yes").items


def watches():
    begin = core.list_namespaced_config_map(NAMESPACE).metadata.resource_version
    seen = []

    def follow():
        stream = watch.Watch().stream(
            core.list_namespaced_config_map, NAMESPACE, resource_version=begin, label_selector="watched=yes",
            timeout_seconds=30)
        for event in stream:
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                return

    follower = threading.Thread(target=follow)
    follower.start()
    labelled = client.V1ObjectMeta(name="seen", labels={"watched": "yes"})
    core.create_namespaced_config_map(NAMESPACE, client.V1ConfigMap(metadata=labelled))
    core.patch_namespaced_config_map("seen", NAMESPACE, {"data": {"a": "b"}})
    core.patch_namespaced_config_map("seen", NAMESPACE, {"metadata": {"labels": {"watched": "no"}}})
    follower.join(30)
    assert seen == [("ADDED", "seen"), ("MODIFIED", "seen"), ("DELETED", "seen")], seen
    try:
        stream = watch.Watch().stream(
            core.list_namespaced_config_map, NAMESPACE, resource_version="1", timeout_seconds=5)
        # A version that is known still answers with what happened since; one that is not, with 410.
        assert all(event["type"] in ("ADDED", "MODIFIED", "DELETED") for event in stream)
    except ApiException as error:
        assert error.status == 410, error


def workloads():
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels={"app": "web"}),
        spec=client.V1PodSpec(containers=[client.V1Container(name="c", image="web:1")]))
    deployment = client.V1Deployment(
        metadata=client.V1ObjectMeta(name="web"),
        spec=client.V1DeploymentSpec(selector={"matchLabels": {"app": "web"}}, template=template, replicas=2))
    made = apps.create_namespaced_deployment(NAMESPACE, deployment)
    assert made.spec.strategy.rolling_update.max_surge == "25%", made.spec.strategy
    scale = apps.patch_namespaced_deployment_scale("web", NAMESPACE, {"spec": {"replicas": 4}})
    assert (scale.spec.replicas, scale.status.selector) == (4, "app=web"), scale
    assert apps.read_namespaced_deployment("web", NAMESPACE).spec.replicas == 4
    job = client.V1Job(metadata=client.V1ObjectMeta(name="j"), spec=client.V1JobSpec(template=client.V1PodTemplateSpec(
        spec=client.V1PodSpec(restart_policy="Never", containers=[client.V1Container(name="c", image="i")]))))
    assert batch.create_namespaced_job(NAMESPACE, job).spec.backoff_limit == 6


def a_leader_is_elected():
    led = []

    def lead():
        lease = coordination.read_namespaced_lease("leader", NAMESPACE)
        led.append(lease.spec.holder_identity)
        raise SystemExit

    wanted = electionconfig.Config(
        LeaseLock("leader", NAMESPACE, "me"), lease_duration=5, renew_deadline=4, retry_period=1,
        onstarted_leading=lead, onstopped_leading=lambda: None)
    runner = threading.Thread(target=leaderelection.LeaderElection(wanted).run, daemon=True)
    runner.start()
    end = time.monotonic() + 30
    while not led and time.monotonic() < end:
        time.sleep(0.05)
    assert led == ["me"], led


def events():
    now = datetime.datetime.now(datetime.timezone.utc)
    event = client.EventsV1Event(
        metadata=client.V1ObjectMeta(name="greeting"), event_time=now, reporting_controller="example.com/greeter",
        reporting_instance="one", action="Greet", reason="Greeted", type="Normal", note="hello",
        regarding=client.V1ObjectReference(kind="Service", namespace=NAMESPACE, name="web"))
    client.EventsV1Api().create_namespaced_event(NAMESPACE, event)
    read = core.read_namespaced_event("greeting", NAMESPACE)
    assert (read.message, read.involved_object.name) == ("hello", "web"), read


def manifests():
    utils.create_from_dict(api, {"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-dict"}},
        {"apiVersion": "networking.k8s.io/v1", "kind": "IngressClass", "metadata": {"name": "python"},
         "spec": {"controller": "example.com/c"}},
    ]}, namespace=NAMESPACE)
    assert core.read_namespaced_config_map("from-dict", NAMESPACE)
    assert client.NetworkingV1Api().read_ingress_class("python").spec.controller == "example.com/c"


def tokens_and_permissions():
    core.create_namespaced_service_account(NAMESPACE, client.V1ServiceAccount(metadata=client.V1ObjectMeta(name="robot")))
    request = client.AuthenticationV1TokenRequest(spec=client.V1TokenRequestSpec(audiences=[], expiration_seconds=600))
    token = core.create_namespaced_service_account_token("robot", NAMESPACE, request).status.token
    robot = client.Configuration.get_default_copy()
    robot.cert_file = robot.key_file = None
    robot.api_key = {"authorization": f"Bearer {token}"}
    as_robot = client.CoreV1Api(client.ApiClient(robot))
    refused(403, as_robot.list_namespaced_service, NAMESPACE)
    binding = client.V1RoleBinding(
        metadata=client.V1ObjectMeta(name="robot"),
        role_ref=client.V1RoleRef(api_group="rbac.authorization.k8s.io", kind="ClusterRole", name="view"),
        subjects=[client.RbacV1Subject(kind="ServiceAccount", name="robot", namespace=NAMESPACE)])
    rbac.create_namespaced_role_binding(NAMESPACE, binding)
    as_robot.list_namespaced_service(NAMESPACE)
    refused(403, as_robot.list_namespaced_secret, NAMESPACE)
    refused(403, as_robot.delete_namespaced_service, "web", NAMESPACE)
    review = client.V1SelfSubjectAccessReview(spec=client.V1SelfSubjectAccessReviewSpec(
        resource_attributes=client.V1ResourceAttributes(namespace=NAMESPACE, verb="list", resource="services")))
    answer = client.AuthorizationV1Api(client.ApiClient(robot)).create_self_subject_access_review(review)
    assert answer.status.allowed, answer


def custom_resources():
    group, version, plural = "example.com", "v1", "pumps"
    extensions, customs = client.ApiextensionsV1Api(), client.CustomObjectsApi()
    schema = {"type": "object", "properties": {
        "spec": {"type": "object", "required": ["litres"], "properties": {
            "litres": {"type": "integer", "minimum": 1}, "mode": {"type": "string", "default": "auto"}}},
        "status": {"type": "object", "properties": {"on": {"type": "boolean"}}}}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "scope": "Namespaced", "names": {"plural": plural, "kind": "Pump"}, "versions": [{
            "name": version, "served": True, "storage": True, "subresources": {"status": {}},
            "schema": {"openAPIV3Schema": schema}}]}}
    extensions.create_custom_resource_definition(definition)
    by_name = {"field_selector": f"metadata.name={plural}.{group}", "timeout_seconds": 60}
    for event in watch.Watch().stream(extensions.list_custom_resource_definition, **by_name):
        conditions = {c.type: c.status for c in event["object"].status.conditions or []}
        if conditions.get("Established") == "True":
            break
    where = (group, version, NAMESPACE, plural)
    pump = {"apiVersion": f"{group}/{version}", "kind": "Pump", "metadata": {"name": "p"}, "spec": {"litres": 3}}
    made = customs.create_namespaced_custom_object(*where, pump)
    assert made["spec"] == {"litres": 3, "mode": "auto"} and made["metadata"]["generation"] == 1, made
    wrong = refused(422, customs.create_namespaced_custom_object, *where, {**pump, "spec": {"litres": 0}})
    assert "spec.litres" in wrong.body, wrong.body
    customs.patch_namespaced_custom_object_status(*where, "p", {"status": {"on": True}})
    changed = customs.patch_namespaced_custom_object(*where, "p", {"spec": {"litres": 4}})
    assert changed["metadata"]["generation"] == 2 and changed["status"] == {"on": True}, changed
    listed = customs.list_namespaced_custom_object(*where)
    assert listed["kind"] == "PumpList" and len(listed["items"]) == 1, listed
    pumps = dynamic.DynamicClient(api).resources.get(api_version=f"{group}/{version}", kind="Pump")
    applied = pumps.server_side_apply(
        body={**pump, "spec": {"mode": "manual"}}, name="p", namespace=NAMESPACE, field_manager="one", force_conflicts=True)
    assert applied.spec.to_dict() == {"litres": 4, "mode": "manual"}, applied
    extensions.delete_custom_resource_definition(f"{plural}.{group}")
    for event in watch.Watch().stream(extensions.list_custom_resource_definition, **by_name):
        if event["type"] == "DELETED":
            break
    refused(404, customs.list_namespaced_custom_object, *where)


core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=NAMESPACE)))
for step in [create_read_update_delete, apply_on_the_server, pages, watches, workloads, a_leader_is_elected, events,
             manifests, tokens_and_permissions, custom_resources]:
    step()
    print("ok", step.__name__, flush=True)
core.delete_namespace(NAMESPACE)
