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

const podReadiness = (pod: Pod): Readiness => {
  const ready = isPodReady(pod) ? 'True' : 'False';
  const [trouble] = pod.spec.nodeName === undefined ? [] : troublesOf(pod);
  if (trouble !== undefined) return { ready, reason: trouble.reason };
  const blamed = podCondition(pod, pod.spec.nodeName === undefined ? 'PodScheduled' : 'Ready');
  return { ready, reason: blamed?.status === 'False' ? (blamed.reason ?? '') : '' };
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
