import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { ContainerSpec, SecuritySpec } from '../../runtime/container-runtime';
import {
  collect,
  containerSpec,
  execSpec,
  readLog,
  runToEnd,
  sandboxSpec,
} from '../../runtime/containers/runtime-suite';
import {
  asUser,
  buildLauncher,
  layersWith,
  openRuntimeHost,
  runScript,
  type RuntimeHost,
} from './runtime-host';

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

describe('namespaces', () => {
  it('makes the process the first of its own pid namespace', async () => {
    const { stdout } = await run('echo $$; ls -d /proc/[0-9]*; hostname');
    expect(stdout.split('\n')).toEqual(['1', '/proc/1', 'box']);
  });

  it('shares net, ipc, uts and /dev/shm in a sandbox, not the rest', async () => {
    const links = 'for n in net ipc uts mnt pid cgroup; do readlink /proc/self/ns/$n; done';
    const first = (await run(`${links}; echo x > /dev/shm/shared`)).stdout.split('\n');
    const second = (await run(`${links}; cat /dev/shm/shared`)).stdout.split('\n');
    expect(second.slice(0, 3)).toEqual(first.slice(0, 3));
    const own = ['net', 'ipc', 'uts', 'mnt', 'pid', 'cgroup'];
    own.forEach((name, index) => {
      expect(first[index]).not.toBe(readlinkSync(`/proc/self/ns/${name}`));
    });
    expect(second.at(-1)).toBe('x');
    const netns = statSync(host.runtime.sandboxes()[0]!.netnsPath!).ino;
    expect(first[0]).toBe(`net:[${netns}]`);
  });

  it('sets sysctls of the sandbox and refuses those of the host', async () => {
    const before = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    await host.runtime.createSandbox(
      sandboxSpec('tuned', { sysctls: { 'net.ipv4.ip_local_port_range': '2000 3000' } }),
    );
    const { stdout } = await run('cat /proc/sys/net/ipv4/ip_local_port_range', {
      sandboxId: 'tuned',
    });
    expect(stdout.split(/\s+/)).toEqual(['2000', '3000']);
    expect(readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8')).toBe(before);
    await expect(
      host.runtime.createSandbox(sandboxSpec('bad', { sysctls: { 'vm.swappiness': '1' } })),
    ).rejects.toThrow('vm.swappiness');
    const onHost = { hostNetwork: true, sysctls: { 'net.ipv4.ip_local_port_range': '1 2' } };
    await expect(host.runtime.createSandbox(sandboxSpec('bad', onHost))).rejects.toThrow('sysctl');
    await host.runtime.removeSandbox('tuned');
  });
});

/** As an agent has it that somebody runs in a folder of its machine: `/` is not where the mounts begin. */
const chrootedLauncher = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'chroot-'));
  folders.push(dir);
  mkdirSync(join(dir, 'root'));
  const path = join(dir, 'launcher');
  const start = `exec -a dhow-launcher '${buildLauncher()}' "$@"`;
  const lines = [
    ...['#!/bin/bash', 'export PATH=/usr/sbin:/usr/bin:/sbin:/bin'],
    `[ "$IS_IN" ] || IS_IN=1 exec unshare --mount --propagation shared "$0" "$@"`,
    `mount --rbind / '${dir}/root'`,
    `exec chroot '${dir}/root' bash -c '${start.replaceAll("'", `'\\''`)}' sh "$@"`,
  ];
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o755 });
  return path;
};
const folders: string[] = [];

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

describe('the root file system', () => {
  it('is all there is, for an exec too, when the launcher lives under chroot', async () => {
    await host.close();
    host = await openRuntimeHost({ launcherPath: chrootedLauncher() });
    await host.runtime.createSandbox(sandboxSpec('box'));
    const spec = containerSpec(host, 'caged', 'exec sleep 1000');
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('caged');
    const looked = await collect(
      await host.runtime.exec('caged', execSpec('ls -1 /; ls -1 /proc/1/root/')),
    );
    const seen = (await run('ls -1 /')).stdout.split('\n');
    expect(looked.stdout.trim().split('\n')).toEqual([...seen, ...seen]);
  });

  it('keeps writes in the container', async () => {
    const { stdout } = await run('echo x > /etc/new; cat /etc/new; ls /dev');
    expect(stdout.split('\n')).toEqual(
      expect.arrayContaining(['x', 'fd', 'null', 'ptmx', 'pts', 'shm', 'stdin', 'tty', 'zero']),
    );
    expect(existsSync(join(host.lowerDirs[0]!, 'etc/new'))).toBe(false);
  });

  it('is read-only when asked to be, with a working directory made for its user', async () => {
    const { stdout, stderr, exit } = await run('', {
      rootfs: { lowerDirs: host.lowerDirs, isReadOnly: true },
      process: asUser(
        2345,
        ['sh', '-c', 'stat -c %u .; touch /etc/x; echo > /dev/null'],
        '/srv/a/b',
      ),
    });
    expect(stdout).toBe('2345');
    expect(stderr).toContain('Read-only file system');
    expect(exit.exitCode).toBe(0);
  });

  it('lets root into a private working directory, and names the user it keeps out', async () => {
    const prepare = 'mkdir -p /opt/p; chown 1000 /opt/p; chmod 700 /opt/p';
    const spec = containerSpec(host, 'keep', `${prepare}; echo ready; exec sleep 1000`);
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('keep');
    const waited = await host.runtime.exec(
      'keep',
      execSpec('until [ -d /opt/p ]; do :; done; usleep 50000'),
    );
    await collect(waited);
    const asRoot = await host.runtime.exec('keep', execSpec('pwd', { cwd: '/opt/p' }));
    expect(await collect(asRoot)).toMatchObject({ stdout: '/opt/p\n', exitCode: 0 });
    const user = { uid: 7777, gid: 7777, supplementalGids: [] };
    await expect(
      host.runtime.exec('keep', execSpec('pwd', { cwd: '/opt/p', user })),
    ).rejects.toThrow('cannot enter working directory /opt/p as uid 7777');
  });

  it('is made, but does not start, where its user may not be', async () => {
    const image = join(host.dir, 'image');
    mkdirSync(join(image, 'private'), { recursive: true, mode: 0o700 });
    const spec = containerSpec(host, 'shut', '', {
      rootfs: { lowerDirs: [image, ...host.lowerDirs], isReadOnly: false },
      process: asUser(7777, ['true'], '/private'),
    });
    expect(await host.runtime.createContainer(spec)).toMatchObject({ status: 'created' });
    expect(await host.runtime.startContainer('shut')).toMatchObject({
      status: 'exited',
      exit: {
        exitCode: 128,
        startError: expect.stringContaining('working directory /private as uid 7777'),
      },
    });
  });

  it.each(['/proc/self/fd/3', '/proc/self/fd/9'])(
    'refuses %s as working directory',
    async (cwd) => {
      const process = { ...containerSpec(host, 'x', 'pwd').process, cwd };
      const spec = containerSpec(host, 'leak', '', { process });
      await expect(runToEnd(host.runtime, spec)).rejects.toThrow('working directory');
    },
  );

  it('masks and protects what /proc tells and changes of the host', async () => {
    const { stdout, stderr } = await run(
      'wc -c < /proc/interrupts; echo 1 > /proc/sys/kernel/panic; ' +
        'touch /sys/x; chmod 0 /proc/interrupts; ls /sys/firmware',
    );
    expect(stdout.split('\n')[0]).toBe('0');
    expect(stderr.match(/Read-only file system/g)).toHaveLength(3);
    expect(statSync('/dev/null').mode & 0o777).toBe(0o666);
  });

  it('shows its own cgroup only, read-only', async () => {
    const { stdout, stderr } = await run(
      'cat /proc/self/cgroup; cd /sys/fs/cgroup; [ ! -d memory ] || cd memory; ' +
        'head -n 1 cgroup.procs; echo 1 > cgroup.procs',
    );
    expect(stdout).toMatch(/^\d+:(.*,)?memory(,.*)?:\/$|^0::\/$/m);
    expect(stdout).toMatch(/^1$/m);
    expect(stdout).not.toContain('dhow-test');
    expect(stderr).toContain('Read-only file system');
  });

  it('refuses an image whose /proc or /dev is a link', async () => {
    const evil = join(host.dir, 'evil');
    mkdirSync(join(evil, 'top'), { recursive: true });
    symlinkSync('/tmp', join(evil, 'proc'));
    const spec = containerSpec(host, 'evil', 'true', {
      rootfs: { lowerDirs: [evil, ...host.lowerDirs], isReadOnly: false },
    });
    await expect(host.runtime.createContainer(spec)).rejects.toThrow('proc');
    expect(host.runtime.containers()).toEqual([]);
  });
});

describe('privileges', () => {
  const status = 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status';

  it('gives exactly the capabilities asked for, none of them inheritable', async () => {
    const { stdout } = await run(status, {
      security: security({ capabilities: ['CHOWN', 'KILL'] }),
    });
    const mask = '0000000000000021';
    const none = '0000000000000000';
    expect(stdout.replaceAll(/\t+/g, ' ').split('\n')).toEqual([
      `CapInh: ${none}`,
      `CapPrm: ${mask}`,
      `CapEff: ${mask}`,
      `CapBnd: ${mask}`,
      `CapAmb: ${none}`,
      'NoNewPrivs: 1',
      'Seccomp: 0',
    ]);
  });

  it('gives a user none of them, the groups asked for, and a home', async () => {
    const process = asUser(1000, ['sh', '-c', `${status}; id; echo $HOME; echo hi > /dev/stderr`]);
    const { stdout, stderr } = await run('', { process });
    expect(stdout).toMatch(/CapEff:\s+0000000000000000/);
    expect(stdout).toContain('uid=1000 gid=1000 groups=500');
    expect(stdout).toMatch(/\/$/);
    expect(stderr).toBe('hi');
  });

  it('loads the default filter for init and exec', async () => {
    const spec = containerSpec(
      host,
      'filtered',
      'grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp; exec sleep 1000',
      { security: security({ seccomp: { type: 'default' }, capabilities: ['CHOWN'] }) },
    );
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('filtered');
    const script = 'grep Seccomp: /proc/self/status; mount -t tmpfs x /tmp; unshare -U true';
    const output = await collect(await host.runtime.exec('filtered', execSpec(script)));
    expect(output.stdout).toMatch(/Seccomp:\s+2/);
    expect(output.stderr.match(/[Oo]peration not permitted|permission denied/g)).toHaveLength(2);
  });

  it('loads a filter without no_new_privs', async () => {
    const { stdout } = await run(status, {
      security: security({ seccomp: { type: 'default' }, noNewPrivileges: false }),
    });
    expect(stdout).toMatch(/NoNewPrivs:\s+0\nSeccomp:\s+2/);
  });

  it('gives a privileged container everything the host has', async () => {
    const { stdout } = await run(
      `${status}; mkdir /m; mount -t tmpfs x /m && echo mounted; echo 1 > /proc/sys/net/ipv4/ip_forward && echo set; ls /dev`,
      { security: security({ privileged: true }) },
    );
    const own = /^CapBnd:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
    expect(stdout).toMatch(new RegExp(`CapEff:\\s+${own!}`));
    expect(stdout).toContain('mounted\nset');
    expect(stdout.split('\n').length).toBeGreaterThan(30);
  });

  it('lets a container make no use of the host disk', async () => {
    const { stderr } = await run(
      'for d in / /dev /v; do mknod $d/disk b 254 0; head -c 1 $d/disk; done',
      { mounts: [{ type: 'bind', source: host.logDir, target: '/v', isReadOnly: false }] },
    );
    // By number in /dev; elsewhere no device file works at all.
    expect(stderr.match(/Operation not permitted|Permission denied/g)).toHaveLength(3);
  });

  it('opens no descriptor but the three, and resets signals', async () => {
    const base = containerSpec(host, 'x', '');
    const list = ['ls', '/proc/self/fd'];
    // Number 3 is ls reading the folder.
    const { stdout } = await run('', { process: { ...base.process, args: list } });
    expect(stdout.split('\n')).toEqual(['0', '1', '2', '3']);
    const grep = ['grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status'];
    const signals = await run('', { process: { ...base.process, args: grep } });
    expect(signals.stdout).toBe('SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000');
  });

  it('runs monitors from memory that nobody can write', async () => {
    await host.runtime.createContainer(containerSpec(host, 'c', 'exec sleep 1000'));
    const pids = readdirSync('/proc').filter((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8') === `dhow-launcher\0${host.runDir}\0`;
      } catch {
        return false;
      }
    });
    expect(pids.length).toBeGreaterThanOrEqual(2);
    for (const pid of pids) {
      expect(() => writeFileSync(`/proc/${pid}/exe`, 'x')).toThrow(/ETXTBSY|EPERM/);
    }
  });
});

describe('session keyrings', () => {
  it('are one for each container and its execs, and none of the host', async () => {
    const name = `dhow-test-${process.pid}`;
    const lowerDirs = layersWith(host, 'keyring');
    for (const id of ['one', 'two']) {
      const spec = containerSpec(
        host,
        id,
        `[ ${id} = two ] || keyring add ${name}; exec sleep 1000`,
        {
          rootfs: { lowerDirs, isReadOnly: false },
        },
      );
      await host.runtime.createContainer(spec);
      await host.runtime.startContainer(id);
    }
    const find = `keyring find ${name}`;
    const look = async (id: string, uid: number) => {
      const user = { uid, gid: uid, supplementalGids: [] };
      // The first container may still be about to add it.
      const script = `i=0; until ${find} | grep -q found || [ ${id} = two ] || [ $((i+=1)) = 500 ]; do usleep 10000; done; ${find}`;
      const { stdout } = await collect(await host.runtime.exec(id, execSpec(script, { user })));
      return stdout.trim().split('\n');
    };
    const seen = [await look('one', 0), await look('one', 1000), await look('two', 0)];
    const onHost = execFileSync(join(lowerDirs[0]!, 'bin/keyring'), ['find', name]).toString();
    seen.push(onHost.trim().split('\n'));
    const missing = 'Required key not available';
    expect(seen.map(([, outcome]) => outcome)).toEqual(['found', 'found', missing, missing]);
    const [one, again, two, own] = seen.map(([keyring]) => keyring);
    expect(again).toBe(one);
    expect(new Set([one, two, own]).size).toBe(3);
  });
});

describe('limits and ends', () => {
  it('tells out of memory from exit code 137', async () => {
    const resources = { memoryLimitBytes: 32 << 20 };
    const oom = await run('exec tail /dev/zero', { resources });
    expect(oom.exit).toMatchObject({ exitCode: 137, signalNumber: 9, oomKilled: true });
    const plain = await run('exit 137', { resources });
    expect(plain.exit).toMatchObject({ exitCode: 137, oomKilled: false });
  });

  it('ends the whole container when a child is out of memory, and says so', async () => {
    const done = new AbortController();
    const events = host.runtime.events(done.signal);
    const { exit } = await run('tail /dev/zero; sleep 1000', {
      resources: { memoryLimitBytes: 32 << 20 },
    });
    expect(exit).toMatchObject({ exitCode: 137, oomKilled: true });
    const types: string[] = [];
    for await (const event of events) {
      types.push(event.type);
      if (event.type === 'exit') break;
    }
    done.abort();
    expect(types).toEqual(['oom', 'exit']);
  });

  it('removes what lies deeper than a path can say', async () => {
    const { exit } = await run(
      'n=$(printf "%0100d" 0); i=0; while [ $i -lt 60 ]; do mkdir $n && cd -P $n; i=$((i+1)); done',
    );
    expect(exit.exitCode).toBe(0);
    await host.runtime.removeSandbox('box');
    expect(readdirSync(join(host.stateDir, 'containers'))).toEqual([]);
  });

  it('removes a container that is just being made, which then fails', async () => {
    const good = containerSpec(host, 'good', 'exec sleep 1000');
    const bad = { ...good, id: 'bad', rootfs: { lowerDirs: ['/missing'], isReadOnly: false } };
    const making = [good, bad].map((spec) => host.runtime.createContainer(spec));
    const outcomes = Promise.allSettled(making);
    await Promise.all(['good', 'bad'].map((id) => host.runtime.removeContainer(id)));
    expect(await outcomes).toMatchObject([
      { reason: { step: 'create', message: 'container "good" is being removed' } },
      { status: 'rejected' },
    ]);
    expect(host.runtime.containers()).toEqual([]);
    expect(readdirSync(join(host.stateDir, 'containers'))).toEqual([]);
  });

  it('holds a fork bomb to its limit and removes it', async () => {
    const spec = containerSpec(host, 'bomb', 'f() { f | f & f; }; f; exec sleep 1000', {
      resources: { pidsLimit: 40 },
    });
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('bomb');
    const { pidsCount } = await host.runtime.stats('bomb');
    expect(pidsCount).toBeLessThanOrEqual(40);
    await host.runtime.removeContainer('bomb');
    expect(existsSync(`/sys/fs/cgroup/pids/${host.cgroupParent}/box/bomb`)).toBe(false);
  });

  it('kills what a container on the host pid namespace leaves behind', async () => {
    const { exit } = await run('(setsid sleep 4321 &) ; exit 3', { hostPid: true });
    expect(exit.exitCode).toBe(3);
    const left = execFileSync('ps', ['ax', '-o', 'args']).toString();
    expect(left).not.toContain('sleep 4321');
  });

  it('cuts long lines into parts and marks an unfinished last one', async () => {
    const spec = containerSpec(
      host,
      'lines',
      'head -c 40000 /dev/zero | tr "\\0" a; echo; printf tail',
    );
    await runToEnd(host.runtime, spec);
    const lines = readLog(spec.logPath);
    expect(lines.map(({ isPartial, text }) => [isPartial, text.length])).toEqual([
      [true, 16384],
      [true, 16384],
      [false, 7232],
      [true, 4],
    ]);
    expect(lines[0]!.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
  });
});

describe('exec', () => {
  beforeEach(async () => {
    await host.runtime.createContainer(containerSpec(host, 'main', 'exec sleep 1000'));
    await host.runtime.startContainer('main');
  });

  it('has the terminal at its size from the first read on, and passes resizes on', async () => {
    const terminalSize = { columns: 119, rows: 37 };
    const exec = execSpec('stty size; read line; stty size', {
      tty: true,
      stdin: true,
      terminalSize,
    });
    await using process = await host.runtime.exec('main', exec);
    process.resize(80, 24);
    // The first size may be either; what counts is never 0 0.
    await process.writeStdin(Buffer.from('\n'));
    const { stdout } = await collect(process);
    expect(stdout).toMatch(/^\s*(37 119|24 80)\r\n/);
    expect(stdout).toMatch(/24 80\r\n$/);
    const still = await host.runtime.exec(
      'main',
      execSpec('stty size', { tty: true, terminalSize }),
    );
    expect((await collect(still)).stdout).toBe('37 119\r\n');
  });

  it('leaves neither processes nor zombies behind a timeout', async () => {
    for (let i = 0; i < 5; i++) {
      const exec = execSpec('sleep 900 & sleep 900', { timeoutMs: 30 });
      const output = await collect(await host.runtime.exec('main', exec));
      expect(output).toMatchObject({ exitCode: 137, timedOut: true });
    }
    const { stdout } = await collect(await host.runtime.exec('main', execSpec('ps')));
    expect(stdout).not.toContain('sleep 900');
    expect(stdout.match(/\[?sleep\]?/g)).toHaveLength(1);
  });

  it('kills its process when the reader goes away', async () => {
    const process = await host.runtime.exec('main', execSpec('echo up; sleep 777'));
    for await (const piece of process.output) if (piece.stream === 'stdout') break;
    await process[Symbol.asyncDispose]();
    const check = execSpec(
      'i=0; while ps | grep -q "[s]leep 777"; do usleep 10000; done; echo gone',
    );
    expect((await collect(await host.runtime.exec('main', check))).stdout).toBe('gone\n');
  });

  it('carries many bytes both ways without loss', async () => {
    await using process = await host.runtime.exec('main', execSpec('cat', { stdin: true }));
    const piece = Buffer.alloc(1 << 20, 'abcdefgh');
    const sending = (async () => {
      for (let i = 0; i < 8; i++) await process.writeStdin(piece);
      process.closeStdin();
    })();
    const { stdout, exitCode } = await collect(process);
    await sending;
    expect({ length: stdout.length, exitCode }).toEqual({ length: 8 << 20, exitCode: 0 });
  });

  it('adds to the environment and says what cannot be run', async () => {
    const exec = execSpec('echo $A $PATH', { env: ['A=1'] });
    expect((await collect(await host.runtime.exec('main', exec))).stdout).toBe('1 /bin:/usr/bin\n');
    await expect(host.runtime.exec('main', { ...exec, args: ['nope'] })).rejects.toThrow(
      'exec: "nope": executable file not found in $PATH',
    );
  });

  it('joins the cgroup of the container', async () => {
    const before = await host.runtime.stats('main');
    expect(before).toMatchObject({ pidsCount: 1 });
    expect(before.memoryBytes).toBeGreaterThan(0);
    await using process = await host.runtime.exec('main', execSpec('echo up; sleep 1000'));
    for await (const piece of process.output) if (piece.stream === 'stdout') break;
    expect((await host.runtime.stats('main')).pidsCount).toBeGreaterThan(2);
  });
});

describe('terminals of the main process', () => {
  it('reads and writes /dev/console through attach', async () => {
    const spec = containerSpec(
      host,
      'term',
      'tty; read line; echo "got $line"; echo c > /dev/console',
      {
        tty: true,
        stdin: true,
      },
    );
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('term');
    await using process = await host.runtime.attach('term', { endsStdin: false });
    await process.writeStdin(Buffer.from('hello\n'));
    const { stdout, exitCode } = await collect(process);
    expect(stdout).toContain('got hello\r\n');
    expect(exitCode).toBe(0);
    // The echo of what was typed may come before the first output.
    const logged = readLog(spec.logPath).map(({ text }) => text.trim());
    expect(logged.slice(-2)).toEqual(['got hello', 'c']);
    expect(logged.slice(0, 2).sort()).toEqual(['/dev/pts/0', 'hello']);
  });
});
