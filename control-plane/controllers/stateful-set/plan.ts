import { isPodReady, isTerminal } from '../../../api/pods';
import type { Pod, StatefulSet } from '../../../api/types';
import { UNASSIGNED_MAX } from '../replica-set-plan';
import { isWithin, ordinalsOf, type Ordinals } from './identity';

/** A pod of the set, and what the planner goes by. */
export interface Member {
  readonly pod: Pod;
  readonly ordinal: number;
  /** The name of the revision that it was made from. */
  readonly revision: string;
  /** Its deletion has been asked for. It holds its ordinal until it is gone. */
  readonly isLeaving: boolean;
  /** Ready for `minReadySeconds`. */
  readonly isAvailable: boolean;
}

/** The names of two revisions: what the set was last rolled out to in full, and what it is to be. */
export interface RolloutRevisions {
  readonly current: string;
  readonly update: string;
}

export interface StatefulPlan {
  readonly create: readonly { readonly ordinal: number; readonly revision: string }[];
  readonly remove: readonly Removal[];
}

/**
 * `ended`: to be made again. `condemned`: beyond the set's size. `outdated`: of another revision, and
 * `broken` besides, so that nothing is lost with it.
 */
export interface Removal {
  readonly member: Member;
  readonly why: 'ended' | 'condemned' | 'outdated' | 'broken';
}

/**
 * What to do next for a set with these members; nothing means to wait for what is under way. In order,
 * one pod at a time unless it is `Parallel`: pods are made from the lowest ordinal up, each once all
 * before it are available; then those beyond the size go, and then those of another revision, from the
 * highest down. Source: upstream stateful_set_control.go.
 *
 * Unlike upstream, a pod that is of another revision and not ready is replaced at once, and those that
 * are not ready do not wait for each other when they are scaled down: a template that never became
 * ready can then be mended, or given up, without anybody deleting pods by hand.
 */
export const planStatefulSet = (
  set: StatefulSet,
  members: readonly Member[],
  revisions: RolloutRevisions,
): StatefulPlan => {
  const ordinals = ordinalsOf(set);
  const sorted = [...members].sort((a, b) => a.ordinal - b.ordinal);
  const work: Work = {
    set,
    revisions,
    ordinals,
    wanted: sorted.filter(({ ordinal }) => isWithin(ordinal, ordinals)),
    condemned: sorted.filter(({ ordinal }) => !isWithin(ordinal, ordinals)).reverse(),
  };
  return set.spec.podManagementPolicy === 'Parallel' ? planParallel(work) : planOrdered(work);
};

/** How many pods an update may have unavailable: never less than one, or there would be none. */
export const maxUnavailableOf = ({ spec }: StatefulSet): number => {
  const value = spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1;
  if (typeof value === 'number') return Math.max(1, value);
  return Math.max(1, Math.floor((Number.parseInt(value, 10) * (spec.replicas ?? 1)) / 100));
};

export const isRunningAndReady = (pod: Pod): boolean =>
  pod.status.phase === 'Running' && isPodReady(pod);

interface Work {
  readonly set: StatefulSet;
  readonly revisions: RolloutRevisions;
  readonly ordinals: Ordinals;
  /** By ordinal. */
  readonly wanted: readonly Member[];
  /** The highest ordinal first. */
  readonly condemned: readonly Member[];
}

const NOTHING: StatefulPlan = { create: [], remove: [] };

const planOrdered = (work: Work): StatefulPlan => {
  const { wanted, condemned, ordinals } = work;
  const index = wanted.findIndex(
    (member, at) => member.ordinal !== ordinals.start + at || isUnavailable(member),
  );
  const at = index === -1 ? wanted.length : index;
  const ordinal = ordinals.start + at;
  const blocking = wanted[at];
  if (blocking?.ordinal === ordinal) return { ...NOTHING, remove: unblock(work, blocking) };
  if (ordinal < ordinals.end) return { ...NOTHING, create: [drafted(work, ordinal)] };
  const [last] = condemned;
  if (last === undefined) return { ...NOTHING, remove: rollout(work) };
  return last.isLeaving ? NOTHING : { ...NOTHING, remove: removals([last], 'condemned') };
};

/** Nothing else goes on while a pod is not available; what may never become so is replaced. */
const unblock = (work: Work, blocking: Member): readonly Removal[] => {
  if (blocking.isLeaving) return [];
  if (isTerminal(blocking.pod)) return removals([blocking], 'ended');
  return brokenOnes(work).filter(({ member }) => member === blocking);
};

const planParallel = (work: Work): StatefulPlan => {
  const staying = ({ isLeaving }: Member) => !isLeaving;
  const ended = work.wanted.filter(staying).filter(({ pod }) => isTerminal(pod));
  return {
    create: missing(work).map((ordinal) => drafted(work, ordinal)),
    remove: [
      ...removals(ended, 'ended'),
      ...removals(work.condemned.filter(staying), 'condemned'),
      ...rollout(work),
    ],
  };
};

/** Ordinals without a pod, the lowest first; no more than may wait for a node. */
const missing = ({ wanted, ordinals }: Work): readonly number[] => {
  const unassigned = wanted.filter(({ pod }) => (pod.spec.nodeName ?? '') === '').length;
  const known = new Set(wanted.map(({ ordinal }) => ordinal));
  const found: number[] = [];
  for (let ordinal = ordinals.start; ordinal < ordinals.end; ordinal++) {
    if (found.length >= UNASSIGNED_MAX - unassigned) break;
    if (!known.has(ordinal)) found.push(ordinal);
  }
  return found;
};

/** Which pods a rolling update deletes now, so that they come again of the new revision. */
const rollout = (work: Work): readonly Removal[] => {
  const { set, wanted, ordinals } = work;
  const available = wanted.filter((member) => !isUnavailable(member)).length;
  const room = maxUnavailableOf(set) - (ordinals.end - ordinals.start - available);
  const healthy = outdated(work).filter(({ pod }) => isRunningAndReady(pod));
  return [...brokenOnes(work), ...removals(healthy.slice(0, Math.max(0, room)), 'outdated')];
};

/** Replacing them takes nothing away: they are not ready, and their template is given up. */
const brokenOnes = (work: Work): readonly Removal[] =>
  removals(
    outdated(work).filter(({ pod }) => !isRunningAndReady(pod) && !isTerminal(pod)),
    'broken',
  );

/** What a rolling update is to replace, the highest ordinal first. */
const outdated = ({ set, wanted, revisions, ordinals }: Work): readonly Member[] => {
  if (set.spec.updateStrategy?.type === 'OnDelete') return [];
  const first = ordinals.start + partitionOf(set);
  return wanted
    .filter(({ ordinal, isLeaving }) => ordinal >= first && !isLeaving)
    .filter(({ revision }) => revision !== revisions.update)
    .reverse();
};

/** Below the partition a pod that is gone comes again as it was. */
const drafted = ({ set, revisions, ordinals }: Work, ordinal: number) => {
  const isKept =
    set.spec.updateStrategy?.type !== 'OnDelete' && ordinal < ordinals.start + partitionOf(set);
  return { ordinal, revision: isKept ? revisions.current : revisions.update };
};

const partitionOf = ({ spec }: StatefulSet): number =>
  spec.updateStrategy?.rollingUpdate?.partition ?? 0;

const isUnavailable = ({ isLeaving, isAvailable, pod }: Member): boolean =>
  isLeaving || !isAvailable || !isRunningAndReady(pod);

const removals = (members: readonly Member[], why: Removal['why']): readonly Removal[] =>
  members.map((member) => ({ member, why }));
