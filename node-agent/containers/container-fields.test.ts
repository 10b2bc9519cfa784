import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ConfigMap, Container, PodSpec, Secret } from '../../api/types';
import { FakeImageService } from '../../runtime/images/fake';
import { containerSpecOf } from './container-spec';
import { environmentOf } from '../pod-spec/environment';
import { hostnameOf, hostsFile } from './etc-files';
import { podDnsOf } from './pod-dns';
import { testContainer, testPod } from '../pods/testing';

/*
 * What a field of a container or pod does to what the runtime is told: one test for each group of
 * fields, with the values that are not the default.
 */

let profilesDir: string;

beforeAll(() => {
  profilesDir = mkdtempSync(join(tmpdir(), 'profiles-'));
});
afterAll(() => rmSync(profilesDir, { recursive: true, force: true }));

const node = {
  nodeName: 'n1',
  hostIps: ['192.0.2.1'],
  podIps: ['10.42.0.9'],
  allocatableCpuMillis: 2000,
  allocatableMemoryBytes: 2 ** 30,
};
const map: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'm', namespace: 'default' },
  data: { k: 'from-map' },
};
const secret: Secret = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 's', namespace: 'default' },
  data: { k: Buffer.from('from-secret').toString('base64') },
};
const objects = {
  configMap: (_ns: string, name: string) => (name === 'm' ? map : undefined),
  secret: (_ns: string, name: string) => (name === 's' ? secret : undefined),
};

const specOf = (container: Partial<Container>, spec: Partial<PodSpec> = {}) =>
  containerSpecOf({
    pod: testPod({ spec }),
    start: { container: testContainer(container), isInit: false, restartCount: 0, backoffStep: 0 },
    id: 'id',
    sandboxId: 'sandbox',
    hostname: 'web',
    image: new FakeImageService().publish('web:1'),
    volumes: new Map([['v', '/volumes/v']]),
    objects,
    node,
    nodeMemoryBytes: 2 ** 30,
    etcFiles: new Map(),
    terminationMessageFile: '/run/message',
    logPath: '/logs/0.log',
    profilesDir,
  });

const valuesOf = (container: Partial<Container>) => {
  const target = testContainer(container);
  const other = testContainer({ name: 'other', resources: { limits: { memory: '8Mi' } } });
  const pod = testPod({ spec: { containers: [target, other], serviceAccountName: 'a' } });
  return Object.fromEntries(environmentOf(pod, target, objects, node));
};

it('runs a container where and on what it says: working directory, stdin, terminal', () => {
  const spec = specOf({ workingDir: '/srv', stdin: true, tty: true });
  expect(spec.process.cwd).toBe('/srv');
  expect(spec).toMatchObject({ stdin: true, tty: true });
  expect(spec.process.env).toContain('TERM=xterm');
});

it('lets a container leave its last words where it says', () => {
  const { mounts } = specOf({ terminationMessagePath: '/out/words' });
  expect(mounts).toContainEqual({
    type: 'bind',
    source: '/run/message',
    target: '/out/words',
    isReadOnly: false,
  });
});

it('mounts a volume as it is asked to: read-only, a part of it, shared with the node', () => {
  const mounted = (more: object) => {
    const volumeMounts = [{ name: 'v', mountPath: '/v', ...more }];
    const container = { volumeMounts, env: [{ name: 'WHO', value: 'me' }] };
    const { mounts } = specOf(container, { volumes: [{ name: 'v', emptyDir: {} }] });
    return mounts.find(({ target }) => target === '/v');
  };
  expect(mounted({})).toMatchObject({ isReadOnly: false, propagation: 'private' });
  expect(mounted({ readOnly: true })).toMatchObject({ isReadOnly: true });
  expect(mounted({ subPath: 'a/b' })).toMatchObject({ subPath: 'a/b' });
  expect(mounted({ subPathExpr: '$(WHO)/b' })).toMatchObject({ subPath: 'me/b' });
  expect(mounted({ mountPropagation: 'HostToContainer' })).toMatchObject({ propagation: 'slave' });
  expect(mounted({ mountPropagation: 'Bidirectional' })).toMatchObject({ propagation: 'shared' });
});

it('mounts a claim as its volume says', () => {
  const mounted = (readOnly: boolean | undefined) => {
    const claim = { claimName: 'c', ...(readOnly === undefined ? {} : { readOnly }) };
    const volumes = [{ name: 'v', persistentVolumeClaim: claim }];
    const volumeMounts = [{ name: 'v', mountPath: '/data' }];
    return specOf({ volumeMounts }, { volumes }).mounts.find(({ target }) => target === '/data');
  };
  expect(mounted(undefined)).toMatchObject({ source: '/volumes/v', isReadOnly: false });
  expect(mounted(false)).toMatchObject({ isReadOnly: false });
  expect(mounted(true)).toMatchObject({ isReadOnly: true });
});

it('gives a container the devices of its volumes', () => {
  const devicesOf = (devicePath: string, readOnly = false, name = 'v') => {
    const volumes = [{ name: 'v', persistentVolumeClaim: { claimName: 'c', readOnly } }];
    return specOf({ volumeDevices: [{ name, devicePath }] }, { volumes });
  };
  const device = { hostPath: '/volumes/v', path: '/dev/xvda', access: 'rwm', isVolume: true };
  expect(devicesOf('/dev/xvda/').devices).toEqual([device]);
  expect(devicesOf('/mnt/disk').devices).toEqual([{ ...device, path: '/mnt/disk' }]);
  expect(devicesOf('/dev/xvda', true).devices).toEqual([{ ...device, access: 'r' }]);
  // What the agent mounts by itself does not hide it.
  expect(devicesOf('/run/words').mounts).toHaveLength(1);
  expect(devicesOf('/dev/termination-log').mounts).toEqual([]);
  expect(() => devicesOf('dev/xvda')).toThrow(
    'error DevicePath `dev/xvda` must be an absolute path',
  );
  expect(() => devicesOf('/dev/xvda', false, 'w')).toThrow(
    'cannot find volume "w" to pass into container',
  );
});

it('takes variables from all that they can come from', () => {
  const ref = (valueFrom: object) => ({ valueFrom });
  expect(
    valuesOf({
      envFrom: [
        { prefix: 'M_', configMapRef: { name: 'm' } },
        { prefix: 'S_', secretRef: { name: 's' } },
        { configMapRef: { name: 'none', optional: true } },
        { secretRef: { name: 'none', optional: true } },
      ],
      env: [
        { name: 'MAP', ...ref({ configMapKeyRef: { name: 'm', key: 'k' } }) },
        { name: 'SECRET', ...ref({ secretKeyRef: { name: 's', key: 'k' } }) },
        { name: 'NO_MAP', ...ref({ configMapKeyRef: { name: 'm', key: 'x', optional: true } }) },
        { name: 'NO_SECRET', ...ref({ secretKeyRef: { name: 'x', key: 'k', optional: true } }) },
        { name: 'ACCOUNT', ...ref({ fieldRef: { fieldPath: 'spec.serviceAccountName' } }) },
        {
          name: 'KIB',
          ...ref({
            resourceFieldRef: {
              containerName: 'other',
              resource: 'limits.memory',
              divisor: '1Ki',
            },
          }),
        },
      ],
    }),
  ).toEqual({
    M_k: 'from-map',
    S_k: 'from-secret',
    MAP: 'from-map',
    SECRET: 'from-secret',
    ACCOUNT: 'a',
    KIB: '8192',
  });
});

it('gives a container the rights that it asks for, and no others', () => {
  expect(specOf({})).toMatchObject({
    rootfs: { isReadOnly: false },
    security: { privileged: false, noNewPrivileges: false, procMount: 'Default' },
    hostPid: false,
  });
  const securityContext = { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false };
  expect(specOf({ securityContext })).toMatchObject({
    rootfs: { isReadOnly: true },
    security: { noNewPrivileges: true },
  });
  expect(specOf({ securityContext: { privileged: true } }).security).toMatchObject({
    privileged: true,
    seccomp: { type: 'unconfined' },
  });
  expect(specOf({}, { hostPID: true }).hostPid).toBe(true);
});

it('filters system calls by the profile of the container, else of the pod, else by the default', () => {
  const seccompOf = (own?: object, ofPod?: object) =>
    specOf(
      { securityContext: { seccompProfile: own } as Container['securityContext'] & object },
      { securityContext: { seccompProfile: ofPod } as PodSpec['securityContext'] & object },
    ).security.seccomp;
  writeFileSync(join(profilesDir, 'strict.json'), '{"defaultAction":"SCMP_ACT_ERRNO"}');
  const strict = { type: 'Localhost', localhostProfile: 'strict.json' };
  expect(seccompOf()).toEqual({ type: 'default' });
  expect(seccompOf(undefined, { type: 'Unconfined' })).toEqual({ type: 'unconfined' });
  expect(seccompOf({ type: 'RuntimeDefault' }, { type: 'Unconfined' })).toEqual({
    type: 'default',
  });
  expect(seccompOf(strict)).toEqual({
    type: 'profile',
    profile: { defaultAction: 'SCMP_ACT_ERRNO' },
  });
  expect(() => seccompOf({ ...strict, localhostProfile: 'none.json' })).toThrow(
    'cannot load seccomp profile "none.json"',
  );
});

it('runs as the user of the container before that of the pod', () => {
  const ofPod = { securityContext: { runAsUser: 7, runAsGroup: 8 } };
  expect(specOf({}, ofPod).process.user).toMatchObject({ uid: 7, gid: 8 });
  const own = { securityContext: { runAsUser: 9, runAsGroup: 10, runAsNonRoot: true } };
  expect(specOf(own, ofPod).process.user).toMatchObject({ uid: 9, gid: 10 });
  const root = { securityContext: { runAsUser: 0, runAsNonRoot: true } };
  expect(() => specOf(root, ofPod)).toThrow("container's runAsUser breaks non-root policy");
});

it('names the pod and resolves names for it as it says', () => {
  const spec: Partial<PodSpec> = {
    hostname: 'db-0',
    subdomain: 'db',
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['192.0.2.53'], searches: ['example.org'] },
  };
  const pod = testPod({ spec });
  const hostname = hostnameOf(pod, 'n1');
  expect(hostname).toBe('db-0');
  const input = {
    pod,
    hostname,
    podIps: ['10.42.0.9'],
    hostHosts: '',
    clusterDomain: 'cluster.local',
  };
  const dns = {
    pod,
    nodeResolvConf: 'nameserver 9.9.9.9\n',
    cluster: { servers: ['10.43.0.10'], domain: 'cluster.local' },
  };
  expect(hostsFile(input)).toContain('10.42.0.9\tdb-0.db.default.svc.cluster.local\tdb-0\n');
  expect(podDnsOf(dns).text).toBe('search example.org\nnameserver 192.0.2.53\n');
  const onHost = testPod({ spec: { dnsPolicy: 'Default' } });
  expect(podDnsOf({ ...dns, pod: onHost }).text).toBe('nameserver 9.9.9.9\n');
});
