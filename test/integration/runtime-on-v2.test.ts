import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import type { CgroupResources, ContainerSpec } from '../../runtime/container-runtime';
import {
  collect,
  containerSpec,
  execSpec,
  sandboxSpec,
} from '../../runtime/containers/runtime-suite';
import { hasHugePages, PAGE_BYTES, reserveHugePages } from '../support/huge-pages';
import { layersWith, openRuntimeHost, runScript, type RuntimeHost } from './runtime-host';

/** Only where cgroup v2 is all there is: on a host started with it, or in a virtual machine. */
const suite = existsSync('/sys/fs/cgroup/cgroup.controllers') ? describe : describe.skip;

suite('containers on cgroup v2', () => {
  let host: RuntimeHost;

  beforeEach(async () => {
    host = await openRuntimeHost();
    await host.runtime.createSandbox(sandboxSpec('box'));
  });

  afterEach(() => host.close());

  const run = (script: string, more?: Partial<ContainerSpec>) => runScript(host, script, more);
  const control = (id: string, file: string) =>
    readFileSync(join('/sys/fs/cgroup', host.cgroupParent, 'box', id, file), 'utf8').trim();

  const startSleeper = async (id: string, resources: CgroupResources, script = 'true') => {
    const spec = containerSpec(host, id, `${script}; exec sleep 1000`, { resources });
    await host.runtime.createContainer(spec);
    await host.runtime.startContainer(id);
  };

  it('shows a container its own limits, read-only', async () => {
    const files = ['memory.max', 'cpu.max', 'cpu.weight', 'pids.max'];
    const { stdout, stderr } = await run(
      `cat /proc/self/cgroup; cd /sys/fs/cgroup; cat ${files.join(' ')}; echo 1 > memory.max`,
      {
        resources: {
          memoryLimitBytes: 64 << 20,
          cpuQuotaMicros: 50_000,
          cpuPeriodMicros: 100_000,
          cpuShares: 1024,
          pidsLimit: 77,
        },
      },
    );
    expect(stdout.split('\n')).toEqual(['0::/', String(64 << 20), '50000 100000', '100', '77']);
    expect(stderr).toContain('Read-only file system');
  });

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

  it('holds a fork bomb to its limit and removes it', async () => {
    await startSleeper('bomb', { pidsLimit: 40 }, 'f() { f | f & f; }; f');
    expect((await host.runtime.stats('bomb')).pidsCount).toBeLessThanOrEqual(40);
    await host.runtime.removeContainer('bomb');
    expect(existsSync(join('/sys/fs/cgroup', host.cgroupParent, 'box/bomb'))).toBe(false);
  });

  it('counts an exec with its container, and changes limits while it runs', async () => {
    await startSleeper('main', { memoryLimitBytes: 64 << 20 });
    expect(await host.runtime.stats('main')).toMatchObject({ pidsCount: 1 });
    await using process = await host.runtime.exec('main', execSpec('echo up; sleep 1000'));
    for await (const piece of process.output) if (piece.stream === 'stdout') break;
    const stats = await host.runtime.stats('main');
    expect(stats.pidsCount).toBeGreaterThan(2);
    expect(stats.memoryBytes).toBeGreaterThan(0);
    expect(stats.cpuNanos).toBeGreaterThan(0);
    await host.runtime.updateResources('main', { memoryLimitBytes: 96 << 20, cpuShares: 2 });
    expect([control('main', 'memory.max'), control('main', 'cpu.weight')]).toEqual([
      String(96 << 20),
      '1',
    ]);
  });

  (hasHugePages ? it : it.skip)(
    'gives a container the huge pages it asks for, and no more',
    async () => {
      const release = reserveHugePages(4);
      try {
        const lowerDirs = layersWith(host, 'pages');
        const rootfs = { lowerDirs, isReadOnly: false };
        const mapped = async (pages: number) => {
          const resources = { hugePageBytes: { [PAGE_BYTES]: pages * PAGE_BYTES } };
          return (await run('pages 4', { rootfs, resources })).stdout.trim();
        };
        expect([await mapped(3), await mapped(0)]).toEqual(['3', '0']);
      } finally {
        release();
      }
    },
  );

  it('lets a container make no use of the host disk', async () => {
    const { stderr } = await run('mknod /dev/disk b 254 0; head -c 1 /dev/disk', {
      security: { ...containerSpec(host, 'x', '').security, capabilities: ['MKNOD'] },
    });
    expect(stderr).toMatch(/Operation not permitted/);
  });

  it('reads what an exec says to its end', async () => {
    await startSleeper('main', {});
    const output = await collect(await host.runtime.exec('main', execSpec('echo hi; exit 3')));
    expect(output).toMatchObject({ stdout: 'hi\n', exitCode: 3 });
  });
});
