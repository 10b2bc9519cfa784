import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ConfigMap, Pod, Secret } from '../../api/types';
import { testContainer, testPod } from '../pods/testing';
import { checkVolumePath, writeVolumeFiles } from './atomic-writer';
import { fakeMounter, noNfs } from './fake-mounter';
import type { Mounter } from './mounter';
import { NotYetError, type ContentSource } from './volume-content';
import { VolumeManager } from './volume-manager';

let directory: string;
let manager: VolumeManager;
const mounts: string[] = [];
const mounter: Mounter = {
  ...fakeMounter(),
  mountTmpfs: (path, { sizeBytes, mode, groupId }) =>
    void mounts.push(
      `mount ${path.split('/').at(-1) ?? ''} ${sizeBytes ?? ''} ${mode.toString(8)} ${groupId ?? ''}`,
    ),
  unmountAll: (path) => void mounts.push(`unmount ${path.split('/').at(-1) ?? ''}`),
};

let issued: ContentSource['tokens'];

beforeEach(() => {
  issued = (key) => ({ key, token: `token of ${key}` });
  directory = mkdtempSync(join(tmpdir(), 'dhow-volumes-'));
  manager = new VolumeManager({
    stateDir: join(directory, 'state'),
    runDir: join(directory, 'run'),
    mounter,
    nfs: noNfs,
    claims: { claim: () => undefined, volume: () => undefined },
    tokens: (key) => issued(key),
    node: () => undefined,
  });
  mounts.length = 0;
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const node = {
  nodeName: 'n1',
  hostIps: ['192.0.2.1'],
  podIps: ['10.42.0.2'],
  allocatableCpuMillis: 2000,
  allocatableMemoryBytes: 2 ** 31,
};
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'default' },
  data: { a: Buffer.from('A').toString('base64'), b: Buffer.from('B').toString('base64') },
};
const map: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', namespace: 'default' },
  data: { 'app.ini': 'x=1' },
  binaryData: { logo: Buffer.from([0, 255]).toString('base64') },
};
const objects = {
  secret: (_ns: string, name: string) => (name === 's' ? secret : undefined),
  configMap: (_ns: string, name: string) => (name === 'm' ? map : undefined),
};
const prepare = (volumes: NonNullable<Pod['spec']['volumes']>, more: Partial<Pod['spec']> = {}) =>
  manager.prepare({ pod: testPod({ spec: { volumes, ...more } }), objects, node });
const modeOf = (path: string) => statSync(path).mode & 0o7777;

it('swaps all files of a volume at once and drops what is gone', () => {
  const target = join(directory, 'v');
  const file = (text: string) => ({ data: Buffer.from(text), mode: 0o644 });
  expect(
    writeVolumeFiles(
      target,
      new Map([
        ['a', file('1')],
        ['d/b', file('2')],
      ]),
      undefined,
    ),
  ).toBe(true);
  expect(readFileSync(join(target, 'd/b'), 'utf8')).toBe('2');
  expect(
    writeVolumeFiles(
      target,
      new Map([
        ['a', file('1')],
        ['d/b', file('2')],
      ]),
      undefined,
    ),
  ).toBe(false);
  // As a crash between two steps leaves it.
  mkdirSync(join(target, '..2026-01-01T00_00_00_000Z.1'));
  expect(writeVolumeFiles(target, new Map([['a', file('3')]]), undefined)).toBe(true);
  expect(readFileSync(join(target, 'a'), 'utf8')).toBe('3');
  expect(readdirSync(target).filter((name) => !name.startsWith('..'))).toEqual(['a']);
  expect(readdirSync(target).filter((name) => name.startsWith('..2'))).toHaveLength(1);
});

it('finishes what a crash left between the swap and the links to it', () => {
  const target = join(directory, 'v');
  const files = new Map([['a', { data: Buffer.from('1'), mode: 0o644 }]]);
  writeVolumeFiles(target, files, undefined);
  rmSync(join(target, 'a'));
  writeVolumeFiles(target, files, undefined);
  expect(readFileSync(join(target, 'a'), 'utf8')).toBe('1');
});

it('leaves nothing of files that could not be written', () => {
  const target = join(directory, 'v');
  const file = { data: Buffer.from('1'), mode: 0o644 };
  writeVolumeFiles(target, new Map([['a', file]]), undefined);
  const before = readdirSync(target);
  // One cannot be both a file and a folder.
  const impossible = new Map([
    ['b', file],
    ['b/c', file],
  ]);
  expect(() => writeVolumeFiles(target, impossible, undefined)).toThrow();
  expect(readdirSync(target)).toEqual(before);
});

it.each(['../x', '/abs', 'a/../../b', '..', '.', '..data'])('refuses the path %s', (path) => {
  expect(() => checkVolumePath(path)).toThrow('invalid path');
});

it('gives secrets their modes, and a group the right to read', () => {
  const items = [
    { key: 'a', path: 'dir/a', mode: 0o400 },
    { key: 'b', path: 'b' },
  ];
  const volume = { name: 'v', secret: { secretName: 's', defaultMode: 0o640, items } };
  const path = prepare([volume]).get('v')!;
  expect([modeOf(join(path, 'dir/a')), modeOf(join(path, 'b'))]).toEqual([0o400, 0o640]);
  expect(path.startsWith(join(directory, 'run'))).toBe(true);
});

it('gives the files of config maps and of the pod itself the modes and paths asked for', () => {
  const limit = { containerName: 'web', resource: 'limits.cpu', divisor: '1m' };
  const map = { name: 'm', defaultMode: 0o600, items: [{ key: 'app.ini', path: 'etc/app' }] };
  const items = [
    { path: 'name', fieldRef: { fieldPath: 'metadata.name' }, mode: 0o444 },
    { path: 'cpu', resourceFieldRef: limit },
  ];
  const sources = [{ configMap: { name: 'm', items: [{ key: 'logo', path: 'l', mode: 0o400 }] } }];
  const paths = prepare([
    { name: 'map', configMap: map },
    { name: 'self', downwardAPI: { items, defaultMode: 0o640 } },
    {
      name: 'all',
      projected: { defaultMode: 0o604, sources: [...sources, { downwardAPI: { items } }] },
    },
    { name: 'none', configMap: { name: 'absent', optional: true } },
  ]);
  const mode = (volume: string, file: string) => modeOf(join(paths.get(volume)!, file));
  expect(mode('map', 'etc/app')).toBe(0o600);
  expect([mode('self', 'name'), mode('self', 'cpu')]).toEqual([0o444, 0o640]);
  expect([mode('all', 'l'), mode('all', 'cpu')]).toEqual([0o400, 0o604]);
  expect(readFileSync(join(paths.get('self')!, 'cpu'), 'utf8')).toBe('2000');
  expect(readdirSync(paths.get('none')!).filter((name) => !name.startsWith('..'))).toEqual([]);
});

it('joins sources in a projected volume', () => {
  const sources = [
    { configMap: { name: 'm' } },
    { secret: { name: 's', items: [{ key: 'a', path: 'secret-a' }] } },
    { downwardAPI: { items: [{ path: 'name', fieldRef: { fieldPath: 'metadata.name' } }] } },
    { configMap: { name: 'absent', optional: true } },
  ];
  const path = prepare([{ name: 'v', projected: { sources } }]).get('v')!;
  expect(readdirSync(path).filter((name) => !name.startsWith('..'))).toEqual([
    'app.ini',
    'logo',
    'name',
    'secret-a',
  ]);
  expect(readFileSync(join(path, 'logo'))).toEqual(Buffer.from([0, 255]));
  expect(readFileSync(join(path, 'name'), 'utf8')).toBe('web');
});

it('starts without a secret that may be missing', () => {
  const sources = [{ secret: { name: 'absent', optional: true } }];
  const paths = prepare([
    { name: 'v', secret: { secretName: 'absent', optional: true } },
    { name: 'w', projected: { sources } },
  ]);
  for (const path of paths.values())
    expect(readdirSync(path).filter((name) => !name.startsWith('..'))).toEqual([]);
});

it('says what is missing', () => {
  expect(() => prepare([{ name: 'v', secret: { secretName: 'no' } }])).toThrow(
    'secret "no" not found',
  );
  const items = [{ key: 'zzz', path: 'z' }];
  expect(() => prepare([{ name: 'v', configMap: { name: 'm', items } }])).toThrow(
    'configmap references non-existent key: zzz',
  );
  expect(() => prepare([{ name: 'v', cephfs: { monitors: ['m'] } }])).toThrow('not supported');
});

it('bounds memory volumes, shares disk ones, and removes both', async () => {
  const paths = prepare([
    { name: 'mem', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    { name: 'disk', emptyDir: {} },
  ]);
  expect(mounts).toEqual([`mount mem ${1024 * 1024} 777 `]);
  expect(modeOf(paths.get('disk')!)).toBe(0o777);
  expect(manager.podUids()).toEqual(['uid-1']);
  await manager.remove('uid-1');
  expect(mounts.filter((each) => each === 'unmount uid-1')).toHaveLength(2);
  expect(existsSync(paths.get('disk')!)).toBe(false);
  expect(manager.podUids()).toEqual([]);
});

it.each([
  ['the node has', undefined, [undefined], 2 ** 31],
  ['the node has, when one container may have any amount', undefined, ['64Mi', undefined], 2 ** 31],
  ['its containers may have', undefined, ['64Mi', '32Mi'], 96 * 2 ** 20],
  ['its containers may have, whatever it says', '1Gi', ['64Mi'], 64 * 2 ** 20],
  ['it says', '16Mi', ['64Mi'], 16 * 2 ** 20],
  ['its containers may have, when it says 0', '0', ['64Mi'], 64 * 2 ** 20],
])('makes a memory volume as large as %s', (_title, sizeLimit, memoryLimits, expected) => {
  const containers = memoryLimits.map((memory, index) => ({
    ...testContainer({ name: `c${index}` }),
    ...(memory === undefined ? {} : { resources: { limits: { memory } } }),
  }));
  const emptyDir = { medium: 'Memory', ...(sizeLimit === undefined ? {} : { sizeLimit }) };
  prepare([{ name: 'mem', emptyDir }], { containers });
  expect(mounts).toEqual([`mount mem ${expected} 777 `]);
});

it('leaves the mode that a pod gives its volume', () => {
  const path = prepare([{ name: 'disk', emptyDir: {} }]).get('disk')!;
  chmodSync(path, 0o700);
  prepare([{ name: 'disk', emptyDir: {} }]);
  expect(modeOf(path)).toBe(0o700);
});

it('gives volumes to the group of the pod', () => {
  const group = { securityContext: { fsGroup: 4242 } };
  const volumes = [
    { name: 'mem', emptyDir: { medium: 'Memory' } },
    { name: 'disk', emptyDir: {} },
  ];
  const path = prepare(volumes, group).get('disk')!;
  expect(mounts).toEqual([`mount mem ${node.allocatableMemoryBytes} 2777 4242`]);
  expect(modeOf(path)).toBe(0o2777);
  expect(statSync(path).gid).toBe(4242);
});

it('gives a pod the tokens that the server has issued for it', () => {
  const serviceAccountToken = { path: 'vault/token', audience: 'vault', expirationSeconds: 600 };
  const sources = [{ serviceAccountToken: { path: 'token' } }, { serviceAccountToken }];
  const path = prepare([{ name: 'v', projected: { sources, defaultMode: 0o600 } }]).get('v')!;
  expect(readFileSync(join(path, 'token'), 'utf8')).toBe('token of uid-1 3600 ');
  expect(readFileSync(join(path, 'vault/token'), 'utf8')).toBe('token of uid-1 600 vault');
  expect(modeOf(join(path, 'token'))).toBe(0o600);
  issued = () => undefined;
  const again = () => prepare([{ name: 'v', projected: { sources } }]);
  expect(again).toThrow(NotYetError);
  issued = (key) => ({ key, error: 'serviceaccounts "x" not found' });
  expect(again).toThrow('failed to fetch token: serviceaccounts "x" not found');
});

it.each<[string, object]>([
  [
    'a projected podCertificate is not supported',
    { projected: { sources: [{ podCertificate: {} }] } },
  ],
  ['unknown storage medium "Tape"', { emptyDir: { medium: 'Tape' } }],
  [
    'medium HugePages: hugePages storage requested, but there is no resource request for huge pages',
    { emptyDir: { medium: 'HugePages' } },
  ],
  ['this type of volume is not supported', { cephfs: { monitors: ['m'] } }],
])('makes no volume that is less than was asked for: %s', (why, source) => {
  expect(() => prepare([{ name: 'v', ...source }])).toThrow(why);
});

it.each([
  ['Directory', 'is not a directory'],
  ['Socket', 'is not a socket file'],
])('checks that a host path is a %s', (type, message) => {
  const file = join(directory, 'file');
  writeFileSync(file, '');
  expect(() => prepare([{ name: 'h', hostPath: { path: file, type } }])).toThrow(message);
});
