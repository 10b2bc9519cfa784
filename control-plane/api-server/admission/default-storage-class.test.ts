import { startTestServer, type TestServer } from '../testing';

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const MARK = 'storageclass.kubernetes.io/is-default-class';
const storageClass = (name: string, mark = 'true') =>
  server.request('POST', '/apis/storage.k8s.io/v1/storageclasses', {
    ...{ apiVersion: 'storage.k8s.io/v1', kind: 'StorageClass', provisioner: 'example.com/disk' },
    metadata: { name, annotations: { [MARK]: mark } },
  });
const claim = async (spec: object = {}, storage = '1Gi') =>
  server.request('POST', '/api/v1/namespaces/default/persistentvolumeclaims', {
    ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { generateName: 'c-' } },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, ...spec },
  });
const classOf = async (spec?: object) => (await claim(spec)).json.spec.storageClassName;

it('gives a claim without a class the default one, the newest of several', async () => {
  expect(await classOf()).toBeUndefined();
  await storageClass('none', 'false');
  await storageClass('old');
  await server.clock.advance(2000);
  await storageClass('b');
  await storageClass('c');
  expect(await classOf()).toBe('b');
});

it('leaves a claim that names a class, or says that it has none', async () => {
  await storageClass('usual');
  expect(await classOf({ storageClassName: 'other' })).toBe('other');
  expect(await classOf({ storageClassName: '' })).toBe('');
});

it('has claims held to the limit ranges of their namespace', async () => {
  await server.request('POST', '/api/v1/namespaces/default/limitranges', {
    ...{ apiVersion: 'v1', kind: 'LimitRange', metadata: { name: 'r' } },
    spec: {
      limits: [{ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '2Gi' } }],
    },
  });
  const messageOf = async (storage: string) => (await claim({}, storage)).json.message ?? '';
  expect(await messageOf('1500Mi')).toBe('');
  expect(await messageOf('500Mi')).toContain(
    'minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi',
  );
  expect(await messageOf('3Gi')).toContain(
    'maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
  );
});
