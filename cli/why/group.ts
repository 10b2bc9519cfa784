import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { isPlacedMember, WHOLE_PHASES, type PodGroup } from '../../api/pod-groups';
import { apiVersionOf, POD_EXPLANATIONS } from '../../api/resources';
import type { ApiObject, Pod } from '../../api/types';
import { placementGroupsOf, suggestionsOf, type PlacementGroup } from './pod-placements';
import { columns, plain, plural, shortTime, toned, wrap, type TextStyle } from './text';

/** Which pods of a group have a node, which lack one and why, and what becomes of the group. */
export interface PodGroupExplanation extends ApiObject {
  readonly spec: { readonly minMember: number };
  readonly status: {
    readonly phase: string;
    /** Its pods that are there. */
    readonly members: number;
    /** Those that have a node. */
    readonly placed: number;
    /** It has been whole once: it is not placed together any more. */
    readonly wasWhole: boolean;
    /** RFC 3339: those that are placed give their room back unless it is whole then. */
    readonly endsAt?: string;
    /** What would wake those that wait, in words. */
    readonly waitingFor?: readonly string[];
    /** Each pod; those without a node first. */
    readonly pods: readonly Omit<PlacementGroup, 'count'>[];
  };
}

/** Pure. `waiting` tells of one that has no node; absent where nobody may ask. */
export const explainGroup = (
  { metadata, spec = {}, status = {} }: PodGroup,
  pods: readonly Pod[],
  decisions: readonly SchedulingDecision[],
  waiting?: PodExplanation['status'],
): PodGroupExplanation => {
  const { name, namespace, uid } = metadata;
  const { phase = 'Pending' } = status;
  const told = pods.flatMap((pod) => placementGroupsOf([pod], decisions));
  const { groupEndsAt, waitingFor } = waiting ?? {};
  return {
    apiVersion: apiVersionOf(POD_EXPLANATIONS),
    kind: 'PodGroupExplanation',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
    },
    spec: { minMember: spec.minMember ?? 0 },
    status: {
      ...{ phase, members: pods.length, placed: pods.filter(isPlacedMember).length },
      wasWhole: WHOLE_PHASES.has(phase),
      ...(groupEndsAt === undefined ? {} : { endsAt: groupEndsAt }),
      ...(waitingFor === undefined ? {} : { waitingFor }),
      pods: [...told]
        .sort((a, b) => Number(hasNode(a)) - Number(hasNode(b)) || (a.pod < b.pod ? -1 : 1))
        .map(({ count: _one, ...each }) => each),
    },
  };
};

const hasNode = ({ nodeName }: Pick<PlacementGroup, 'nodeName'>): boolean => nodeName !== undefined;

export const renderGroup = (
  { metadata, spec: { minMember }, status }: PodGroupExplanation,
  style: TextStyle,
): string => {
  const { placed, members, phase, pods, waitingFor = [] } = status;
  const name = plain(`${metadata.namespace ?? ''}/${metadata.name}`);
  const head = `${name} is ${plain(phase)}: ${placed} of the ${plural(minMember, 'pod')} that it needs have a node`;
  const said = suggestionsOf(pods).map((each) => `smallest change that would help: ${plain(each)}`);
  const lines = [
    toned(head, placed >= minMember ? 'good' : 'bad', style),
    ...(members < minMember ? [`  ${plural(minMember - members, 'pod')} not made yet`] : []),
    ...[fateOf(status, minMember)].flatMap((each) => (each === undefined ? [] : `  ${each}`)),
    ...(waitingFor.length === 0
      ? []
      : inset(`waits for ${waitingFor.map(plain).join(', or ')}`, style)),
    ...tableOf(pods, style),
    ...said.flatMap((each) => inset(each, style)),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
};

const inset = (text: string, { width }: TextStyle): readonly string[] =>
  wrap(text, width - 2).map((line) => `  ${line}`);

/** What time brings, where it is not whole. */
const fateOf = (
  { placed, wasWhole, endsAt }: PodGroupExplanation['status'],
  minMember: number,
): string | undefined => {
  if (placed >= minMember) return undefined;
  if (wasWhole) return 'it has been whole: those that are placed stay';
  if (placed === 0) return 'it waits without a limit: nothing is held for a part of it';
  return endsAt === undefined
    ? 'those that are placed give their room back in the end, unless it is whole by then'
    : `at ${shortTime(endsAt)} those that are placed give their room back, unless it is whole by then`;
};

const tableOf = (
  pods: PodGroupExplanation['status']['pods'],
  style: TextStyle,
): readonly string[] => {
  if (pods.length === 0) return [];
  const shown = pods.slice(0, PODS_SHOWN_MAX);
  const [header = '', ...rows] = columns([
    ['POD', 'NODE', 'FIT', 'WHY'],
    ...shown.map(({ pod, nodeName = '-', nodesConsidered, nodesFeasible = 0, why }) => [
      ...[pod, nodeName].map(plain),
      nodesConsidered === undefined ? '-' : `${nodesFeasible}/${nodesConsidered}`,
      plain(why),
    ]),
  ]);
  const rest = pods.length - shown.length;
  return [
    '',
    toned(`  ${header}`, 'faint', style),
    ...rows.map((row) => `  ${row}`),
    ...(rest > 0 ? [`  and ${plural(rest, 'more pod')}`] : []),
  ];
};

const PODS_SHOWN_MAX = 50;
