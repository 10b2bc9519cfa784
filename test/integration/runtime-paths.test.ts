import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';

import type { ContainerSpec, MountSpec } from '../../runtime/container-runtime';
import {
  collect,
  containerSpec,
  execSpec,
  readLog,
  runToEnd,
  sandboxSpec,
} from '../../runtime/containers/runtime-suite';
import { openRuntimeHost, runScript, type RuntimeHost } from './runtime-host';

let host: RuntimeHost;

beforeEach(async () => {
  host = await openRuntimeHost();
  await host.runtime.createSandbox(sandboxSpec('box'));
});

afterEach(() => host.close());

const run = (script: string, more?: Partial<ContainerSpec>) => runScript(host, script, more);

/** A folder of the host that stands for a volume. */
const volume = (): string => mkdtempSync(join(host.dir, 'volume-'));

const bind = (target: string, source: string) =>
  ({
    type: 'bind',
    source,
    target,
    isReadOnly: false,
  }) satisfies MountSpec;

/** An image with `fill` applied to its topmost layer. */
const image = (fill: (layer: string) => void): Pick<ContainerSpec, 'rootfs'> => {
  const layer = mkdtempSync(join(host.dir, 'image-'));
  fill(layer);
  return { rootfs: { lowerDirs: [layer, ...host.lowerDirs], isReadOnly: false } };
};

describe('a terminal', () => {
  /** What an earlier container of the pod may leave in a volume that is mounted at /dev/pts. */
  const hostile = (pts: string): void => {
    symlinkSync('/../dev/pts/ptmx', join(pts, 'ptmx'));
    for (let i = 0; i < 200; i++) symlinkSync('/..', join(pts, String(i)));
  };

  it('leads nowhere outside when volumes cover /dev/pts and /dev/console', async () => {
    const [pts, console] = [volume(), volume()];
    hostile(pts);
    const { stdout, exit } = await run(
      `[ -t 0 ] && echo terminal; ls -d /dev/console${host.dir}; echo > /dev/console/made; exit 3`,
      { tty: true, mounts: [bind('/dev/pts', pts), bind('/dev/console', console)] },
    );
    expect(exit.exitCode).toBe(3);
    expect(stdout).toContain('terminal');
    expect(stdout).toMatch(/ls: .*No such file/);
    expect(existsSync(join(console, 'made'))).toBe(true);
  });

  it.each(['/dev', '/dev/pts', '/dev/console'])(
    'is the one that was made for the container when a volume covers %s',
    async (target) => {
      const covering = volume();
      hostile(covering);
      const { stdout } = await run('[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo terminal', {
        tty: true,
        mounts: [bind(target, covering)],
      });
      expect(stdout.trim()).toBe('terminal');
    },
  );

  it('is refused to an exec, in words and at once, where the container has put something else', async () => {
    for (const make of ['ln -s /../dev/pts/ptmx', 'mkfifo', 'mkdir']) {
      const script = `${make} /v/ptmx; echo ready; exec sleep 1000`;
      const mounts = [bind('/v', volume())];
      const id = `covered-${make.replaceAll(/[^a-z]/g, '')}`;
      const spec = containerSpec(host, id, script, {
        mounts: [...mounts, ...mounts.map((mount) => ({ ...mount, target: '/dev/pts' }))],
      });
      await host.runtime.createContainer(spec);
      await host.runtime.startContainer(id);
      await collect(
        await host.runtime.exec(id, execSpec('until [ -e /v/ptmx -o -h /v/ptmx ]; do :; done')),
      );
      await expect(host.runtime.exec(id, execSpec('true', { tty: true }))).rejects.toThrow(
        '/dev/pts/ptmx',
      );
    }
  });
});

/** Every kind of thing that may lie where a file is looked for. */
const KINDS: Readonly<Record<string, (path: string) => void>> = {
  fifo: (path) => execFileSync('mkfifo', [path]),
  socket: (path) => makeSocket(path),
  device: (path) => execFileSync('mknod', [path, 'c', '5', '1']),
  'huge sparse file': (path) => {
    writeFileSync(path, '');
    truncateSync(path, 2 ** 40);
  },
  folder: (path) => mkdirSync(path),
  'dangling link': (path) => symlinkSync('/nowhere/at/all', path),
  'link to itself': (path) => symlinkSync(basename(path), path),
  'link to a loop': (path) => {
    symlinkSync(`${basename(path)}-2`, `${path}-1`);
    symlinkSync(`${basename(path)}-1`, `${path}-2`);
    symlinkSync(`${basename(path)}-1/x`, path);
  },
};

/** Leaves the socket's file behind. */
const makeSocket = (path: string): void => {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
  try {
    execFileSync(process.execPath, ['-e', script]);
  } catch {
    // Killed, so that it does not unlink the socket.
  }
};

let counter = 0;

/** Far more than a start takes on a busy machine, far less than for ever. */
const DEADLINE_MS = 10_000;

describe.each(Object.keys(KINDS))('where a file is looked for and a %s lies', (kind) => {
  const place = (layer: string, path: string): void => {
    mkdirSync(dirname(join(layer, path)), { recursive: true });
    KINDS[kind]!(join(layer, path));
  };

  /** Runs it to its end, or tells why it could not be run; fails when neither comes in time. */
  const outcomeOf = async (more: Partial<ContainerSpec>): Promise<string> => {
    const id = `c${String(counter++)}`;
    const spec = containerSpec(host, id, 'echo "home=$HOME"', more);
    const ends = runToEnd(host.runtime, spec).then(
      (exit) =>
        exit.startError ??
        readLog(spec.logPath)
          .map(({ text }) => text)
          .join(),
      (error: unknown) => String(error),
    );
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`${id} is stuck`)), DEADLINE_MS);
    });
    try {
      return await Promise.race([ends, late]);
    } finally {
      clearTimeout(timer);
      await host.runtime.removeContainer(id);
    }
  };

  it('starts without a user database that can be read', async () => {
    for (const path of ['etc/passwd', 'etc/group']) {
      const more = image((layer) => place(layer, path));
      expect(await outcomeOf(more)).toBe('home=/');
    }
  });

  it('runs an exec beside such a user database in a volume', async () => {
    const etc = volume();
    place(etc, 'passwd');
    const spec = containerSpec(host, 'main', 'exec sleep 1000', { mounts: [bind('/etc', etc)] });
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('main');
    const user = { uid: 1000, gid: 1000, supplementalGids: [] };
    for (const more of [{}, { user }]) {
      const { stdout } = await collect(
        await host.runtime.exec('main', execSpec('echo $HOME', more)),
      );
      expect(stdout).toBe('/\n');
    }
  });

  it('makes it a working directory, or says why it cannot be', async () => {
    const more = image((layer) => place(layer, 'work'));
    const process = { ...containerSpec(host, 'c', 'echo "home=$HOME"').process, cwd: '/work' };
    const outcome = await outcomeOf({ ...more, process });
    if (kind === 'folder' || kind === 'dangling link') expect(outcome).toBe('home=/');
    else expect(outcome).toMatch(/working directory \/work.*(not a directory|symbolic link)/);
    const spec = containerSpec(host, 'main', 'exec sleep 1000', more);
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer('main');
    const entering = host.runtime.exec('main', execSpec('true', { cwd: '/work' }));
    if (kind === 'folder') await entering;
    else await expect(entering).rejects.toThrow('working directory /work');
  });

  it('mounts a file over it, or says why it cannot', async () => {
    const source = join(volume(), 'file');
    writeFileSync(source, 'nameserver 10.0.0.1\n');
    for (const target of ['/etc/resolv.conf', '/etc/hosts', '/srv/x', '/dev/log']) {
      const more = image((layer) => place(layer, target));
      const script = { args: ['cat', target], env: ['PATH=/bin'], cwd: '/' };
      const process = { ...script, user: { uid: 0, gid: 0, supplementalGids: [] } };
      const outcome = await outcomeOf({ ...more, process, mounts: [bind(target, source)] });
      const isRefused = target !== '/dev/log' && /folder|link to/.test(kind);
      if (isRefused) expect(outcome).toMatch(new RegExp(`bind .* on ${target}: `));
      else expect(outcome).toBe('nameserver 10.0.0.1');
    }
  });

  it('mounts a folder over it, or says why it cannot', async () => {
    const more = image((layer) => place(layer, 'srv/x'));
    const outcome = await outcomeOf({ ...more, mounts: [bind('/srv/x', volume())] });
    if (kind === 'folder' || kind === 'dangling link') expect(outcome).toBe('home=/');
    else expect(outcome).toMatch(/bind .* on \/srv\/x: /);
  });

  it('covers it in /dev', async () => {
    const more = image((layer) => {
      for (const name of ['null', 'ptmx', 'console', 'pts', 'shm', 'fd']) {
        place(layer, `dev/${name}`);
      }
    });
    expect(await outcomeOf({ ...more, tty: true })).toMatch(/^home=\/\s*$/);
  });

  it('says that it cannot be run', async () => {
    const more = image((layer) => place(layer, 'entry'));
    const { process } = containerSpec(host, 'c', '');
    const outcome = await outcomeOf({ ...more, process: { ...process, args: ['/entry'] } });
    expect(outcome).toMatch(/exec: "\/entry": /);
  });

  it('binds it as a sub path, or says why it cannot', async () => {
    const base = volume();
    place(base, 'sub');
    const outcome = await outcomeOf({ mounts: [{ ...bind('/srv/x', base), subPath: 'sub' }] });
    if (!/link/.test(kind)) expect(outcome).toBe('home=/');
    else expect(outcome).toMatch(/subPath "sub"/);
  });
});

describe('a mount target that links bend', () => {
  const tmpfs = (target: string) => ({ type: 'tmpfs', target }) as const;

  it.each([
    ['/px', '/proc', 'inside /proc'],
    ['/px', 'proc', 'inside /proc'],
    ['/a/px', '../../../proc', 'inside /proc'],
    ['/px', '/proc/sys/../../proc', 'inside /proc'],
    ['/px', '/proc/self', 'inside /proc'],
    ['/px', '/proc/1/root', ''],
    ['/px', '/', 'the root itself'],
    ['/px', '../..', 'the root itself'],
  ])('is refused at %s -> %s, as a folder, a file and a tmpfs', async (target, content, reason) => {
    const file = join(volume(), 'file');
    writeFileSync(file, '');
    const more = image((layer) => {
      mkdirSync(dirname(join(layer, target)), { recursive: true });
      symlinkSync(content, join(layer, target));
    });
    const mounts: readonly MountSpec[] = [
      bind(target, volume()),
      bind(target, file),
      tmpfs(target),
    ];
    for (const [index, mount] of mounts.entries()) {
      const spec = containerSpec(host, `bent-${index}`, 'true', { ...more, mounts: [mount] });
      await expect(host.runtime.createContainer(spec)).rejects.toThrow(reason);
    }
  });

  it('is refused below such a link', async () => {
    const more = image((layer) => symlinkSync('/proc', join(layer, 'px')));
    for (const target of ['/px/sys', '/px/self/root', '/px/sys/kernel/core_pattern']) {
      await expect(run('true', { ...more, mounts: [tmpfs(target)] })).rejects.toThrow('/px');
    }
  });

  it.each([
    ['/etc/resolv.conf', '/run/systemd/resolve/stub-resolv.conf', 'etc/resolv.conf'],
    ['/etc/hosts', '../../../../../var/hosts', 'etc/hosts'],
    ['/etc/hostname', 'a/../b/./c', 'etc/hostname'],
    ['/etc/one', '/gone/..//two', 'etc/one'],
  ])('is made inside the root for %s -> %s', async (target, content, link) => {
    const file = join(volume(), 'file');
    writeFileSync(file, 'content\n');
    const more = image((layer) => {
      mkdirSync(join(layer, 'etc'));
      symlinkSync(content, join(layer, link));
    });
    const { stdout } = await run(`cat ${target}; readlink ${target}`, {
      ...more,
      mounts: [bind(target, file)],
    });
    expect(stdout.split('\n')).toEqual(['content', content]);
    expect(existsSync(join('/', content))).toBe(false);
  });

  it('is made through a chain of links, and through one that leads up', async () => {
    const file = join(volume(), 'file');
    writeFileSync(file, 'content\n');
    const more = image((layer) => {
      mkdirSync(join(layer, 'etc'));
      symlinkSync('/run/a', join(layer, 'etc/one'));
      symlinkSync('/var/run', join(layer, 'run'));
      mkdirSync(join(layer, 'var'));
      symlinkSync('../../../deep', join(layer, 'var/run'));
    });
    const { stdout } = await run('cat /deep/a', { ...more, mounts: [bind('/etc/one', file)] });
    expect(stdout).toBe('content');
  });
});

describe('an image that lies about its folders', () => {
  it.each(['proc', 'dev', 'sys'])('is refused when /%s is a link', async (name) => {
    const canary = volume();
    for (const content of [canary, `../../../../../../../..${canary}`, '/tmp', 'nowhere']) {
      const more = image((layer) => symlinkSync(content, join(layer, name)));
      await expect(run('true', more)).rejects.toThrow(`/${name}`);
    }
    expect(readdirSync(canary)).toEqual([]);
  });

  it('gets the real /proc and /dev where it holds folders of its own', async () => {
    const more = image((layer) => {
      mkdirSync(join(layer, 'proc/self'), { recursive: true });
      mkdirSync(join(layer, 'dev'));
      symlinkSync('/proc/sys/kernel/core_pattern', join(layer, 'dev/null'));
    });
    const script =
      'stat -f -c %T /proc; stat -c %F,%t,%T /dev/null; stat -c %F /proc/interrupts; wc -c < /proc/interrupts';
    const { stdout } = await run(script, more);
    const device = 'character special file';
    expect(stdout.split('\n')).toEqual(['proc', `${device},1,3`, device, '0']);
  });

  it('masks with the true null device when a volume covers /dev', async () => {
    const dev = volume();
    symlinkSync('/proc/sys/kernel/core_pattern', join(dev, 'null'));
    const { stdout, stderr } = await run(
      'wc -c < /proc/interrupts; stat -c %t,%T /proc/interrupts; echo x > /proc/sys/kernel/core_pattern',
      { mounts: [bind('/dev', dev)] },
    );
    expect(stdout.split('\n')).toEqual(['0', '1,3']);
    expect(stderr).toContain('Read-only file system');
  });

  it('takes nothing of the host along for a volume at a link to it', async () => {
    const more = image((layer) => symlinkSync('/etc', join(layer, 'data')));
    const empty = volume();
    const { stdout } = await run('ls /data; cat /data/machine-id', {
      ...more,
      mounts: [bind('/data', empty)],
    });
    expect(stdout).toBe('');
    expect(readdirSync(empty)).toEqual([]);
  });
});
