import type { ApiObject } from '../types';
import { checkSecurityLabels, describeFindings, standardFor, violationsOf } from './policy';
import { podShapeOf } from './pod-shape';

const GOOD = {
  name: 'a',
  securityContext: {
    allowPrivilegeEscalation: false,
    runAsNonRoot: true,
    capabilities: { drop: ['ALL'] },
    seccompProfile: { type: 'RuntimeDefault' },
  },
};
const pod = (spec: object, annotations = {}) =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', annotations },
    spec,
  }) as unknown as ApiObject;
const found = (object: ApiObject, level: 'baseline' | 'restricted', version = 'latest') =>
  describeFindings(violationsOf(podShapeOf(object)!, { level, version }));

it('says what a plain pod lacks, as upstream does', () => {
  expect(found(pod({ containers: [{ name: 'c' }] }), 'restricted')).toBe(
    'allowPrivilegeEscalation != false (container "c" must set ' +
      'securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" ' +
      'must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container ' +
      '"c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must ' +
      'set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
  );
  expect(found(pod({ containers: [{ name: 'c' }] }), 'baseline')).toBe('');
  expect(found(pod({ containers: [GOOD] }), 'restricted')).toBe('');
});

const secured = (securityContext: object, more = {}) => ({
  containers: [
    { ...GOOD, ...more, securityContext: { ...GOOD.securityContext, ...securityContext } },
  ],
});

it.each<[string, object, string]>([
  [
    'a privileged container',
    secured({ privileged: true }),
    'privileged (container "a" must not set securityContext.privileged=true)',
  ],
  [
    'host namespaces',
    { ...secured({}), hostPID: true, hostNetwork: true },
    'host namespaces (hostNetwork=true, hostPID=true)',
  ],
  [
    'a host path',
    { ...secured({}), volumes: [{ name: 'v', hostPath: { path: '/' } }] },
    'restricted volume types (volume "v" uses restricted volume type "hostPath")',
  ],
  [
    'a host port',
    secured({}, { ports: [{ containerPort: 1, hostPort: 80 }] }),
    'hostPort (container "a" uses hostPort 80)',
  ],
  [
    'a capability',
    secured({ capabilities: { add: ['SYS_ADMIN'], drop: ['ALL'] } }),
    'unrestricted capabilities (container "a" must not include "SYS_ADMIN" in securityContext.capabilities.add)',
  ],
  [
    'procMount',
    secured({ procMount: 'Unmasked' }),
    'procMount (container "a" must not set securityContext.procMount to "Unmasked")',
  ],
  [
    'seccomp',
    secured({ seccompProfile: { type: 'Unconfined' } }),
    'seccompProfile (container "a" must not set securityContext.seccompProfile.type to "Unconfined")',
  ],
  ['root', secured({ runAsUser: 0 }), 'runAsUser=0 (container "a" must not set runAsUser=0)'],
  [
    'maybe root',
    secured({ runAsNonRoot: false }),
    'runAsNonRoot != true (container "a" must not set securityContext.runAsNonRoot=false)',
  ],
  [
    'AppArmor',
    secured({ appArmorProfile: { type: 'Unconfined' } }),
    'forbidden AppArmor profile (container "a" must not set securityContext.appArmorProfile.type to "Unconfined")',
  ],
  [
    'SELinux',
    secured({ seLinuxOptions: { type: 'spc_t', user: 'u' } }),
    'seLinuxOptions (container "a" set forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set)',
  ],
  [
    'a sysctl',
    {
      ...secured({}),
      securityContext: {
        sysctls: [
          { name: 'kernel.msgmax', value: '1' },
          { name: 'net.ipv4.tcp_syncookies', value: '1' },
        ],
      },
    },
    'forbidden sysctls (kernel.msgmax)',
  ],
  [
    'a Windows host process',
    { ...secured({}), securityContext: { windowsOptions: { hostProcess: true } } },
    'hostProcess (pod must not set securityContext.windowsOptions.hostProcess=true)',
  ],
  [
    'a host of a probe',
    secured({}, { livenessProbe: { httpGet: { host: '10.0.0.1', port: 1 } } }),
    'probe or lifecycle host (container "a" uses probe or lifecycle host "10.0.0.1")',
  ],
])('finds %s, and in init and ephemeral containers too', (_title, spec, expected) => {
  expect(found(pod(spec), 'restricted')).toBe(expected);
  const { containers, ...rest } = spec as { containers: object[] };
  for (const list of ['initContainers', 'ephemeralContainers'])
    expect(
      found(
        pod({ ...rest, containers: [{ ...GOOD, name: 'b' }], [list]: containers }),
        'restricted',
      ),
    ).toBe(expected);
});

it('finds AppArmor in annotations', () => {
  const key = 'container.apparmor.security.beta.kubernetes.io/a';
  expect(found(pod({ containers: [GOOD] }, { [key]: 'unconfined' }), 'baseline')).toBe(
    `forbidden AppArmor profile (annotation "${key}"="unconfined")`,
  );
  expect(found(pod({ containers: [GOOD] }, { [key]: 'runtime/default' }), 'baseline')).toBe('');
});

it('takes what the pod says for containers that say nothing', () => {
  const spec = {
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'Localhost' } },
    containers: [
      {
        name: 'a',
        securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
      },
    ],
  };
  expect(found(pod(spec), 'restricted')).toBe('');
});

it('knows older versions of the standards', () => {
  const probe = secured({}, { livenessProbe: { tcpSocket: { host: 'x', port: 1 } } });
  expect(found(pod(probe), 'restricted', 'v1.33')).toBe('');
  expect(found(pod(secured({ runAsUser: 0 })), 'restricted', 'v1.22')).toBe('');
  const sysctl = {
    ...secured({}),
    securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem', value: '1' }] },
  };
  expect(found(pod(sysctl), 'baseline', 'v1.31')).toBe('forbidden sysctls (net.ipv4.tcp_rmem)');
  expect(found(pod(sysctl), 'baseline', 'v1.32')).toBe('');
});

it('reads the labels of a namespace', () => {
  const p = 'pod-security.kubernetes.io';
  const labels = { [`${p}/enforce`]: 'baseline', [`${p}/enforce-version`]: 'v1.30' };
  expect(standardFor('enforce', labels)).toEqual({ level: 'baseline', version: 'v1.30' });
  expect(standardFor('warn', labels)).toEqual({ level: 'baseline', version: 'v1.30' });
  expect(standardFor('warn', { ...labels, [`${p}/warn`]: 'privileged' }).level).toBe('privileged');
  expect(standardFor('audit', labels).level).toBe('privileged');
  expect(
    checkSecurityLabels({ [`${p}/enforce`]: 'strict', [`${p}/warn-version`]: '1.30' }),
  ).toEqual([
    expect.objectContaining({
      field: `metadata.labels[${p}/enforce]`,
      message: 'Invalid value: "strict": must be one of privileged, baseline, restricted',
    }),
    expect.objectContaining({ message: 'Invalid value: "1.30": must be "latest" or "v1.x"' }),
  ]);
});

it.each([
  ['Deployment', 'apps/v1', { template: { spec: { hostNetwork: true, containers: [] } } }],
  ['CronJob', 'batch/v1', { jobTemplate: { spec: { template: { spec: { hostNetwork: true } } } } }],
])('looks into the template of a %s', (kind, apiVersion, spec) => {
  const object = { ...pod(spec), apiVersion, kind };
  expect(found(object, 'baseline')).toBe('host namespaces (hostNetwork=true)');
});

it.each(['Pod', 'Deployment', 'Widget'])('does not look into a %s of another group', (kind) => {
  const spec = { hostNetwork: true, template: { spec: { hostNetwork: true } } };
  expect(podShapeOf({ ...pod(spec), apiVersion: 'example.com/v1', kind })).toBeUndefined();
});
