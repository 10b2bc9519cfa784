import { EVENTS } from '../../api/resources';
import type { Event } from '../../api/types';
import { systemClock } from '../../lib/clock';
import type { CliContext } from '../context';
import { lastSeenMs, seenText } from '../event-times';
import { formatViews, listDocument, outputFormat, type OutputFormat } from '../output/format';
import { formatRow, formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { parseTargets } from '../targets';
import { UsageError } from '../usage-error';
import { changesOf } from '../waiting';
import { withoutManagedFields } from './get';

export interface EventsOptions {
  readonly for?: string;
  readonly types?: readonly string[];
  readonly watch?: boolean;
  readonly headers?: boolean;
  readonly output?: string;
}

/** Shows what happened, the latest last; with `--watch`, goes on as more does. */
export const events = async (context: CliContext, options: EventsOptions): Promise<void> => {
  const format = outputFormat(options.output);
  const isWanted = wantedTypes(options.types ?? []);
  const fieldSelector = await subjectOf(context, options.for);
  const query = {
    namespace: context.namespace ?? '',
    ...(fieldSelector === undefined ? {} : { fieldSelector }),
  };
  const { items, resourceVersion } = await context.client.list(EVENTS, query, context.signal);
  const known = items.filter(isWanted).sort((a, b) => lastSeenMs(a) - lastSeenMs(b));
  const print = printerOf(context, options, format);
  if (known.length > 0 || format === 'json' || format === 'yaml') print(known);
  else if (options.watch !== true) context.terminal.err.write(nothing(context));
  if (options.watch !== true) return;
  for await (const event of changesOf(context, EVENTS, { ...query, resourceVersion })) {
    if (event.type !== 'DELETED' && isWanted(event.object)) print([event.object]);
  }
};

const nothing = ({ namespace }: CliContext): string =>
  namespace === undefined ? 'No events found.\n' : `No events found in ${namespace} namespace.\n`;

/** @throws UsageError */
const wantedTypes = (types: readonly string[]): ((event: Event) => boolean) => {
  const wanted = types.map((type) => type.toLowerCase());
  const unknown = types.find((type) => !['normal', 'warning'].includes(type.toLowerCase()));
  if (unknown !== undefined) throw new UsageError('valid --types are Normal or Warning');
  return ({ type = '' }) => wanted.length === 0 || wanted.includes(type.toLowerCase());
};

const subjectOf = async (
  context: CliContext,
  subject: string | undefined,
): Promise<string | undefined> => {
  if (subject === undefined) return undefined;
  if (!subject.includes('/')) {
    throw new UsageError('--for must be in resource/name form');
  }
  const place = context.namespace === undefined ? { ...context, namespace: '' } : context;
  const [target] = await parseTargets(place, [subject]);
  return `involvedObject.kind=${target?.info.kind ?? ''},involvedObject.name=${target?.name ?? ''}`;
};

type Print = (events: readonly Event[]) => void;

const printerOf = (
  { terminal, namespace }: CliContext,
  { headers, watch }: EventsOptions,
  format: OutputFormat,
): Print => {
  if (format !== 'table' && format !== 'wide') {
    return (listed) => {
      const plain = listed.map(withoutManagedFields);
      const document = watch === true && plain.length === 1 ? plain[0] : listDocument(plain);
      const names = plain.map(({ metadata: { name } }) => `event/${name}`);
      terminal.out.write(formatViews({ document, names, table: () => '' }, format));
    };
  }
  const withNamespace = namespace === undefined;
  const titles = [...(withNamespace ? ['NAMESPACE'] : []), ...TITLES];
  let widths: readonly number[] | undefined;
  return (listed) => {
    const nowMs = systemClock.now();
    const rows = listed.map((event) => [
      ...(withNamespace ? [event.metadata.namespace ?? ''] : []),
      ...cellsOf(event, nowMs),
    ]);
    if (widths === undefined) {
      terminal.out.write(formatTable(headers === false ? undefined : titles, rows));
      widths = titles.map((title, i) =>
        Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)),
      );
    } else for (const row of rows) terminal.out.write(`${formatRow(row, widths)}\n`);
  };
};

const cellsOf = (event: Event, nowMs: number): readonly string[] =>
  [
    seenText(event, nowMs),
    event.type ?? '',
    event.reason ?? '',
    `${event.involvedObject.kind ?? ''}/${event.involvedObject.name ?? ''}`,
    (event.message ?? '').trim(),
  ].map((text) => printable(text).replaceAll('\n', ' '));

const TITLES = ['LAST SEEN', 'TYPE', 'REASON', 'OBJECT', 'MESSAGE'];
