import {
  isPlacedMember,
  WHOLE_PHASES,
  type PodGroup,
  type PodGroupPhase,
  type PodGroupStatus,
} from '../../../api/pod-groups';
import type { Pod } from '../../../api/types';

/**
 * What a group's status is with these pods. Pure. As upstream's podgroup_controller.go, and in two ways
 * more exact: a group whose pods have nodes is Scheduled before they run, and one that was whole and has
 * lost some is Unknown, since the others are not to be taken for the beginnings of a group.
 */
export const podGroupStatus = (
  { spec, status = {} }: PodGroup,
  pods: readonly Pod[],
  now: string,
): PodGroupStatus => {
  const counts = countsOf(pods);
  const phase = phaseOf(spec?.minMember ?? 0, status.phase, counts);
  const { running, succeeded, failed } = counts;
  const occupiedBy = ownersOf(pods) ?? status.occupiedBy;
  const startTime = phase === 'Pending' ? undefined : (status.scheduleStartTime ?? now);
  return {
    phase,
    ...(occupiedBy === undefined ? {} : { occupiedBy }),
    ...(running === 0 ? {} : { running }),
    ...(succeeded === 0 ? {} : { succeeded }),
    ...(failed === 0 ? {} : { failed }),
    scheduleStartTime: startTime ?? null,
  };
};

interface Counts {
  readonly members: number;
  readonly placed: number;
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
}

const countsOf = (pods: readonly Pod[]): Counts => {
  const inPhase = (phase: string) => pods.filter(({ status }) => status.phase === phase).length;
  return {
    members: pods.length,
    placed: pods.filter(isPlacedMember).length,
    running: inPhase('Running'),
    succeeded: inPhase('Succeeded'),
    failed: inPhase('Failed'),
  };
};

const phaseOf = (
  minMember: number,
  before: PodGroupPhase | undefined,
  { members, placed, running, succeeded, failed }: Counts,
): PodGroupPhase => {
  if (before === 'Finished') return before;
  if (members === 0) return 'Pending';
  if (succeeded >= minMember) return 'Finished';
  if (failed > 0 && failed + running + succeeded >= minMember) return 'Failed';
  if (running + succeeded >= minMember) return 'Running';
  if (placed >= minMember) return 'Scheduled';
  if (before !== undefined && WHOLE_PHASES.has(before)) return 'Unknown';
  return members >= minMember ? 'Scheduling' : 'Pending';
};

const ownersOf = (pods: readonly Pod[]): string | undefined => {
  for (const { metadata } of pods) {
    const { ownerReferences = [], namespace = '' } = metadata;
    if (ownerReferences.length > 0)
      return ownerReferences
        .map(({ name }) => `${namespace}/${name}`)
        .sort()
        .join();
  }
  return undefined;
};
