import type { ApiObject } from '../api/types';
import type { PatchType, WriteOptions } from '../client/api-client';
import { qualifiedKind, withoutManagedFields } from './commands/get';
import { collectFound } from './commands/found';
import type { CliContext } from './context';
import { DRY_RUN_NOTES, dryRunOf, type DryRun } from './dry-run';
import { formatViews, outputFormat, type OutputFormat } from './output/format';
import { select, type Selected, type SelectOptions } from './selection';
import { UsageError } from './usage-error';
import type { NamedResource } from './well-known';

/** Options of every command that changes objects. */
export interface OutcomeOptions {
  readonly output?: string;
  readonly dryRun?: string | boolean;
  readonly fieldManager?: string;
}

export interface ChangeOptions extends OutcomeOptions, SelectOptions {
  readonly subresource?: string;
}

/** What to do to one object, and how to tell of it: `labeled`. */
export interface Change {
  /** Absent: it is as it should be. */
  readonly patch?: { readonly type: PatchType; readonly body: unknown };
  /** The word for what was done, given the object before and after. */
  readonly told: string | ((before: ApiObject, after: ApiObject) => string);
}

/**
 * Changes all selected objects, each as `changeOf` says. What fails does not keep the others from
 * being changed: it is thrown at the end.
 */
export const changeEach = async (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
  changeOf: (selected: Selected) => Change,
): Promise<void> => {
  const telling = tellingOf(options);
  const subresource = subresourceOf(options.subresource);
  const { found, failure } = await select(context, args, options);
  if (found.length === 0 && failure === undefined) context.terminal.err.write(NOTHING);
  const changed = await collectFound(found, async (selected) => {
    const { info, object } = selected;
    const change = changeOf(selected);
    const after = await carryOut(context, selected, change, { ...telling, subresource });
    const { told } = change;
    tell(context, telling, {
      info,
      object: after,
      told: typeof told === 'string' ? told : told(object, after),
    });
  });
  const failures = [failure, changed.failure].filter((error) => error !== undefined);
  if (failures.length > 1) throw new AggregateError(failures);
  if (failures[0] !== undefined) throw failures[0];
};

/** How a command's outcome is printed, as its options say. */
export interface Telling {
  readonly format: OutputFormat;
  readonly dryRun: DryRun;
  readonly fieldManager: string;
}

/** @throws UsageError */
export const tellingOf = ({ output, dryRun, fieldManager }: OutcomeOptions): Telling => {
  const format = outputFormat(output);
  if (format === 'wide') throw new UsageError('-o takes json, name, yaml or a template here');
  return { format, dryRun: dryRunOf(dryRun), fieldManager: fieldManager ?? 'dhow' };
};

/** Prints one outcome: a line, or the object. */
export const tell = (
  { terminal }: CliContext,
  { format, dryRun }: Telling,
  {
    info,
    object,
    told,
  }: {
    readonly info: Pick<NamedResource, 'kind' | 'group'>;
    readonly object: ApiObject;
    readonly told: string;
  },
): void => {
  const name = `${qualifiedKind(info)}/${object.metadata.name}`;
  const table = () => `${name} ${told}${DRY_RUN_NOTES[dryRun]}\n`;
  const views = { document: withoutManagedFields(object), names: [name], table };
  terminal.out.write(formatViews(views, format));
};

type Subresource = WriteOptions['subresource'];

/** @throws UsageError */
export const subresourceOf = (name: string | undefined): Subresource => {
  if (name === undefined || name === 'status' || name === 'scale') return name;
  throw new UsageError(`--subresource takes status or scale, not "${name}"`);
};

const carryOut = async (
  { client, signal }: CliContext,
  { info, object }: Selected,
  { patch }: Change,
  { dryRun, fieldManager, subresource }: Telling & { readonly subresource: Subresource },
): Promise<ApiObject> => {
  if (patch === undefined) return object;
  if (dryRun === 'client') {
    const { changedHere } = await import('./dry-patch.js');
    return changedHere(info, object, patch);
  }
  const { namespace = '', name } = object.metadata;
  const options = {
    fieldManager,
    dryRun: dryRun === 'server',
    ...(subresource === undefined ? {} : { subresource }),
  };
  return client.patch(info, { namespace, name }, patch.type, patch.body, options, signal);
};

const NOTHING = 'No resources found\n';
