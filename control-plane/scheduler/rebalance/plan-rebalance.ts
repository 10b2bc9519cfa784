import { controllerOf } from '../../../api/owners';
import type {
  NotMoved,
  NotMovedReason,
  PlannedMove,
  RebalancePlanSpec,
  RebalancePlanStatus,
} from '../../../api/rebalance-plans';
import type { NodeInfo } from '../node-info';
import type { PodInfo } from '../pod-info';
import type { Profiles } from '../profile';
import type { Snapshot } from '../snapshot';
import { batchesOf } from './batches';
import { gainSince, measure } from './gain';
import { fullnessOf, meanCapacityOf, meanOf, type MeanCapacity } from './load';
import { hasLocalVolume, isOfNode, keptBecause, limitOf } from './movable';
import { freeNode } from './packing';
import { Spread } from './spread';
import { commit, tryMove, type Trial, type TrialMove } from './try-move';

export interface RebalanceSetting {
  /** The plan's own: it is changed. */
  readonly cluster: Snapshot;
  /** Finds what is behind the claims of a pod. */
  readonly resolve: (info: PodInfo) => PodInfo;
  readonly seed: number;
  readonly profiles: Profiles;
}

/**
 * Finds moves one after another, each in the cluster as those before leave it; only such that the scheduler
 * would make itself were the pod created anew, and that are worth it. Each frees a node of pods that are
 * packed, or else takes from the sum of squares by which workloads are spread, or else leaves that and takes
 * from the variance of load: so plans that are carried out come to an end. Yields after each pod. Bounded in
 * moves and in attempts.
 */
export function* planRebalance(
  spec: RebalancePlanSpec,
  setting: RebalanceSetting,
): Generator<void, RebalancePlanStatus> {
  const search = new Search(spec, setting);
  yield* search.pack();
  yield* search.even();
  return yield* search.result();
}

class Search {
  private readonly before: ReturnType<typeof measure>;
  private readonly mean: MeanCapacity;
  private readonly spread: Spread;
  private readonly limits: Required<RebalancePlanSpec>;
  private readonly moves: TrialMove[] = [];
  private readonly kept = new Map<string, { readonly key: string; reason: NotMovedReason }>();
  private attemptCount = 0;
  private isGivenUp = false;
  /** Until the next move. */
  private fullness: ReturnType<typeof fullnessesOf> | undefined;

  constructor(
    spec: RebalancePlanSpec,
    private readonly setting: RebalanceSetting,
  ) {
    const { cluster } = setting;
    this.limits = { ...DEFAULTS, ...spec };
    this.spread = new Spread(cluster);
    this.before = measure(cluster);
    this.mean = meanCapacityOf(cluster.nodes);
  }

  /** Nodes whose pods all are packed and go where others of theirs are: the emptiest first. */
  *pack(): Generator<void> {
    const { cluster } = this.setting;
    const nodes = cluster.nodes.toSorted(
      (a, b) => fullnessOf(a) - fullnessOf(b) || byName(a.name, b.name),
    );
    for (const node of nodes) {
      const pods = podsByName(node.pods.values()).filter((info) => !isOfNode(info));
      if (pods.length === 0 || !pods.every((info) => this.isPacked(info))) continue;
      if (pods.some((info) => this.reasonToStay(info) !== undefined)) continue;
      if (pods.length > this.limits.maxMoves - this.moves.length) this.isGivenUp = true;
      else if (this.hasAttempts(pods.length)) {
        const moved = freeNode(node, pods, this.trial(), (info) => this.isPacked(info));
        this.moves.push(...moved);
        if (moved.length > 0) this.fullness = undefined;
      }
      yield;
    }
  }

  /** Passes over all pods until one finds nothing. */
  *even(): Generator<void> {
    for (let isChanged = true; isChanged;) {
      isChanged = false;
      for (const { info, from } of this.candidates()) {
        if (this.moves.length >= this.limits.maxMoves || this.isGivenUp) {
          this.isGivenUp = true;
          return;
        }
        if (this.tryOne(info, from)) isChanged = true;
        yield;
      }
    }
  }

  *result(): Generator<void, RebalancePlanStatus> {
    const { cluster } = this.setting;
    const batches = batchesOf(
      this.moves.map(({ info, from, to }) => ({
        ...{ ownerUid: controllerOf(info.pod)?.uid ?? '', from, to },
        budget: limitOf(info, cluster.budgetsIn),
      })),
    );
    const moves = this.moves.map((move, index) => this.planned(move, batches[index] ?? 1));
    const moved = this.moves.map(({ info }) => info);
    return {
      moves,
      ...(yield* gainSince(this.before, cluster, moved)),
      notMoved: this.notMoved(),
      isAtLimit: this.isGivenUp,
    };
  }

  private tryOne(info: PodInfo, from: string): boolean {
    const reason = this.reasonToStay(info) ?? this.nothingToGain(info, from);
    if (reason !== undefined) {
      this.keep(info, reason);
      return false;
    }
    if (!this.hasAttempts(1)) return false;
    const found = tryMove(info, from, this.trial());
    if (typeof found === 'string') {
      this.keep(info, found);
      return false;
    }
    commit(found, this.trial());
    this.moves.push(found);
    this.fullness = undefined;
    this.kept.delete(info.uid);
    return true;
  }

  private nothingToGain(info: PodInfo, from: string): NotMovedReason | undefined {
    const node = this.setting.cluster.node(from);
    if (node === undefined || this.isPacked(info)) return 'NothingToGain';
    if (this.spread.mayGain(info, node)) return undefined;
    const own = fullnessOf(node);
    const { highPercent, minGainPercent } = this.limits;
    const { least, low } = (this.fullness ??= fullnessesOf(this.setting.cluster.nodes));
    const isRelieved = own >= highPercent || least < low;
    return isRelieved && least + minGainPercent <= own ? undefined : 'NothingToGain';
  }

  private reasonToStay(info: PodInfo): NotMovedReason | undefined {
    const { profiles, resolve, cluster } = this.setting;
    const { movesLocalData } = this.limits;
    const kept = keptBecause(info, { profiles, budgetsIn: cluster.budgetsIn, movesLocalData });
    if (kept !== undefined || info.claims.length === 0) return kept;
    return hasLocalVolume(resolve(info)) ? 'HasLocalVolume' : undefined;
  }

  private isPacked({ pod }: PodInfo): boolean {
    return this.setting.profiles.find(pod)?.isPacking === true;
  }

  private trial(): Trial {
    const { spread, mean, limits } = this;
    const { low } = (this.fullness ??= fullnessesOf(this.setting.cluster.nodes));
    return { ...this.setting, ...limits, spread, mean, lowPercent: low };
  }

  /** The fullest nodes first, of each the least important pods; none twice. */
  private candidates(): readonly { readonly info: PodInfo; readonly from: string }[] {
    const moved = new Set(this.moves.map(({ info }) => info.uid));
    return this.setting.cluster.nodes
      .toSorted((a, b) => fullnessOf(b) - fullnessOf(a) || byName(a.name, b.name))
      .flatMap(({ name, pods }) =>
        podsByName(pods.values())
          .filter(({ uid }) => !moved.has(uid))
          .map((info) => ({ info, from: name })),
      );
  }

  private hasAttempts(count: number): boolean {
    this.attemptCount += count;
    if (this.attemptCount > ATTEMPTS_MAX) this.isGivenUp = true;
    return this.attemptCount <= ATTEMPTS_MAX;
  }

  private keep({ uid, key }: PodInfo, reason: NotMovedReason): void {
    this.kept.set(uid, { key, reason });
  }

  private planned({ info, to, from, decision, ...move }: TrialMove, batch: number): PlannedMove {
    const owner = controllerOf(info.pod);
    const limit = limitOf(info, this.setting.cluster.budgetsIn);
    const { nodesConsidered, nodesFeasible, margin, decidedBy, top } = decision;
    const runnerUp = top[1]?.node;
    return {
      ...{ pod: info.key, uid: info.uid, owner: `${owner?.kind ?? ''}/${owner?.name ?? ''}` },
      ...{ from, to, reason: move.reason, message: move.message, batch },
      ...(limit === undefined ? {} : { budget: limit.key }),
      ...{ nodesConsidered, nodesFeasible },
      ...(runnerUp === undefined ? {} : { runnerUp }),
      ...(margin === undefined ? {} : { margin }),
      ...(decidedBy === undefined ? {} : { decidedBy }),
      spreadGain: move.spreadGain,
      loadGainPercent: Math.round(move.loadGainPercent * 10) / 10,
    };
  }

  private notMoved(): readonly NotMoved[] {
    const found = new Map<NotMovedReason, NotMoved>();
    for (const { key, reason } of this.kept.values()) {
      const known = found.get(reason);
      const pod = known === undefined || key < known.pod ? key : known.pod;
      found.set(reason, { reason, count: (known?.count ?? 0) + 1, pod });
    }
    return [...found.values()].sort((a, b) => b.count - a.count || byName(a.reason, b.reason));
  }
}

/** Of the emptiest node; and half of the mean, below which a node has room that is not found. */
const fullnessesOf = (nodes: readonly NodeInfo[]) => {
  const all = nodes.map((node) => fullnessOf(node));
  return {
    least: all.reduce((least, each) => Math.min(least, each), Infinity),
    low: meanOf(all) / 2,
  };
};

const podsByName = (pods: Iterable<PodInfo>): readonly PodInfo[] =>
  [...pods].sort((a, b) => a.priority - b.priority || byName(a.key, b.key));

const byName = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

const DEFAULTS: Required<RebalancePlanSpec> = {
  maxMoves: 20,
  minGainPercent: 10,
  highPercent: 80,
  movesLocalData: false,
};
/** Decisions that are tried: each costs as much as placing a pod. */
const ATTEMPTS_MAX = 2_000;
