"""Creates so many ConfigMaps of 1 KiB with the official Python client, one after the other.

usage: creates.py PREFIX COUNT

Says `ready` once it is set up, begins with the first line that it is sent, and prints the seconds of CPU that it took.
"""

import sys
import time

from kubernetes import client, config

prefix, count = sys.argv[1], int(sys.argv[2])
config.load_kube_config()
core = client.CoreV1Api()
data = {"settings": "key=value\n" * 102}
# The connection, and all that the client does once.
core.list_namespaced_config_map("default", limit=1)
print("ready", flush=True)
sys.stdin.readline()
before = time.process_time()
for number in range(count):
    name = f"{prefix}-{number}"
    core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data))
print(time.process_time() - before, flush=True)
