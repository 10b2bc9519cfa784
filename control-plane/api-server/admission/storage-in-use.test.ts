import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const CLAIMS = '/api/v1/namespaces/default/persistentvolumeclaims';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };

const make = async (path: string, kind: string, name: string, more: object) =>
  (await server.request('POST', path, { apiVersion: 'v1', kind, metadata: { name }, ...more }))
    .json;
const claim = (name: string, storageClassName: string) =>
  make(CLAIMS, 'PersistentVolumeClaim', name, {
    spec: {
      ...{ accessModes: ['ReadWriteOnce'], storageClassName },
      resources: { requests: { storage: '1Gi' } },
    },
  });
const finalizersOf = ({ metadata }: { metadata: { finalizers: string[] } }) => metadata.finalizers;

it('protects claims and volumes from the moment they are made', async () => {
  expect(finalizersOf(await claim('c', 'disk'))).toEqual(['kubernetes.io/pvc-protection']);
  const spec = {
    ...{ capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] },
    hostPath: { path: '/srv' },
  };
  const volume = await make('/api/v1/persistentvolumes', 'PersistentVolume', 'v', { spec });
  expect(finalizersOf(volume)).toEqual(['kubernetes.io/pv-protection']);
});

describe('a claim that asks for more', () => {
  const grow = async (name: string) => {
    const status = { phase: 'Bound', capacity: { storage: '1Gi' } };
    await server.request('PATCH', `${CLAIMS}/${name}/status`, { status }, MERGE);
    const spec = { resources: { requests: { storage: '2Gi' } } };
    return server.request('PATCH', `${CLAIMS}/${name}`, { spec }, MERGE);
  };

  it.each([true, false])('gets it where its class lets it: %s', async (allowVolumeExpansion) => {
    await server.request('POST', '/apis/storage.k8s.io/v1/storageclasses', {
      ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', metadata: { name: 'disk' } },
      ...{ provisioner: 'example.com/disk', allowVolumeExpansion },
    });
    await claim('c', 'disk');
    const { status, json } = await grow('c');
    expect(status).toBe(allowVolumeExpansion ? 200 : 403);
    if (allowVolumeExpansion) return;
    expect(json.message).toBe(
      'persistentvolumeclaims "c" is forbidden: only dynamically provisioned pvc can be resized ' +
        'and the storageclass that provisions the pvc must support resize',
    );
  });
});
