import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { mountCount, type TestCsiDriver } from '../support/csi-driver';
import { hasLoopDevices, LoopDevice } from '../support/loop-device';
import { podYaml, type TestCluster } from './support/cluster';
import { type DriverCluster, startDriverCluster } from './support/driver-cluster';

jest.setTimeout(240_000);

const NAME = 'e2e-block';
const NODE = 'node-1';
const DRIVER = 'block.test';

(hasLoopDevices() ? describe : describe.skip)('block volumes', () => {
  let running: DriverCluster;
  let cluster: TestCluster;
  let driver: TestCsiDriver;

  const stateDir = () => running.stateDir;
  const apply = (...objects: readonly object[]) => running.apply(...objects);

  beforeAll(async () => {
    running = await startDriverCluster(NAME, NODE, { name: DRIVER });
    ({ cluster, driver } = running);
    await apply({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'CSIDriver',
      metadata: { name: DRIVER },
      spec: { attachRequired: false },
    });
  });

  afterEach(() => cluster.clear());

  afterAll(() => running.end());

  const volumeYaml = (name: string, source: object) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      ...{ capacity: { storage: '1Mi' }, accessModes: ['ReadWriteOnce'], storageClassName: '' },
      ...{ volumeMode: 'Block', ...source },
    },
  });
  const claimYaml = (name: string, spec: object = { storageClassName: '', volumeName: name }) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { name },
    spec: {
      ...{ accessModes: ['ReadWriteOnce'], volumeMode: 'Block', ...spec },
      resources: { requests: { storage: '1Mi' } },
    },
  });
  const usingYaml = (name: string, claimName: string, more: object, readOnly = false) =>
    podYaml(name, ['sh', '-c', 'exec sleep 1000000'], more, {
      volumes: [{ name: 'disk', persistentVolumeClaim: { claimName, readOnly } }],
    });
  const at = (devicePath: string) => ({ volumeDevices: [{ name: 'disk', devicePath }] });
  const inPod = async (name: string, script: string) => {
    const { stdout, stderr } = await cluster.dhow('exec', name, '--', 'sh', '-c', script);
    return stdout + stderr;
  };
  const written = (path: string, text: string) => `printf ${text} | dd of=${path} conv=fsync`;
  const read = (path: string) => `dd if=${path} bs=5 count=1 2>/dev/null`;
  const events = async () => (await cluster.must('get', 'events')).replace(/\s+/g, ' ');

  it('keeps what a pod has written to its device for the next one, over kill -9 of the agent', async () => {
    await apply(
      volumeYaml('disk-a', { csi: { driver: DRIVER, volumeHandle: 'disk-a' } }),
      claimYaml('disk-a'),
    );
    await cluster.apply(usingYaml('writer', 'disk-a', at('/dev/xvda')));
    await cluster.podIsReady('writer');
    await inPod('writer', written('/dev/xvda', 'hello'));
    await cluster.until('its device in its description', async () =>
      /Devices: +\/dev\/xvda from disk\n/.test(await cluster.must('describe', 'pod', 'writer')),
    );
    process.kill(cluster.pid(NODE), 'SIGKILL');
    await cluster.up();
    await cluster.until('its agent', async () =>
      (await inPod('writer', read('/dev/xvda'))).includes('hello'),
    );
    await cluster.must('delete', 'pod', 'writer');
    expect(driver.calls).toEqual([
      ...['stage disk-a', 'publish disk-a', 'unpublish disk-a', 'unstage disk-a'],
    ]);
    expect([driver.diskCount, mountCount(join(stateDir(), 'plugins'))]).toEqual([0, 0]);

    await cluster.apply(usingYaml('reader', 'disk-a', at('/mnt/volume1')));
    await cluster.podIsReady('reader');
    expect(await inPod('reader', read('/mnt/volume1'))).toBe('hello');
    await cluster.must('delete', 'pod', 'reader');
    expect(readFileSync(driver.blockFile('disk-a')).subarray(0, 5).toString()).toBe('hello');
  });

  it('gives a pod the device of its node, to read only where it says so', async () => {
    using disk = LoopDevice.attach({ bytes: 1 << 20 });
    await apply(
      volumeYaml('disk-b', {
        local: { path: disk.path },
        nodeAffinity: {
          required: {
            nodeSelectorTerms: [
              {
                matchExpressions: [
                  { key: 'kubernetes.io/hostname', operator: 'In', values: [NODE] },
                ],
              },
            ],
          },
        },
      }),
      claimYaml('disk-b'),
    );
    await cluster.apply(usingYaml('local', 'disk-b', at('/dev/disk')));
    await cluster.podIsReady('local');
    await inPod('local', written('/dev/disk', 'there'));
    await cluster.must('delete', 'pod', 'local');
    await cluster.apply(usingYaml('looker', 'disk-b', at('/dev/disk'), true));
    await cluster.podIsReady('looker');
    expect(await inPod('looker', read('/dev/disk'))).toBe('there');
    expect(await inPod('looker', written('/dev/disk', 'lost!'))).toContain(
      'Operation not permitted',
    );
    expect(await inPod('looker', read('/dev/disk'))).toBe('there');
    await cluster.must('delete', 'pod', 'looker');
  });

  it('says what cannot be: a device as a folder, and one of the provisioner in the box', async () => {
    await apply(
      volumeYaml('disk-c', { csi: { driver: DRIVER, volumeHandle: 'disk-c' } }),
      claimYaml('disk-c'),
      claimYaml('boxed', {}),
    );
    const asFolder = { volumeMounts: [{ name: 'disk', mountPath: '/data' }] };
    await cluster.apply(usingYaml('folder', 'disk-c', asFolder));
    await cluster.until('why it is no folder', async () =>
      (await events()).includes(
        'volume disk has volumeMode Block, but is specified in volumeMounts',
      ),
    );
    await cluster.apply(usingYaml('boxed', 'boxed', at('/dev/x')));
    await cluster.until('why there is none', async () =>
      /ProvisioningFailed .*only volumeMode Filesystem is supported/.test(await events()),
    );
    expect(driver.calls.filter((call) => call.endsWith('disk-c'))).toEqual([]);
  });
});
