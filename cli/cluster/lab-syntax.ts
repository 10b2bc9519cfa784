import { Option, type Command } from 'commander';
import { outputFormat } from '../output/format';
import { collect, hintAt, stopSignal } from '../program';
import { examples } from '../syntax/command';
import { FAULT_KINDS, type Fault, type FaultKind } from './faults';
import { formatLabStatus, healNodes, injectFault, labStatus, nodesOf } from './lab';
import { fillOf, forMsOf, partitionOf, slownessOf, type SlowFlags } from './lab-options';

/** Finds the cluster of a name, or the only one. */
type ClusterOf = (name: string | undefined) => Promise<string>;

interface CommonFlags {
  readonly name?: string;
  readonly output?: string;
}

interface FaultFlags extends CommonFlags {
  readonly for?: string;
}

/** `dhow lab`: faults on purpose. */
export const defineLab = (program: Command, clusterOf: ClusterOf, bundleDir: string): void => {
  const lab = hintAt(program.command('lab'))
    .description('Break nodes of a cluster of this machine on purpose, and heal them')
    .addHelpText('after', examples(...LAB_EXAMPLES));
  const fault = <F extends FaultFlags>(
    command: Command,
    done: (flags: F) => string,
    faultOf: (flags: F, nodes: readonly string[], known: readonly string[]) => Fault,
  ): void => {
    withCluster(command)
      .option('--for <duration>', 'heal by itself after this')
      .action(async (nodes: readonly string[], flags: F) => {
        const format = outputFormat(flags.output);
        const forMs = forMsOf('--for', flags.for);
        const cluster = await clusterOf(flags.name);
        const target = { cluster, nodes: nodesOf({ cluster, nodes }) };
        const known = nodesOf({ cluster, nodes: [] });
        await injectFault(target, faultOf(flags, target.nodes, known), forMs, bundleDir);
        const note = flags.for === undefined ? '' : `; heals in ${flags.for}`;
        const lines = target.nodes.map((node) => `node/${node} ${done(flags)}${note}\n`);
        process.stdout.write(
          flags.output === undefined
            ? lines.join('')
            : formatLabStatus(await labStatus(target), format),
        );
      });
  };
  definePartition(lab, fault);
  defineSlow(lab, fault);
  defineKill(lab, fault);
  defineFill(lab, fault);
  defineHeal(lab, clusterOf);
  defineLabStatus(lab, clusterOf);
};

type DefineFault = <F extends FaultFlags>(
  command: Command,
  done: (flags: F) => string,
  faultOf: (flags: F, nodes: readonly string[], known: readonly string[]) => Fault,
) => void;

const definePartition = (lab: Command, fault: DefineFault): void =>
  fault<FaultFlags & { from?: readonly string[] }>(
    lab
      .command('partition <node...>')
      .description('Cut nodes off: from all that is not on them, or from some')
      .option('--from <names>', 'only from these: server, or nodes with their pods', collect)
      .addHelpText(
        'after',
        examples(
          'dhow lab partition node-2                       as when its cable is pulled',
          'dhow lab partition node-2 --from server         its pods run on, unseen',
          'dhow lab partition node-2 --from node-1,node-3 --for 30s',
        ),
      ),
    ({ from = [] }) => (from.length === 0 ? 'cut off' : `cut off from ${from.join(', ')}`),
    ({ from }, nodes, known) => partitionOf(nodes, known, from),
  );

const defineSlow = (lab: Command, fault: DefineFault): void =>
  fault<FaultFlags & SlowFlags>(
    lab
      .command('slow <node...>')
      .description('Make the wire of nodes a bad one, each way')
      .option('--delay <duration>', 'added to the way of each packet; needs sch_netem')
      .option('--jitter <duration>', 'by how much the delay varies')
      .option('--loss <percent>', 'of packets that never arrive')
      .option('--rate <bits>', 'bits a second: 64k, 1M')
      .addHelpText(
        'after',
        examples(
          'dhow lab slow node-2 --rate 1M',
          'dhow lab slow node-2 --loss 20% --for 1m',
          'dhow lab slow node-2 --delay 200ms --jitter 50ms',
        ),
      ),
    () => 'slowed',
    (flags) => ({ kind: 'slow', ...slownessOf(flags) }),
  );

const defineKill = (lab: Command, fault: DefineFault): void =>
  fault<FaultFlags & { freeze?: boolean; power?: boolean }>(
    lab
      .command('kill <node...>')
      .description('Kill the agents of nodes; containers run on')
      .addOption(new Option('--freeze', 'stop it in its tracks instead').conflicts('power'))
      .option('--power', 'and all containers at once, as when the machine loses its power')
      .addHelpText(
        'after',
        examples(
          'dhow lab kill node-2',
          'dhow lab kill node-2 --power --for 1m       and comes back',
          'dhow lab kill node-2 --freeze               neither dead nor alive',
        ),
      ),
    ({ freeze, power }) =>
      freeze === true ? 'frozen' : power === true ? 'without power' : 'without its agent',
    ({ freeze, power }) => ({
      kind: 'kill',
      how: freeze === true ? 'freeze' : power === true ? 'power' : 'agent',
    }),
  );

const defineFill = (lab: Command, fault: DefineFault): void =>
  fault<FaultFlags & { leave: string }>(
    lab
      .command('fill-disk <node...>')
      .description('Fill the disks of nodes that have their own: dhow up --node-disk')
      .option('--leave <size>', 'what stays free', '1Mi')
      .addHelpText('after', examples('dhow lab fill-disk node-2 --leave 16Mi')),
    ({ leave }) => `filled, ${leave} left`,
    ({ leave }) => fillOf(leave),
  );

const defineHeal = (lab: Command, clusterOf: ClusterOf): void => {
  withCluster(lab.command('heal [node...]'))
    .description(
      'Put back all that was done to nodes, all of them unless told, and start their agents',
    )
    .addOption(new Option('--fault <kind>', 'only this').choices(FAULT_KINDS))
    .option('--after <duration>', 'wait so long before')
    .addHelpText(
      'after',
      examples('dhow lab heal', 'dhow lab heal node-2', 'dhow lab heal node-2 --fault slow'),
    )
    .action(
      async (
        nodes: readonly string[],
        flags: CommonFlags & { fault?: FaultKind; after?: string },
      ) => {
        const format = outputFormat(flags.output);
        const afterMs = forMsOf('--after', flags.after);
        const target = { cluster: await clusterOf(flags.name), nodes };
        const healed = await healNodes(target, flags.fault, afterMs, stopSignal());
        const lines = nodesOf(target).map(
          (node) => `node/${node} ${healed.has(node) ? 'healed' : 'had nothing to heal'}\n`,
        );
        process.stdout.write(
          flags.output === undefined
            ? lines.join('')
            : formatLabStatus(await labStatus(target), format),
        );
      },
    );
};

const defineLabStatus = (lab: Command, clusterOf: ClusterOf): void => {
  withCluster(lab.command('status [node...]'))
    .description('Show what is wrong with nodes on purpose')
    .addHelpText('after', examples('dhow lab status', 'dhow lab status node-2 -o json'))
    .action(async (nodes: readonly string[], flags: CommonFlags) => {
      const format = outputFormat(flags.output);
      const target = { cluster: await clusterOf(flags.name), nodes };
      process.stdout.write(formatLabStatus(await labStatus(target), format));
    });
};

const withCluster = (command: Command): Command =>
  hintAt(command)
    .option('--name <name>', 'which cluster; default the only one')
    .option('-o, --output <format>', 'print what is wrong with them: yaml, json or name');

const LAB_EXAMPLES = [
  'dhow lab partition node-2             pull its cable',
  'dhow lab slow node-2 --loss 10%       a bad cable',
  'dhow lab kill node-2 --for 30s        its agent, for a while',
  'dhow lab fill-disk node-2             of a cluster with --node-disk',
  'dhow lab status                       what is wrong on purpose',
  'dhow lab heal                         all as it was',
];
