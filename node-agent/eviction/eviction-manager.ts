import { qosClassOf } from '../../api/pods';
import { isTolerated } from '../../api/taints';
import type { Pod } from '../../api/types';
import { linkedController } from '../../lib/async/linked-controller';
import type { Clock } from '../../lib/clock';
import { describeError, type Log } from '../../lib/log';
import { nodeObject, type EventSink } from '../outbox/event-outbox';
import type { Refusal } from '../plan/admission';
import type { PodEnding } from '../plan/status';
import { isCritical } from '../pod-spec/critical';
import { evictionMessage } from './message';
import {
  mostUrgent,
  NO_PRESSURE,
  nextPressure,
  pressuresOf,
  unmetBy,
  type Observations,
} from './pressure';
import { rankForEviction, type PodUse } from './rank';
import {
  CONDITION_WORDS,
  resourceOf,
  type NodePressure,
  type StarvedResource,
  type Threshold,
} from './thresholds';

/** A pod that may have to go. */
export interface EvictablePod {
  readonly uid: string;
  readonly current: Pod;
  /** What it took of the node, its volumes too, is there for others again. */
  readonly hasFreed: boolean;
  evict(ending: PodEnding, graceMs: number): void;
}

interface EvictionDeps {
  readonly thresholds: readonly Threshold[];
  readonly transitionMs: number;
  /** The longest that a pod gets when a soft threshold is met. */
  readonly softGraceMaxMs: number;
  readonly nodeName: string;
  readonly signals: { observe(): Promise<Observations>; hasImageDisk(): Promise<boolean> };
  readonly uses: {
    of(pod: Pod, resource: StarvedResource, signal: AbortSignal): Promise<PodUse>;
  };
  /** Pods that run. */
  readonly pods: () => readonly EvictablePod[];
  /** Removes images that nobody uses. */
  readonly reclaimDisk: (signal: AbortSignal) => Promise<void>;
  readonly events: EventSink;
  /** The node's pressures are others than before. */
  readonly onChange: () => void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Keeps the node alive: when memory, disk, inodes or processes run out it says so, frees what is nobody's
 * and evicts pods, one at a time. As upstream's eviction manager.
 */
export class EvictionManager {
  private state = NO_PRESSURE;

  constructor(private readonly deps: EvictionDeps) {}

  get pressures(): ReadonlySet<NodePressure> {
    return pressuresOf(this.state);
  }

  /** Why a pod is not let in for now; undefined: nothing of here speaks against it. */
  refuse(pod: Pod): Refusal | undefined {
    const { pressures } = this;
    if (pressures.size === 0 || isCritical(pod)) return undefined;
    if (pressures.size === 1 && pressures.has('MemoryPressure') && bearsMemoryPressure(pod))
      return undefined;
    const message = `Pod was rejected: The node had condition: [${[...pressures].join(' ')}]. `;
    return { reason: 'Evicted', message };
  }

  /** Until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, thresholds } = this.deps;
    while (!signal.aborted && thresholds.length > 0) {
      try {
        const evicted = await this.look(signal);
        if (evicted === undefined) await clock.sleep(PERIOD_MS, signal);
        else await this.untilFreed(evicted, signal);
      } catch (error) {
        if (hasAborted(signal)) return;
        log.warn({ err: describeError(error) }, 'cannot tell what the node has left');
        await clock.sleep(PERIOD_MS, signal);
      }
    }
  }

  /** One look at the node: the pod that had to go, if one had. */
  async look(signal: AbortSignal): Promise<EvictablePod | undefined> {
    const { thresholds, transitionMs, signals, clock } = this.deps;
    const observations = await signals.observe();
    const before = this.pressures;
    const nowMs = clock.monotonicMs();
    this.state = nextPressure(this.state, thresholds, observations, { nowMs, transitionMs });
    this.tellChanges(before);
    const urgent = mostUrgent(this.state);
    if (urgent === undefined) return undefined;
    const resource = resourceOf(urgent.signal);
    this.emit('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
    if (await this.reclaims(urgent, signal)) return undefined;
    return await this.evictOne(urgent, observations, signal);
  }

  /** True when what was nobody's was enough. */
  private async reclaims({ signal: source }: Threshold, signal: AbortSignal): Promise<boolean> {
    const { signals, thresholds, reclaimDisk, log } = this.deps;
    const isOfImages = source.startsWith('imagefs');
    if (!isOfImages && (!source.startsWith('nodefs') || (await signals.hasImageDisk())))
      return false;
    try {
      await reclaimDisk(signal);
    } catch (error) {
      log.warn({ err: describeError(error) }, 'images cannot be removed');
    }
    return unmetBy(await signals.observe(), thresholds, true).length === 0;
  }

  private async evictOne(
    { signal: source, graceMs }: Threshold,
    observations: Observations,
    signal: AbortSignal,
  ): Promise<EvictablePod | undefined> {
    const { signals, pods, softGraceMaxMs, log } = this.deps;
    const resource = resourceOf(source);
    const isElsewhere = source.startsWith('imagefs') && (await signals.hasImageDisk());
    const candidates = pods().filter(({ current }) => !isCritical(current));
    const uses = await Promise.all(
      candidates.map(async (candidate) => ({
        candidate,
        ...(isElsewhere ? takesNone(candidate) : await this.useOf(candidate, resource, signal)),
      })),
    );
    const [first] = rankForEviction(uses, resource);
    if (first === undefined) {
      log.error({ resource }, 'the node is short of a resource, and has no pod to evict');
      return undefined;
    }
    const message = evictionMessage(resource, first, this.state.met, observations);
    const limitMs = graceMs === undefined ? HARD_GRACE_MS : Math.max(HARD_GRACE_MS, softGraceMaxMs);
    log.warn(
      { resource, pod: first.pod.metadata.name, uid: first.candidate.uid },
      'evicting a pod',
    );
    first.candidate.evict({ reason: 'Evicted', message, isDisruption: true }, limitMs);
    return first.candidate;
  }

  private useOf(
    { current }: EvictablePod,
    resource: StarvedResource,
    signal: AbortSignal,
  ): Promise<PodUse> {
    return this.deps.uses.of(current, resource, signal);
  }

  /** Else the next would go for what the first has not given back yet. As upstream's waitForPodsCleanup. */
  private async untilFreed(pod: EvictablePod, signal: AbortSignal): Promise<void> {
    const { clock } = this.deps;
    using limit = linkedController(signal);
    const callOff = clock.after(FREE_LIMIT_MS, () => limit.abort());
    while (!pod.hasFreed && !limit.signal.aborted) await clock.sleep(POLL_MS, limit.signal);
    callOff();
  }

  private tellChanges(before: ReadonlySet<NodePressure>): void {
    const { pressures } = this;
    const changed = [...before, ...pressures].filter(
      (each, index, all) => all.indexOf(each) === index && before.has(each) !== pressures.has(each),
    );
    for (const pressure of changed) {
      const reason = `Node${CONDITION_WORDS[pressure][pressures.has(pressure) ? 1 : 0]}`;
      const { nodeName } = this.deps;
      this.emit('Normal', reason, `Node ${nodeName} status is now: ${reason}`);
    }
    if (changed.length > 0) this.deps.onChange();
  }

  private emit(type: 'Normal' | 'Warning', reason: string, message: string): void {
    const { nodeName, events } = this.deps;
    events.emit(nodeObject(nodeName), { type, reason, message });
  }
}

/** What a pod has of the file system of images is none of its own. */
const takesNone = ({ current }: EvictablePod): PodUse => ({
  pod: current,
  used: 0,
  containers: [],
});

const bearsMemoryPressure = ({ spec }: Pod): boolean =>
  qosClassOf(spec) !== 'BestEffort' ||
  isTolerated(spec.tolerations, {
    key: 'node.kubernetes.io/memory-pressure',
    effect: 'NoSchedule',
  });

// Behind a call, so that the compiler does not take an earlier look for the present one.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

/** As the kubelet's monitoring interval. */
const PERIOD_MS = 10_000;
/** As the kubelet's: who must go at once gets no time to take more. */
const HARD_GRACE_MS = 1_000;
const FREE_LIMIT_MS = 30_000;
const POLL_MS = 250;
