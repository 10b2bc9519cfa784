import { SYSTEM_CRITICAL_PRIORITY } from '../../api/priorities';
import type { Pod } from '../../api/types';

/** Pods from this priority on, up to the next, have so long to end. */
export interface ShutdownStep {
  readonly priority: number;
  readonly graceMs: number;
}

interface ShutdownGrace {
  readonly shutdownGraceMs: number;
  readonly shutdownGraceCriticalMs: number;
  readonly shutdownGraceByPriority: readonly ShutdownStep[];
}

/** @throws Error in upstream's words */
export const shutdownSteps = (grace: ShutdownGrace): readonly ShutdownStep[] => {
  const { shutdownGraceMs, shutdownGraceCriticalMs, shutdownGraceByPriority } = grace;
  if (shutdownGraceCriticalMs > shutdownGraceMs)
    throw new Error(
      'invalid configuration: shutdownGracePeriodCriticalPods must be <= shutdownGracePeriod',
    );
  if (shutdownGraceByPriority.length > 0) {
    if (shutdownGraceMs > 0)
      throw new Error(
        'invalid configuration: Cannot specify both shutdownGracePeriodByPodPriority and shutdownGracePeriod at the same time',
      );
    return [...shutdownGraceByPriority].sort((a, b) => a.priority - b.priority);
  }
  if (shutdownGraceMs === 0) return [];
  return [
    { priority: 0, graceMs: shutdownGraceMs - shutdownGraceCriticalMs },
    { priority: SYSTEM_CRITICAL_PRIORITY, graceMs: shutdownGraceCriticalMs },
  ];
};

/** Pure: who ends when: the least important first, those below all steps with the first. */
export const shutdownOrder = <P extends { readonly current: Pod }>(
  steps: readonly ShutdownStep[],
  pods: readonly P[],
): readonly { readonly graceMs: number; readonly pods: readonly P[] }[] =>
  steps
    .map(({ graceMs }, index) => ({
      graceMs,
      pods: pods.filter(({ current }) => stepOf(steps, current.spec.priority ?? 0) === index),
    }))
    .filter((step) => step.pods.length > 0);

const stepOf = (steps: readonly ShutdownStep[], priority: number): number =>
  Math.max(
    0,
    steps.findLastIndex((step) => step.priority <= priority),
  );
