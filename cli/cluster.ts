import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { toYaml } from '../api/yaml';
import { stringifyJson } from '../lib/json';
import { labNetworkNames } from '../runtime/network/lab';
import { clusterPaths } from './cluster-paths';
import {
  checkName,
  down,
  readRecord,
  statusOf,
  up,
  type ClusterStatus,
  type UpOptions,
} from './cluster/cluster';
import { localClusters } from './context';
import { formatTable } from './output/table';
import { runProgram, wholeNumber } from './program';
import { UsageError } from './usage-error';

/** `dhow up`, `down`, `status` and `kubeconfig`: clusters on this machine. */
export const main = (argv: readonly string[]): Promise<number> => {
  const program = new Command('dhow');
  defineUp(program);
  defineDown(program);
  defineStatus(program);
  program
    .command('kubeconfig')
    .description("Print a cluster's kubeconfig")
    .option('--name <name>', 'which cluster; default the only one')
    .addHelpText(
      'after',
      '\nExample:\n  dhow kubeconfig > lab.yaml && kubectl --kubeconfig lab.yaml get nodes',
    )
    .action(({ name }: { name?: string }) => {
      process.stdout.write(readFileSync(clusterPaths(theCluster(name)).kubeconfig));
    });
  return runProgram(program, argv);
};

const defineUp = (program: Command): void => {
  program
    .command('up')
    .description('Start a cluster of several nodes on this machine, or what has ended of one')
    .option('--nodes <n>', 'how many nodes; default 3', wholeNumber('--nodes'))
    .option('--name <name>', 'the name of the cluster', 'lab')
    .option(
      '--node-grace <seconds>',
      'silence after which a node is lost',
      wholeNumber('--node-grace'),
      12,
    )
    .option(
      '--eviction-after <seconds>',
      'how long pods stay on a lost node',
      wholeNumber('--eviction-after'),
      10,
    )
    .option('--log-level <level>', 'of server and agents', 'info')
    .addHelpText('after', '\nExamples:\n  dhow up\n  dhow up --nodes 5 --name big')
    .action(async (options: Omit<UpOptions, 'nodes'> & { readonly nodes?: number }) => {
      const nodes = options.nodes ?? readRecord(options.name)?.nodes ?? 3;
      if (nodes < 1 || nodes > MAX_NODES) throw new UsageError(`--nodes takes 1 to ${MAX_NODES}`);
      await up({ ...options, nodes }, __dirname, progress);
      process.stdout.write(
        `cluster ${options.name} is up: dhow get nodes | dhow apply -f FILE | dhow down --name ${options.name}\n`,
      );
    });
};

const defineDown = (program: Command): void => {
  program
    .command('down')
    .description('Stop a cluster of this machine and remove all of it, data included')
    .option('--name <name>', 'which cluster; default the only one')
    .option('--all', 'every cluster of this machine')
    .addHelpText('after', '\nExamples:\n  dhow down\n  dhow down --name big\n  dhow down --all')
    .action(async ({ name, all }: { name?: string; all?: boolean }) => {
      if (process.getuid?.() !== 0) throw new UsageError('removing a cluster needs root: use sudo');
      const names = all === true ? await everyCluster() : [theCluster(name)];
      for (const each of names) {
        await down(each, progress);
        process.stdout.write(`cluster ${each} is gone\n`);
      }
    });
};

const defineStatus = (program: Command): void => {
  program
    .command('status')
    .description('Show the clusters of this machine and whether they are well')
    .option('--name <name>', 'one cluster')
    .option('-o, --output <format>', 'yaml or json')
    .action(async ({ name, output }: { name?: string; output?: string }) => {
      const names = name === undefined ? await everyCluster() : [checkName(name)];
      const found = (await Promise.all(names.map(statusOf))).filter((s) => s !== undefined);
      if (name !== undefined && found.length === 0) throw new UsageError(unknownCluster(name));
      process.stdout.write(formatStatus(found, output));
    });
};

const formatStatus = (clusters: readonly ClusterStatus[], output: string | undefined): string => {
  if (output === 'json') return `${stringifyJson(clusters, 4)}\n`;
  if (output === 'yaml') return toYaml(clusters);
  if (output !== undefined) throw new UsageError(`-o takes json or yaml here, not "${output}"`);
  if (clusters.length === 0) return 'no clusters here; start one with: dhow up\n';
  const rows = clusters.map(({ name, server, processes, nodesReady, nodes }) => {
    const ended = processes.filter(({ pid }) => pid === undefined).map((p) => p.name);
    const state = ended.length === 0 ? 'Running' : `Degraded (ended: ${ended.join(', ')})`;
    return [name, state, `${nodesReady}/${nodes}`, server];
  });
  return formatTable(['NAME', 'STATE', 'READY', 'SERVER'], rows);
};

/** By state folder or by network: either may be all that a crash left. */
const everyCluster = async (): Promise<string[]> => [
  ...new Set([...localClusters(), ...(await labNetworkNames())]),
];

const theCluster = (name: string | undefined): string => {
  if (name !== undefined) {
    if (readRecord(checkName(name)) === undefined) throw new UsageError(unknownCluster(name));
    return name;
  }
  const [only, ...others] = localClusters();
  if (only === undefined) throw new UsageError('no clusters here; start one with: dhow up');
  if (others.length === 0) return only;
  throw new UsageError(`several clusters are here (${[only, ...others].join(', ')}): use --name`);
};

const unknownCluster = (name: string): string =>
  `no cluster is named ${name}; here are: ${localClusters().join(', ') || 'none'}`;

const progress = (step: string): void => void process.stderr.write(`  ${step}\n`);

const MAX_NODES = 50;
