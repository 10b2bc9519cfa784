import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { toYaml } from '../api/yaml/write';
import { labNetworkNames } from '../runtime/network/lab';
import { clusterPaths, mayListClusters, recordedClusters } from './cluster-paths';
import { down } from './cluster/down';
import { defineLab } from './cluster/lab-syntax';
import { checkName, readRecord, type UpOptions } from './cluster/record';
import { formatStatus, statusOf, type ClusterStatus } from './cluster/status';
import { up } from './cluster/up';
import { noClusters, unknownCluster } from './context';
import { outputFormat } from './output/format';
import { logLevel, runProgram, stopSignal, wholeNumber } from './program';
import { examples } from './syntax/command';
import { UsageError } from './usage-error';
import { parseJson } from '../lib/json';

/** `dhow up`, `down`, `status`, `kubeconfig` and `lab`: clusters on this machine. */
export const main = (argv: readonly string[]): Promise<number> => {
  const program = new Command('dhow');
  defineUp(program);
  defineDown(program);
  defineStatus(program);
  defineKubeconfig(program);
  defineLab(program, theCluster, __dirname);
  return runProgram(program, argv);
};

type UpFlags = Omit<UpOptions, 'nodes'> & { readonly nodes?: number; readonly output?: string };

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
    .option(
      '--cluster-cidr <cidr>',
      'range of the pods, or one of each IP family; default a free one',
    )
    .option(
      '--service-cluster-ip-range <cidr>',
      'range of the services, or one of each IP family; default 10.96.0.0/16',
    )
    .addOption(
      new Option(
        '--node-encryption <name>',
        'of packets between pods of different nodes; default none',
      ).choices(['none', 'wireguard']),
    )
    .option(
      '--scheduler-config <file>',
      'a KubeSchedulerConfiguration; read again whenever the server starts',
    )
    .option(
      '--tracing-config-file <file>',
      'a TracingConfiguration for server and agents; read again whenever one starts',
    )
    .option('--node-disk <size>', 'give each node a disk of its own, of this size; default none')
    .option('--isolated', 'give the cluster no way out of its own network')
    .addOption(logLevel('of server and agents').default('info'))
    .option('-o, --output <format>', 'print the status of the cluster: wide, yaml, json or name')
    .addHelpText(
      'after',
      examples(
        'dhow up                        three nodes, named node-1 to node-3',
        'dhow up --nodes 5 --name big   another cluster beside it',
        'dhow up --isolated             one that reaches no other network',
        'dhow up --cluster-cidr 10.42.0.0/16,fd42::/48 --service-cluster-ip-range 10.96.0.0/16,fd96::/112',
      ),
    )
    .action(runUp);
};

const runUp = async ({ output, ...flags }: UpFlags): Promise<void> => {
  const format = outputFormat(output);
  const { name } = flags;
  const nodes = flags.nodes ?? readRecord(name)?.nodes ?? 3;
  if (nodes < 1 || nodes > MAX_NODES) throw new UsageError(`--nodes takes 1 to ${MAX_NODES}`);
  const { schedulerConfig, tracingConfigFile } = flags;
  const whole = {
    ...(schedulerConfig === undefined ? {} : { schedulerConfig: resolve(schedulerConfig) }),
    ...(tracingConfigFile === undefined ? {} : { tracingConfigFile: resolve(tracingConfigFile) }),
  };
  await up({ ...flags, ...whole, nodes }, __dirname, progress, stopSignal());
  if (output !== undefined) process.stdout.write(formatStatus(await allOf([name]), format));
  else {
    const which = recordedClusters().length > 1 ? ` --cluster ${name}` : '';
    process.stdout.write(
      `cluster ${name} is up: dhow get nodes${which} | dhow apply -f FILE${which} | dhow down --name ${name}\n`,
    );
  }
};

const defineDown = (program: Command): void => {
  program
    .command('down')
    .description('Stop a cluster of this machine and remove all of it, data included')
    .option('--name <name>', 'which cluster; default the only one')
    .option('--all', 'every cluster of this machine')
    .addHelpText('after', examples('dhow down', 'dhow down --name big', 'dhow down --all'))
    .action(async ({ name, all }: { name?: string; all?: boolean }) => {
      if (process.getuid?.() !== 0) throw new UsageError('removing a cluster needs root: use sudo');
      if (all === true && name !== undefined) throw new UsageError('--all or --name, not both');
      const names = all === true ? await everyCluster() : [await theCluster(name)];
      if (names.length === 0) process.stdout.write('no clusters here\n');
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
    .option('-o, --output <format>', 'wide, yaml, json or name')
    .addHelpText('after', examples('dhow status', 'dhow status --name lab -o json'))
    .action(async ({ name, output }: { name?: string; output?: string }) => {
      const format = outputFormat(output);
      if (!mayListClusters()) throw new UsageError(noClusters());
      const found = await allOf(name === undefined ? await everyCluster() : [checkName(name)]);
      if (name !== undefined && found.length === 0) throw new UsageError(unknownCluster(name));
      if (found.length === 0 && format === 'table') process.stdout.write(`${noClusters()}\n`);
      else process.stdout.write(formatStatus(found, format));
    });
};

const defineKubeconfig = (program: Command): void => {
  program
    .command('kubeconfig')
    .description("Print a cluster's kubeconfig")
    .option('--name <name>', 'which cluster; default the only one')
    .addHelpText(
      'after',
      examples('dhow kubeconfig > lab.yaml && kubectl --kubeconfig lab.yaml get nodes'),
    )
    .action(async ({ name }: { name?: string }) => {
      const cluster = await theCluster(name);
      const file = clusterPaths(cluster).kubeconfig;
      if (!existsSync(file)) {
        throw new UsageError(`${cluster} has not come up yet: dhow up --name ${cluster}`);
      }
      process.stdout.write(toYaml(parseJson(readFileSync(file, 'utf8'))));
    });
};

const allOf = async (names: readonly string[]): Promise<readonly ClusterStatus[]> =>
  (await Promise.all(names.map(statusOf))).filter((status) => status !== undefined);

/** By record or by network: either may be all that a crash left. */
const everyCluster = async (): Promise<string[]> => [
  ...new Set([...recordedClusters(), ...(await labNetworkNames())]),
];

/** The cluster of this name, or the only one there is. @throws UsageError */
const theCluster = async (name: string | undefined): Promise<string> => {
  if (!mayListClusters()) throw new UsageError(noClusters());
  const all = await everyCluster();
  if (name !== undefined) {
    if (!all.includes(checkName(name))) throw new UsageError(unknownCluster(name));
    return name;
  }
  const [only, ...others] = all;
  if (only === undefined) throw new UsageError(noClusters());
  if (others.length === 0) return only;
  throw new UsageError(`several clusters are here (${all.join(', ')}): use --name`);
};

const progress = (step: string): void => void process.stderr.write(`  ${step}\n`);

const MAX_NODES = 50;
