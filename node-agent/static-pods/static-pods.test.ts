import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { isStaticPod } from '../../api/static-pods';
import type { Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { isCritical } from '../pod-spec/critical';
import { ManifestFolder } from './manifest-folder';
import { mirrorOf, staticPodOf } from './static-pod';
import { StaticPods } from './static-pods';

let path: string;
let changes: number;
let folder: ManifestFolder;

beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), 'dhow-manifests-'));
  changes = 0;
  folder = new ManifestFolder({
    ...{ path, nodeName: 'node-1', clock: new ManualClock(0), log: silentLog },
    onChange: () => {
      changes++;
    },
  });
});
afterEach(() => rmSync(path, { recursive: true, force: true }));

const podText = (name: string, more = '') =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec:\n  containers: [{name: c, image: web:1}]\n${more}`;
const put = (file: string, text: string) => writeFileSync(join(path, file), text);
const names = () => [...folder.pods.values()].map(({ metadata }) => metadata.name);

it('makes a pod of a file, named for its node and bound to it', () => {
  const pod = staticPodOf(Buffer.from(podText('web')), '/m/web.yaml', 'node-1');
  expect(pod).toMatchObject({
    metadata: {
      ...{ name: 'web-node-1', namespace: 'default' },
      annotations: {
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.hash': pod.metadata.uid,
      },
    },
    spec: {
      nodeName: 'node-1',
      restartPolicy: 'Always',
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
    },
  });
  expect([isStaticPod(pod), isCritical(pod)]).toEqual([true, true]);
  const again = staticPodOf(Buffer.from(podText('web')), '/m/web.yaml', 'node-1');
  expect(again.metadata.uid).toBe(pod.metadata.uid);
  const other = staticPodOf(
    Buffer.from(podText('web', '  hostNetwork: true\n')),
    '/m/web.yaml',
    'node-1',
  );
  expect(other.metadata.uid).not.toBe(pod.metadata.uid);
  const mirror = mirrorOf(pod, '2026-01-01T00:00:00Z');
  expect(mirror.metadata.uid).toBeUndefined();
  expect(mirror.metadata.annotations).toMatchObject({
    'kubernetes.io/config.mirror': pod.metadata.uid,
    'kubernetes.io/config.seen': '2026-01-01T00:00:00Z',
  });
});

it.each([
  ['serviceaccounts', '  serviceAccountName: a\n'],
  ['secrets', '  volumes: [{name: v, secret: {secretName: s}}]\n'],
  ['configmaps', '  volumes: [{name: v, configMap: {name: s}}]\n'],
  ['persistentvolumeclaims', '  volumes: [{name: v, persistentVolumeClaim: {claimName: s}}]\n'],
  ['secrets', '  imagePullSecrets: [{name: s}]\n'],
  [
    'secrets',
    '  initContainers: [{name: i, image: x, env: [{name: E, valueFrom: {secretKeyRef: {name: s, key: k}}}]}]\n',
  ],
])('refuses one that needs %s of the server', (what, more) => {
  expect(() => staticPodOf(Buffer.from(podText('web', more)), '/m', 'n')).toThrow(
    `static pods may not reference ${what}`,
  );
});

it('reads what is a pod, whatever else lies there', async () => {
  put('a.yaml', podText('a'));
  put('bad.yaml', 'a: [');
  put('config-map.yaml', 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n');
  put('two.yaml', `${podText('x')}---\n${podText('y')}`);
  put('invalid.yaml', podText('Not_A_Name'));
  put('same.yaml', podText('a'));
  put('.hidden.yaml', podText('hidden'));
  put('zero', '');
  put('huge.yaml', podText('huge'));
  truncateSync(join(path, 'huge.yaml'), 2 ** 40);
  execFileSync('mkfifo', [join(path, 'fifo.yaml')]);
  mkdirSync(join(path, 'folder.yaml'));
  symlinkSync('/dev/zero', join(path, 'device.yaml'));
  symlinkSync('loop.yaml', join(path, 'loop.yaml'));
  put(
    'json.json',
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'j', uid: 'own' },
      spec: { containers: [{ name: 'c', image: 'web:1' }] },
    }),
  );
  await folder.look();
  expect(names()).toEqual(['a-node-1', 'j-node-1']);
  expect(folder.pods.has('own')).toBe(true);
  await folder.look();
  expect(changes).toBe(1);

  put('a.yaml', podText('a', '  hostNetwork: true\n'));
  rmSync(join(path, 'json.json'));
  await folder.look();
  expect([names(), changes]).toEqual([['a-node-1'], 2]);
  rmSync(path, { recursive: true });
  await folder.look();
  expect([names(), changes]).toEqual([['a-node-1'], 2]);
});

it('knows which pods of the server only mirror its own', () => {
  const own = staticPodOf(Buffer.from(podText('web')), '/m', 'n');
  const uid = own.metadata.uid ?? '';
  const state: { pods?: ReadonlyMap<string, Pod> } = {};
  const renamed: string[] = [];
  const statics = new StaticPods({
    pods: () => state.pods,
    onMirror: (each) => renamed.push(each),
    clock: new ManualClock(0),
  });
  expect(statics.toMirror()).toBeUndefined();
  state.pods = new Map([[uid, own]]);
  statics.changed();
  const [body] = statics.toMirror() ?? [];
  const mirror = JSON.parse(String(body)) as Pod;
  const shown = { ...mirror, metadata: { ...mirror.metadata, uid: 'mirror-1' } };
  expect([...statics.merged(new Map()).keys()]).toEqual([uid]);
  expect(statics.reportedUid(uid)).toBeUndefined();
  expect([...statics.merged(new Map([['mirror-1', shown]])).keys()]).toEqual([uid]);
  expect([statics.reportedUid(uid), statics.ownUid('mirror-1'), renamed]).toEqual([
    ...['mirror-1', uid, [uid]],
  ]);
  // One that shows what was before is not run, and not reported by.
  const old = {
    ...shown,
    metadata: { ...shown.metadata, annotations: { 'kubernetes.io/config.mirror': 'old' } },
  };
  expect([...statics.merged(new Map([['mirror-0', old]])).keys()]).toEqual([uid]);
  expect(statics.reportedUid(uid)).toBeUndefined();
  expect(statics.reportedUid('any-other')).toBe('any-other');
});
