import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { ContainerSpec, SecuritySpec } from '../../runtime/container-runtime';
import {
  collect,
  containerSpec,
  execSpec,
  readLog,
  sandboxSpec,
  waitForExit,
} from '../../runtime/containers/runtime-suite';
import { layersWith, openRuntimeHost, until, type RuntimeHost } from './runtime-host';

let host: RuntimeHost;

beforeEach(async () => {
  host = await openRuntimeHost();
  await host.runtime.createSandbox(sandboxSpec('box'));
});

afterEach(() => host.close());

const security = (more: Partial<SecuritySpec>): SecuritySpec => ({
  ...containerSpec(host, 'x', '').security,
  ...more,
});

const start = async (id: string, script: string, more: Partial<ContainerSpec> = {}) => {
  await host.runtime.createContainer(containerSpec(host, id, script, more));
  await host.runtime.startContainer(id);
};

const run = async (script: string, more: Parameters<typeof execSpec>[1] = {}) =>
  collect(await host.runtime.exec('main', execSpec(script, more)));

describe('a container that watches processes enter', () => {
  /** More by hand: what it looks for shows for microseconds. */
  const execs = Number(process.env['ENTRY_EXECS'] ?? 150);

  const watch = async (more: Partial<SecuritySpec>, exec: Parameters<typeof execSpec>[1]) => {
    const canary = join(host.dir, 'canary');
    writeFileSync(canary, '');
    const spec = containerSpec(host, 'main', `exec watch-entry ${canary}`, {
      rootfs: { lowerDirs: layersWith(host, 'watch-entry'), isReadOnly: false },
      security: security({ capabilities: ['SYS_PTRACE', 'DAC_OVERRIDE'], ...more }),
    });
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('main');
    for (let i = 0; i < execs; i += 2) await Promise.all([run('true', exec), run('true', exec)]);
    await host.runtime.kill('main', 15);
    await waitForExit(host.runtime, 'main');
    return readLog(spec.logPath).map(({ text }) => text);
  };

  it.each([
    ['as root', {}, {}],
    ['as a user', {}, { user: { uid: 1000, gid: 1000, supplementalGids: [] } }],
    ['with a terminal', {}, { tty: true }],
    ['with no_new_privs off', { noNewPrivileges: false }, {}],
    [
      'under a filter without no_new_privs',
      { seccomp: { type: 'default' }, noNewPrivileges: false },
      {},
    ],
  ] as const)(
    'finds nothing of the host in them %s',
    async (_title, more, exec) => {
      const [first, ...rest] = await watch(more, exec);
      expect(first).toBe('watching');
      expect(rest.slice(0, -1)).toEqual([]);
      const [, processes] = /^saw (\d+) processes/.exec(rest.at(-1) ?? '') ?? [];
      expect(Number(processes)).toBeGreaterThan(execs / 2);
    },
    60_000 + execs * 200,
  );
});

describe('what stays in a container beside an exec', () => {
  it('may do less than the container itself', async () => {
    await start('main', 'exec sleep 1000', {
      security: security({ capabilities: ['CHOWN'], seccomp: { type: 'default' } }),
    });
    const lines = '^(CapPrm|CapEff|CapBnd|CapInh|CapAmb|Seccomp|Seccomp_filters|NoNewPrivs):';
    // It gives up the rest while the program starts already.
    const { stdout } = await run(
      `cd /proc/$PPID; i=0; until grep -q 'Seccomp_filters:.2' status || [ $((i+=1)) = 500 ]; do usleep 10000; done; ` +
        `grep -E '${lines}' status; ls fd | wc -l`,
    );
    const none = '0000000000000000';
    expect(stdout.replaceAll(/\t+/g, ' ').trim().split('\n')).toEqual([
      `CapInh: ${none}`,
      `CapPrm: ${none}`,
      `CapEff: ${none}`,
      'CapBnd: 0000000000000001',
      `CapAmb: ${none}`,
      'NoNewPrivs: 1',
      'Seccomp: 2',
      'Seccomp_filters: 2',
      expect.stringMatching(/^ *[0-5]$/),
    ]);
  });
});

describe('standard input', () => {
  it('is the null device of the container, not of the host', async () => {
    await start('main', 'stat -c %d /dev/null /proc/self/fd/0; exec sleep 1000');
    const of = 'stat -L -c %d /dev/null /proc/self/fd/0';
    const { stdout } = await run(of);
    const [own, stdin] = stdout.split('\n');
    expect(stdin).toBe(own);
    const init = await run('stat -L -c %d /proc/1/fd/0');
    expect(init.stdout.trim()).toBe(own);
  });
});

describe('a container among the processes of another', () => {
  const GUESTS = 60;

  const beside = (id: string, script: string, more: Partial<ContainerSpec> = {}) =>
    start(id, script, { processesOf: 'main', ...more });

  it('sees them and is seen, and ends with them', async () => {
    await start('main', 'exec sleep 1000');
    await beside('guest', 'cat /proc/1/comm; echo $$; exec sleep 2000');
    const { logPath } = containerSpec(host, 'guest', '');
    await until(() => readLog(logPath).length === 2);
    const [first, own] = readLog(logPath).map(({ text }) => text);
    expect(first).toBe('sleep');
    expect(Number(own)).toBeGreaterThan(1);
    expect((await run('cat /proc/[0-9]*/cmdline | tr "\\0" " "')).stdout).toContain('sleep 2000');
    await host.runtime.kill('main', 9);
    await waitForExit(host.runtime, 'guest');
  });

  it('has a root of its own, and its execs are among the same processes', async () => {
    await start('main', 'echo of-main > /mark; exec sleep 1000');
    await beside('guest', 'exec sleep 2000');
    const exec = await host.runtime.exec('guest', execSpec('cat /mark; cat /proc/1/cmdline'));
    const { stdout, stderr } = await collect(exec);
    expect(stderr).toMatch(/mark/);
    expect(stdout).toContain('1000');
  });

  it('shows nothing of the host while it is made', async () => {
    const canary = join(host.dir, 'canary');
    writeFileSync(canary, '');
    const watching = containerSpec(host, 'main', `exec watch-entry ${canary}`, {
      rootfs: { lowerDirs: layersWith(host, 'watch-entry'), isReadOnly: false },
      security: security({ capabilities: ['DAC_OVERRIDE', 'SYS_CHROOT'] }),
    });
    await host.runtime.createContainer(watching);
    await host.runtime.startContainer('main');
    for (let i = 0; i < GUESTS; i++) {
      await beside(`guest-${i}`, 'true', { security: watching.security });
      await host.runtime.removeContainer(`guest-${i}`);
    }
    await host.runtime.kill('main', 15);
    await waitForExit(host.runtime, 'main');
    const [first, ...rest] = readLog(watching.logPath).map(({ text }) => text);
    expect(first).toBe('watching');
    // A guest that runs has a root, namespaces and a null device of its own.
    const ofGuest =
      /^found (capabilities|namespace|foreign root|foreign cwd|descriptor \/dev\/null)/;
    expect(rest.slice(0, -1).filter((line) => !ofGuest.test(line))).toEqual([]);
    const [, processes] = /^saw (\d+) processes/.exec(rest.at(-1) ?? '') ?? [];
    expect(Number(processes)).toBeGreaterThan(GUESTS / 2);
  });

  it('leaves the other as it is when it ends, and takes all of its own with it', async () => {
    await start('main', 'exec sleep 1000');
    await beside('guest', 'sleep 3000 & exec sleep 2000');
    await host.runtime.kill('guest', 9);
    await waitForExit(host.runtime, 'guest');
    expect(host.runtime.container('main')?.status).toBe('running');
    await until(async () => {
      const { stdout } = await run('cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "');
      return !/sleep [23]000/.test(stdout);
    });
  });

  it('is not made where one of them may trace, nor where the other does not run', async () => {
    await start('main', 'exec sleep 1000', {
      security: security({ capabilities: ['SYS_PTRACE'] }),
    });
    await expect(beside('guest', 'true')).rejects.toThrow('container "main" is one that may trace');
    await start('next', 'exec sleep 1000');
    const tracing = security({ capabilities: ['SYS_PTRACE'] });
    await start('first', 'exec sleep 1000', { processesOf: 'next', security: tracing });
    await expect(start('second', 'true', { processesOf: 'next' })).rejects.toThrow('may trace');
    await host.runtime.kill('main', 9);
    await waitForExit(host.runtime, 'main');
    await expect(beside('guest', 'true')).rejects.toThrow('does not run in the same sandbox');
    expect(host.runtime.containers().map(({ id }) => id)).toEqual(['main', 'next', 'first']);
  });
});
