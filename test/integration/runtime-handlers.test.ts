import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import type { ContainerSpec, SandboxSpec } from '../../runtime/container-runtime';
import { installedProgram } from '../../runtime/containers';
import { launcherProcesses } from '../../runtime/containers/monitor-process';
import {
  collect,
  containerSpec,
  execSpec,
  exitOf,
  readLog,
  runtimeSuite,
  sandboxSpec,
  waitForExit,
} from '../../runtime/containers/runtime-suite';
import { openRuntimeHost, runScript, until, type RuntimeHost } from './runtime-host';

const open = (name: string, path: string) =>
  openRuntimeHost({ handlers: [{ name, path, flags: [] }], sandbox: { handler: name } });

/** What every runtime does, and what handlers are for, done by another's program. */
for (const name of ['runc', 'runsc']) {
  const path = installedProgram(name);
  if (path === undefined) {
    it.skip(`runs containers with ${name}: it is not installed (apt install ${name})`, () =>
      undefined);
    continue;
  }
  runtimeSuite(`the runtime on this host with ${name}`, () => open(name, path));

  describe(`containers of ${name}`, () => {
    let host: RuntimeHost;
    beforeEach(async () => {
      host = await open(name, path);
      await host.runtime.createSandbox(sandboxSpec('box', { handler: name }));
    });
    afterEach(() => host.close());

    const start = async (id: string, script: string, more: Partial<ContainerSpec> = {}) => {
      await host.runtime.createContainer(containerSpec(host, id, script, more));
      const state = await host.runtime.startContainer(id);
      if (state.status !== 'running') throw new Error(`it ended: ${JSON.stringify(state)}`);
    };

    it('says which program it is', () => {
      const [, info] = host.runtime.handlers();
      expect(info).toMatchObject({ name, path, version: expect.stringMatching(/\d/) });
      expect(host.runtime.missingHandlers()).toEqual([]);
    });

    it('goes on over a restart of the agent, which finds how it ended', async () => {
      await start('c1', 'trap "exit 9" TERM; echo up; while :; do sleep 0.1; done');
      const later = await host.reopen();
      expect(later.container('c1')).toMatchObject({ status: 'running' });
      await until(() => readLog(`${host.logDir}/c1.log`).length > 0);
      await using process = await later.exec('c1', execSpec('echo inside'));
      expect(await collect(process)).toMatchObject({ stdout: 'inside\n', exitCode: 0 });
      await later.kill('c1', 15);
      expect(await waitForExit(later, 'c1')).toMatchObject({ exitCode: 9 });
      await later.removeContainer('c1');
      expect(later.containers()).toEqual([]);
    });

    it('gives the main process and execs terminals', async () => {
      await start('c1', 'stty size; read line; echo "got $line"', { tty: true, stdin: true });
      const sized = execSpec('tty; stty size', {
        ...{ tty: true, terminalSize: { columns: 91, rows: 17 } },
      });
      const [, info] = host.runtime.handlers();
      if (info?.features.execTerminals === true) {
        await using exec = await host.runtime.exec('c1', sized);
        expect((await collect(exec)).stdout).toMatch(/^\/dev\/pts\/\d+\r\n17 91\r\n$/);
      } else await expect(host.runtime.exec('c1', sized)).rejects.toThrow('leave out --tty');
      await using main = await host.runtime.attach('c1', { endsStdin: false });
      await main.writeStdin(Buffer.from('hello\n'));
      expect((await collect(main)).stdout).toContain('got hello');
    });

    it('mounts volumes, and no sub path that leaves its own', async () => {
      const volume = join(host.dir, 'volume');
      mkdirSync(join(volume, 'sub'), { recursive: true });
      writeFileSync(join(volume, 'sub/file'), 'content');
      symlinkSync('/etc', join(volume, 'out'));
      const bind = { type: 'bind', source: volume, isReadOnly: false } as const;
      const mounts = [
        { ...bind, target: '/data' },
        { ...bind, target: '/ro', subPath: 'sub', isReadOnly: true },
        { type: 'tmpfs', target: '/scratch', sizeBytes: 1 << 20 },
      ] as const;
      const script = 'cat /ro/file; echo x > /data/made; echo x > /scratch/a; ! echo x > /ro/file';
      const { exit, stdout } = await runScript(host, script, { mounts });
      expect([exit.exitCode, stdout]).toEqual([0, 'content']);
      expect(readFileSync(join(volume, 'made'), 'utf8')).toBe('x\n');
      const leaving = containerSpec(host, 'c9', 'true', {
        mounts: [{ ...bind, target: '/out', subPath: 'out' }],
      });
      await expect(host.runtime.createContainer(leaving)).rejects.toThrow('leaves its volume');
      expect(host.runtime.container('c9')).toBeUndefined();
    });

    it('limits memory in the cgroup of the container, and tells who was killed for it', async () => {
      const script = 'head -c 300m /dev/zero | tail > /dev/null; exit 3';
      const { exit } = await runScript(host, script, {
        resources: { memoryLimitBytes: 128 << 20 },
      });
      expect(exit).toMatchObject({ exitCode: 137, oomKilled: true });
    });

    it('counts what its processes use where those of the sandbox are counted', async () => {
      await start('c1', 'exec sleep 1000');
      const { memoryBytes, pidsCount } = await host.runtime.stats('c1');
      expect(memoryBytes).toBeGreaterThan(0);
      expect(pidsCount).toBeGreaterThan(0);
      expect((await host.runtime.sandboxStats('box')).pidsCount).toBe(pidsCount);
    });

    it('ends a container whose supervisor or monitor is killed, and leaves nothing', async () => {
      await start('c1', 'exec sleep 1000');
      for (const pid of launcherProcesses(host.runDir)) process.kill(pid, 'SIGKILL');
      expect(await waitForExit(host.runtime, 'c1')).toMatchObject({ exitCode: 137 });
      await host.runtime.removeContainer('c1');
      await start('c1', 'true; exec sleep 1000');
      await host.runtime.removeSandbox('box');
      expect(readdirSync(join(host.runDir, 'oci', name))).toEqual([]);
      expect(readdirSync(join(host.runDir, 'containers'))).toEqual([]);
      const memory = join('/sys/fs/cgroup/memory', host.cgroupParent, 'box');
      expect(existsSync(memory)).toBe(false);
    });

    it('refuses what it does not support, in words', async () => {
      const shared = sandboxSpec('shared', { handler: name, sharesProcesses: true });
      await host.runtime.createSandbox(shared);
      const inside = containerSpec(host, 'c1', 'true', { sandboxId: 'shared' });
      await expect(host.runtime.createContainer(inside)).rejects.toThrow(
        `runtime handler "${name}" does not support shareProcessNamespace`,
      );
      expect(exitOf(host.runtime, 'c1')).toBeUndefined();
      expect(host.runtime.container('c1')).toBeUndefined();
    });
  });
}

describe('a handler that cannot be used', () => {
  const sandboxOf = (handler: string): SandboxSpec => sandboxSpec('box', { handler });

  it.each([
    ['absent', '/nowhere/runc', 'there is no program /nowhere/runc'],
    ['other', '/bin/busybox', 'busybox'],
    ['silent', '/bin/true', '/bin/true does not tell its version as runc does'],
  ])('is not there, and is told of: %s', async (name, path, reason) => {
    const host = await openRuntimeHost({ handlers: [{ name, path, flags: [] }] });
    try {
      expect(host.runtime.handlers().map((each) => each.name)).toEqual(['dhow']);
      expect(host.runtime.missingHandlers()).toEqual([
        { name, reason: expect.stringContaining(reason) },
      ]);
      await expect(host.runtime.createSandbox(sandboxOf(name))).rejects.toThrow(
        `no runtime handler "${name}": `,
      );
      await expect(host.runtime.createSandbox(sandboxOf('else'))).rejects.toThrow(
        'no runtime handler "else"',
      );
      expect(host.runtime.sandboxes()).toEqual([]);
    } finally {
      await host.close();
    }
  });
});
