import type { NodeInfo, NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import type { CountedVolume, StorageFacts } from '../volumes/storage-facts';
import { COST, removalRemedy, type FilterPlugin, type FilterTerm } from './plugin';

/**
 * Keeps pods off nodes that would have more volumes of a driver than it can have there. What no pod
 * there uses any more counts until it is detached.
 */
export const nodeVolumeLimits: FilterPlugin = {
  name: 'NodeVolumeLimits',
  scope: 'domain',
  wakeOn: ['PodRemoved', 'ClaimChanged', 'VolumeChanged', 'CSINodeChanged', 'VolumeDetached'],

  basis: ({ claims }) => (claims.length === 0 ? '' : undefined),

  prepare({ claims }, { storage }) {
    const wanted = claims.flatMap((key) => storage.countedBy(key) ?? []);
    return wanted.length === 0 ? undefined : termOf(wanted, storage);
  },
};

const termOf = (wanted: readonly CountedVolume[], storage: StorageFacts): FilterTerm => {
  let leftovers: ReturnType<StorageFacts['leftovers']> | undefined;
  const heldOn = (
    node: NodeView,
    isCounted: (pod: PodInfo) => boolean,
  ): readonly CountedVolume[] => [
    ...[...node.pods.values()]
      .filter((pod) => pod.claims.length > 0 && isCounted(pod))
      .flatMap(({ claims }) => claims.flatMap((key) => storage.countedBy(key) ?? [])),
    ...((leftovers ??= storage.leftovers()).get(node.name) ?? []),
  ];

  const excessesOn = (
    node: NodeView,
    isCounted: (pod: PodInfo) => boolean = () => true,
  ): readonly Excess[] => {
    const limits = storage.limitsOn(node.name);
    // The common case counts nothing: this runs for every node of every attempt.
    if (!wanted.some(({ driver }) => limits.has(driver))) return [];
    return excessesOf(wanted, heldOn(node, isCounted), limits);
  };

  return {
    refuse(node) {
      const excesses = excessesOn(node);
      if (excesses.length === 0) return undefined;
      return { reasons: [REASON], isPodBound: excesses.every(({ more, limit }) => more <= limit) };
    },

    explain: (node) =>
      excessesOn(node).map(({ driver, more, held, limit }) => ({
        reason: REASON,
        detail: `driver ${driver}: ${count(more, 'more volume')} needed, ${held} of at most ${limit} in use`,
      })),

    remedies(node) {
      const [first] = excessesOn(node);
      const pods = smallestRelief(
        node,
        (gone) => excessesOn(node, (pod) => !gone.has(pod)).length === 0,
      );
      if (first === undefined || pods === undefined) return [];
      const lacking = first.held + first.more - first.limit;
      const gain = `free ${count(lacking, 'volume')} of ${first.driver} on ${node.name}`;
      return [removalRemedy(gain, COST.deletePods + pods.length, pods)];
    },
  };
};

interface Excess {
  readonly driver: string;
  /** That the pod brings to the node. */
  readonly more: number;
  readonly held: number;
  readonly limit: number;
}

/** Pure: the drivers that would have too many; a volume counts once, however many use it. */
export const excessesOf = (
  wanted: readonly CountedVolume[],
  held: readonly CountedVolume[],
  limits: ReadonlyMap<string, number>,
): readonly Excess[] => {
  const there = new Map(held.map((volume) => [volume.id, volume]));
  const coming = new Map(
    wanted.filter(({ id }) => !there.has(id)).map((volume) => [volume.id, volume]),
  );
  return [...limits].flatMap(([driver, limit]) => {
    const more = countOf(coming, driver);
    const heldCount = countOf(there, driver);
    return more > 0 && heldCount + more > limit ? [{ driver, more, held: heldCount, limit }] : [];
  });
};

const countOf = (volumes: ReadonlyMap<string, CountedVolume>, driver: string): number => {
  let found = 0;
  for (const each of volumes.values()) if (each.driver === driver) found++;
  return found;
};

/** One pod that suffices, the least important first; else a few. */
const smallestRelief = (
  node: NodeInfo,
  suffices: (gone: ReadonlySet<PodInfo>) => boolean,
): readonly PodInfo[] | undefined => {
  const candidates = [...node.pods.values()]
    .filter(({ claims }) => claims.length > 0)
    .sort((a, b) => a.priority - b.priority || (a.key < b.key ? -1 : 1))
    .slice(0, CANDIDATES_MAX);
  const single = candidates.find((pod) => suffices(new Set([pod])));
  if (single !== undefined) return [single];
  for (let size = 2; size <= Math.min(REMOVALS_MAX, candidates.length); size++) {
    const pods = candidates.slice(0, size);
    if (suffices(new Set(pods))) return pods;
  }
  return undefined;
};

const count = (n: number, thing: string): string => `${n} ${thing}${n === 1 ? '' : 's'}`;

/** Upstream's words (pkg/scheduler/framework/plugins/nodevolumelimits). */
const REASON = 'node(s) exceed max volume count';
const CANDIDATES_MAX = 50;
const REMOVALS_MAX = 5;
