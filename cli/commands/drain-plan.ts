import { hasReason, type ApiError } from '../../api/errors';
import { controllerOf } from '../../api/owners';
import { isPodActive } from '../../api/pods';
import { keyOf, type Pod } from '../../api/types';

export interface DrainChoices {
  readonly ignoreDaemonsets: boolean;
  readonly force: boolean;
  readonly deleteEmptydirData: boolean;
}

/** What a drain does with the pods of a node. */
export interface DrainPlan {
  readonly evicted: readonly Pod[];
  readonly warnings: readonly string[];
  /** Why it is not done at all; empty when it is. */
  readonly refusals: readonly string[];
}

/** Pure: kubectl's rules, in its words. */
export const drainPlan = (pods: readonly Pod[], choices: DrainChoices): DrainPlan => {
  const candidates = pods.filter((pod) => !isMirror(pod));
  const ofDaemonSets = candidates.filter((pod) => isPodActive(pod) && isOfDaemonSet(pod));
  const others = candidates.filter((pod) => !ofDaemonSets.includes(pod));
  const local = others.filter((pod) => isPodActive(pod) && hasLocalStorage(pod));
  const unmanaged = others.filter((pod) => isPodActive(pod) && controllerOf(pod) === undefined);
  const findings: readonly Finding[] = [
    {
      pods: ofDaemonSets,
      isAllowed: choices.ignoreDaemonsets,
      warning: 'ignoring DaemonSet-managed Pods',
      refusal: 'cannot delete DaemonSet-managed Pods (use --ignore-daemonsets to ignore)',
    },
    {
      pods: local,
      isAllowed: choices.deleteEmptydirData,
      warning: 'deleting Pods with local storage',
      refusal: 'cannot delete Pods with local storage (use --delete-emptydir-data to override)',
    },
    {
      pods: unmanaged,
      isAllowed: choices.force,
      warning: 'deleting Pods that declare no controller',
      refusal:
        'cannot delete cannot delete Pods that declare no controller (use --force to override)',
    },
  ];
  const told = (isAllowed: boolean, text: 'warning' | 'refusal'): readonly string[] =>
    findings
      .filter((each) => each.pods.length > 0 && each.isAllowed === isAllowed)
      .map((each) => `${each[text]}: ${each.pods.map(keyOf).join(', ')}`);
  return { evicted: others, warnings: told(true, 'warning'), refusals: told(false, 'refusal') };
};

interface Finding {
  readonly pods: readonly Pod[];
  readonly isAllowed: boolean;
  readonly warning: string;
  readonly refusal: string;
}

/** Of a static pod: only its node can end it. */
const isMirror = ({ metadata }: Pod): boolean =>
  metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined;

const isOfDaemonSet = (pod: Pod): boolean => controllerOf(pod)?.kind === 'DaemonSet';

const hasLocalStorage = ({ spec }: Pod): boolean =>
  (spec.volumes ?? []).some(({ emptyDir }) => emptyDir !== undefined);

/** Nothing is evicted from a namespace that is going: its pods are deleted all the same. */
export const isOfGoingNamespace = (error: unknown): error is ApiError =>
  hasReason(error, 'Forbidden') &&
  (error.details?.causes ?? []).some(({ reason }) => reason === 'NamespaceTerminating');
