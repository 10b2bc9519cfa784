import { hasReason } from '../../api/errors';
import { isTerminal } from '../../api/pods';
import { PODS } from '../../api/resources';
import { apiReferenceOf, CONFIG, isMirrorPod } from '../../api/static-pods';
import { nameKey, nameOf, type Node, type Pod } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { Alarm } from '../../lib/async/alarm';
import type { Clock } from '../../lib/clock';
import { isJsonObject } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import { parseObject } from './agent-json';

interface MirrorKeeperDeps {
  readonly client: Pick<ApiClient, 'create' | 'delete'>;
  /** The pods bound to the node, as the server has them. */
  readonly podsOnNode: () => readonly Pod[];
  readonly node: () => Node;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is to become of a mirror pod. */
export interface MirrorPlan {
  readonly create: readonly Pod[];
  readonly remove: readonly Pod[];
}

/**
 * Pure: mirrors that are missing, and those that mirror nothing, or what was before. When an agent has only
 * just come, a mirror that has ended may be of a pod that ended with the machine and runs again.
 */
export const planMirrors = (
  wanted: ReadonlyMap<string, Pod>,
  present: readonly Pod[],
  hasJustCome = false,
): MirrorPlan => {
  const remove = present.filter((pod) => {
    const mirrored = wanted.get(nameKey(nameOf(pod)));
    return (
      isMirrorPod(pod) &&
      (pod.metadata.deletionTimestamp !== undefined ||
        (hasJustCome && isTerminal(pod)) ||
        hashOf(pod) !== hashOf(mirrored))
    );
  });
  const names = new Set(present.map((pod) => nameKey(nameOf(pod))));
  return { create: [...wanted].filter(([key]) => !names.has(key)).map(([, pod]) => pod), remove };
};

/** Shows a node's static pods on the server, as its agent tells of them: who deletes one sees it come back. */
export class MirrorKeeper {
  private wanted: ReadonlyMap<string, Pod> | undefined;
  private readonly alarm: Alarm;
  private hasJustCome = true;

  constructor(private readonly deps: MirrorKeeperDeps) {
    this.alarm = new Alarm(deps.clock);
  }

  /** All static pods that the node has. What it must not make is left out. */
  report(bodies: readonly Uint8Array[]): void {
    const pods = bodies.slice(0, PODS_MAX).flatMap((body) => this.accepted(body) ?? []);
    this.wanted = new Map(pods.map((pod) => [nameKey(nameOf(pod)), pod]));
    this.changed();
  }

  /** The node's pods are others. */
  changed(): void {
    this.alarm.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { log } = this.deps;
    while (!signal.aborted) {
      const { wakes } = this.alarm;
      let idleMs = IDLE_MAX_MS;
      try {
        await this.reconcile(signal);
      } catch (error) {
        if (hasAborted(signal)) return;
        log.warn({ err: describeError(error) }, 'static pods are not shown yet');
        idleMs = RETRY_MS;
      }
      await this.alarm.sleep(idleMs, signal, wakes);
    }
  }

  private async reconcile(signal: AbortSignal): Promise<void> {
    if (this.wanted === undefined) return;
    const { client, podsOnNode } = this.deps;
    const { create, remove } = planMirrors(this.wanted, podsOnNode(), this.hasJustCome);
    for (const pod of remove) {
      const options = { gracePeriodSeconds: 0, preconditions: { uid: pod.metadata.uid ?? '' } };
      await client.delete(PODS, nameOf(pod), options, signal).catch(unless('NotFound', 'Conflict'));
    }
    this.hasJustCome = false;
    let failure: unknown;
    for (const pod of create) {
      try {
        await client.create(PODS, pod, {}, signal);
      } catch (error) {
        // Seen soon, if it was there before.
        if (!hasReason(error, 'AlreadyExists')) failure ??= error;
      }
    }
    if (failure !== undefined) throw failure as Error;
  }

  /** Only of this node, and with nothing in it that a node could not ask for itself. */
  private accepted(body: Uint8Array): Pod | undefined {
    const { node, log } = this.deps;
    const { name, uid = '' } = node().metadata;
    try {
      if (body.length > POD_MAX_BYTES) throw new Error('too large');
      const pod = podOf(body);
      if (!isMirrorPod(pod) || pod.spec.nodeName !== name)
        throw new Error('no mirror of this node');
      const reference = apiReferenceOf(pod);
      if (reference !== undefined) throw new Error(`references ${reference}`);
      const owner = { apiVersion: 'v1', kind: 'Node', name, uid, controller: true };
      const { namespace, name: podName, labels = {}, annotations = {} } = pod.metadata;
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          ...{ namespace: namespace ?? 'default', name: podName, labels, annotations },
          ownerReferences: [owner],
        },
        spec: pod.spec,
        status: {},
      };
    } catch (error) {
      log.warn({ err: describeError(error) }, 'a static pod is refused');
      return undefined;
    }
  }
}

/** @throws Error when it has not what every pod has */
const podOf = (body: Uint8Array): Pod => {
  const pod = parseObject<Pod>(body);
  const isPod =
    isJsonObject(pod?.metadata) && isJsonObject(pod.spec) && Array.isArray(pod.spec.containers);
  if (!isPod) throw new Error('no pod');
  return pod as Pod;
};

const hashOf = (pod: Pod | undefined): string | undefined =>
  pod?.metadata.annotations?.[CONFIG.mirror];

const unless =
  (...reasons: Parameters<typeof hasReason>[1][]) =>
  (error: unknown): void => {
    if (!hasReason(error, ...reasons)) throw error;
  };

// Behind a call, so that the compiler does not take an earlier look for the present one.
const hasAborted = (signal: AbortSignal): boolean => signal.aborted;

const RETRY_MS = 2_000;
const IDLE_MAX_MS = 3_600_000;
const PODS_MAX = 500;
const POD_MAX_BYTES = 1024 * 1024;
