import type {
  NodeExplanation,
  PodExplanation,
  RankedNode,
  SchedulingDecision,
} from '../../api/decisions';
import { evictionLines, histogram, refusalsOf } from './decisions';
import { columns, plain, plural, shortTime, toned, wrap, type TextStyle } from './text';
import type { KnownTrouble } from './known-trouble';
import { troubleLines } from './trouble-text';

/** The scheduler's explanation, and what keeps the pod from running well where it is. */
export interface KnownExplanation extends PodExplanation {
  readonly status: PodExplanation['status'] & {
    /** Absent when it was not looked for; empty when all is well. */
    readonly troubles?: readonly KnownTrouble[];
  };
}

/**
 * Why a pod is where it is, and what is wrong with it there; or what it waits for, and the smallest
 * change that would help.
 */
export const renderWhy = (
  subject: KnownExplanation | SchedulingDecision,
  style: TextStyle,
): string => {
  const lines = isDecision(subject) ? decisionLines(subject, style) : podLines(subject, style);
  return lines.map((line) => `${line.trimEnd()}\n`).join('');
};

type Attempt = SchedulingDecision['status'] & { readonly time: string };

const isDecision = (
  subject: KnownExplanation | SchedulingDecision,
): subject is SchedulingDecision => 'podUID' in subject.spec;

const decisionLines = ({ metadata, spec, status }: SchedulingDecision, style: TextStyle) => {
  const name = nameOf(metadata.namespace, spec.podName);
  const attempt = { ...status, time: spec.time };
  const { nodeName } = status;
  if (nodeName !== undefined) {
    return [
      toned(`${name} was placed on ${plain(nodeName)}`, 'good', style),
      ...placedLines(attempt, nodeName, spec.attempt, style),
    ];
  }
  return [
    toned(`${name} found no node at attempt ${spec.attempt}`, 'bad', style),
    ...indented([`${shortTime(spec.time)}: ${plain(status.message)}`], style),
    ...(status.preemption === undefined ? [] : indented(evictionLines(status.preemption), style)),
    ...suggestionLines(status.suggestion, style),
  ];
};

const podLines = (explanation: KnownExplanation, style: TextStyle): readonly string[] => {
  const { metadata, spec, status } = explanation;
  const name = nameOf(metadata.namespace, spec.podName);
  return status.nodeName === undefined
    ? pendingLines(name, explanation, style)
    : boundLines(name, status.nodeName, status, style);
};

// ---- A pod that has its node

type KnownStatus = KnownExplanation['status'];

const boundLines = (
  name: string,
  nodeName: string,
  { nodes, attempts, lastDecision, nodeIsMissing = false, troubles = [] }: KnownStatus,
  style: TextStyle,
): readonly string[] => {
  const isOurs = lastDecision?.nodeName === nodeName;
  const ranked = new Set(isOurs ? lastDecision.top.map(({ node }) => node) : [nodeName]);
  return [
    nodeIsMissing
      ? toned(`${name} is bound to ${plain(nodeName)}, which does not exist`, 'bad', style)
      : troubles.length > 0
        ? toned(`${name} is on ${plain(nodeName)}, and does not run well there`, 'bad', style)
        : toned(`${name} is on ${plain(nodeName)}`, 'good', style),
    ...(troubles.length === 0 ? [] : [...troubleLines(troubles, style), '']),
    ...(isOurs
      ? placedLines(lastDecision, nodeName, attempts, style)
      : indented(
          ['no record of its placement: it named its node itself, or it is too long ago'],
          style,
        )),
    ...presentLines(
      nodes.filter(({ node }) => !ranked.has(node)),
      style,
    ),
  ];
};

const placedLines = (
  attempt: Attempt,
  nodeName: string,
  number: number,
  style: TextStyle,
): readonly string[] => [
  ...indented(
    [
      `placed ${shortTime(attempt.time)} at attempt ${number}; ` +
        `${attempt.nodesFeasible} of ${plural(attempt.nodesConsidered, 'node')} fitted`,
      verdictOf(attempt, nodeName),
    ],
    style,
  ),
  '',
  ...scoreTable(attempt, style),
  ...(Object.keys(attempt.reasons).length === 0
    ? []
    : ['', ...indented([`refused: ${plain(refusalsOf(attempt))}`], style)]),
];

const verdictOf = ({ top, margin, decidedBy }: Attempt, nodeName: string): string => {
  const runnerUp = top[1];
  if (runnerUp === undefined || margin === undefined) return 'no other node fitted';
  const other = plain(runnerUp.node);
  const equals = top.filter(({ total }) => total === runnerUp.total).map(({ node }) => plain(node));
  return margin === 0
    ? `${listed(equals)} were equal: ${plain(nodeName)} was chosen by lot, by a hash of pod and node`
    : `${decidedBy ?? '?'} decided: ${plural(margin, 'point')} ahead of ${other}`;
};

/** `a, b and c` */
const listed = (names: readonly string[]): string =>
  `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;

const scoreTable = ({ top, decidedBy }: Attempt, style: TextStyle): readonly string[] => {
  // Those without a point for any node had nothing to say.
  const plugins = Object.keys(top[0]?.scores ?? {}).filter((plugin) =>
    top.some(({ scores }) => (scores[plugin] ?? 0) !== 0),
  );
  const title = (plugin: string) =>
    (COLUMN_TITLES[plugin] ?? plugin.toUpperCase()) + (plugin === decidedBy ? '*' : '');
  const row = ({ node, total, scores }: RankedNode, index: number) => [
    index === 0 ? '→' : ' ',
    plain(node),
    String(total),
    ...plugins.map((plugin) => String(scores[plugin] ?? 0)),
  ];
  const [header = '', first = '', ...rest] = columns([
    ['', 'NODE', 'TOTAL', ...plugins.map(title)],
    ...top.map(row),
  ]);
  return [toned(header, 'faint', style), toned(first, 'bold', style), ...rest].map(
    (line) => `  ${line}`,
  );
};

/** Nodes that the record does not rank, as they are now. */
const presentLines = (nodes: readonly NodeExplanation[], style: TextStyle): readonly string[] =>
  nodes.length === 0 ? [] : ['', '  other nodes, as they are now:', ...nodeTable(nodes, style)];

// ---- A pod that waits

const pendingLines = (
  name: string,
  explanation: PodExplanation,
  style: TextStyle,
): readonly string[] => {
  const { status } = explanation;
  const { nodes, suggestion } = status;
  return [
    toned(`${name} waits: ${waitOf(explanation)}`, 'bad', style),
    ...indented(progressOf(status), style),
    ...(nodes.length === 0 ? [] : ['', ...nodeTable(nodes, style)]),
    ...suggestionLines(suggestion, style),
  ];
};

const waitOf = ({ spec, status }: PodExplanation): string => {
  const { nodes, queue, gates = [], schedulerName } = status;
  const fitting = nodes.filter(({ fits }) => fits).length;
  if (schedulerName !== undefined)
    return `only the scheduler ${plain(schedulerName)}, which it names, would place it`;
  if (queue === 'gated') {
    const names = gates.map(plain).join(' and ');
    return `held back by its scheduling gate${gates.length > 1 ? 's' : ''} ${names}`.trimEnd();
  }
  if (spec.node !== undefined)
    return `${plain(spec.node)} ${fitting > 0 ? 'would take it now' : 'does not take it'}`;
  if (nodes.length === 0) return 'there is no node';
  const count = plural(nodes.length, 'node');
  return fitting === 0 ? `none of ${count} fits` : `${fitting} of ${count} would take it now`;
};

const progressOf = (status: PodExplanation['status']): readonly string[] => {
  const {
    attempts,
    lastDecision,
    queue,
    retryAt,
    retryBy,
    schedulerName,
    waitingFor = [],
  } = status;
  // Whatever is waited for is another's to try.
  if (schedulerName !== undefined) return [];
  const preemption = lastDecision?.preemption;
  const preempts = preemption === undefined ? [] : evictionLines(preemption);
  const tried =
    attempts === 0 ? 'not tried yet' : attempts === 1 ? 'tried once' : `tried ${attempts} times`;
  const last = lastDecision === undefined ? '' : `, last ${shortTime(lastDecision.time)}`;
  const next =
    retryAt !== undefined
      ? [`tried again at ${shortTime(retryAt)}`]
      : waitingFor.length > 0
        ? [`tried again after ${waitingFor.map(plain).join(', or ')}`]
        : queue === 'active'
          ? [turnOf(status)]
          : [];
  const latest = retryBy === undefined ? [] : [`at the latest at ${shortTime(retryBy)}`];
  return [tried + last, ...preempts, ...next, ...latest];
};

const turnOf = ({ queuePosition = 1, queueSize = 1 }: PodExplanation['status']): string =>
  queuePosition === 1
    ? 'next in line'
    : `${plural(queuePosition - 1, 'pod')} before it in line, of ${queueSize} that wait`;

const nodeTable = (nodes: readonly NodeExplanation[], style: TextStyle): readonly string[] => {
  const shown = nodes.slice(0, NODES_SHOWN_MAX);
  const nameWidth = Math.max(4, ...shown.map(({ node }) => node.length)) + 3;
  const detailWidth = Math.max(30, style.width - nameWidth - 2);
  const rows = shown.flatMap(({ node, ...verdict }) =>
    detailsOf(verdict)
      .flatMap((detail) => wrap(plain(detail), detailWidth))
      .map((line, index) => `  ${(index === 0 ? plain(node) : '').padEnd(nameWidth)}${line}`),
  );
  const header = toned(`  ${'NODE'.padEnd(nameWidth)}VERDICT`, 'faint', style);
  return [header, ...rows, ...restOf(nodes.slice(NODES_SHOWN_MAX))];
};

const detailsOf = ({ fits, reasons, total }: Omit<NodeExplanation, 'node'>): readonly string[] =>
  fits ? [`fits (${total ?? 0} points)`] : reasons.map(({ detail }) => detail);

/** Nodes beyond those shown, counted by their first reason. */
const restOf = (nodes: readonly NodeExplanation[]): readonly string[] => {
  if (nodes.length === 0) return [];
  const counts: Record<string, number> = {};
  for (const { reasons } of nodes) {
    const reason = reasons[0]?.reason ?? 'fit';
    counts[reason] = (counts[reason] ?? 0) + 1;
  }
  return [`  and ${plural(nodes.length, 'more node')}: ${plain(histogram(counts))}`];
};

const suggestionLines = (suggestion: string | undefined, style: TextStyle): readonly string[] =>
  suggestion === undefined
    ? []
    : [
        '',
        ...wrap(`Smallest change that would help: ${plain(suggestion)}`, style.width - 2).map(
          (line) => `  ${toned(line, 'bold', style)}`,
        ),
      ];

const indented = (texts: readonly string[], { width }: TextStyle): readonly string[] =>
  texts.flatMap((text) => wrap(text, width - 2)).map((line) => `  ${line}`);

const nameOf = (namespace = '', name = ''): string => plain(`${namespace}/${name}`);

const NODES_SHOWN_MAX = 20;
const COLUMN_TITLES: Readonly<Record<string, string>> = {
  TaintToleration: 'TAINTS',
  NodeAffinity: 'AFFINITY',
  PodTopologySpread: 'SPREAD',
  InterPodAffinity: 'PODS',
  NodeResourcesFit: 'FREE',
  NodeResourcesBalancedAllocation: 'BALANCE',
  ImageLocality: 'IMAGE',
};
