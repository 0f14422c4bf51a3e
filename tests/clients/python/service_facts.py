"""An operator made with kopf: a ConfigMap for each Service that asks for one by a label."""

import kopf
from kubernetes import client, config

config.load_kube_config()
core = client.CoreV1Api()
WANTED = {"operated": "yes"}


def name_of(service):
    return f"{service}-facts"


@kopf.on.startup()
def settings(settings: kopf.OperatorSettings, **_):
    settings.persistence.finalizer = "example.com/facts"
    settings.posting.enabled = True


@kopf.on.create("services", labels=WANTED)
def made(name, namespace, spec, body, **_):
    facts = client.V1ConfigMap(
        metadata=client.V1ObjectMeta(name=name_of(name)), data={"address": spec["clusterIP"], "port": str(spec["ports"][0]["port"])})
    try:
        core.create_namespaced_config_map(namespace, facts)
    except client.ApiException as error:
        if error.status != 409:
            raise
    kopf.info(body, reason="Recorded", message=f"the facts of {name} are recorded")


@kopf.on.update("services", labels=WANTED, field="spec.ports")
def changed(name, namespace, new, **_):
    core.patch_namespaced_config_map(name_of(name), namespace, {"data": {"port": str(new[0]["port"])}})


@kopf.on.delete("services", labels=WANTED)
def gone(name, namespace, **_):
    core.delete_namespaced_config_map(name_of(name), namespace)
