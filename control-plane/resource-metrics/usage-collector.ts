import type { Node, Pod } from '../../api/types';
import type { Informer } from '../../client/informer';
import type { NodeConnections } from '../../client/node-connections';
import { Semaphore } from '../../lib/async/semaphore';
import { TaskGroup } from '../../lib/async/task-group';
import type { Clock } from '../../lib/clock';
import { NodeMeter, type MeasuredUsage } from './node-meter';

export interface UsageCollectorDeps {
  readonly connections: Pick<NodeConnections, 'isConnected' | 'usage'>;
  readonly nodes: Pick<Informer<Node>, 'get' | 'subscribe'>;
  readonly clock: Clock;
}

/**
 * What nodes use, gathered from their agents when somebody asks: decision 26. One that does not answer keeps
 * nobody waiting twice.
 */
export class UsageCollector implements AsyncDisposable {
  private readonly meters = new Map<string, NodeMeter>();
  private readonly tasks = new TaskGroup();
  private readonly places: Semaphore;
  private readonly ignoreNodes: () => void;

  constructor(private readonly deps: UsageCollectorDeps) {
    this.places = new Semaphore(READS_MAX, { holdMaxMs: HOLD_MS, clock: deps.clock });
    this.ignoreNodes = deps.nodes.subscribe({
      onDelete: ({ metadata }) => this.meters.delete(metadata.name),
    });
  }

  /** Of those of the nodes that are there and answer, no older than some seconds. */
  async usageOf(names: Iterable<string>): Promise<ReadonlyMap<string, MeasuredUsage>> {
    const { connections, nodes } = this.deps;
    const there = [...new Set(names)].filter(
      (name) => nodes.get(name) !== undefined && connections.isConnected(name),
    );
    const work = (task: () => Promise<void>) => this.tasks.run(task);
    await Promise.all(there.map((name) => this.meterOf(name).refresh(work)));
    const found = new Map<string, MeasuredUsage>();
    for (const name of there) {
      const usage = this.meters.get(name)?.usage;
      if (usage !== undefined) found.set(name, usage);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ignoreNodes();
    await this.tasks[Symbol.asyncDispose]();
  }

  private meterOf(name: string): NodeMeter {
    const known = this.meters.get(name);
    if (known !== undefined) return known;
    const { connections, clock } = this.deps;
    const { signal } = this.tasks;
    const read = () => this.places.use(() => connections.usage(name, signal), signal);
    const meter = new NodeMeter(read, clock);
    this.meters.set(name, meter);
    return meter;
  }
}

/** What a pod's containers use, if its node may speak of it. */
export const usageOfPod = ({ metadata, spec }: Pod, usage: MeasuredUsage | undefined) => {
  const containers = usage?.pods.get(metadata.uid ?? '');
  if (usage === undefined || containers === undefined) return undefined;
  const names = [...spec.containers, ...(spec.initContainers ?? [])].map(({ name }) => name);
  const own = names.flatMap((name) => {
    const each = containers.get(name);
    return each === undefined ? [] : [{ name, usage: each }];
  });
  return own.length === 0 ? undefined : { ...usage, containers: own };
};

const READS_MAX = 64;
/** A node that takes longer keeps no other from being asked. */
const HOLD_MS = 500;
