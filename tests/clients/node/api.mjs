// The official JavaScript client, as a program of its users uses it. Ends with 0 when everything was as it should be.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const k8s = createRequire(process.env.KEDGE_NODE_CLIENT + '/')('@kubernetes/client-node');

const NAMESPACE = 'node';
const config = new k8s.KubeConfig();
config.loadFromDefault();
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);
const objects = k8s.KubernetesObjectApi.makeApiClient(config);

async function refused(code, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.code, code, String(error.body ?? error));
    return;
  }
  assert.fail(`not refused with ${code}`);
}

const service = (name) => ({
  metadata: { name, labels: { app: name } },
  spec: { selector: { app: name }, ports: [{ name: 'http', port: 80 }] },
});

// Resolves once `has` holds of what an informer has told.
function told(has, seen) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`told only ${JSON.stringify(seen)}`)), 30000);
    seen.onChange = () => {
      if (has(seen.events)) {
        clearTimeout(late);
        resolve();
      }
    };
    seen.onChange();
  });
}

async function createReadUpdateDelete() {
  const made = await core.createNamespacedService({ namespace: NAMESPACE, body: service('web') });
  assert.ok(made.spec.clusterIP);
  await refused(409, () => core.createNamespacedService({ namespace: NAMESPACE, body: service('web') }));
  made.spec.ports[0].port = 81;
  const changed = await core.replaceNamespacedService({ name: 'web', namespace: NAMESPACE, body: made });
  assert.equal(changed.spec.ports[0].port, 81);
  await refused(409, () => core.replaceNamespacedService({ name: 'web', namespace: NAMESPACE, body: made }));
  const patched = await core.patchNamespacedService(
    { name: 'web', namespace: NAMESPACE, body: { metadata: { labels: { tier: 'front' } } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.StrategicMergePatch),
  );
  assert.deepEqual(patched.metadata.labels, { app: 'web', tier: 'front' });
  const listed = await core.listNamespacedService({ namespace: NAMESPACE, labelSelector: 'tier=front' });
  assert.equal(listed.items.length, 1);
  await core.deleteNamespacedService({ name: 'web', namespace: NAMESPACE });
  await refused(404, () => core.readNamespacedService({ name: 'web', namespace: NAMESPACE }));
}

async function anyObject() {
  const map = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'any', namespace: NAMESPACE }, data: { a: '1' } };
  await objects.create(map);
  const applied = await objects.patch(
    { ...map, data: { b: '2' } }, undefined, undefined, 'node-test', true, k8s.PatchStrategy.ServerSideApply,
  );
  assert.deepEqual(applied.data, { a: '1', b: '2' });
  assert.ok(applied.metadata.managedFields.some((m) => m.manager === 'node-test' && m.operation === 'Apply'));
  const read = await objects.read({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'any', namespace: NAMESPACE } });
  assert.equal(read.data.b, '2');
  await objects.delete(map);
}

async function informer() {
  const seen = { events: [], onChange() {} };
  const note = (kind) => (object) => {
    seen.events.push(`${kind} ${object.metadata.name}`);
    seen.onChange();
  };
  const list = () => core.listNamespacedConfigMap({ namespace: NAMESPACE, labelSelector: 'followed=yes' });
  const followed = k8s.makeInformer(config, `/api/v1/namespaces/${NAMESPACE}/configmaps`, list, 'followed=yes');
  for (const kind of ['add', 'update', 'delete']) {
    followed.on(kind, note(kind));
  }
  followed.on('error', (error) => {
    seen.events.push(`error ${error}`);
    seen.onChange();
  });
  const body = { metadata: { name: 'early', labels: { followed: 'yes' } } };
  await core.createNamespacedConfigMap({ namespace: NAMESPACE, body });
  await followed.start();
  await core.createNamespacedConfigMap({ namespace: NAMESPACE, body: { metadata: { ...body.metadata, name: 'late' } } });
  await told((events) => events.includes('add early') && events.includes('add late'), seen);
  await core.deleteNamespacedConfigMap({ name: 'early', namespace: NAMESPACE });
  await told((events) => events.includes('delete early'), seen);
  assert.ok(!seen.events.some((event) => event.startsWith('error')), seen.events.join());
  assert.equal(followed.get('late', NAMESPACE).metadata.name, 'late');
  await followed.stop();
}

async function workload() {
  const body = {
    metadata: { name: 'web' },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'web:1' }] } },
    },
  };
  await apps.createNamespacedDeployment({ namespace: NAMESPACE, body });
  const scale = await apps.readNamespacedDeploymentScale({ name: 'web', namespace: NAMESPACE });
  scale.spec.replicas = 3;
  await apps.replaceNamespacedDeploymentScale({ name: 'web', namespace: NAMESPACE, body: scale });
  assert.equal((await apps.readNamespacedDeployment({ name: 'web', namespace: NAMESPACE })).spec.replicas, 3);
}

await core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
for (const step of [createReadUpdateDelete, anyObject, informer, workload]) {
  await step();
  console.log('ok', step.name);
}
await core.deleteNamespace({ name: NAMESPACE });
process.exit(0);
