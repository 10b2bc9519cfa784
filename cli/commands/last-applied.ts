import { pathOf } from '../../api/resources';
import type { ApiObject } from '../../api/types';
import { toYaml } from '../../api/yaml';
import { queryOf } from '../../client/rest-client';
import { parseJson, stringifyJson } from '../../lib/json';
import { tell, tellingOf, type OutcomeOptions } from '../changing';
import type { CliContext } from '../context';
import { LAST_APPLIED } from '../last-applied';
import { printable } from '../output/terminal';
import { select, type SelectOptions } from '../selection';
import { UsageError } from '../usage-error';
import { readWanted, withRecord, type Wanted } from './apply';
import { collectFound } from './found';

export interface ViewLastAppliedOptions extends SelectOptions {
  readonly output?: string;
}

/** Prints the manifests that were applied last, as the objects keep them. */
export const viewLastApplied = async (
  context: CliContext,
  args: readonly string[],
  { output = 'yaml', ...options }: ViewLastAppliedOptions,
): Promise<void> => {
  if (output !== 'yaml' && output !== 'json') {
    throw new UsageError(
      `Unexpected -o output mode: ${output}, the flag 'output' must be one of yaml|json`,
    );
  }
  const { found, failure } = await select(context, args, options);
  const records = found.map(({ object }) => parseJson(recordIn(object)));
  for (const record of records) {
    const text = output === 'yaml' ? toYaml(record) : `${stringifyJson(record, 2)}\n`;
    context.terminal.out.write(printable(text));
  }
  if (failure !== undefined) throw failure;
};

/** @throws UsageError */
const recordIn = ({ metadata: { name, annotations } }: ApiObject, hint = ''): string => {
  const record = annotations?.[LAST_APPLIED];
  if (record !== undefined) return record;
  throw new UsageError(
    `no last-applied-configuration annotation found on resource: ${name}${hint}`,
  );
};

export interface SetLastAppliedOptions extends OutcomeOptions {
  readonly filename: readonly string[];
  readonly recursive?: boolean;
  readonly createAnnotation?: string | boolean;
}

/** Keeps manifests as the ones applied last, and changes nothing else. */
export const setLastApplied = async (
  context: CliContext,
  options: SetLastAppliedOptions,
): Promise<void> => {
  const telling = tellingOf(options);
  const wanted = await readWanted(context, options);
  const { createAnnotation } = options;
  const isMade = createAnnotation === true || createAnnotation === 'true';
  const { failure } = await collectFound(wanted, async (each) => {
    const object = await recordThere(context, each, isMade, telling);
    tell(context, telling, { info: each.info, object, told: 'configured' });
  });
  if (failure !== undefined) throw failure;
};

const recordThere = async (
  { client, signal }: CliContext,
  { info, object }: Wanted,
  isMade: boolean,
  { dryRun, fieldManager }: ReturnType<typeof tellingOf>,
): Promise<ApiObject> => {
  const { namespace = '', name } = object.metadata;
  const live = await client.get<ApiObject>(info, { namespace, name }, signal);
  if (!isMade)
    recordIn(live, ', to create the annotation, run the command with --create-annotation');
  const record = withRecord(object).metadata.annotations?.[LAST_APPLIED];
  if (record === undefined) {
    throw new UsageError(`${name}: the manifest is too large to be kept in an annotation`);
  }
  // kubectl, too, calls it configured where it says the same already, and asks nothing of the server.
  if (live.metadata.annotations?.[LAST_APPLIED] === record || dryRun === 'client') return live;
  return client.json<ApiObject>({
    method: 'PATCH',
    path:
      pathOf(info, namespace, name) +
      queryOf({ fieldManager, dryRun: dryRun === 'server' ? 'All' : undefined }),
    body: stringifyJson({ metadata: { annotations: { [LAST_APPLIED]: record } } }),
    contentType: 'application/merge-patch+json',
    signal,
  });
};
