import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { CSINode, Node, VolumeAttachment } from '../../api/types';
import { attachmentNameOf } from '../../api/volumes';
import { mountCount, namesIn, type TestCsiDriver } from '../support/csi-driver';
import { podYaml, type TestCluster } from './support/cluster';
import { type DriverCluster, startDriverCluster } from './support/driver-cluster';

jest.setTimeout(240_000);

const NAME = 'e2e-csi';
const NODE = 'node-1';
const DRIVER = 'csi.test';

let running: DriverCluster;
let cluster: TestCluster;
let driver: TestCsiDriver;

const stateDir = () => running.stateDir;

beforeAll(async () => {
  running = await startDriverCluster(NAME, NODE, {
    name: DRIVER,
    info: { maxVolumesPerNode: 8n, accessibleTopology: { segments: { 'csi.test/zone': 'z1' } } },
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
  spec,
});
const volumeYaml = (name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '1Gi' },
    accessModes: ['ReadWriteOnce'],
    storageClassName: '',
    csi: { driver: DRIVER, volumeHandle: name },
  },
});
const claimYaml = (name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: {
    accessModes: ['ReadWriteOnce'],
    storageClassName: '',
    volumeName: name,
    resources: { requests: { storage: '1Gi' } },
  },
});
const usingYaml = (name: string, volume: object, script = 'exec sleep 1000000') =>
  podYaml(
    name,
    ['sh', '-c', script],
    { volumeMounts: [{ name: 'data', mountPath: '/data' }] },
    { volumes: [{ name: 'data', ...volume }] },
  );
/** As one line: it is wrapped for the terminal. */
const why = async (name: string) => (await cluster.must('why', name)).replace(/\s+/g, ' ');
const claimed = (claimName: string) => ({ persistentVolumeClaim: { claimName } });

it('knows a driver by its socket: a CSINode, and where the node is', async () => {
  await cluster.until('its CSINode', async () => {
    const found = (await cluster.object('csinode', NODE)) as CSINode | undefined;
    return found?.spec?.drivers.length === 1;
  });
  const { metadata, spec } = (await cluster.object('csinode', NODE)) as CSINode;
  expect(spec?.drivers).toEqual([
    {
      name: DRIVER,
      nodeID: 'test-node',
      topologyKeys: ['csi.test/zone'],
      allocatable: { count: 8 },
    },
  ]);
  const node = (await cluster.object('node', NODE)) as Node;
  expect(metadata.ownerReferences?.[0]?.uid).toBe(node.metadata.uid);
  expect(node.metadata.labels?.['csi.test/zone']).toBe('z1');
  expect(node.metadata.annotations?.['csi.volume.kubernetes.io/nodeid']).toBe(
    `{"${DRIVER}":"test-node"}`,
  );
  expect(driver.registrations).toEqual([{ pluginRegistered: true, error: '' }]);
});

it('waits for a volume to be attached, keeps it over kill -9 of the agent, and leaves nothing', async () => {
  await apply(driverYaml({ podInfoOnMount: true }), volumeYaml('pv-a'), claimYaml('pv-a'));
  await cluster.apply(usingYaml('user', claimed('pv-a'), 'echo x > /data/x; exec sleep 1000000'));
  const name = attachmentNameOf('pv-a', DRIVER, NODE);
  await cluster.until(
    'its attachment',
    async () => (await cluster.object('volumeattachment', name)) !== undefined,
  );
  expect(driver.calls).toEqual([]);
  const attachment = (await cluster.object('volumeattachment', name)) as VolumeAttachment;
  expect(attachment.spec).toEqual({
    attacher: DRIVER,
    nodeName: NODE,
    source: { persistentVolumeName: 'pv-a' },
  });
  const patched = (status: object) =>
    cluster.must(
      ...['patch', 'volumeattachment', name, '--subresource', 'status', '--type', 'merge'],
      ...['-p', JSON.stringify({ status })],
    );
  const waits = `volume data (pv-a) waits for the attacher of ${DRIVER} to attach it to ${NODE}`;
  await cluster.until('why', async () => (await why('user')).includes(waits));
  expect(await cluster.must('timeline', 'user')).toMatch(
    /Attaching +volume pv-a to node-1, by csi\.test: not done yet/,
  );
  await patched({ attached: false, attachError: { message: 'no such disk' } });
  expect(await why('user')).toContain(
    `volume data (pv-a) cannot be attached to ${NODE} by ${DRIVER}: no such disk`,
  );
  const status = { attached: true, attachError: null, attachmentMetadata: { device: 'd' } };
  await patched(status);
  const pod = await cluster.podIsReady('user');
  expect(driver.calls).toEqual(['stage pv-a', 'publish pv-a']);
  expect(driver.publishes[0]?.publishContext).toEqual({ device: 'd' });
  expect(driver.publishes[0]?.volumeContext['csi.storage.k8s.io/pod.name']).toBe('user');
  await cluster.until('the file', () =>
    Promise.resolve(namesIn(driver.volumePath('pv-a')).includes('x')),
  );
  process.kill(cluster.pid(NODE), 'SIGKILL');
  await cluster.up();
  await cluster.until('its agent', async () =>
    (await cluster.dhow('exec', 'user', '--', 'cat', '/data/x')).stdout.includes('x'),
  );
  await cluster.must('delete', 'pod', 'user');
  expect(driver.calls.slice(-2)).toEqual(['unpublish pv-a', 'unstage pv-a']);
  expect(driver.calls.filter((call) => call.startsWith('publish'))).toHaveLength(1);
  expect(mountCount(join(stateDir(), 'plugins'))).toBe(0);
  expect(mountCount(join(stateDir(), 'pods', pod.metadata.uid ?? ''))).toBe(0);
  await cluster.until(
    'no attachment',
    async () => (await cluster.object('volumeattachment', name)) === undefined,
  );
  expect(readFileSync(join(driver.volumePath('pv-a'), 'x'), 'utf8')).toBe('x\n');
});

it('makes a volume that lives with its pod', async () => {
  await cluster.must('delete', 'csidriver', DRIVER, '--ignore-not-found');
  await apply(driverYaml({ attachRequired: false, volumeLifecycleModes: ['Ephemeral'] }));
  await cluster.apply(
    usingYaml('inline', { csi: { driver: DRIVER } }, 'echo y > /data/y; sleep 100'),
  );
  const pod = await cluster.podIsReady('inline');
  const [handle = ''] = driver.calls.slice(-1).map((call) => call.replace('publish ', ''));
  await cluster.until('the file', () =>
    Promise.resolve(namesIn(driver.volumePath(handle)).includes('y')),
  );
  await cluster.must('delete', 'pod', 'inline');
  expect(mountCount(join(stateDir(), 'pods', pod.metadata.uid ?? ''))).toBe(0);
});

it('says in upstream’s words what a pod waits for', async () => {
  await cluster.apply(usingYaml('waiter', { csi: { driver: 'none.test' } }));
  await cluster.until('why', async () =>
    (await cluster.must('get', 'events')).includes(
      'volume mode "Ephemeral" not supported by driver none.test (no CSIDriver object)',
    ),
  );
  expect(await why('waiter')).toContain(
    `volume data needs the driver none.test, which is not registered on ${NODE}: ${DRIVER} is`,
  );
});
