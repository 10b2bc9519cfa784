import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';

import type { ContainerSpec, ExecSpec, SecuritySpec } from '../../runtime/container-runtime';
import {
  collect,
  containerSpec,
  execSpec,
  readLog,
  runToEnd,
  sandboxSpec,
} from '../../runtime/containers/runtime-suite';
import {
  layersWith,
  openRuntimeHost,
  processesNamed,
  runScript,
  type RuntimeHost,
  until,
} from './runtime-host';

/* What broke other container runtimes, each tried on ours; the numbers are those of the CVE lists. */

let host: RuntimeHost;

beforeEach(async () => {
  host = await openRuntimeHost();
  await host.runtime.createSandbox(sandboxSpec('box'));
});

afterEach(() => host.close());

const run = (script: string, more?: Partial<ContainerSpec>) => runScript(host, script, more);

const security = (more: Partial<SecuritySpec>): SecuritySpec => ({
  ...containerSpec(host, 'x', '').security,
  ...more,
});

const start = async (id: string, script: string, more: Partial<ContainerSpec> = {}) => {
  await host.runtime.createContainer(containerSpec(host, id, script, more));
  await host.runtime.startContainer(id);
};

const execIn = async (id: string, script: string, more: Partial<ExecSpec> = {}) =>
  collect(await host.runtime.exec(id, execSpec(script, more)));

/** Fails when it takes as long as only something stuck does. */
const inTime = async <T>(what: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('it is stuck')), 60_000);
  });
  try {
    return await Promise.race([what, late]);
  } finally {
    clearTimeout(timer);
  }
};

describe('the launcher, reached through /proc/self/exe (CVE-2019-5736)', () => {
  it('stays as it is whatever writes to it and whatever runs it', async () => {
    // Those that last: the launcher and the monitor.
    const digests = () =>
      new Set(
        (['dhow-launcher', 'dhow-monitor'] as const).flatMap((name) =>
          processesNamed(host, name).map((pid) => {
            const program = readFileSync(`/proc/${pid}/exe`);
            return createHash('sha256').update(program).digest('hex');
          }),
        ),
      );
    const loop = 'while :; do for p in /proc/[0-9]*; do echo x > $p/exe; done; done 2> /dev/null';
    await start(
      'main',
      `printf '#!/proc/self/exe\\n' > /x; chmod +x /x; (${loop}) & exec sleep 1000`,
      {
        security: security({ capabilities: ['SYS_PTRACE', 'DAC_OVERRIDE'] }),
      },
    );
    const before = digests();
    for (let i = 0; i < 20; i++) {
      for (const args of [['/proc/self/exe'], ['/x'], ['true']]) {
        // Whether it can be run is the container's affair.
        await host.runtime.exec('main', { ...execSpec(''), args }).then(collect, () => undefined);
      }
    }
    expect(before.size).toBe(1);
    expect(digests()).toEqual(before);
    const { process } = containerSpec(host, 'x', '');
    for (const args of [['/proc/self/exe'], ['/proc/self/exe', '/run']]) {
      await inTime(run('', { process: { ...process, args } }));
    }
    expect(digests()).toEqual(before);
  });
});

describe('a working directory behind a leaked descriptor (CVE-2024-21626)', () => {
  /** A launcher that was started with folders of the host open. */
  const openLeakyHost = async (): Promise<{ leaky: RuntimeHost; launcher: ChildProcess }> => {
    const leaky = await openRuntimeHost();
    const leak = openSync('/', 'r');
    const launcher = spawn(leaky.launcherPath, [leaky.runDir], {
      argv0: 'dhow-launcher',
      stdio: ['ignore', 'ignore', 'ignore', leak, leak, leak, leak],
      env: {},
      cwd: '/',
    });
    closeSync(leak);
    return { leaky, launcher };
  };

  it('is refused for every descriptor, to a container and to an exec', async () => {
    const { leaky, launcher } = await openLeakyHost();
    try {
      await until(() => existsSync(join(leaky.runDir, 'launcher.sock')));
      await leaky.runtime.createSandbox(sandboxSpec('box'));
      await leaky.runtime.createContainer(
        containerSpec(leaky, 'main', 'ln -s /proc/self/fd/5 /way; exec sleep 1000'),
      );
      await leaky.runtime.startContainer('main');
      const listed = await collect(
        await leaky.runtime.exec('main', execSpec('ls /proc/self/fd; ls /proc/1/fd')),
      );
      // Number 3 is ls reading the first folder.
      expect(listed.stdout.trimEnd().split('\n')).toEqual(['0', '1', '2', '3', '0', '1', '2']);
      for (let fd = 3; fd <= 12; fd++) {
        for (const cwd of [
          `/proc/self/fd/${fd}`,
          `/proc/self/fd/${fd}/..`,
          `/proc/1/fd/${fd}`,
          '/way',
        ]) {
          const exec = leaky.runtime.exec('main', execSpec('pwd', { cwd }));
          await expect(exec).rejects.toThrow(`working directory ${cwd}`);
        }
        const process = { ...containerSpec(leaky, 'x', 'pwd').process, cwd: `/proc/self/fd/${fd}` };
        const spec = containerSpec(leaky, `leak-${fd}`, '', { process });
        await expect(runToEnd(leaky.runtime, spec)).rejects.toThrow('working directory');
      }
    } finally {
      await leaky.close();
      launcher.kill('SIGKILL');
    }
  });
});

describe('a mount target that another container swaps for a link (CVE-2021-30465, CVE-2024-45310)', () => {
  /** More by hand: the race is won or lost in microseconds. */
  const starts = Number(process.env['TARGET_RACE_STARTS'] ?? 40);

  it(
    'is mounted on and made nowhere but inside the root',
    async () => {
      const secret = join(host.dir, 'secret');
      const volume = join(host.dir, 'volume');
      mkdirSync(join(secret, 'in'), { recursive: true });
      mkdirSync(join(volume, 'way/in'), { recursive: true });
      const up = '../../../../../../../../..';
      symlinkSync(`${up}${secret}`, join(volume, 'link'));
      const bind = { type: 'bind', source: volume, target: '/v', isReadOnly: false } as const;
      await start('flip', 'exec flip /v/way /v/link', {
        rootfs: { lowerDirs: layersWith(host, 'flip'), isReadOnly: false },
        mounts: [bind],
      });
      const mountpoints: string[] = [];
      for (let i = 0; i < starts; i++) {
        const target = i % 2 === 0 ? '/v/way/in' : `/v/way/new-${i}/deep`;
        const spec = containerSpec(host, `racer-${i}`, 'cut -d" " -f5 /proc/self/mountinfo', {
          mounts: [bind, { type: 'tmpfs', target }],
        });
        const made = await runToEnd(host.runtime, spec).catch((error: unknown) => String(error));
        if (typeof made === 'string') expect(made).toContain(`mount tmpfs on ${target}`);
        else mountpoints.push(readLog(spec.logPath).at(-1)!.text);
        await host.runtime.removeContainer(spec.id);
      }
      expect(host.runtime.containers()).toMatchObject([{ id: 'flip', status: 'running' }]);
      expect(readdirSync(secret)).toEqual(['in']);
      expect(readdirSync(join(secret, 'in'))).toEqual([]);
      expect(execFileSync('cut', ['-d ', '-f5', '/proc/self/mountinfo']).toString()).not.toContain(
        secret,
      );
      expect(mountpoints.length).toBeGreaterThan(0);
    },
    60_000 + starts * 300,
  );
});

describe('privileges that come in by the side', () => {
  it('are not inheritable, to an exec either (CVE-2022-24769)', async () => {
    await start('main', 'exec sleep 1000');
    for (const user of [0, 1000]) {
      const { stdout } = await execIn('main', 'grep -E "^Cap(Inh|Amb)" /proc/self/status', {
        user: { uid: user, gid: user, supplementalGids: [] },
      });
      expect(stdout.match(/\b0{16}\b/g)).toHaveLength(2);
    }
  });

  it('do not come with cgroups (CVE-2022-0492, CVE-2023-25809)', async () => {
    const { stdout, stderr } = await run(
      'mkdir /m; mount -t cgroup -o memory x /m && echo mounted; unshare -UrC true && echo unshared; ' +
        'for d in /sys/fs/cgroup /sys/fs/cgroup/*; do for f in release_agent notify_on_release cgroup.procs; do ' +
        '[ ! -e $d/$f ] || (echo 1 > $d/$f) && [ -e $d/$f ] && echo wrote $d/$f; done; done',
      {
        security: security({
          capabilities: ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'MKNOD', 'SYS_CHROOT', 'SETUID'],
          seccomp: { type: 'default' },
        }),
      },
    );
    expect(stdout).toBe('');
    expect(stderr).toMatch(/Read-only file system/);
  });

  it('do not wait at a socket that others can reach (CVE-2020-15257)', async () => {
    await host.runtime.createSandbox(sandboxSpec('host', { hostNetwork: true }));
    await start('main', 'exec sleep 1000');
    const { stdout } = await run('cat /proc/net/unix', { sandboxId: 'host' });
    expect(stdout).toContain('Path');
    expect(stdout).not.toMatch(/@.*(dhow|launcher|rt-)/);
    // Below a folder that anybody may enter.
    chmodSync(host.dir, 0o755);
    const sockets = execFileSync('find', [host.runDir, '-type', 's']).toString().trim().split('\n');
    expect(sockets.length).toBeGreaterThanOrEqual(2);
    for (const path of sockets) {
      const script = `require('node:net').connect(${JSON.stringify(path)}).on('error', (e) => { console.log(e.code); }).on('connect', () => { console.log('connected'); process.exit(); })`;
      const said = execFileSync(process.execPath, ['-e', script], { uid: 1000, gid: 1000 });
      expect(said.toString().trim()).toBe('EACCES');
    }
  });

  it('are not to be had from the layers of a container (CVE-2021-41103)', async () => {
    await run('cp /bin/busybox /suid; chmod 4755 /suid');
    chmodSync(host.dir, 0o755);
    const found = execFileSync('find', [host.stateDir, '-name', 'suid']).toString().trim();
    expect(found).not.toBe('');
    const reach = () => execFileSync('/usr/bin/test', ['-e', found], { uid: 1000, gid: 1000 });
    expect(reach).toThrow();
  });
});

describe('an exec', () => {
  it('says so when the limit of processes is reached, and is never stuck', async () => {
    const fill = 'i=0; while [ $i -lt 11 ]; do sleep 1000 & i=$((i+1)); done; exec sleep 1000';
    await start('full', fill, { resources: { pidsLimit: 12 } });
    await start('bomb', 'f() { f | f & f; }; f; exec sleep 1000', { resources: { pidsLimit: 12 } });
    await until(async () => (await host.runtime.stats('full')).pidsCount >= 12);
    for (let i = 0; i < 10; i++) {
      const outcomes = await inTime(
        Promise.allSettled(['full', 'bomb'].map((id) => execIn(id, 'true'))),
      );
      expect(outcomes[0]).toMatchObject({
        status: 'rejected',
        reason: { message: expect.stringContaining('the limit of processes is reached') },
      });
    }
    await inTime(host.runtime.removeContainer('full'));
    await inTime(host.runtime.removeContainer('bomb'));
  });

  it('needs nothing of a /proc or a root that was covered', async () => {
    const privileged = { security: security({ privileged: true }) };
    const covered = 'mount -t tmpfs x /proc; mkdir /t; mount -t tmpfs x /t';
    await start('proc', `${covered}; touch /ready; exec sleep 1000`, privileged);
    const wait = 'until [ -e /ready ]; do usleep 10000; done';
    expect(await inTime(execIn('proc', `${wait}; ls /proc; echo ok`))).toMatchObject({
      stdout: 'ok\n',
      exitCode: 0,
    });
    const terminal = await inTime(execIn('proc', '[ -t 0 ] && echo ok', { tty: true }));
    expect(terminal.stdout.trim()).toBe('ok');
    await start('root', 'mount -t tmpfs x /; exec sleep 1000', privileged);
    let said = '';
    await until(async () => {
      said = await execIn('root', 'true').then(() => '', String);
      return said !== '';
    });
    expect(said).toMatch(/executable file not found|no such file/);
  });

  it('ends, and leaves nothing outside, when the container stops or kills what tells of it', async () => {
    await start('main', 'exec sleep 1000');
    const [gone, late, killed] = await Promise.all([
      execIn('main', 'kill -STOP $PPID; exit 5'),
      execIn('main', 'kill -STOP $PPID; exec sleep 1000', { timeoutMs: 300 }),
      execIn('main', 'kill -KILL $PPID; exec sleep 1000'),
    ]);
    expect(gone).toMatchObject({ exitCode: 137 });
    expect(late).toMatchObject({ exitCode: 137, timedOut: true });
    expect(killed).toMatchObject({ exitCode: 137 });
    await until(() => processesNamed(host, 'dhow-execmon').length === 0);
  });

  it('ends with the kill of its whole group, also of what became another user', async () => {
    await start('main', 'cp /bin/busybox /bin/su-box; chmod 4755 /bin/su-box; exec sleep 1000', {
      security: security({ noNewPrivileges: false, capabilities: ['SETUID', 'CHOWN'] }),
    });
    const user = { uid: 1000, gid: 1000, supplementalGids: [] };
    const script =
      'until [ -u /bin/su-box ]; do usleep 10000; done; /bin/su-box sleep 888 & sleep 888';
    const output = await inTime(execIn('main', script, { user, timeoutMs: 400 }));
    expect(output).toMatchObject({ exitCode: 137, timedOut: true });
    const { stdout } = await execIn('main', 'ps');
    expect(stdout).not.toContain('888');
  });
});

describe('many at once', () => {
  it('start, run, change and end together (runc 1884, gVisor 7999)', async () => {
    const ids = Array.from({ length: 32 }, (_none, index) => `many-${index}`);
    const one = async (id: string) => {
      await start(id, 'exec sleep 1000', {
        resources: { memoryLimitBytes: 32 << 20, cpuShares: 64 },
      });
      const execs = await Promise.all([execIn(id, 'exit 4'), execIn(id, 'exit 5')]);
      await host.runtime.updateResources(id, { memoryLimitBytes: 48 << 20, cpuShares: 128 });
      // The removal kills, and freezes who comes meanwhile.
      await host.runtime.removeContainer(id);
      return execs.map(({ exitCode }) => exitCode);
    };
    const all = await Promise.all(ids.map((id) => one(id)));
    expect(all).toEqual(ids.map(() => [4, 5]));
    expect(host.runtime.containers()).toEqual([]);
  });
});
