import { hasReason } from '../../../api/errors';
import { disruption, isTerminal, isTerminating, withCondition } from '../../../api/pods';
import { NODES, PODS } from '../../../api/resources';
import { nameOf, type Pod } from '../../../api/types';
import { rfc3339 } from '../../../lib/clock';
import type { Controller, ControllerDeps } from '../controller';
import { sweep } from '../sweep';
import { tellBefore } from './last-words';

export interface PodGcOptions {
  /** Ended pods beyond this many are deleted, oldest first. */
  readonly maxTerminatedPods: number;
  /** A pod of a node that does not exist is kept this long, lest the node comes back at once. */
  readonly orphanGraceMs: number;
}

/** Deletes pods that no agent will ever report on again, and ended pods beyond a bound. */
export class PodGcController implements Controller {
  readonly name = 'pod-gc';
  private readonly orphanSince = new Map<string, number>();

  constructor(
    private readonly deps: ControllerDeps,
    private readonly options: PodGcOptions = { maxTerminatedPods: 12_500, orphanGraceMs: 40_000 },
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    const { informers, clock, log } = this.deps;
    await Promise.all([informers.of(PODS).whenSynced(), informers.of(NODES).whenSynced()]);
    while (!signal.aborted) {
      try {
        await this.collect(signal);
      } catch (error) {
        log.warn({ err: error }, 'pod sweep failed');
      }
      await clock.sleep(SWEEP_PERIOD_MS, signal);
    }
  }

  private async collect(signal: AbortSignal): Promise<void> {
    const pods = [...this.deps.informers.of(PODS).list()];
    const orphans = this.orphans(pods);
    const unbound = pods.filter(
      ({ metadata, spec }) =>
        metadata.deletionTimestamp !== undefined && spec.nodeName === undefined,
    );
    const excess = excessEnded(pods, this.options.maxTerminatedPods);
    const unwanted = new Set([...orphans, ...unbound, ...excess].filter((pod) => !isHeld(pod)));
    const lost = new Set(orphans);
    const remove = async (pod: Pod) => {
      // Nobody else will say that it has ended, and whoever holds it waits for that.
      if (!isTerminal(pod)) await this.fail(pod, lost.has(pod), signal);
      await this.delete(pod, signal);
    };
    await sweep(this.name, PODS, unwanted, remove, this.deps, signal);
  }

  private orphans(pods: readonly Pod[]): Pod[] {
    const nodes = this.deps.informers.of(NODES);
    const nowMs = this.deps.clock.monotonicMs();
    const homeless = pods.filter(
      ({ spec }) => spec.nodeName !== undefined && nodes.get(spec.nodeName) === undefined,
    );
    const uids = new Set(homeless.map(({ metadata }) => metadata.uid ?? ''));
    for (const uid of this.orphanSince.keys()) if (!uids.has(uid)) this.orphanSince.delete(uid);
    return homeless.filter(({ metadata }) => {
      const uid = metadata.uid ?? '';
      const sinceMs = this.orphanSince.get(uid) ?? nowMs;
      this.orphanSince.set(uid, sinceMs);
      return nowMs - sinceMs >= this.options.orphanGraceMs;
    });
  }

  private fail(pod: Pod, isLost: boolean, signal: AbortSignal): Promise<void> {
    const { informers, client, clock } = this.deps;
    const known = pod.status.conditions;
    const conditions = isLost ? withCondition(known, NODE_GONE, rfc3339(clock.now())) : known;
    const status = { ...pod.status, phase: 'Failed', ...(conditions && { conditions }) };
    return tellBefore(client, informers.of(PODS), { ...pod, status }, signal);
  }

  private async delete(pod: Pod, signal: AbortSignal): Promise<void> {
    const options = { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid ?? '' } };
    try {
      await this.deps.client.delete(PODS, nameOf(pod), options, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound', 'Conflict')) throw error;
    }
  }
}

/** Nothing but finalizers keeps it: it was deleted, and said to have ended, before. */
const isHeld = (pod: Pod): boolean =>
  isTerminating(pod) && isTerminal(pod) && Number(pod.metadata.deletionGracePeriodSeconds) === 0;

/** Source: gc_controller.go. */
const NODE_GONE = disruption('DeletionByPodGC', 'PodGC: node no longer exists');

const excessEnded = (pods: readonly Pod[], max: number): Pod[] => {
  const ended = pods.filter(isTerminal);
  return ended.sort((a, b) => created(a) - created(b)).slice(0, Math.max(0, ended.length - max));
};

const created = ({ metadata }: Pod): number => Date.parse(metadata.creationTimestamp ?? '') || 0;

const SWEEP_PERIOD_MS = 20_000;
