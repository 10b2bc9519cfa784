import { join } from 'node:path';
import { systemClock } from '../../lib/clock';
import { formatAge } from '../../lib/age';
import { stateOfProcess } from '../../lib/process-identity';
import { formatViews, type OutputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { UsageError } from '../usage-error';
import { FAULT_KINDS, Faults, type Fault, type FaultKind, type FaultRecord } from './faults';
import { lockCluster } from './lock';
import { nodeNames, pathsOf, processesOf, readRecord } from './record';

/** Nodes of a cluster of this machine, as its user named them. */
export interface LabTarget {
  readonly cluster: string;
  /** Empty: all that there are. */
  readonly nodes: readonly string[];
}

/** @throws UsageError naming the nodes that there are */
export const nodesOf = ({ cluster, nodes }: LabTarget): readonly string[] => {
  const record = readRecord(cluster);
  if (record === undefined) throw new UsageError(`no cluster is named ${cluster}`);
  const known = nodeNames(record);
  const unknown = nodes.find((node) => !known.includes(node));
  if (unknown !== undefined)
    throw new UsageError(`cluster ${cluster} has no node "${unknown}": it has ${known.join(', ')}`);
  return nodes.length === 0 ? known : [...new Set(nodes)];
};

/**
 * Brings a fault about on each of these nodes, for a while or until it is healed. Where one cannot be, those before
 * it are taken back. @throws UsageError when the cluster does not run, or another command is at work on it
 */
export const injectFault = async (
  target: LabTarget,
  fault: Fault,
  forMs: number | undefined,
  bundleDir: string,
): Promise<void> => {
  checkRoot();
  const { cluster } = target;
  const nodes = nodesOf(target);
  const faults = new Faults(cluster);
  using _lock = await lockWithin(faults.paths.lock, PATIENCE_MS);
  await checkRuns(cluster);
  await faults.healOverdue();
  const done: string[] = [];
  for (const node of nodes) {
    const healer = (afterMs: number) => [
      ...[process.execPath, join(bundleDir, 'dhow.js'), 'lab', 'heal', node],
      ...['--name', cluster, '--fault', fault.kind, '--after', `${afterMs}ms`],
    ];
    try {
      await faults.inject(node, fault, forMs, healer);
      done.push(node);
    } catch (error) {
      for (const each of done) await faults.heal(each, [fault.kind]);
      throw error;
    }
  }
};

/** Puts back what was done to these nodes, after a while: by name, those of which there was something. */
export const healNodes = async (
  target: LabTarget,
  kind: FaultKind | undefined,
  afterMs: number | undefined,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> => {
  checkRoot();
  const nodes = nodesOf(target);
  if (afterMs !== undefined) await systemClock.sleep(afterMs, signal);
  signal.throwIfAborted();
  const faults = new Faults(target.cluster);
  using _lock = await lockWithin(
    faults.paths.lock,
    afterMs === undefined ? PATIENCE_MS : HEALER_PATIENCE_MS,
  );
  const healed = new Set<string>();
  for (const node of nodes)
    if (await faults.heal(node, kind === undefined ? FAULT_KINDS : [kind])) healed.add(node);
  return healed;
};

/** Faults heal by themselves at any time, which is soon done. */
const lockWithin = async (file: string, patienceMs: number): Promise<Disposable> => {
  const endMs = systemClock.monotonicMs() + patienceMs;
  for (;;) {
    try {
      return await lockCluster(file);
    } catch (error) {
      if (!(error instanceof UsageError) || systemClock.monotonicMs() >= endMs) throw error;
    }
    await systemClock.sleep(LOCK_POLL_MS);
  }
};

type AgentState = 'Running' | 'Frozen' | 'Ended';

interface NodeStatus {
  readonly node: string;
  readonly agent: AgentState;
  readonly faults: readonly Omit<FaultRecord, 'node'>[];
}

export const labStatus = async (target: LabTarget): Promise<readonly NodeStatus[]> => {
  const nodes = nodesOf(target);
  const processes = processesOf(pathsOf(target.cluster));
  const records = new Faults(target.cluster).records();
  return Promise.all(
    nodes.map(async (node) => ({
      node,
      agent: await agentState(await processes.pidOf(node)),
      faults: records
        .filter((record) => record.node === node)
        .map(({ node: _node, ...rest }) => rest),
    })),
  );
};

const agentState = async (pid: number | undefined): Promise<AgentState> => {
  if (pid === undefined) return 'Ended';
  return (await stateOfProcess(pid)) === 'T' ? 'Frozen' : 'Running';
};

export const formatLabStatus = (nodes: readonly NodeStatus[], format: OutputFormat): string =>
  formatViews(
    {
      document: nodes,
      names: nodes.map(({ node }) => `node/${node}`),
      table: () => statusTable(nodes, systemClock.now()),
    },
    format,
  );

const statusTable = (nodes: readonly NodeStatus[], nowMs: number): string =>
  formatTable(
    ['NODE', 'AGENT', 'FAULT', 'AGE', 'HEALS IN'],
    nodes.flatMap(({ node, agent, faults }) =>
      faults.length === 0
        ? [[node, agent, '<none>', '', '']]
        : faults.map(({ fault, since, until }) => [
            ...[node, agent, wordsOf(fault), formatAge(nowMs - Date.parse(since))],
            until === undefined ? '<never>' : formatAge(Math.max(0, Date.parse(until) - nowMs)),
          ]),
    ),
  );

/** Pure. A fault as a table shows it. */
const wordsOf = (fault: Fault): string => {
  switch (fault.kind) {
    case 'partition':
      return `partition from ${fault.from?.join(',') ?? 'all'}`;
    case 'slow': {
      const { delayMs, jitterMs, lossPercent, bitsPerSecond } = fault;
      return [
        'slow',
        ...(delayMs === undefined ? [] : [`delay=${delayMs}ms`]),
        ...(jitterMs === undefined ? [] : [`jitter=${jitterMs}ms`]),
        ...(lossPercent === undefined ? [] : [`loss=${lossPercent}%`]),
        ...(bitsPerSecond === undefined ? [] : [`rate=${bitsPerSecond}bit/s`]),
      ].join(' ');
    }
    case 'kill':
      return { agent: 'kill', freeze: 'kill --freeze', power: 'kill --power' }[fault.how];
    case 'fill-disk':
      return `fill-disk leave=${fault.leaveBytes}`;
  }
};

const checkRoot = (): void => {
  if (process.getuid?.() !== 0) throw new UsageError('faults of nodes need root: use sudo');
};

const checkRuns = async (cluster: string): Promise<void> => {
  if ((await processesOf(pathsOf(cluster)).pidOf('server')) === undefined)
    throw new UsageError(`cluster ${cluster} is stopped: dhow up --name ${cluster}`);
};

const PATIENCE_MS = 20_000;
/** Nobody would ask it again. */
const HEALER_PATIENCE_MS = 120_000;
const LOCK_POLL_MS = 100;
