import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import type { ContainerSpec } from '../../runtime/container-runtime';
import {
  containerSpec,
  readLog,
  runToEnd,
  sandboxSpec,
} from '../../runtime/containers/runtime-suite';
import { asUser, openRuntimeHost, runScript, type RuntimeHost } from './runtime-host';

let host: RuntimeHost;

beforeEach(async () => {
  host = await openRuntimeHost();
  await host.runtime.createSandbox(sandboxSpec('box'));
});

afterEach(() => host.close());

const run = (script: string, more?: Partial<ContainerSpec>) => runScript(host, script, more);

describe('mounts', () => {
  it('binds folders and files, read-only when asked', async () => {
    const volume = join(host.dir, 'volume');
    mkdirSync(volume);
    writeFileSync(join(volume, 'file'), 'content\n');
    const bind = (target: string, isReadOnly: boolean, source = volume) =>
      ({ type: 'bind', source, target, isReadOnly }) as const;
    const { stdout, stderr } = await run(
      'cat /data/file /etc/one; echo w > /rw/written; echo w > /data/refused',
      {
        mounts: [
          bind('/data', true),
          bind('/rw', false),
          bind('/etc/one', true, join(volume, 'file')),
        ],
      },
    );
    expect(stdout).toBe('content\ncontent');
    expect(stderr).toContain('Read-only file system');
    expect(readFileSync(join(volume, 'written'), 'utf8')).toBe('w\n');
  });

  it('makes what is read-only so in depth, mounts below it too', async () => {
    const volume = join(host.dir, 'volume');
    const below = join(volume, 'below');
    mkdirSync(below, { recursive: true });
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', below]);
    try {
      const { stderr } = await run('echo w > /data/below/refused', {
        mounts: [{ type: 'bind', source: volume, target: '/data', isReadOnly: true }],
      });
      expect(stderr).toContain('Read-only file system');
    } finally {
      execFileSync('umount', [below]);
    }
  });

  it('shows all of them in whatever order they come', async () => {
    const fileIn = (name: string): string => {
      const file = join(host.dir, name);
      writeFileSync(file, `${name}\n`);
      return file;
    };
    const bind = (target: string, source: string) =>
      ({ type: 'bind', source, target, isReadOnly: false }) as const;
    const folderOf = (name: string): string => {
      const folder = join(host.dir, `volume-${name}`);
      mkdirSync(folder);
      writeFileSync(join(folder, name), '');
      return folder;
    };
    const mounts = [
      bind('/etc/hosts', fileIn('hosts')),
      bind('/etc/resolv.conf', fileIn('resolv')),
      bind('/data/x/y/one.conf', fileIn('one')),
      bind('/data/in/', folderOf('inner')),
      bind('/data', folderOf('outer')),
      bind('/etc', folderOf('etc')),
    ];
    const script =
      'cat /etc/hosts /etc/resolv.conf /data/x/y/one.conf; ls -d /data/*r /data/in/* /etc/etc';
    for (const order of [mounts, mounts.toReversed()]) {
      const { stdout, exit } = await run(script, { mounts: order });
      const listed = ['/data/in/inner', '/data/outer', '/etc/etc'];
      expect(stdout.split('\n')).toEqual(['hosts', 'resolv', 'one', ...listed]);
      expect(exit.exitCode).toBe(0);
    }
  });

  it('limits a tmpfs', async () => {
    const { stderr } = await run('dd if=/dev/zero of=/t/x bs=1k count=2048', {
      mounts: [{ type: 'tmpfs', target: '/t', sizeBytes: 1 << 20, mode: 0o755 }],
    });
    expect(stderr).toContain('No space left on device');
  });

  it.each(['out', 'out/passwd', 'a/../../x', '../x', '/etc'])(
    'refuses sub path %s that leaves its volume',
    async (subPath) => {
      const volume = join(host.dir, 'volume');
      mkdirSync(join(volume, 'a'), { recursive: true });
      symlinkSync('/etc', join(volume, 'out'));
      const mounts = [
        { type: 'bind', source: volume, target: '/v', isReadOnly: false, subPath },
      ] as const;
      const spec = containerSpec(host, 'sub', 'ls /v', { mounts });
      await expect(host.runtime.createContainer(spec)).rejects.toThrow('leaves its volume');
    },
  );

  it('makes a missing sub path inside the volume', async () => {
    const volume = join(host.dir, 'volume');
    mkdirSync(volume);
    const mounts = [
      { type: 'bind', source: volume, target: '/v', isReadOnly: false, subPath: 'a/b' },
    ] as const;
    await run('echo x > /v/f', { mounts });
    expect(readFileSync(join(volume, 'a/b/f'), 'utf8')).toBe('x\n');
  });

  it('makes missing folders for whoever may use them', async () => {
    const volume = join(host.dir, 'volume');
    mkdirSync(volume);
    // As a volume with an fsGroup is: what is made in it belongs to the group.
    chownSync(volume, 0, 4000);
    chmodSync(volume, 0o2775);
    const { stdout } = await run('', {
      process: asUser(1000, ['sh', '-c', 'stat -c %a /srv/x; stat -c "%a %g" /v']),
      mounts: [
        { type: 'tmpfs', target: '/srv/x/y' },
        { type: 'bind', source: volume, target: '/v', isReadOnly: false, subPath: 'a/b' },
      ],
    });
    expect(stdout).toBe('755\n2775 4000');
  });

  it('keeps mount targets inside the root when they pass a link to the host', async () => {
    const evil = join(host.dir, 'evil');
    mkdirSync(evil);
    const canary = join(host.dir, 'canary');
    mkdirSync(canary);
    symlinkSync(canary, join(evil, 'data'));
    const spec = {
      rootfs: { lowerDirs: [evil, ...host.lowerDirs], isReadOnly: false },
      mounts: [{ type: 'tmpfs', target: '/data/sub' }] as const,
    };
    await run('true', spec).catch(() => undefined);
    expect(readdirSync(canary)).toEqual([]);
  });
});

describe('a sub path that another container swaps for a link meanwhile', () => {
  /** More by hand: the race is won or lost in microseconds. */
  const starts = Number(process.env['SUB_PATH_RACE_STARTS'] ?? 40);
  /** How long to go on until each way the race can end was seen: what is seen first is luck. */
  const mostStarts = Math.max(starts, 1500);
  const outcomes = ['', 'own-file', 'refused'];
  /** The second where it becomes a link after it was found to be a folder without that name: as with a
   * link that dangles, nothing is made through it. */
  const isRefusal = (error: unknown): boolean =>
    /leaves its volume|subPath "[^"]+": no such file/.test(String(error));

  /** A host folder, and a volume in which a container flips `way` between a folder and a link to it. */
  const openRace = async () => {
    const secret = join(host.dir, 'secret');
    const volume = join(host.dir, 'volume');
    const image = join(host.dir, 'image');
    for (const dir of [join(secret, 'in'), join(volume, 'way/in'), join(image, 'bin')]) {
      mkdirSync(dir, { recursive: true });
    }
    writeFileSync(join(secret, 'in/host-file'), '');
    writeFileSync(join(volume, 'way/in/own-file'), '');
    symlinkSync(secret, join(volume, 'link'));
    const source = join(__dirname, 'support/flip.c');
    execFileSync('gcc', ['-static', '-O1', '-o', join(image, 'bin/flip'), source]);
    const bind = { type: 'bind', source: volume, isReadOnly: false } as const;
    const flip = containerSpec(host, 'flip', 'exec flip /volume/way /volume/link', {
      rootfs: { lowerDirs: [image, ...host.lowerDirs], isReadOnly: false },
      mounts: [{ ...bind, target: '/volume' }],
    });
    await host.runtime.createContainer(flip);
    await host.runtime.startContainer('flip');
    return { secret, bind };
  };

  it(
    'shows and changes nothing of the host',
    async () => {
      const { secret, bind } = await openRace();
      const seen = new Map<string, number>();
      for (let i = 0; i < starts || (i < mostStarts && seen.size < outcomes.length); i++) {
        const subPath = i % 2 === 0 ? 'way/in' : `way/new-${i}`;
        const spec = containerSpec(host, 'racer', 'ls /v', {
          mounts: [{ ...bind, target: '/v', subPath }],
          logPath: join(host.logDir, `racer-${i}.log`),
        });
        const outcome = await runToEnd(host.runtime, spec).then(
          () =>
            readLog(spec.logPath)
              .map(({ text }) => text)
              .join(),
          (error: unknown) => (isRefusal(error) ? 'refused' : String(error)),
        );
        await host.runtime.removeContainer('racer');
        seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
      }
      expect(host.runtime.containers()).toMatchObject([{ id: 'flip', status: 'running' }]);
      expect([...seen.keys()].sort()).toEqual(outcomes);
      expect(readdirSync(secret)).toEqual(['in']);
      expect(readdirSync(join(secret, 'in'))).toEqual(['host-file']);
    },
    60_000 + mostStarts * 200,
  );
});
