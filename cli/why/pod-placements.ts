import type { SchedulingDecision } from '../../api/decisions';
import { controllerOf } from '../../api/owners';
import type { Pod } from '../../api/types';
import { reasonOf } from './decisions';
import { columns, plain, plural, toned, wrap, type TextStyle } from './text';

/** Pods of a workload about which the scheduler decided alike, and one of them to look at. */
export interface PlacementGroup {
  readonly count: number;
  readonly pod: string;
  /** Absent while they wait. */
  readonly nodeName?: string;
  readonly nodesConsidered?: number;
  readonly nodesFeasible?: number;
  readonly why: string;
  /** The smallest change that would let one in, as of the latest attempt. */
  readonly suggestion?: string;
  /** RFC 3339: when that was. */
  readonly suggestedAt?: string;
  /** `ReplicaSet/web-5d4`: what makes pods like this one. */
  readonly owner?: string;
}

/** Once for all pods that one owner makes: they are alike, and the latest attempt knows best. */
export const suggestionsOf = (
  groups: readonly Pick<PlacementGroup, 'pod' | 'owner' | 'suggestion' | 'suggestedAt'>[],
): readonly string[] => {
  const latest = new Map<string, (typeof groups)[number]>();
  for (const group of groups) {
    if (group.suggestion === undefined) continue;
    const key = group.owner ?? `Pod/${group.pod}`;
    const known = latest.get(key);
    if (known === undefined || isLater(group, known)) latest.set(key, group);
  }
  return [...new Set([...latest.values()].flatMap(({ suggestion = [] }) => suggestion))];
};

type Suggested = Pick<PlacementGroup, 'suggestedAt'>;

const isLater = ({ suggestedAt: a = '' }: Suggested, { suggestedAt: b = '' }: Suggested): boolean =>
  a > b;

/** Pure: by node and by what decided, the most frequent first; those that wait before all others. */
export const placementGroupsOf = (
  pods: readonly Pod[],
  decisions: readonly SchedulingDecision[],
): readonly PlacementGroup[] => {
  const latest = new Map<string, SchedulingDecision>();
  for (const each of decisions) {
    const known = latest.get(each.spec.podUID);
    if (known === undefined || known.spec.attempt < each.spec.attempt)
      latest.set(each.spec.podUID, each);
  }
  const groups = new Map<string, PlacementGroup>();
  for (const pod of pods) {
    const group = groupOf(pod, latest.get(pod.metadata.uid ?? ''));
    const key = `${group.nodeName ?? ''} ${group.why}`;
    const known = groups.get(key);
    groups.set(key, known === undefined ? group : joined(known, group));
  }
  const isPlaced = ({ nodeName }: PlacementGroup) => Number(nodeName !== undefined);
  return [...groups.values()].sort(
    (a, b) => isPlaced(a) - isPlaced(b) || b.count - a.count || (a.pod < b.pod ? -1 : 1),
  );
};

const joined = (known: PlacementGroup, other: PlacementGroup): PlacementGroup => {
  const { suggestion, suggestedAt } = isLater(other, known) ? other : known;
  return {
    ...known,
    count: known.count + 1,
    ...(suggestion === undefined ? {} : { suggestion }),
    ...(suggestedAt === undefined ? {} : { suggestedAt }),
  };
};

const groupOf = (pod: Pod, decision?: SchedulingDecision): PlacementGroup => {
  const { nodeName } = pod.spec;
  const owner = controllerOf(pod);
  const own = {
    ...{ count: 1, pod: pod.metadata.name },
    ...(nodeName === undefined ? {} : { nodeName }),
    ...(owner === undefined ? {} : { owner: `${owner.kind}/${owner.name}` }),
  };
  if (decision === undefined || decision.status.nodeName !== nodeName)
    return { ...own, why: nodeName === undefined ? 'not tried yet' : 'no record of its placement' };
  const { nodesConsidered, nodesFeasible, suggestion } = decision.status;
  return {
    ...own,
    ...{ nodesConsidered, nodesFeasible, why: whyOf(decision.status) },
    ...(suggestion === undefined ? {} : { suggestion, suggestedAt: decision.spec.time }),
  };
};

/** By how much is another matter for each pod: what decided is what they have in common. */
const whyOf = (status: SchedulingDecision['status']): string => {
  const { outcome, margin = 0, decidedBy } = status;
  if (outcome !== 'Scheduled' || margin === 0) return reasonOf(status);
  return `${decidedBy ?? ''} decided`;
};

export const placementLines = (
  groups: readonly PlacementGroup[],
  style: TextStyle,
): readonly string[] => {
  if (groups.length === 0) return [];
  const shown = groups.slice(0, GROUPS_SHOWN_MAX);
  const rest = groups.slice(GROUPS_SHOWN_MAX).reduce((sum, { count }) => sum + count, 0);
  const [header = '', ...rows] = columns([
    ['PODS', 'NODE', 'FIT', 'WHY'],
    ...shown.map(({ count, nodeName, nodesConsidered, nodesFeasible, why }) => [
      String(count),
      plain(nodeName ?? '-'),
      nodesConsidered === undefined ? '-' : `${nodesFeasible ?? 0}/${nodesConsidered}`,
      plain(why),
    ]),
  ]);
  return [
    '',
    toned(`  ${header}`, 'faint', style),
    ...rows.map((row) => `  ${row}`),
    ...(rest > 0 ? [`  and ${plural(rest, 'more pod')}`] : []),
    ...suggestionsOf(shown).flatMap((each) =>
      wrap(`smallest change that would help: ${plain(each)}`, style.width - 2).map(
        (line) => `  ${line}`,
      ),
    ),
  ];
};

const GROUPS_SHOWN_MAX = 10;
