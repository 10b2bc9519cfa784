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
import { layersWith, openRuntimeHost, type RuntimeHost } from './runtime-host';

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
