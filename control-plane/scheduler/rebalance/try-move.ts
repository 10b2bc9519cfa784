import { controllerOf } from '../../../api/owners';
import type { MoveReason, NotMovedReason } from '../../../api/rebalance-plans';
import type { Pod } from '../../../api/types';
import { decide, type Decision } from '../decide';
import type { NodeInfo } from '../node-info';
import { podInfoOf, type PodInfo } from '../pod-info';
import type { Profiles } from '../profile';
import type { Snapshot } from '../snapshot';
import { fullnessOf, loadGainOf, type MeanCapacity } from './load';
import { isOfNode } from './movable';
import type { Spread } from './spread';

export interface Trial {
  readonly cluster: Snapshot;
  readonly resolve: (info: PodInfo) => PodInfo;
  readonly seed: number;
  readonly profiles: Profiles;
  readonly spread: Spread;
  readonly mean: MeanCapacity;
  readonly minGainPercent: number;
  /** From this fullness on a node is to be relieved. */
  readonly highPercent: number;
  /** Below it a node is to be used more. */
  readonly lowPercent: number;
}

export interface TrialMove extends Worth {
  /** As it is now, on the node that it would leave. */
  readonly info: PodInfo;
  readonly from: string;
  readonly to: string;
  readonly decision: Decision;
}

export interface Worth {
  readonly reason: MoveReason;
  readonly message: string;
  readonly spreadGain: number;
  readonly loadGainPercent: number;
}

/**
 * Where the scheduler would place the pod's replacement, if that is elsewhere and worth it; else why not. The
 * cluster is the same afterwards.
 */
export const tryMove = (info: PodInfo, from: string, trial: Trial): TrialMove | NotMovedReason => {
  trial.cluster.removePod(info.uid);
  try {
    const decision = decideAnew(info, trial);
    const target = targetOf(info, decision, from, trial);
    if (!target.isCertain) return target.reason;
    const worth = worthOf(info, { from, to: target.to }, trial);
    if (worth === undefined) return 'GainTooSmall';
    // What cannot be told apart by points may come out otherwise for another pod: all must be worth it.
    const tied = tiedWith(decision).map((to) => to !== from && worthOf(info, { from, to }, trial));
    if (tied.some((each) => each === undefined || each === false)) return 'TargetUncertain';
    return { info, from, to: target.to, decision, ...worth };
  } finally {
    trial.cluster.assume(info, from);
  }
};

/** Makes the move in the trial's cluster. */
export const commit = ({ info, from, to }: TrialMove, { cluster, spread }: Trial): void => {
  const [leaves, enters] = [cluster.node(from), cluster.node(to)];
  if (leaves === undefined || enters === undefined) return;
  spread.move(info, leaves, enters);
  cluster.assume(replacementOf(info), to);
};

/** By the rules that place pods, on a cluster without the pod. */
export const decideAnew = (info: PodInfo, { cluster, resolve, seed, profiles }: Trial): Decision =>
  decide(resolve(replacementOf(info)), cluster, seed, profiles.of(info.pod));

type Target =
  | { readonly isCertain: true; readonly to: string }
  | { readonly isCertain: false; readonly reason: NotMovedReason };

/** The node that the replacement is sure to get, whether the pod is still ending then or not. */
export const targetOf = (
  info: PodInfo,
  { nodeName: to }: Decision,
  from: string,
  trial: Trial,
): Target => {
  if (to === undefined) return { isCertain: false, reason: 'FitsNowhereElse' };
  if (to === from) return { isCertain: false, reason: 'AlreadyBest' };
  // A StatefulSet waits until the name is free; others make the next pod as soon as one is ending.
  if (controllerOf(info.pod)?.kind === 'StatefulSet') return { isCertain: true, to };
  const ending = endingOf(info);
  trial.cluster.assume(ending, from);
  const meanwhile = decideAnew(info, trial).nodeName;
  trial.cluster.removePod(ending.uid);
  if (meanwhile === undefined || meanwhile === to) return { isCertain: true, to };
  return { isCertain: false, reason: 'TargetUncertain' };
};

/** Nodes other than the winner with as many points. */
export const tiedWith = ({ top: [winner, ...others] }: Decision): readonly string[] =>
  others.filter(({ total }) => total === winner?.total).map(({ node }) => node);

/** Undefined: not enough is gained. The pod is on neither node. */
const worthOf = (
  info: PodInfo,
  { from, to }: { readonly from: string; readonly to: string },
  trial: Trial,
): Worth | undefined => {
  const { cluster, spread, mean } = trial;
  const [leaves, enters] = [cluster.node(from), cluster.node(to)];
  if (leaves === undefined || enters === undefined) return undefined;
  const spreadGain = spread.gainOf(info, leaves, enters);
  const loadGainPercent = loadGainOf(info, { from: leaves, to: enters }, mean);
  const gains = { spreadGain, loadGainPercent };
  const { requests } = info;
  if (spreadGain > 0) {
    const isTooFull = loadGainPercent < 0 && fullnessOf(enters, requests) > trial.highPercent;
    const message = spread.textOf(info, leaves, enters);
    return isTooFull ? undefined : { reason: 'SpreadDrift', message, ...gains };
  }
  if (spreadGain < 0 || loadGainPercent < trial.minGainPercent) return undefined;
  const found = loadReason(fullnessOf(leaves, requests), enters, trial);
  return found === undefined ? undefined : { ...found, ...gains };
};

const loadReason = (
  leaves: number,
  enters: NodeInfo,
  { highPercent, lowPercent }: Trial,
): Pick<Worth, 'reason' | 'message'> | undefined => {
  const there = `${Math.round(leaves)}% requested there, ${Math.round(fullnessOf(enters))}% here`;
  if (leaves >= highPercent) return { reason: 'NodeOverThreshold', message: there };
  if ([...enters.pods.values()].every(isOfNode)) return { reason: 'EmptyNode', message: there };
  if (fullnessOf(enters) < lowPercent) return { reason: 'UnderusedNode', message: there };
  return undefined;
};

/** The pod that its owner makes in its stead, as far as scheduling reads it: tied nodes are tried in its own order. */
const replacementOf = ({ pod }: PodInfo): PodInfo => {
  const { nodeName: _left, ...spec } = pod.spec;
  const fresh: Pod = { ...pod, spec, status: { phase: 'Pending' } };
  return podInfoOf(fresh);
};

const endingOf = (info: PodInfo): PodInfo => ({
  ...info,
  uid: `${info.uid}/ending`,
  isTerminating: true,
});
