import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { select } from '../selection';
import { splitChanges } from '../targets';
import { UsageError } from '../usage-error';
import { mergeOf, occupied, parseKeyValues } from './key-values';
import { qualifiedKind } from './get';

export interface LabelOptions extends ChangeOptions {
  readonly overwrite?: boolean;
  readonly list?: boolean;
}

/** Sets and removes labels: `a=b`, `c-`. */
export const label = async (
  context: CliContext,
  args: readonly string[],
  options: LabelOptions,
): Promise<void> => {
  const { targets, changes: given } = splitChanges(args, 'label', options);
  if (options.list === true && given.length === 0) return list(context, targets, options);
  const changes = parseKeyValues(given, 'label');
  await changeEach(context, targets, options, ({ object }) => {
    const labels = object.metadata.labels ?? {};
    const [first] = occupied(labels, changes);
    if (first !== undefined && options.overwrite !== true) {
      throw new UsageError(
        `'${first[0]}' already has a value (${first[1]}), and --overwrite is false`,
      );
    }
    for (const key of changes.removed) {
      if (!Object.hasOwn(labels, key)) context.terminal.out.write(`label "${key}" not found.\n`);
    }
    const merge = mergeOf(labels, changes);
    if (Object.keys(merge).length === 0) return { told: 'not labeled' };
    const isOnlyRemoved = Object.values(merge).every((value) => value === null);
    return {
      patch: { type: 'merge', body: { metadata: { labels: merge } } },
      told: isOnlyRemoved ? 'unlabeled' : 'labeled',
    };
  });
};

const list = async (
  context: CliContext,
  targets: readonly string[],
  options: LabelOptions,
): Promise<void> => {
  const { found, failure } = await select(context, targets, options);
  for (const { info, object } of found) {
    if (found.length > 1) {
      const name = `${qualifiedKind(info)}/${object.metadata.name}`;
      context.terminal.out.write(`Listing labels for ${name}:\n`);
    }
    const indent = found.length > 1 ? ' ' : '';
    for (const [key, value] of Object.entries(object.metadata.labels ?? {}).sort()) {
      context.terminal.out.write(`${indent}${key}=${value}\n`);
    }
  }
  if (failure !== undefined) throw failure;
};
