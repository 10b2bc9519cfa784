import { POD_EXPLANATIONS, SCHEDULING_DECISIONS, pathOf } from '../../api/resources';
import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import { toYaml } from '../../api/yaml';
import { queryOf } from '../../client/rest-client';
import { stringifyJson } from '../../lib/json';
import type { CliContext } from '../context';
import { renderDecisions, renderWhy } from '../why';
import { podName } from '../targets';
import { UsageError } from '../usage-error';

export interface WhyOptions {
  readonly node?: string;
  readonly output?: string;
}

/** Why a pod is where it is, or why it waits and what would make it fit. */
export const why = async (context: CliContext, pod: string, options: WhyOptions): Promise<void> => {
  const { client, terminal, signal } = context;
  const namespace = context.namespace ?? 'default';
  const path = pathOf(POD_EXPLANATIONS, namespace, podName(pod)) + queryOf({ node: options.node });
  const explanation = await client.json<PodExplanation>({ method: 'GET', path, signal });
  terminal.out.write(
    format(explanation, options.output) ??
      renderWhy(explanation, { color: terminal.isInteractive, width: terminal.columns }),
  );
};

export interface DecisionsOptions {
  readonly watch?: boolean;
  readonly output?: string;
}

/** The scheduler's latest decisions, oldest first; with `--watch` also those to come. */
export const decisions = async (context: CliContext, options: DecisionsOptions): Promise<void> => {
  const { client, terminal, signal, namespace } = context;
  const place = namespace === undefined ? {} : { namespace };
  const list = await client.list(SCHEDULING_DECISIONS, place, signal);
  const style = { color: terminal.isInteractive, width: terminal.columns };
  const document = { apiVersion: 'v1', items: list.items, kind: 'List', metadata: {} };
  terminal.out.write(format(document, options.output) ?? renderDecisions(list.items, style));
  if (options.watch !== true) return;
  const events = client.watch(
    SCHEDULING_DECISIONS,
    { ...place, resourceVersion: list.resourceVersion },
    signal,
  );
  for await (const event of events) {
    if (event.type === 'ADDED') terminal.out.write(line(event.object, options, style));
  }
};

const line = (
  decision: SchedulingDecision,
  { output }: DecisionsOptions,
  style: { readonly color: boolean; readonly width: number },
): string =>
  output === 'yaml'
    ? `---\n${toYaml(decision)}`
    : output === 'json'
      ? `${stringifyJson(decision)}\n`
      : renderDecisions([decision], { ...style, header: false });

const format = (document: unknown, output: string | undefined): string | undefined => {
  if (output === undefined) return undefined;
  if (output === 'json') return `${stringifyJson(document, 4)}\n`;
  if (output === 'yaml') return toYaml(document);
  throw new UsageError(`-o takes json or yaml here, not "${output}"`);
};
