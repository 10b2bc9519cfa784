import type { NodeInfo } from '../node-info';
import type { PodInfo } from '../pod-info';
import { loadGainOf } from './load';
import { commit, decideAnew, targetOf, tiedWith, type Trial, type TrialMove } from './try-move';

/**
 * Moves all of the pods off the node, each to one where packed pods are already: all, or none when one does
 * not find its way. Then the cluster is as it was.
 */
export const freeNode = (
  node: NodeInfo,
  pods: readonly PodInfo[],
  trial: Trial,
  isPacked: (info: PodInfo) => boolean,
): readonly TrialMove[] => {
  const moves: TrialMove[] = [];
  for (const info of pods) {
    const move = packedMove(info, node, trial, isPacked);
    if (move === undefined) {
      for (const each of moves.reverse()) takeBack(each, trial);
      return [];
    }
    commit(move, trial);
    moves.push(move);
  }
  return moves;
};

const packedMove = (
  info: PodInfo,
  node: NodeInfo,
  trial: Trial,
  isPacked: (info: PodInfo) => boolean,
): TrialMove | undefined => {
  const { cluster, spread, mean } = trial;
  const { name: from } = node;
  const isInUse = (name: string) =>
    name !== from && [...(cluster.node(name)?.pods.values() ?? [])].some(isPacked);
  cluster.removePod(info.uid);
  try {
    const decision = decideAnew(info, trial);
    const target = targetOf(info, decision, from, trial);
    if (!target.isCertain || ![target.to, ...tiedWith(decision)].every(isInUse)) return undefined;
    const { to } = target;
    const enters = cluster.node(to);
    if (enters === undefined) return undefined;
    return {
      ...{ info, from, to, decision, reason: 'FreesNode', message: `${from} is left empty` },
      spreadGain: spread.gainOf(info, node, enters),
      loadGainPercent: loadGainOf(info, { from: node, to: enters }, mean),
    };
  } finally {
    cluster.assume(info, from);
  }
};

const takeBack = ({ info, from, to }: TrialMove, { cluster, spread }: Trial): void => {
  const [was, is] = [cluster.node(from), cluster.node(to)];
  if (was !== undefined && is !== undefined) spread.move(info, is, was);
  cluster.assume(info, from);
};
