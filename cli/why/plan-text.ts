import type { NodeUse } from '../../api/decisions';
import type {
  PlacementPlanStatus,
  PlannedGroup,
  PlannedPlacement,
  RoomForMore,
} from '../../api/placement-plans';
import { leadOf, refusalsText } from './decisions';
import { columns, plain, plural, toned, wrap, type TextStyle } from './text';

export interface PlanStyle extends TextStyle {
  /** Every pod has its line. */
  readonly isWide: boolean;
}

/** What would become of pods, for a person: each with its place, then what waits, nodes, and the sum. */
export const renderPlan = (status: PlacementPlanStatus, style: PlanStyle): string => {
  const { placements, more } = status;
  const lines = [
    ...placementLines(placements, style),
    ...problemLines(placements, style),
    ...groupLines(status, style),
    ...nodeLines(status, style),
    ...(placements.length === 0 ? [] : ['']),
    ...summaryLines(status, style),
    ...(more === undefined ? [] : moreLines(more, style)),
  ];
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
};

const placementLines = (
  placements: readonly PlannedPlacement[],
  style: PlanStyle,
): readonly string[] => {
  if (placements.length === 0) return [];
  const shown = style.isWide ? placements : placements.slice(0, PODS_SHOWN_MAX);
  const rest = placements.length - shown.length;
  const [header = '', ...rows] = columns([
    ['#', 'POD', 'OF', 'FROM', 'TO', 'FIT', 'WHY'],
    ...shown.map((each, index) => rowOf(each, index)),
  ]);
  return [
    toned(header, 'faint', style),
    ...rows.map((row, index) =>
      shown[index]?.outcome === 'Scheduled' ? row : toned(row, 'bad', style),
    ),
    ...(rest > 0 ? [`and ${plural(rest, 'more pod')}: -o wide shows all`] : []),
  ];
};

const rowOf = (placement: PlannedPlacement, index: number): readonly string[] => {
  const { pod, owner, from, nodeName, nodesConsidered, nodesFeasible } = placement;
  const fit = nodesConsidered === undefined ? '-' : `${nodesFeasible ?? 0}/${nodesConsidered}`;
  return [
    String(index + 1),
    ...[pod, owner ?? '-', from ?? '-', nodeName ?? '-'].map(plain),
    fit,
    plain(reasonOf(placement)),
  ];
};

const reasonOf = (placement: PlannedPlacement): string => {
  const { outcome, message = '', evicts = [], refusals = [], nodesFeasible = 0 } = placement;
  if (evicts.length > 0) {
    const { budgetViolations = 0 } = placement;
    const against = budgetViolations > 0 ? `, ${budgetViolations} against a disruption budget` : '';
    return `evicts ${evicts.join(', ')}${against}`;
  }
  switch (outcome) {
    case 'Scheduled':
      return whyThere(placement);
    case 'Unschedulable':
      return `waits: ${refusals.length === 0 || nodesFeasible > 0 ? message : refusalsText(refusals)}`;
    case 'Lost':
      return `lost: ${message}`;
    case 'Held':
      return message;
    case 'Refused':
      return `refused: ${message}`;
  }
};

const whyThere = (placement: PlannedPlacement): string =>
  placement.nodesFeasible === undefined ? 'names its node itself' : leadOf(placement);

/** What would help those that wait, once for all that are alike. */
const problemLines = (
  placements: readonly PlannedPlacement[],
  style: PlanStyle,
): readonly string[] =>
  placements.flatMap(({ pod, suggestion }) =>
    suggestion === undefined
      ? []
      : ['', ...wrap(`${plain(pod)} would run if: ${plain(suggestion)}`, style.width)],
  );

/** Of each group that is to be placed as a whole: whether it is, and else who is missing. */
const groupLines = ({ groups = [] }: PlacementPlanStatus, style: PlanStyle): readonly string[] =>
  groups.flatMap((group) => [
    '',
    ...wrap(groupText(group), style.width).map((line) =>
      toned(line, group.isWhole ? 'good' : 'bad', style),
    ),
  ]);

const groupText = ({
  group,
  isWhole,
  neededCount,
  waitingCount,
  fittingCount,
  missing,
}: PlannedGroup): string => {
  const needed = plural(neededCount, 'pod');
  const name = `PodGroup ${plain(group)}`;
  if (isWhole) return `${name} would be whole: the ${needed} that it needs get a node at once`;
  if (fittingCount === undefined)
    return `${name} would wait as a whole: ${waitingCount} of the ${needed} that it needs would be there`;
  const shown = missing.slice(0, MISSING_SHOWN_MAX).map(plain).join(', ');
  const rest = missing.length - MISSING_SHOWN_MAX;
  const who = missing.length === 0 ? '' : `; no room beside them for ${shown}`;
  return `${name} would wait as a whole: ${fittingCount} of the ${needed} that it needs fit at once${who}${rest > 0 ? ` and ${rest} more` : ''}`;
};

const nodeLines = ({ nodes }: PlacementPlanStatus, style: PlanStyle): readonly string[] => {
  if (nodes.length === 0) return [];
  const shown = style.isWide ? nodes : nodes.slice(0, NODES_SHOWN_MAX);
  const change = (before: NodeUse, after: NodeUse, of: NodeUse, key: keyof NodeUse) =>
    `${before[key]} -> ${after[key]} of ${of[key]}`;
  const [header = '', ...rows] = columns([
    ['NODE', '', 'PODS', 'CPU', 'MEMORY'],
    ...shown.map(({ node, change: what, before, after, allocatable }) => [
      plain(node),
      what?.toLowerCase() ?? '',
      ...(['pods', 'cpu', 'memory'] as const).map((key) => change(before, after, allocatable, key)),
    ]),
  ]);
  const rest = nodes.length - shown.length;
  return [
    '',
    toned(header, 'faint', style),
    ...rows,
    ...(rest > 0 ? [`and ${plural(rest, 'more node')}: -o wide shows all`] : []),
  ];
};

const summaryLines = (
  { placements, replaced, omitted = 0 }: PlacementPlanStatus,
  style: PlanStyle,
): readonly string[] => {
  const count = (outcome: PlannedPlacement['outcome']) =>
    placements.filter((each) => each.outcome === outcome).length;
  const evicted = placements.flatMap(({ evicts = [] }) => evicts).length;
  const parts = [
    `${count('Scheduled')} of ${plural(placements.length, 'pod')} would be placed`,
    ...(count('Unschedulable') > 0 ? [`${count('Unschedulable')} would wait`] : []),
    ...(count('Lost') > 0 ? [`${count('Lost')} would be lost`] : []),
    ...(count('Held') > 0 ? [`${count('Held')} would not be tried`] : []),
    ...(count('Refused') > 0 ? [`${count('Refused')} would be refused`] : []),
    ...(evicted > 0 ? [`${evicted} would be evicted`] : []),
    ...(replaced > 0 ? [`${plural(replaced, 'present pod')} would be replaced`] : []),
    ...(omitted > 0 ? [`${omitted} were not tried: there are too many`] : []),
  ];
  if (placements.length === 0) return [toned('no pod would be placed anew', 'good', style)];
  const isGood = count('Scheduled') === placements.length && evicted === 0 && omitted === 0;
  return [toned(parts.join(', '), isGood ? 'good' : 'bad', style)];
};

const moreLines = (
  { owner, count, isAtLimit, refusals = [], suggestion }: RoomForMore,
  style: PlanStyle,
): readonly string[] => {
  const least = isAtLimit ? 'at least ' : '';
  const rooms = `room for ${least}${plural(count, 'more pod')} of ${plain(owner)}`;
  const why = refusals.length === 0 ? '' : `; then: ${plain(refusalsText(refusals))}`;
  return [
    toned(rooms + why, count > 0 ? 'good' : 'bad', style),
    ...(suggestion === undefined
      ? []
      : wrap(`another would fit if: ${plain(suggestion)}`, style.width)),
  ];
};

const MISSING_SHOWN_MAX = 5;
const PODS_SHOWN_MAX = 40;
const NODES_SHOWN_MAX = 20;
