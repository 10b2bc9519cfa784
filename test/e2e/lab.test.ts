import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

import type { Node } from '../../api/types';
import { clusterPaths } from '../../cli/cluster-paths';
import { labPlaceOf } from '../../runtime/network/lab';
import { podYaml, runDhow, shell, startDhow } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(300_000);

const NAME = 'e2e-lab';
const cluster = sharedCluster(NAME, { nodes: 2, flags: ['--node-disk', '512Mi'] });

const lab = (...args: readonly string[]) => {
  const [verb = '', ...rest] = args;
  return runDhow('lab', verb, '--name', NAME, ...rest);
};
const mustLab = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await lab(...args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout;
};

interface Status {
  readonly node: string;
  readonly agent: string;
  readonly faults: readonly { readonly fault: object; readonly until?: string }[];
}
const status = async () => JSON.parse(await mustLab('status', '-o', 'json')) as readonly Status[];
const isWell = async () =>
  (await status()).every(({ agent, faults }) => agent === 'Running' && faults.length === 0);

const { wire } = labPlaceOf(NAME, 'node-2');
const isPlugged = async () =>
  (await shell(`ip -oneline link show ${wire}`)).stdout.includes(' master ');
/** What faults have put into a node's network, and into its wire. */
const traces = async (): Promise<string> => {
  const inside = `ip netns exec dhow-${NAME}-node-2`;
  const { stdout } = await shell(
    `${inside} nft list tables | grep lab-; ${inside} tc qdisc show dev eth0; tc qdisc show dev ${wire}`,
  );
  return stdout
    .split('\n')
    .filter((line) => /lab-|tbf|netem/.test(line))
    .map((line) => /table inet \S+|qdisc \S+/.exec(line)?.[0])
    .join(', ');
};

const isNodeReady = async (name: string): Promise<boolean> =>
  ((await cluster.object('node', name)) as Node).status.conditions?.some(
    (each) => each.type === 'Ready' && each.status === 'True',
  ) === true;

const SERVE = ['sh', '-c', 'echo here > /tmp/index.html; exec httpd -f -p 8080 -h /tmp'];
const ON_LOST_NODES = [{ operator: 'Exists' }];
/** A server on node-2, which is not evicted from there, and a pod on node-1 that asks it. */
const pair = async (): Promise<string> => {
  for (const [name, node] of [
    ['asks', 'node-1'],
    ['serves', 'node-2'],
  ] as const)
    await cluster.apply(podYaml(name, SERVE, {}, { nodeName: node, tolerations: ON_LOST_NODES }));
  await cluster.podIsReady('asks');
  return `http://${(await cluster.podIsReady('serves')).status.podIP}:8080/`;
};
const reaches = async (url: string) => (await cluster.wget('asks', url)).stdout === 'here\n';

afterEach(async () => {
  await lab('heal');
  await cluster.until(
    'both nodes',
    async () => (await isNodeReady('node-1')) && (await isNodeReady('node-2')),
  );
  await cluster.clear();
});

it('pulls the cable of a node, which is lost, and puts it back, both as often as one likes', async () => {
  for (let time = 0; time < 2; time++)
    expect(await mustLab('partition', 'node-2')).toBe('node/node-2 cut off\n');
  expect(await isPlugged()).toBe(false);
  await cluster.until('its loss', async () => !(await isNodeReady('node-2')));
  expect(await status()).toMatchObject([
    { node: 'node-1', agent: 'Running', faults: [] },
    { node: 'node-2', agent: 'Running', faults: [{ fault: { kind: 'partition' } }] },
  ]);
  expect(await mustLab('heal')).toBe('node/node-1 had nothing to heal\nnode/node-2 healed\n');
  expect(await mustLab('heal', 'node-2')).toBe('node/node-2 had nothing to heal\n');
  expect(await isPlugged()).toBe(true);
  await cluster.until('its return', () => isNodeReady('node-2'));
});

it('cuts a node off from its server only, or from other nodes only', async () => {
  const url = await pair();
  await cluster.until('a page', () => reaches(url));
  expect(await mustLab('partition', 'node-2', '--from', 'server')).toContain(
    'cut off from server\n',
  );
  await cluster.until('its loss', async () => !(await isNodeReady('node-2')));
  // A node that is lost is sent nothing by others; what has to be seen is that the cut itself is the server's alone.
  expect(await traces()).toBe('table inet lab-cut');
  const [{ faults } = { faults: [] }] = (await status()).filter(({ node }) => node === 'node-2');
  expect(faults).toMatchObject([{ fault: { kind: 'partition', from: ['server'] } }]);
  await mustLab('partition', 'node-2', '--from', 'node-1');
  await cluster.until('its return', () => isNodeReady('node-2'));
  await cluster.until('no page', async () => !(await reaches(url)));
  await mustLab('heal', 'node-2', '--fault', 'partition');
  expect(await traces()).toBe('');
  await cluster.until('a page', () => reaches(url));
});

it('slows a wire down, by what this kernel has', async () => {
  const url = await pair();
  await mustLab('slow', 'node-2', '--loss', '100%');
  expect(await traces()).toBe('table inet lab-loss');
  await cluster.until('no page', async () => !(await reaches(url)));
  await mustLab('slow', 'node-2', '--rate', '1M');
  expect(await traces()).toBe('qdisc tbf, qdisc tbf');
  await cluster.until('a page', () => reaches(url));
  const delayed = await lab('slow', 'node-2', '--delay', '100ms');
  if (delayed.code === 0) expect(await traces()).toBe('qdisc netem, qdisc netem');
  else {
    expect(delayed.stderr).toBe(
      'error: this kernel has no sch_netem (CONFIG_NET_SCH_NETEM), by which packets are delayed\n',
    );
    expect(await traces()).toBe('');
    expect(await isWell()).toBe(true);
  }
  await mustLab('slow', 'node-2', '--rate', '1M', '--loss', '1');
  await mustLab('heal', 'node-2');
  expect(await traces()).toBe('');
});

it('kills an agent, whose containers run on, or freezes it, or takes the power from its node', async () => {
  await pair();
  const cgroups = existsSync('/sys/fs/cgroup/cgroup.controllers')
    ? '/sys/fs/cgroup'
    : '/sys/fs/cgroup/memory';
  const processes = () =>
    readdirSync(join(cgroups, 'dhow', NAME, 'node-2'), { encoding: 'utf8', recursive: true })
      .filter((name) => name.endsWith('cgroup.procs'))
      .flatMap((name) =>
        readFileSync(join(cgroups, 'dhow', NAME, 'node-2', name), 'utf8').split('\n'),
      )
      .filter((line) => line !== '');
  const running = processes();
  expect(running.length).toBeGreaterThan(0);
  const agentIs = async (state: string) => (await status())[1]?.agent === state;

  expect(await mustLab('kill', 'node-2', '--freeze')).toBe('node/node-2 frozen\n');
  expect(await agentIs('Frozen')).toBe(true);
  await cluster.until('its loss', async () => !(await isNodeReady('node-2')));
  await mustLab('heal', 'node-2');
  await cluster.until('its return', () => isNodeReady('node-2'));

  for (let time = 0; time < 2; time++)
    expect(await mustLab('kill', 'node-2')).toBe('node/node-2 without its agent\n');
  expect(await agentIs('Ended')).toBe(true);
  expect(await lab('kill', 'node-2', '--freeze')).toMatchObject({
    ...{ code: 1, stderr: 'error: the agent of node-2 does not run: dhow lab heal node-2\n' },
  });
  expect(processes()).toEqual(expect.arrayContaining(running));
  await mustLab('kill', 'node-2', '--power');
  expect(processes()).toEqual([]);
  expect(await mustLab('heal', 'node-2')).toBe('node/node-2 healed\n');
  expect(await agentIs('Running')).toBe(true);
  await cluster.until('its return', () => isNodeReady('node-2'));
});

it('fills the disk of a node, which says so, and no other', async () => {
  const folder = (node: string) => clusterPaths(NAME).nodeStateDir(node);
  const freeBytes = (node: string) => {
    const { bavail, bsize } = statfsSync(folder(node));
    return bavail * bsize;
  };
  const before = [freeBytes('node-1'), freeBytes('node-2')];
  expect(Math.max(...before)).toBeLessThan(512 * 2 ** 20);
  expect(await mustLab('fill-disk', 'node-2', '--leave', '8Mi')).toBe(
    'node/node-2 filled, 8Mi left\n',
  );
  expect(freeBytes('node-2')).toBeLessThanOrEqual(8 * 2 ** 20);
  await cluster.until('the condition', async () =>
    ((await cluster.object('node', 'node-2')) as Node).status.conditions?.some(
      (each) => each.type === 'DiskPressure' && each.status === 'True',
    ),
  );
  await mustLab('heal', 'node-2');
  expect(freeBytes('node-2')).toBeGreaterThan(256 * 2 ** 20);
});

it('heals by itself, also when what should do so was killed', async () => {
  expect(await mustLab('partition', 'node-2', '--for', '1s')).toBe(
    'node/node-2 cut off; heals in 1s\n',
  );
  await cluster.until('its end', isWell);
  expect(await isPlugged()).toBe(true);
  await mustLab('partition', 'node-2', '--for', '30s');
  const pids = join(clusterPaths(NAME).runDir, 'lab/pids/node-2.partition.json');
  process.kill((JSON.parse(readFileSync(pids, 'utf8')) as { pid: number }).pid, 'SIGKILL');
  const until = Date.parse((await status())[1]?.faults[0]?.until ?? '');
  await cluster.until('its time', async () => Date.now() > until);
  expect(await isPlugged()).toBe(false);
  // Any other fault brings to mind those that are over.
  await mustLab('slow', 'node-1', '--rate', '1G');
  expect(await isPlugged()).toBe(true);
});

it('leaves nothing when its command is killed, once it is healed or the cluster is started again', async () => {
  const record = join(clusterPaths(NAME).runDir, 'lab/node-2.partition.json');
  for (const heal of [() => lab('heal', 'node-2'), () => runDhow('up', '--name', NAME)]) {
    const command = startDhow('lab', 'partition', 'node-2', '--name', NAME, '--from', 'server');
    const ended = once(command, 'exit');
    await cluster.until('its record', async () => existsSync(record) || command.exitCode !== null);
    command.kill('SIGKILL');
    await ended;
    expect(existsSync(record)).toBe(true);
    expect(await heal()).toMatchObject({ code: 0 });
    expect(await isWell()).toBe(true);
    expect(await traces()).toBe('');
  }
});

const REFUSED: readonly (readonly [readonly string[], RegExp])[] = [
  [['partition'], /missing required argument 'node'/],
  [['partition', 'node-9'], /cluster e2e-lab has no node "node-9": it has node-1, node-2/],
  [['partition', '../x'], /has no node "\.\.\/x"/],
  [['partition', 'node-1', '--from', 'nobody'], /"nobody" is neither server nor one of node-1/],
  [['partition', 'node-1', '--for', '-1s'], /--for: -1s is not between/],
  [['slow', 'node-1'], /say how slow/],
  [['kill', 'node-1', '--freeze', '--power'], /cannot be used with option/],
  [['fill-disk', 'node-1', '--leave', 'half'], /--leave: "half" is not a size/],
  [['heal', 'node-1', '--fault', 'all'], /Allowed choices are partition, slow, kill, fill-disk/],
  [['status', '-o', 'xml'], /allowed formats are/],
];

it('refuses what is wrong, and does nothing', async () => {
  for (const [args, message] of REFUSED) {
    const { code, stdout, stderr } = await lab(...args);
    expect(stderr).toMatch(message);
    expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' });
  }
  expect(await isWell()).toBe(true);
});

it('is gone with its cluster, whatever was wrong', async () => {
  const name = 'e2e-lab-ends';
  const before = sharedState();
  try {
    const up = await runDhow('up', '--name', name, '--nodes', '2', '--node-disk', '64Mi');
    expect(up).toMatchObject({ code: 0 });
    for (const words of [
      ['kill', 'node-1', '--freeze'],
      ['partition', 'node-2', '--for', '1h'],
      ['slow', 'node-2', '--rate', '64k'],
      ['fill-disk', 'node-2'],
    ])
      expect(await runDhow('lab', ...words, '--name', name)).toMatchObject({ code: 0 });
    const disk = await runDhow('up', '--name', name, '--node-disk', '1Gi');
    expect(disk.stderr).toContain('has --node-disk 64Mi: it cannot be changed');
  } finally {
    expect(await runDhow('down', '--name', name)).toMatchObject({ code: 0 });
  }
  expect(leftBehind(name, before)).toEqual([]);
  expect((await shell('losetup --list --noheadings')).stdout).not.toContain(`/${name}/`);
});
