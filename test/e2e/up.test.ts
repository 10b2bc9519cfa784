import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { clusterPaths } from '../../cli/cluster-paths';
import { startTimeOf } from '../../lib/process-identity';
import { exitStatus, podYaml, runDhow, shell, startDhow, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(240_000);

/** Resolves once the command has said `text` on stderr, of which nothing is read from then on. */
const saying = async (child: ReturnType<typeof startDhow>, text: string): Promise<void> => {
  let said = '';
  for await (const chunk of child.stderr!) {
    said += String(chunk);
    if (said.includes(text)) return;
  }
  throw new Error(`it ended without saying "${text}":\n${said}`);
};

describe('dhow up, interrupted', () => {
  const NAME = 'e2e-cut';

  afterEach(async () => {
    await runDhow('down', '--name', NAME);
  });

  it.each(['network', 'control plane', 'agents'])(
    'leaves nothing behind when it is at: %s',
    async (stage) => {
      const before = sharedState();
      const up = startDhow('up', '--name', NAME, '--nodes', '2');
      const ended = exitStatus(up);
      await saying(up, stage);
      up.kill('SIGINT');
      expect(await ended).toBe(130);
      expect(leftBehind(NAME, before)).toEqual([]);
      expect((await runDhow('status', '--name', NAME)).stderr).toContain('no cluster is named');
    },
  );

  it('says so when its server ends while it waits for nodes, and is taken up again', async () => {
    const up = startDhow('up', '--name', NAME, '--nodes', '1');
    const ended = exitStatus(up);
    let said = '';
    up.stderr!.on('data', (text) => (said += String(text)));
    const cluster = TestCluster.of(NAME);
    await cluster.until('agents start', async () => said.includes('agents'));
    process.kill(cluster.pid('server'), 'SIGKILL');
    expect(await ended).toBe(1);
    expect(said).toContain('error: server has ended; ');
    expect((await runDhow('up', '--name', NAME)).code).toBe(0);
  });

  it('is taken up again, or removed, after kill -9', async () => {
    const before = sharedState();
    for (const next of ['up', 'down']) {
      const up = startDhow('up', '--name', NAME, '--nodes', '1');
      const ended = once(up, 'exit');
      await saying(up, 'control plane');
      up.kill('SIGKILL');
      await ended;
      expect(await runDhow(next, '--name', NAME)).toMatchObject({ code: 0 });
      await runDhow('down', '--name', NAME);
      expect(leftBehind(NAME, before)).toEqual([]);
    }
  });
});

describe('dhow up --node-encryption wireguard', () => {
  const NAME = 'e2e-sealed';
  const up = ['up', '--name', NAME, '--nodes', '2', '--node-encryption', 'wireguard'];
  const hasWireguard =
    spawnSync('unshare', ['--net', 'ip', 'link', 'add', 'probe', 'type', 'wireguard']).status === 0;

  afterEach(async () => {
    await runDhow('down', '--name', NAME);
  });

  (hasWireguard ? it.skip : it)(
    'is refused where the kernel has none, and makes nothing',
    async () => {
      const before = sharedState();
      expect(await runDhow(...up)).toEqual({
        ...{ code: 1, stdout: '' },
        stderr: expect.stringMatching(
          /^error: .*this kernel has no WireGuard \(CONFIG_WIREGUARD.*\n$/,
        ),
      });
      expect(leftBehind(NAME, before)).toEqual([]);
      expect((await runDhow('status', '--name', NAME)).stderr).toContain('no cluster is named');
    },
  );

  (hasWireguard ? it : it.skip)(
    'has every node encrypt, now and when it is started again',
    async () => {
      await using cluster = await TestCluster.start(NAME, {
        ...{ nodes: 2, flags: ['--node-encryption', 'wireguard'] },
      });
      const interfaces = () =>
        Promise.all(
          ['node-1', 'node-2'].map(async (node) => {
            const link = await shell(
              `ip netns exec dhow-${NAME}-${node} ip -details link show dhwg`,
            );
            return link.stdout.includes('wireguard');
          }),
        );
      expect(await interfaces()).toEqual([true, true]);
      process.kill(cluster.pid('node-1'), 'SIGTERM');
      await cluster.until('its end', async () =>
        (await runDhow('status', '--name', NAME)).stdout.includes('Degraded'),
      );
      expect((await runDhow('up', '--name', NAME)).code).toBe(0);
      expect(await interfaces()).toEqual([true, true]);
    },
  );
});

describe('clusters of one machine', () => {
  const NAMES = ['e2e-left', 'e2e-right'] as const;
  let before: readonly string[];
  let clusters: TestCluster[] = [];

  beforeAll(async () => {
    before = sharedState();
    for (const name of NAMES) clusters.push(await TestCluster.start(name, { nodes: 1 }));
  });

  afterAll(async () => {
    for (const cluster of clusters) await cluster[Symbol.asyncDispose]();
    clusters = [];
    expect(NAMES.flatMap((name) => leftBehind(name, before))).toEqual([]);
  });

  it('know nothing of each other', async () => {
    for (const cluster of clusters) {
      await cluster.apply(podYaml('same', ['sleep', '1000000']));
      const pod = await cluster.podIsReady('same');
      expect(pod.spec.nodeName).toBe('node-1');
    }
    const [left, right] = clusters;
    await left?.must('delete', 'pod', 'same');
    expect(await right?.pod('same')).toBeDefined();
  });

  it('have to be named where there are several', async () => {
    for (const command of [['get', 'pods'], ['kubeconfig'], ['down']]) {
      const { code, stderr } = await runDhow(...command);
      expect(stderr).toMatch(/several clusters are here \(.*e2e-left, .*e2e-right/);
      expect(code).toBe(1);
    }
    expect((await runDhow('get', 'nodes', '--cluster', 'e2e-left')).stdout).toContain('node-1');
    expect(await runDhow('get', 'nodes', '--cluster', 'nope')).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error: no cluster is named nope; here are: .*e2e-left/),
    });
    const names = (await runDhow('status', '-o', 'name')).stdout.split('\n');
    expect(names).toEqual(expect.arrayContaining([...NAMES]));
  });

  it('stay as they are when they are started again', async () => {
    const [left] = clusters;
    const pids = [left?.pid('server'), left?.pid('node-1')];
    const { code, stdout } = await runDhow('up', '--name', 'e2e-left', '-o', 'json');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject([{ name: 'e2e-left', nodes: 1, nodesReady: 1 }]);
    expect([left?.pid('server'), left?.pid('node-1')]).toEqual(pids);
    expect(await runDhow('up', '--name', 'e2e-left', '--nodes', '2')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has 1 nodes; to have 2: dhow down --name e2e-left'),
    });
    const encryption = (name: string) =>
      runDhow('up', '--name', 'e2e-left', '--node-encryption', name);
    expect(await encryption('none')).toMatchObject({ code: 0 });
    expect(await encryption('wireguard')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('has --node-encryption by default: it cannot be changed'),
    });
  });

  it('reach the world until the last of them goes, and not where they are isolated', async () => {
    const forwarding = () => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim();
    expect(forwarding()).toBe('1');
    const [left] = clusters;
    const { stdout } = await shell("ip -4 -json route | jq -r '.[].dst'");
    const podRoutes = stdout.split('\n').filter((dst) => /^10\.[4-9]\d\.\d+\.0\/24$/.test(dst));
    // Each cluster has a range of its own, of which this machine knows the way.
    expect(new Set(podRoutes.map((dst) => dst.split('.')[1])).size).toBe(2);
    expect((await runDhow('down', '--name', 'e2e-left')).code).toBe(0);
    expect(forwarding()).toBe('1');
    expect((await runDhow('up', '--name', 'e2e-left', '--nodes', '1', '--isolated')).code).toBe(0);
    const isolated = await shell('ip netns exec dhow-e2e-left-node-1 ip route get 198.51.100.1');
    expect(isolated.stderr).toContain('unreachable');
    expect(left?.pid('node-1')).toBeGreaterThan(0);
  });

  it('say so when they are stopped', async () => {
    const [left] = clusters;
    for (const name of ['server', 'node-1']) process.kill(left!.pid(name), 'SIGTERM');
    await left?.until('its end', async () =>
      (await runDhow('status', '--name', 'e2e-left')).stdout.includes('Stopped'),
    );
    for (const command of [
      ['get', 'nodes'],
      ['apply', '-f', '-'],
    ]) {
      expect((await left?.dhowWith(podYaml('x', ['true']), ...command))?.stderr).toBe(
        'error: cluster e2e-left is stopped: dhow up --name e2e-left\n',
      );
    }
    expect((await runDhow('up', '--name', 'e2e-left')).code).toBe(0);
  });

  it('are started and removed by one command at a time', async () => {
    const { lock } = clusterPaths('e2e-left');
    writeFileSync(
      lock,
      JSON.stringify({ pid: process.pid, startTime: await startTimeOf(process.pid) }),
    );
    const refused = await runDhow('down', '--name', 'e2e-left');
    expect(refused.stderr).toContain(`process ${process.pid} is starting or removing this cluster`);
    expect(refused.code).toBe(1);
    // The lock of a process that has ended holds nobody up.
    writeFileSync(lock, JSON.stringify({ pid: process.pid, startTime: '1' }));
    expect(await runDhow('up', '--name', 'e2e-left')).toMatchObject({ code: 0 });
  });

  it.each([
    [['up', '--name', 'agent'], /keeps its own state there/],
    [['up', '--name', '../x'], /a letter, then up to 19/],
    [['up', '--nodes', '0'], /--nodes takes 1 to 50/],
    [['up', '--log-level', 'loud'], /Allowed choices are debug/],
    [['down', '--name', 'nope'], /no cluster is named nope/],
    [['down', '--name', 'nope', '--all'], /not both/],
    [['kubeconfig', '--name', 'nope'], /no cluster is named nope/],
    [['status', '-o', 'xml'], /allowed formats are/],
  ])('dhow %j is refused', async (args, message) => {
    const { code, stdout, stderr } = await runDhow(...args);
    expect(stderr).toMatch(message);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  });
});
