import { isPodReady, podCondition } from '../../api/pods';
import { isOfKind } from '../../api/owners';
import { PODS } from '../../api/resources';
import type { ApiObject, Pod } from '../../api/types';
import { troublesOf } from '../why';

export interface Readiness {
  /** `True`, `2/3`; `-` of what is never ready or unready. */
  readonly ready: string;
  /** Why it is not; empty when all is well. */
  readonly reason: string;
}

/** Pure: whether an object of any kind does what it is for, as far as its status tells. */
export const readinessOf = (object: ApiObject): Readiness => {
  if (isOfKind(object, PODS)) return podReadiness(object as Pod);
  const { spec, status } = object as Replicated;
  const conditions = conditionsOf(status?.conditions);
  const wanted = numberOf(spec?.replicas ?? status?.replicas);
  const main = CONDITIONS.map((type) => conditions.find((each) => each.type === type)).find(
    (condition) => condition !== undefined,
  );
  return {
    ready:
      wanted === undefined
        ? (main?.status ?? '-')
        : `${numberOf(status?.readyReplicas) ?? 0}/${wanted}`,
    reason: conditions.find(isBad)?.reason ?? '',
  };
};

const podReadiness = (pod: Pod): Readiness => ({
  ready: isPodReady(pod) ? 'True' : 'False',
  reason: blameOf(pod)?.reason ?? '',
});

/** What keeps a pod from running, in one line: `Unschedulable: 0/3 nodes are available: ...`. */
export const reasonLine = (object: ApiObject): string => {
  const { reason, message = '' } = (isOfKind(object, PODS) && blameOf(object as Pod)) || {};
  if (reason === undefined) return '';
  const line = `${reason}${message === '' ? '' : `: ${message}`}`.replace(/\s+/g, ' ').trim();
  return line.length <= REASON_CHARACTERS_MAX ? line : `${line.slice(0, REASON_CHARACTERS_MAX)}…`;
};

/** Of a pod without a node its scheduler has the word, of others the worst of their troubles. */
const blameOf = (pod: Pod): { readonly reason: string; readonly message?: string } | undefined => {
  const isPlaced = pod.spec.nodeName !== undefined;
  const [trouble] = isPlaced ? troublesOf(pod) : [];
  if (trouble !== undefined) return trouble;
  const { status, reason, message } = podCondition(pod, isPlaced ? 'Ready' : 'PodScheduled') ?? {};
  if (status !== 'False' || reason === undefined) return undefined;
  return { reason, ...(message === undefined ? {} : { message }) };
};

interface Replicated extends ApiObject {
  readonly spec?: { readonly replicas?: unknown };
  readonly status?: {
    readonly replicas?: unknown;
    readonly readyReplicas?: unknown;
    readonly conditions?: unknown;
  };
}

interface Condition {
  readonly type?: string;
  readonly status?: string;
  readonly reason?: string;
}

/** Statuses of users' kinds have any form. */
const conditionsOf = (value: unknown): readonly Condition[] =>
  Array.isArray(value) ? (value as readonly Condition[]) : [];

const isBad = ({ type = '', status }: Condition): boolean =>
  FAILURES.has(type) ? status === 'True' : SUCCESSES.has(type) && status !== 'True';

const numberOf = (value: unknown): number | undefined =>
  typeof value === 'number' ? value : undefined;

const CONDITIONS = ['Ready', 'Available', 'Established', 'Complete'] as const;
const SUCCESSES: ReadonlySet<string> = new Set([...CONDITIONS.slice(0, 3), 'Progressing']);
const FAILURES: ReadonlySet<string> = new Set(['ReplicaFailure', 'Failed']);

const REASON_CHARACTERS_MAX = 160;
