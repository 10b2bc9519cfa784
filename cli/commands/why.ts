import { POD_EXPLANATIONS, SCHEDULING_DECISIONS, pathOf } from '../../api/resources';
import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { queryOf } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { formatViews, listDocument, outputFormat, type OutputFormat } from '../output/format';
import type { Terminal } from '../output/terminal';
import { podName } from '../targets';
import { durationSeconds } from '../durations';
import { UsageError } from '../usage-error';
import { renderDecisions, renderWhy, type TextStyle } from '../why';
import { qualifiedKind } from './get';

export interface WhyOptions {
  readonly node?: string;
  readonly output?: string;
}

/** Why a pod is where it is, or why it waits and what would make it fit. */
export const why = async (
  context: CliContext,
  podOrKind: string,
  givenName: string | undefined,
  options: WhyOptions,
): Promise<void> => {
  const pod = givenName === undefined ? podOrKind : `${podOrKind}/${givenName}`;
  const { client, terminal, signal } = context;
  const format = outputFormat(options.output);
  const namespace = context.namespace ?? 'default';
  const name = await podName(context, pod, ({ spec }) => spec.nodeName === undefined);
  const path = pathOf(POD_EXPLANATIONS, namespace, name) + queryOf({ node: options.node });
  const explanation = await client.json<PodExplanation>({ method: 'GET', path, signal });
  const table = (isWide: boolean) => renderWhy(explanation, styleOf(terminal, isWide));
  const names = [`${qualifiedKind(POD_EXPLANATIONS)}/${name}`];
  terminal.out.write(formatViews({ document: explanation, names, table }, format));
};

/** Wide: lines do not wrap. */
const styleOf = ({ isInteractive, columns }: Terminal, isWide: boolean): TextStyle => ({
  color: isInteractive,
  width: isWide ? Number.MAX_SAFE_INTEGER : columns,
});

export interface DecisionsOptions {
  readonly watch?: boolean;
  readonly pod?: string;
  readonly since?: string;
  readonly limit?: string;
  readonly output?: string;
}

/** The scheduler's latest decisions, oldest first; with `--watch` also those to come. */
export const decisions = async (context: CliContext, options: DecisionsOptions): Promise<void> => {
  const { client, terminal, signal, namespace } = context;
  const format = outputFormat(options.output);
  const place = namespace === undefined ? {} : { namespace };
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
const wantedBy = ({ pod, since }: DecisionsOptions, nowMs: number) => {
  const fromMs = since === undefined ? -Infinity : nowMs - durationSeconds('--since', since) * 1000;
  const podName = pod?.replace(/^pods?\//, '');
  return ({ spec }: SchedulingDecision): boolean =>
    (podName === undefined || spec.podName === podName) && Date.parse(spec.time) >= fromMs;
};

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
