import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { ApiError } from '../../api/errors';
import { controllerOf, isControlledBy } from '../../api/owners';
import {
  DEPLOYMENTS,
  PODS,
  POD_EXPLANATIONS,
  REPLICA_SETS,
  SCHEDULING_DECISIONS,
  pathOf,
} from '../../api/resources';
import type { ApiObject, ObjectName, Pod } from '../../api/types';
import { queryOf } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, listDocument, outputFormat, type OutputFormat } from '../output/format';
import type { Terminal } from '../output/terminal';
import { podName, podOrWorkload, workloadOf, type NamedTarget } from '../targets';
import { durationSeconds } from '../durations';
import { unlessForbidden } from '../unless-forbidden';
import { UsageError } from '../usage-error';
import type { Place } from '../waiting';
import {
  DETAILED_GROUPS_MAX,
  driverVolumesOf,
  explainWorkload,
  lastLines,
  lastWordsText,
  placementGroupsOf,
  renderDecisions,
  renderWhy,
  renderWorkload,
  resizeTroublesOf,
  troublesOf,
  volumeTroubles,
  withEvidence,
  type TextStyle,
  type WorkloadExplanation,
} from '../why';
import { qualifiedKind } from './get';
import { isPodGroup, whyGroup } from './why-group';

export interface WhyOptions {
  readonly node?: string;
  readonly output?: string;
}

/**
 * Why a pod is where it is, or why it waits and what would make it fit; and why it does not run well
 * where it is. Of a workload: which of its pods do not run, and why.
 */
export const why = async (
  context: CliContext,
  podOrKind: string,
  givenName: string | undefined,
  options: WhyOptions,
): Promise<void> => {
  const arg = givenName === undefined ? podOrKind : `${podOrKind}/${givenName}`;
  const format = outputFormat(options.output);
  // Asked about a node, it is one pod that is explained.
  const target =
    options.node === undefined
      ? await podOrWorkload(context, arg)
      : await podName(context, arg, ({ spec }) => spec.nodeName === undefined);
  if (typeof target === 'string') await whyPod(context, target, options, format);
  else if (isPodGroup(target))
    await whyGroup(context, target, format, (isWide) => styleOf(context.terminal, isWide));
  else await whyWorkload(context, target, arg, format);
};

const whyPod = async (
  context: CliContext,
  name: string,
  { node }: WhyOptions,
  format: OutputFormat,
): Promise<void> => {
  const { client, terminal, signal, namespace = 'default' } = context;
  const path = pathOf(POD_EXPLANATIONS, namespace, name) + queryOf({ node });
  const explanation = await client.json<PodExplanation>({ method: 'GET', path, signal });
  const isPlaced = explanation.status.nodeName !== undefined && node === undefined;
  const troubles = isPlaced
    ? // Who may ask why need not be let to look at pods.
      await unlessForbidden(podTroubles(context, { namespace, name }))
    : undefined;
  const status = { ...explanation.status, ...(troubles === undefined ? {} : { troubles }) };
  const document = { ...explanation, status };
  const table = (isWide: boolean) => renderWhy(document, styleOf(terminal, isWide));
  const names = [`${qualifiedKind(POD_EXPLANATIONS)}/${name}`];
  terminal.out.write(formatViews({ document, names, table }, format));
};

const podTroubles = async ({ client, signal }: CliContext, name: ObjectName) => {
  const pod = await client.get(PODS, name, signal);
  const own = [...troublesOf(pod), ...resizeTroublesOf(pod)];
  // What its containers wait for before they are made may be a volume.
  const isWaiting = own.some(({ reason }) => WAITING.has(reason));
  const volumes = isWaiting ? await driverVolumesOf(client, pod, signal) : [];
  return withEvidence(client, pod, [...volumeTroubles(pod, volumes), ...own], signal);
};

const WAITING: ReadonlySet<string> = new Set(['ContainerCreating', 'PodInitializing', 'Pending']);

const whyWorkload = async (
  context: CliContext,
  target: NamedTarget,
  arg: string,
  format: OutputFormat,
): Promise<void> => {
  const { terminal } = context;
  const { document: explained, pods } = await workloadExplanation(context, target, arg);
  const placements = await placementsOf(context, pods);
  const document = {
    ...explained,
    status: { ...explained.status, ...(placements === undefined ? {} : { placements }) },
  };
  const table = (isWide: boolean) => renderWorkload(document, styleOf(terminal, isWide));
  const names = [`${qualifiedKind(target.info)}/${target.name}`];
  terminal.out.write(formatViews({ document, names, table }, format));
};

/** Why they are where they are; undefined where this user may not ask. */
const placementsOf = async (
  { client, namespace = 'default', signal }: CliContext,
  pods: readonly Pod[],
) => {
  const records = await unlessForbidden(client.list(SCHEDULING_DECISIONS, { namespace }, signal));
  return records === undefined ? undefined : placementGroupsOf(pods, records.items);
};

/**
 * Which pods of a workload do not run, why, and their last words: what a container said last, or the
 * decision that keeps a pod waiting. For a command that waited for them in vain.
 */
export const whyText = async (
  context: CliContext,
  { info, namespace, name }: Place,
): Promise<string> => {
  const target = { info, name };
  const arg = `${info.kind.toLowerCase()}/${name}`;
  try {
    const here = { ...context, namespace };
    const { document, pods } = await workloadExplanation(here, target, arg);
    const style = { ...styleOf(context.terminal, false), color: false };
    const told = document.status.troubles.slice(0, DETAILED_GROUPS_MAX);
    const words = await Promise.all(told.map((group) => lastWords(here, group, pods, style)));
    return renderWorkload(document, style) + [...new Set(words)].join('');
  } catch (error) {
    // It is not there, or this user may not look: what was waited for says enough.
    if (error instanceof ApiError || error instanceof UsageError) return '';
    throw error;
  }
};

/** Of one pod of a group that has the same trouble. */
const lastWords = async (
  context: CliContext,
  { pod: name, ...trouble }: WorkloadExplanation['status']['troubles'][number],
  pods: readonly Pod[],
  style: TextStyle,
): Promise<string> => {
  const { client, signal, namespace = 'default' } = context;
  const pod = pods.find(({ metadata }) => metadata.name === name);
  if (pod === undefined) return '';
  if (pod.spec.nodeName === undefined) {
    const path = pathOf(POD_EXPLANATIONS, namespace, name);
    try {
      const request = { method: 'GET', path, signal } as const;
      return `\n${renderWhy(await client.json<PodExplanation>(request), style)}`;
    } catch (error) {
      // It has gone meanwhile, or this user may not ask.
      if (error instanceof ApiError) return '';
      throw error;
    }
  }
  const { container } = trouble;
  if (container === undefined) return '';
  return lastWordsText(name, container, await lastLines(client, pod, trouble, signal));
};

const workloadExplanation = async (
  context: CliContext,
  target: Pick<Place, 'info' | 'name'>,
  arg: string,
): Promise<{ readonly document: WorkloadExplanation; readonly pods: readonly Pod[] }> => {
  const { client, signal, namespace = 'default' } = context;
  const { workload, labelSelector, pods: selected } = await workloadOf(context, target, arg);
  const isDeployment = workload.kind === DEPLOYMENTS.kind;
  const sets = isDeployment
    ? (await client.list(REPLICA_SETS, { namespace, labelSelector }, signal)).items
    : [];
  const makers = [workload, ...sets.filter((set) => isControlledBy(set, workload))];
  const uids = new Set(makers.map(({ metadata }) => metadata.uid));
  const pods = selected.filter((pod) => uids.has(controllerOf(pod)?.uid));
  const explanation = explainWorkload(workload, pods, latestOfSets(makers)?.metadata.uid);
  const { troubles } = explanation.status;
  const detailed = await Promise.all(
    troubles.slice(0, DETAILED_GROUPS_MAX).map(async (group) => {
      const pod = pods.find(({ metadata }) => metadata.name === group.pod);
      const known = pod === undefined ? [] : await withEvidence(client, pod, [group], signal);
      return { ...group, ...known[0] };
    }),
  );
  const status = {
    ...explanation.status,
    troubles: [...detailed, ...troubles.slice(DETAILED_GROUPS_MAX)],
  };
  return { document: { ...explanation, status }, pods };
};

/** The set of the highest revision; what has no sets makes its pods itself. */
const latestOfSets = (makers: readonly ApiObject[]): ApiObject | undefined => {
  const revision = ({ metadata }: ApiObject) => Number(metadata.annotations?.[REVISION] ?? 0);
  const [workload, ...sets] = makers;
  return [...sets].sort((a, b) => revision(b) - revision(a))[0] ?? workload;
};

const REVISION = 'deployment.kubernetes.io/revision';

/** Wide: lines do not wrap. */
const styleOf = ({ isInteractive, columns }: Terminal, isWide: boolean): TextStyle => ({
  color: isInteractive,
  width: isWide ? Number.MAX_SAFE_INTEGER : columns,
});

export interface DecisionsOptions {
  readonly watch?: boolean;
  readonly pod?: string;
  readonly node?: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly fieldSelector?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly output?: string;
}

/** The scheduler's latest decisions, oldest first; with `--watch` also those to come. */
export const decisions = async (context: CliContext, options: DecisionsOptions): Promise<void> => {
  const { client, terminal, signal, namespace } = context;
  const format = outputFormat(options.output);
  const fieldSelector = selectorOf(options);
  const place = {
    ...(namespace === undefined ? {} : { namespace }),
    ...(fieldSelector === '' ? {} : { fieldSelector }),
  };
  const isWanted = wantedBy(options, systemClock.now());
  const list = await client.list(SCHEDULING_DECISIONS, place, signal);
  const latest = latestOf(list.items.filter(isWanted), options.limit);
  const isStream = options.watch === true && (format === 'json' || format === 'yaml');
  if (isStream) for (const each of latest) terminal.out.write(eventText(each, format, terminal));
  else terminal.out.write(listText(latest, format, terminal));
  if (options.watch !== true) return;
  const events = client.watch(
    SCHEDULING_DECISIONS,
    { ...place, resourceVersion: list.resourceVersion },
    signal,
  );
  for await (const event of events) {
    if (event.type === 'ADDED' && isWanted(event.object))
      terminal.out.write(eventText(event.object, format, terminal));
  }
};

/** @throws UsageError */
const wantedBy = ({ since }: DecisionsOptions, nowMs: number) => {
  const fromMs = since === undefined ? -Infinity : nowMs - durationSeconds('--since', since) * 1000;
  return ({ spec }: SchedulingDecision): boolean => Date.parse(spec.time) >= fromMs;
};

/** What the server is to choose by. */
const selectorOf = ({ pod, node, outcome, reason, fieldSelector }: DecisionsOptions): string =>
  [
    ...fieldTerm('spec.podName', pod?.replace(/^pods?\//, '')),
    ...fieldTerm('status.nodeName', node?.replace(/^nodes?\//, '')),
    ...fieldTerm('status.outcome', outcome),
    ...fieldTerm('status.reason', reason),
    ...(fieldSelector === undefined ? [] : [fieldSelector]),
  ].join(',');

const fieldTerm = (field: string, value: string | undefined): readonly string[] =>
  value === undefined ? [] : [`${field}=${value.replace(/[\\,=]/g, '\\$&')}`];

/** They come oldest first. @throws UsageError */
const latestOf = <T>(items: readonly T[], limit: string | undefined): readonly T[] => {
  if (limit === undefined) return items;
  if (!/^[1-9]\d{0,8}$/.test(limit))
    throw new UsageError(`--limit: "${limit}" is not a number of decisions`);
  return items.slice(-Number(limit));
};

const listText = (
  items: readonly SchedulingDecision[],
  format: OutputFormat,
  terminal: Terminal,
): string =>
  formatViews(
    {
      document: listDocument(items),
      names: items.map(decisionName),
      table: (isWide) => renderDecisions(items, { ...styleOf(terminal, false), isWide }),
    },
    format,
  );

/** One more decision, as a line or a document of its own. */
const eventText = (
  decision: SchedulingDecision,
  format: OutputFormat,
  terminal: Terminal,
): string => {
  if (format === 'json') return `${stringifyJson(decision)}\n`;
  const table = (isWide: boolean) =>
    renderDecisions([decision], { ...styleOf(terminal, false), isWide, header: false });
  const text = formatViews({ document: decision, names: [decisionName(decision)], table }, format);
  return format === 'yaml' ? `---\n${text}` : text;
};

const decisionName = ({ metadata }: SchedulingDecision): string =>
  `${qualifiedKind(SCHEDULING_DECISIONS)}/${metadata.name}`;
