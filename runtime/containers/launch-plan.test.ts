import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { RuntimeError, type ContainerSpec, type MountSpec } from '../container-runtime';
import { containerPlan, execPlan, sandboxPlan, type ContainerPlanInput } from './launch-plan';
import { containerSpec, execSpec, sandboxSpec, type RuntimeHarness } from './runtime-suite';

const harness = {
  lowerDirs: ['/layers/b', '/layers/a'],
  logDir: '/logs',
} as unknown as RuntimeHarness;

const input = (more: Partial<ContainerSpec> = {}): ContainerPlanInput => ({
  spec: containerSpec(harness, 'c1', 'echo hi', more),
  runDir: '/run/containers/c1',
  socketPath: '/run/m/1',
  upperDir: '/state/c1/upper',
  workDir: '/state/c1/work',
  rootfsDir: '/state/c1/root',
  shmDir: '/run/sandboxes/box/shm',
  cgroup: {
    joinFiles: ['/cg/memory/box/c1/cgroup.procs'],
    killDir: '/cg/freezer/box/c1',
    oomDir: '/cg/memory/box/c1',
    mounts: [{ type: 'cgroup', target: '/sys/fs/cgroup/memory', data: 'memory' }],
  },
  namespaces: [{ type: 'net', path: '/run/sandboxes/box/net' }],
  processesOf: undefined,
  capabilities: 0x21n,
  seccomp: Uint8Array.of(6, 0, 0, 0, 0, 0, 0xff, 0x7f),
  devices: [],
  logMaxBytes: 1 << 20,
  logMaxFiles: 3,
});

/** One line per entry: the tag, then text where the value is text and hex where it is not. */
const describePlan = (plan: Buffer): string[] => {
  const lines: string[] = [];
  for (let at = 0; at < plan.length;) {
    const length = plan.readUInt32LE(at + 4);
    const value = plan.subarray(at + 8, at + 8 + length);
    lines.push(`${plan.readUInt16LE(at)} ${textOf(value)}`.trimEnd());
    at += 8 + length;
  }
  return lines;
};

const textOf = (value: Buffer): string =>
  value.toString('latin1').replace(/[^ -~]/g, (c) => `\\${c.charCodeAt(0).toString(16)}`);

const expectGolden = (name: string, lines: readonly string[]): void => {
  const path = join(__dirname, 'golden', `${name}.txt`);
  const actual = lines.join('\n') + '\n';
  if (process.env['UPDATE_GOLDEN'] !== undefined) writeFileSync(path, actual);
  expect(actual).toBe(readFileSync(path, 'utf8'));
};

const mountsOf = (mounts: readonly MountSpec[]) => describePlan(containerPlan(input({ mounts })));

describe('launch plans', () => {
  it('describe a container', () => {
    expectGolden('container', describePlan(containerPlan(input())));
  });

  it('describe a privileged container on the host pid namespace with a terminal', () => {
    const security = { ...input().spec.security, privileged: true };
    const spec = { security, hostPid: true, tty: true, stdin: true };
    const devices = [{ path: '/dev/sda', mode: 0o060660, major: 8, minor: 0 }];
    expectGolden('privileged', describePlan(containerPlan({ ...input(spec), devices })));
  });

  it('places devices among the mounts by depth, and those of /dev before them', () => {
    const at = (path: string) => ({ path, mode: 0o060660, major: 7, minor: 3, uid: 1, gid: 6 });
    const devices = ['/data/disk', '/dev/xvda', '/disk'].map(at);
    const mounts = ['/data/disk/in', '/data'].map((target) => ({ type: 'tmpfs', target }) as const);
    const lines = describePlan(containerPlan({ ...input({ mounts }), devices }));
    const steps = lines.filter((line) => /(disk|xvda|data)/.test(line));
    expect(steps.map((line) => line.replace(/\\[0-9a-f]{1,2}/g, ' ').split(/\s+/))).toEqual([
      expect.arrayContaining(['15', '/dev/xvda']),
      expect.arrayContaining(['12', '/data']),
      expect.arrayContaining(['43', '/disk']),
      expect.arrayContaining(['43', '/data/disk']),
      expect.arrayContaining(['12', '/data/disk/in']),
    ]);
    expect(() => containerPlan({ ...input(), devices: [at('/proc/disk')] })).toThrow(
      'inside /proc',
    );
  });

  it('describe an exec, whose environment replaces by name', () => {
    const container = containerSpec(harness, 'c1', 'x');
    const exec = execSpec('ls', {
      env: ['PATH=/x', 'A=1'],
      cwd: '/tmp',
      user: { uid: 1, gid: 2, supplementalGids: [3] },
      timeoutMs: 1500.5,
      tty: true,
      terminalSize: { columns: 119, rows: 37 },
    });
    const plan = execPlan({ container, exec, capabilities: 1n, seccomp: undefined });
    expectGolden('exec', describePlan(plan));
  });

  it('describe a sandbox', () => {
    const spec = sandboxSpec('box', { sysctls: { 'net.ipv4.tcp_syncookies': '1' } });
    const pins = [{ type: 'net', path: '/run/box/net' }] as const;
    expectGolden('sandbox', describePlan(sandboxPlan({ spec, pins, shmDir: '/run/box/shm' })));
  });

  it('put the mounts of the spec after the default ones and before the masks', () => {
    const lines = mountsOf([{ type: 'tmpfs', target: '/t', sizeBytes: 4096, mode: 0o700 }]);
    const at = lines.findIndex((line) => line.includes('mode=700,size=4096'));
    expect(lines.slice(0, at).some((line) => line.includes('/dev/shm'))).toBe(true);
    expect(lines.slice(at).some((line) => line.startsWith('16 /proc/kcore'))).toBe(true);
  });

  /** Of the tmpfs mounts of the spec. */
  const targetsOf = (targets: readonly string[]) =>
    mountsOf(targets.map((target) => ({ type: 'tmpfs', target })))
      .flatMap((line) => /tmpfs\\0tmpfs\\0([^\\]*)\\0mode=1777/.exec(line)?.[1] ?? [])
      .map((target) => target.replaceAll(/\/+/g, '/').replace(/\/$/, ''));

  it.each([
    [['/data/x/y/one.conf', '/data/in/', '/data']],
    [['/data/', '/data/x/y/one.conf', '/data//in']],
    [['//data/in//', '/data', '/data/x/y/one.conf/']],
  ])('mount what lies above first: %j', (targets) => {
    expect(targetsOf(targets)).toEqual(['/data', '/data/in', '/data/x/y/one.conf']);
  });

  it('mount equals in the order of the spec', () => {
    expect(targetsOf(['/b', '/a/c', '/a', '/b/a'])).toEqual(['/b', '/a', '/a/c', '/b/a']);
  });

  it.each(['relative', '/', '/./', '/a/../../b', '/proc', '/proc/sys'])(
    'refuse to mount at %s',
    (target) => {
      expect(() => mountsOf([{ type: 'tmpfs', target }])).toThrow(RuntimeError);
    },
  );

  it.each([
    ['vm.swappiness', {}],
    ['kernel.hostname', {}],
    ['net/../kernel/panic', {}],
    ['net.core.somaxconn', { hostNetwork: true }],
    ['kernel.msgmax', { hostIpc: true }],
  ])('refuse the sysctl %s with %j', (name, more) => {
    const spec = sandboxSpec('box', { ...more, sysctls: { [name]: '1' } });
    expect(() => sandboxPlan({ spec, pins: [], shmDir: undefined })).toThrow(name);
  });

  it('refuse a NUL inside a value, an empty command, and a relative working directory', () => {
    const { process } = input().spec;
    const withProcess = (more: Partial<typeof process>) => () =>
      containerPlan(input({ process: { ...process, ...more } }));
    expect(withProcess({ args: ['a\0b'] })).toThrow('NUL');
    expect(withProcess({ args: [] })).toThrow('no command');
    expect(withProcess({ cwd: 'tmp' })).toThrow('not absolute');
  });
});
