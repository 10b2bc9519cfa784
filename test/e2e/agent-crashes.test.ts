import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { clusterPaths } from '../../cli/cluster-paths';
import { isReady, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(480_000);

const NAME = 'e2e-crashes';
const NODE = 'node-1';
const ROUNDS = 5;

const cluster = sharedCluster(NAME, { nodes: 1 });

/** Everything that a pod of the node leaves somewhere, as lines. */
const nodeState = (): readonly string[] => {
  const paths = clusterPaths(NAME);
  const inNode = (command: string, ...args: string[]) =>
    execFileSync('ip', ['netns', 'exec', `dhow-${NAME}-${NODE}`, command, ...args], {
      encoding: 'utf8',
    });
  return [
    ...[paths.nodeRunDir(NODE), paths.nodeStateDir(NODE)].flatMap(filesBelow),
    ...cgroups(),
    ...mounts(),
    ...inNode('ip', '-o', 'link')
      .split('\n')
      .map((line) => `link ${line.split(':')[1] ?? ''}`),
    ...inNode('nft', 'list', 'tables').split('\n'),
    ...inNode('ip', 'route').split('\n'),
    `monitors ${String(count('dhow-monitor'))}`,
  ].sort();
};

/** Not what the node keeps of images, nor its log of launchers. */
const filesBelow = (folder: string): string[] =>
  found(folder)
    .filter((path) => !/^\/(image|runtime\/launcher\.log|.*\.tmp$)/.test(path.slice(folder.length)))
    .map((path) => `file ${path}`);

const cgroups = (): string[] =>
  ['memory', 'pids', 'cpu', 'devices', 'freezer', '.']
    .map((controller) => join('/sys/fs/cgroup', controller, 'dhow', NAME))
    .filter(existsSync)
    .flatMap((folder) => found(folder, '-type', 'd'))
    .map((path) => `cgroup ${path}`);

/** Also while some of it goes away. */
const found = (...args: readonly string[]): string[] =>
  spawnSync('find', args, { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => line !== '');

const mounts = (): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.includes(`/dhow/${NAME}/`))
    .map((path) => `mount ${path}`);

const count = (comm: string): number =>
  readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === comm;
    } catch {
      return false;
    }
  }).length;

const podOf = (name: string, index: number): string =>
  podYaml(
    name,
    ['sh', '-c', index % 3 === 0 ? 'sleep 1; exit 1' : 'exec sleep 1000000'],
    {
      ports: index % 2 === 0 ? [{ containerPort: 80, hostPort: 20000 + index }] : [],
      volumeMounts: [
        { name: 'disk', mountPath: '/disk' },
        { name: 'memory', mountPath: '/memory' },
        { name: 'files', mountPath: '/files' },
      ],
    },
    {
      volumes: [
        { name: 'disk', emptyDir: {} },
        { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
        { name: 'files', configMap: { name: 'files' } },
      ],
    },
  );

it('kill -9 of the agent at any moment of pods that come and go leaves nothing of them', async () => {
  const map = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'files' },
    data: { a: 'b' },
  };
  await cluster.apply(JSON.stringify(map));
  await cluster.apply(podOf('first', 1));
  const { uid = '' } = (await cluster.podIsReady('first')).metadata;
  await cluster.must('delete', 'pod', 'first', '--grace-period', '0', '--force');
  await cluster.until('nothing', async () => (await cluster.pods()).length === 0);
  const isOfPod = (line: string) => ['/pods/', uid, ' dhv'].some((mark) => line.includes(mark));
  const clean = await cluster.until('quiet', () => {
    const state = nodeState();
    const isQuiet = state.includes('monitors 0') && !state.some(isOfPod);
    return Promise.resolve(isQuiet && state);
  });
  for (let round = 0; round < ROUNDS; round++) {
    const names = Array.from({ length: 6 }, (_, index) => `pod-${round}-${index}`);
    await cluster.apply(names.map((name, index) => podOf(name, index)).join('\n---\n'));
    await new Promise((resolve) => setTimeout(resolve, (round * 997) % 1700));
    if (round > 0) {
      const former = names.map((name) => name.replace(/^pod-\d+/, `pod-${round - 1}`));
      await cluster.must('delete', 'pod', ...former, '--grace-period', '0', '--force');
    }
    process.kill(cluster.pid(NODE), 'SIGKILL');
    await cluster.up();
  }
  await cluster.until(
    'those of the last round',
    async () => {
      const pods = await cluster.pods();
      const steady = pods.filter(({ metadata }) => !/-[03]$/.test(metadata.name));
      return steady.length === 4 && steady.every(isReady);
    },
    120_000,
  );
  await cluster.until('one monitor for each', () => Promise.resolve(count('dhow-monitor') <= 6));
  await cluster.must('delete', 'pods', '--all', '--grace-period', '0', '--force');
  const isClean = () => Promise.resolve(nodeState().join('\n') === clean.join('\n'));
  // Which line is too many tells more than that one is.
  await cluster.until('what there was before', isClean).catch(() => undefined);
  expect(nodeState()).toEqual(clean);
});
