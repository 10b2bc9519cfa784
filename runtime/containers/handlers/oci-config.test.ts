import { CgroupV1Driver } from '../../cgroups';
import type { ContainerSpec, SandboxSpec } from '../../container-runtime';
import { containerSpec, sandboxSpec, type RuntimeHarness } from '../runtime-suite';
import { calledFeatures, DHOW_FEATURES } from './features';
import { checkFeatures } from './handler';
import { ociConfig, ociExec } from './oci-config';

const cgroups = new CgroupV1Driver('/nonexistent', false);
const harness = { lowerDirs: [], logDir: '/logs' } as unknown as RuntimeHarness;
const box = sandboxSpec('box', { handler: 'runc' });

const configOf = (
  more: Partial<ContainerSpec> = {},
  sandbox: Partial<SandboxSpec> = {},
  hasOwnKernel = false,
) =>
  ociConfig({
    spec: containerSpec(harness, 'c1', 'true', more),
    sandbox: { ...box, ...sandbox },
    ...{ sandboxDir: '/run/box', rootfsDir: '/run/root', stageDir: '/run/c1/stage' },
    ...{ cgroup: 'dhow/box/c1', cgroups, hasOwnKernel },
  }) as {
    process: Record<string, unknown>;
    mounts: { destination: string; source: string; type: string; options: string[] }[];
    linux: Record<string, unknown> & { namespaces: unknown[]; seccomp?: { syscalls: unknown[] } };
    hostname?: string;
  };

it('joins the namespaces of the sandbox, and has its own of the rest', () => {
  expect(configOf().linux.namespaces).toEqual([
    { type: 'mount' },
    { type: 'cgroup' },
    { type: 'pid' },
    { type: 'uts', path: '/run/box/uts' },
    { type: 'ipc', path: '/run/box/ipc' },
    { type: 'network', path: '/run/box/net' },
  ]);
  const shared = configOf({ hostPid: true }, { hostNetwork: true, hostIpc: true });
  expect(shared.linux.namespaces).toEqual([
    ...[{ type: 'mount' }, { type: 'cgroup' }, { type: 'uts', path: '/run/box/uts' }],
  ]);
});

it('leaves to a kernel of its own what that has itself', () => {
  const config = configOf({ security: { ...SECURITY, seccomp: { type: 'default' } } }, {}, true);
  expect(config.linux.namespaces).toContainEqual({ type: 'uts' });
  expect(config.linux.seccomp).toBeUndefined();
  expect(config.hostname).toBe('box');
});

const SECURITY = containerSpec(harness, 'x', '').security;

it('mounts volumes from where they are staged, those above first', () => {
  const bind = { type: 'bind', source: '/vol', isReadOnly: true } as const;
  const { mounts } = configOf({
    mounts: [
      { ...bind, target: '/data/in' },
      { ...bind, target: '/data', isReadOnly: false, propagation: 'slave' },
      { type: 'tmpfs', target: '/t', sizeBytes: 4096, mode: 0o700 },
    ],
  });
  expect(mounts.slice(-3)).toEqual([
    {
      ...{ destination: '/data', type: 'bind', source: '/run/c1/stage/0' },
      options: ['rbind', 'rslave', 'nodev'],
    },
    {
      ...{ destination: '/t', type: 'tmpfs', source: 'tmpfs' },
      options: ['nosuid', 'nodev', 'mode=700', 'size=4096'],
    },
    {
      ...{ destination: '/data/in', type: 'bind', source: '/run/c1/stage/2' },
      options: ['rbind', 'rprivate', 'ro', 'nodev'],
    },
  ]);
  expect(() => configOf({ mounts: [{ ...bind, target: '/proc/x' }] })).toThrow('is inside /proc');
});

it('gives the default filter in the form of bundles, by the capabilities there are', () => {
  const security = { ...SECURITY, seccomp: { type: 'default' } } as const;
  const { seccomp } = configOf({ security }).linux;
  expect(seccomp).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO' });
  const names = (seccomp?.syscalls as { names: string[] }[]).flatMap((rule) => rule.names);
  expect(names).toContain('openat2');
  expect(names).not.toContain('mount');
});

it('masks nothing, and filters nothing, for the privileged', () => {
  const { linux } = configOf({ security: { ...SECURITY, privileged: true } });
  expect([linux['maskedPaths'], linux.seccomp]).toEqual([undefined, undefined]);
  expect(linux['resources']).toEqual({ devices: [{ allow: true, access: 'rwm' }] });
});

it('has a further process be as the container, with what it says instead', () => {
  const spec = containerSpec(harness, 'c1', 'true');
  const exec = { args: ['ls'], env: ['PATH=/x', 'A=1'], tty: true, stdin: false };
  const size = { columns: 80, rows: 24 };
  expect(ociExec(spec, { ...exec, terminalSize: size }, cgroups)).toMatchObject({
    ...{ terminal: true, args: ['ls'], env: ['PATH=/x', 'A=1'], cwd: '/' },
    consoleSize: { width: 80, height: 24 },
    noNewPrivileges: true,
  });
});

it.each([
  ['hostPID', { hostPid: true }, {}],
  ['hostIPC', {}, { hostIpc: true }],
  ['privileged containers', { security: { ...SECURITY, privileged: true } }, {}],
  ['sysctls', {}, { sysctls: { 'net.a': '1' } }],
  ['shareProcessNamespace', { processesOf: 'c0' }, {}],
  [
    'mountPropagation Bidirectional',
    {
      mounts: [
        { type: 'bind', source: '/a', target: '/a', isReadOnly: false, propagation: 'shared' },
      ],
    },
    {},
  ],
  ['devices of the host', { devices: [{ hostPath: '/dev/x', path: '/dev/x', access: 'r' }] }, {}],
] as const)('refuses %s of a handler without, in these words', (what, more, sandbox) => {
  const spec = containerSpec(harness, 'c1', 'true', more);
  const asked = { ...box, ...(sandbox as Partial<SandboxSpec>) };
  const gvisor = { name: 'gvisor', features: calledFeatures('runsc', 'release-20240729.0') };
  expect(() => checkFeatures(gvisor, spec, asked)).toThrow(
    `runtime handler "gvisor" does not support ${what}`,
  );
  const own = { name: 'dhow', features: DHOW_FEATURES };
  expect(() => checkFeatures(own, spec, asked)).not.toThrow();
});

it('goes by the day of a runsc for the terminals of its further processes', () => {
  expect(calledFeatures('runsc', '0.0~20221219.0').execTerminals).toBe(false);
  expect(calledFeatures('runsc', 'release-20240729.0').execTerminals).toBe(true);
});
