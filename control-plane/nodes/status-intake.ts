import { ApiError, hasReason } from '../../api/errors';
import { hasStarted, withNodeConditions } from '../../api/pods';
import { PODS } from '../../api/resources';
import { nameKey, type ObjectName, type Pod, type PodStatus } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { describeError, type Log } from '../../lib/log';
import { podSpan, spanning, type Tracing } from '../../lib/tracing/tracing';
import type { PodStatusUpdate } from '../../proto/gen/dhow/agent/v1/agent';
import { parseObject } from './agent-json';
import type { ObjectView } from './deps';
import { withConflictRetry } from './node-registrar';
import { jsonEqual } from '../../api/json-value';

/** Stores what agents report of their pods. */
export class StatusIntake {
  constructor(
    private readonly deps: {
      readonly client: ApiClient;
      readonly pods: ObjectView<Pod>;
      readonly log: Log;
      /** Default: nothing is traced. */
      readonly tracing?: Tracing;
    },
  ) {}

  /**
   * Resolves to the pod once the status is stored; to undefined when it is of no use, because the pod
   * is gone or on another node, or because the API refuses it for good.
   * @throws ApiError when it should be tried again later.
   */
  async accept(
    nodeName: string,
    update: PodStatusUpdate,
    signal: AbortSignal,
  ): Promise<Pod | undefined> {
    const name = { namespace: update.namespace, name: update.name };
    const reported = parseObject<PodStatus>(update.status);
    if (reported === undefined) {
      this.deps.log.warn({ node: nodeName, pod: nameKey(name) }, 'dropped a malformed pod status');
      return undefined;
    }
    try {
      const first = this.deps.pods.get(nameKey(name)) ?? (await this.read(name, signal));
      const store = () => this.storeOrFree(nodeName, first, update, reported, signal);
      const stored = await this.traced(update.uid, reported, store);
      if (update.terminated) await this.finish(stored, update, signal);
      return stored;
    } catch (error) {
      if (error === OTHER_POD || hasReason(error, 'NotFound')) return undefined;
      if (signal.aborted || !isRefusal(error)) throw error;
      // Another try would not help; other pods' statuses must not wait for it.
      const fields = { node: nodeName, pod: nameKey(name), err: describeError(error) };
      this.deps.log.error(fields, 'status refused');
      return undefined;
    }
  }

  /** Until the pod is ready, or has ended: with that its start has been told. */
  private async traced(
    uid: string,
    { phase = '' }: Partial<PodStatus>,
    store: () => Promise<Pod>,
  ): Promise<Pod> {
    const { tracing } = this.deps;
    if (tracing === undefined) return store();
    const attributes = { 'k8s.pod.phase': phase };
    const stored = await spanning(
      podSpan(tracing, uid, 'Store status', () => ({ attributes })),
      store(),
    );
    if (hasStarted(stored)) tracing.pods.forget(uid);
    return stored;
  }

  /** A full store takes no status, but the deletion of the pod, which makes room. */
  private async storeOrFree(
    nodeName: string,
    first: Pod,
    update: PodStatusUpdate,
    reported: Partial<PodStatus>,
    signal: AbortSignal,
  ): Promise<Pod> {
    try {
      return await this.store(nodeName, first, update, reported, signal);
    } catch (error) {
      if (!update.terminated || !hasReason(error, 'InsufficientStorage')) throw error;
      const pod = await this.read(update, signal);
      const isOurs = pod.metadata.uid === update.uid && pod.spec.nodeName === nodeName;
      if (!isOurs || pod.metadata.deletionTimestamp === undefined) throw error;
      return pod;
    }
  }

  private read(name: ObjectName, signal: AbortSignal): Promise<Pod> {
    return this.deps.client.get(PODS, name, signal);
  }

  private store(
    nodeName: string,
    first: Pod,
    update: PodStatusUpdate,
    reported: Partial<PodStatus>,
    signal: AbortSignal,
  ): Promise<Pod> {
    const { client } = this.deps;
    return withConflictRetry(
      first,
      () => this.read(update, signal),
      async (pod) => {
        if (pod.metadata.uid !== update.uid || pod.spec.nodeName !== nodeName) throw OTHER_POD;
        const status = mergePodStatus(pod.status, reported);
        if (jsonEqual(status, pod.status)) return pod;
        const next = { ...pod, status };
        const written = await client.update(PODS, next, { subresource: 'status' }, signal);
        this.deps.pods.noteWritten(written);
        return written;
      },
    );
  }

  /** The containers are gone: a pod that is being deleted may vanish now. */
  private async finish(stored: Pod, update: PodStatusUpdate, signal: AbortSignal): Promise<void> {
    const isDeleted = stored.metadata.deletionTimestamp !== undefined;
    const pod = isDeleted ? stored : await this.read(update, signal);
    if (pod.metadata.deletionTimestamp === undefined) return;
    const options = { gracePeriodSeconds: 0, preconditions: { uid: update.uid } };
    try {
      await this.deps.client.delete(PODS, update, options, signal);
    } catch (error) {
      // Conflict: a new pod has the name; this one is gone.
      if (!hasReason(error, 'Conflict', 'NotFound')) throw error;
    }
  }
}

/** The name belongs to another pod by now, or the pod to another node. */
const OTHER_POD = new ApiError('NotFound', 'another pod');

/** The API will say the same to the same status; what it throws besides is a fault of ours. */
const isRefusal = (error: unknown): boolean =>
  !(error instanceof ApiError) ||
  hasReason(error, 'Invalid', 'BadRequest', 'Forbidden', 'RequestEntityTooLarge');

/** Pure: does the stored status say what was reported? */
export const isStatusAsReported = (stored: PodStatus, { status }: PodStatusUpdate): boolean => {
  const reported = parseObject<PodStatus>(status);
  return reported === undefined || jsonEqual(mergePodStatus(stored, reported), stored);
};

/** Pure: a node's report over the stored status; conditions of others and a final phase stay. */
export const mergePodStatus = (stored: PodStatus, reported: Partial<PodStatus>): PodStatus => {
  const isFinal = stored.phase === 'Failed' || stored.phase === 'Succeeded';
  const { nominatedNodeName, ...kept } = stored;
  return {
    ...kept,
    ...(isFinal && nominatedNodeName !== undefined ? { nominatedNodeName } : {}),
    ...reported,
    ...(isFinal ? { phase: stored.phase } : {}),
    conditions: withNodeConditions(reported.conditions, stored.conditions),
  };
};
