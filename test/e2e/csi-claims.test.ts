import { rmSync } from 'node:fs';

import type { PersistentVolumeClaim } from '../../api/types';
import { clusterPaths } from '../../cli/cluster-paths';
import { RestClient } from '../../client/rest-client';
import { readKubeconfig } from '../../client/kubeconfig';
import { Capability } from '../../node-agent/csi/csi-driver';
import { VolumeUsage_Unit } from '../../proto/gen/csi/v1/node';
import { CsiController, OutOfRoom, type Backend } from '../support/csi-controller';
import { namesIn, type TestCsiDriver } from '../support/csi-driver';
import { podYaml, type TestCluster } from './support/cluster';
import { type DriverCluster, startDriverCluster } from './support/driver-cluster';

jest.setTimeout(240_000);

const NAME = 'e2e-claims';
const NODE = 'node-1';
const DRIVER = 'claims.test';

let running: DriverCluster;
let cluster: TestCluster;
let driver: TestCsiDriver;

beforeAll(async () => {
  running = await startDriverCluster(NAME, NODE, {
    name: DRIVER,
    info: { maxVolumesPerNode: 1n },
    capabilities: [
      ...[Capability.STAGE_UNSTAGE_VOLUME, Capability.EXPAND_VOLUME],
      ...[Capability.GET_VOLUME_STATS, Capability.VOLUME_CONDITION],
    ],
  });
  ({ cluster, driver } = running);
});

afterEach(() => cluster.clear());

afterAll(() => running.end());

const apply = (...objects: readonly object[]) => running.apply(...objects);
const driverYaml = (spec: object) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'CSIDriver',
  metadata: { name: DRIVER },
  spec: { attachRequired: false, ...spec },
});
const classYaml = (name: string, more: object = {}) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name },
  provisioner: DRIVER,
  volumeBindingMode: 'WaitForFirstConsumer',
  ...more,
});
const volumeYaml = (name: string, labels: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name, labels },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    storageClassName: '',
    csi: { driver: DRIVER, volumeHandle: name },
  },
});
const claimYaml = (name: string, spec: object = { storageClassName: '', volumeName: name }) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: {
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '1Gi' } },
    ...spec,
  },
});
const usingYaml = (name: string, claimName: string, script = 'exec sleep 1000000') =>
  podYaml(
    name,
    ['sh', '-c', script],
    { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    { volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }] },
  );
const claimNamed = async (name: string) =>
  (await cluster.object('pvc', name)) as PersistentVolumeClaim | undefined;
const saidOf = async (name: string) => (await cluster.pod(name))?.status.conditions?.[0]?.message;
const waitsFor = (name: string, why: string) =>
  cluster.until(why, async () => (await saidOf(name))?.includes(why) === true);

/** A client with the rights that the documents of external-provisioner and -resizer ask for, and no others. */
const controllerClient = async (): Promise<RestClient> => {
  const all = ['get', 'list', 'watch'];
  const metadata = { name: 'claims-test-controller' };
  const subject = { kind: 'ServiceAccount', name: 'claims-test', namespace: 'default' };
  await apply(
    {
      ...{ apiVersion: 'v1', kind: 'ServiceAccount' },
      metadata: { name: subject.name, namespace: subject.namespace },
    },
    {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata },
      rules: [
        {
          apiGroups: [''],
          resources: ['persistentvolumes'],
          verbs: [...all, 'create', 'update', 'patch', 'delete'],
        },
        { apiGroups: [''], resources: ['persistentvolumeclaims'], verbs: [...all, 'update'] },
        {
          apiGroups: [''],
          resources: ['persistentvolumeclaims/status'],
          verbs: ['update', 'patch'],
        },
        { apiGroups: ['storage.k8s.io'], resources: ['storageclasses', 'csinodes'], verbs: all },
      ],
    },
    {
      ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRoleBinding', metadata },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: metadata.name },
      subjects: [subject],
    },
  );
  const token = (await cluster.must('create', 'token', subject.name)).trim();
  const config = await readKubeconfig(clusterPaths(NAME).kubeconfig);
  return new RestClient({
    ...config,
    cert: undefined,
    key: undefined,
    authorization: `Bearer ${token}`,
  });
};

/** Volumes are folders of the test driver. */
class Folders implements Backend {
  isFull = false;
  readonly removed = new Set<string>();

  create(handle: string): void {
    if (this.isFull) throw new OutOfRoom('the pool is full');
    driver.volumePath(handle);
  }

  expand(): boolean {
    return true;
  }

  remove(handle: string): void {
    this.removed.add(handle);
    rmSync(driver.volumePath(handle), { recursive: true, force: true });
  }
}

it('gives a node as many volumes of a driver as that can have there, and the next when one goes', async () => {
  await apply(driverYaml({}));
  for (const name of ['full-a', 'full-b']) await apply(volumeYaml(name), claimYaml(name));
  await cluster.apply(usingYaml('first', 'full-a'));
  await cluster.podIsReady('first');
  await cluster.apply(usingYaml('second', 'full-b'));
  await waitsFor('second', '1 node(s) exceed max volume count');
  const why = await cluster.must('why', 'second');
  expect(why).toContain(`driver ${DRIVER}: 1 more volume needed, 1 of at most 1 in use`);
  expect(why).toContain('delete pod default/first');
  await cluster.must('delete', 'pod', 'first');
  await cluster.podIsReady('second');
});

it('places pods in the zones of their volumes', async () => {
  const zone = 'topology.kubernetes.io/zone';
  await cluster.must('label', 'node', NODE, `${zone}=here`);
  await apply(volumeYaml('zoned', { [zone]: 'there' }), claimYaml('zoned'));
  await cluster.apply(usingYaml('zoned', 'zoned'));
  await waitsFor('zoned', '1 node(s) had no available volume zone');
  expect(await cluster.must('why', 'zoned')).toContain("the node's is here");
  await cluster.must('label', 'pv', 'zoned', `${zone}=there__here`, '--overwrite');
  await cluster.podIsReady('zoned');
  await cluster.must('delete', 'pod', 'zoned');
  await cluster.must('label', 'node', NODE, `${zone}-`);
});

it('has volumes made where the driver says that there is room', async () => {
  await apply(driverYaml({ storageCapacity: true }), classYaml('roomy'));
  await apply(claimYaml('roomy', { storageClassName: 'roomy' }));
  await cluster.apply(usingYaml('roomy', 'roomy'));
  await waitsFor('roomy', '1 node(s) did not have enough free storage');
  const capacity = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSIStorageCapacity',
    metadata: { name: 'room', namespace: 'default' },
    nodeTopology: { matchLabels: { 'kubernetes.io/hostname': NODE } },
    storageClassName: 'roomy',
    capacity: '512Mi',
  };
  await apply(capacity);
  expect(await cluster.must('why', 'roomy')).toContain('at most of 512Mi anywhere');
  await apply({ ...capacity, capacity: '2Gi' });
  await cluster.until('its node', async () => {
    const claim = await cluster.object('pvc', 'roomy');
    return claim?.metadata.annotations?.['volume.kubernetes.io/selected-node'] === NODE;
  });
  await cluster.must('delete', 'pod', 'roomy');
  await cluster.must('delete', 'csistoragecapacity', 'room');
});

it('has a controller beside the driver make volumes, choose again where it cannot, and delete them', async () => {
  const backend = new Folders();
  const client = await controllerClient();
  await using controller = new CsiController({ client, driverName: DRIVER, backend });
  await apply(
    driverYaml({}),
    classYaml('made'),
    classYaml('at-once', { volumeBindingMode: 'Immediate', reclaimPolicy: 'Retain' }),
  );
  backend.isFull = true;
  await apply(claimYaml('made', { storageClassName: 'made' }));
  await cluster.apply(usingYaml('made', 'made', 'echo hello > /data/x; exec sleep 1000000'));
  await cluster.until('it is asked for elsewhere', async () =>
    (await cluster.must('get', 'events')).includes('provisioning failed for PVC "made"'),
  );
  backend.isFull = false;
  await cluster.podIsReady('made');
  const name = (await claimNamed('made'))?.spec?.volumeName ?? '';
  expect(namesIn(driver.volumePath(name))).toEqual(['x']);
  await cluster.must('delete', 'pod', 'made');
  await cluster.must('delete', 'pvc', 'made');
  await cluster.until('no volume', async () => (await cluster.object('pv', name)) === undefined);
  expect(backend.removed).toEqual(new Set([name]));

  await apply(claimYaml('at-once', { storageClassName: 'at-once' }));
  const kept = await cluster.until('bound without a pod', async () => {
    const claim = await claimNamed('at-once');
    return claim?.status?.phase === 'Bound' && claim.spec?.volumeName;
  });
  await cluster.must('delete', 'pvc', 'at-once');
  await cluster.untilSaid('Released', () =>
    cluster.dhow('get', 'pv', kept, '-o', 'jsonpath={.status.phase}'),
  );
  expect(backend.removed.has(kept)).toBe(false);
  expect(controller.failures).toEqual([]);
});

it('grows a claim by its controller and on the node, over kill -9 of the agent, and says each step', async () => {
  const client = await controllerClient();
  await using controller = new CsiController({
    ...{ client, driverName: DRIVER, backend: new Folders() },
  });
  await apply(driverYaml({}), classYaml('growing', { allowVolumeExpansion: true }));
  await apply(claimYaml('growing', { storageClassName: 'growing' }));
  await cluster.apply(usingYaml('growing', 'growing'));
  await cluster.podIsReady('growing');
  driver.afterCall = (call) => {
    if (call === 'expand') throw new Error('the file system is busy');
  };
  const asked = { spec: { resources: { requests: { storage: '2Gi' } } } };
  await cluster.must('patch', 'pvc', 'growing', '--type', 'merge', '-p', JSON.stringify(asked));
  await cluster.until('the failure', async () =>
    (await cluster.must('get', 'events')).includes('desc = the file system is busy'),
  );
  const { status } = (await claimNamed('growing')) ?? {};
  expect(status).toMatchObject({
    capacity: { storage: '1Gi' },
    allocatedResources: { storage: '2Gi' },
    allocatedResourceStatuses: { storage: 'NodeResizePending' },
    conditions: [{ type: 'FileSystemResizePending', status: 'True' }],
  });
  process.kill(cluster.pid(NODE), 'SIGKILL');
  driver.afterCall = () => undefined;
  await cluster.up();
  await cluster.until('its size', async () => {
    const claim = await claimNamed('growing');
    return claim?.status?.capacity?.['storage'] === '2Gi';
  });
  const grown = await claimNamed('growing');
  expect(grown?.status).toEqual({
    phase: 'Bound',
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '2Gi' },
    allocatedResources: { storage: '2Gi' },
  });
  const words = [
    /waiting for an external controller to expand this PVC/,
    /MountVolume.NodeExpandVolume succeeded for volume/,
  ];
  for (const each of words)
    await cluster.untilSaid(each, () => cluster.dhow('describe', 'pvc', 'growing'));
  expect(controller.failures).toEqual([]);
});

it('tells how full volumes are, and what their driver finds wrong with them', async () => {
  await apply(driverYaml({}), volumeYaml('counted'), claimYaml('counted'));
  driver.stats = {
    usage: [{ unit: VolumeUsage_Unit.BYTES, available: 60n, total: 100n, used: 40n }],
    volumeCondition: { abnormal: true, message: 'scratched' },
  };
  await cluster.apply(usingYaml('counted', 'counted'));
  const { metadata } = await cluster.podIsReady('counted');
  // What was counted before counts for a minute.
  const series =
    'kubelet_volume_stats_used_bytes{namespace="default",persistentvolumeclaim="counted"} 40';
  const proxied = (path: string) =>
    cluster.must('get', '--raw', `/api/v1/nodes/${NODE}/proxy/${path}`);
  await cluster.until(
    'the figures',
    async () => (await proxied('metrics')).includes(series),
    90_000,
  );
  const summary = JSON.parse(await proxied('stats/summary')) as {
    readonly pods: readonly { readonly podRef: object; readonly volume?: readonly object[] }[];
  };
  const pod = { name: 'counted', namespace: 'default', uid: metadata.uid };
  expect(
    summary.pods.find(({ podRef }) => 'uid' in podRef && podRef.uid === pod.uid),
  ).toMatchObject({
    podRef: pod,
    volume: [
      {
        name: 'data',
        pvcRef: { name: 'counted', namespace: 'default' },
        ...{ availableBytes: 60, capacityBytes: 100, usedBytes: 40 },
        volumeHealthStats: { abnormal: true },
      },
    ],
  });
  await cluster.until('the event', async () =>
    (await cluster.must('get', 'events')).includes('Volume data: scratched'),
  );
});
