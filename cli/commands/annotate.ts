import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { printable } from '../output/terminal';
import { select } from '../selection';
import { splitChanges } from '../targets';
import { UsageError } from '../usage-error';
import { mergeOf, occupied, parseKeyValues } from './key-values';

export interface AnnotateOptions extends ChangeOptions {
  readonly overwrite?: boolean;
  readonly list?: boolean;
}

/** Sets and removes annotations: `a=b`, `c-`. */
export const annotate = async (
  context: CliContext,
  args: readonly string[],
  options: AnnotateOptions,
): Promise<void> => {
  const { targets, changes: given } = splitChanges(args, 'annotation', options);
  if (options.list === true && given.length === 0) return list(context, targets, options);
  const changes = parseKeyValues(given, 'annotation');
  await changeEach(context, targets, options, ({ object }) => {
    const annotations = object.metadata.annotations ?? {};
    const taken = options.overwrite === true ? [] : occupied(annotations, changes);
    if (taken.length > 0) {
      const each = taken.map(([key, value]) => `'${key}' already has a value (${value})`);
      throw new UsageError(
        `--overwrite is false but found the following declared annotation(s): ${each.join('; ')}`,
      );
    }
    const merge = mergeOf(annotations, changes);
    if (Object.keys(merge).length === 0) return { told: 'annotated' };
    return {
      patch: { type: 'merge', body: { metadata: { annotations: merge } } },
      told: 'annotated',
    };
  });
};

const list = async (
  context: CliContext,
  targets: readonly string[],
  options: AnnotateOptions,
): Promise<void> => {
  const { found, failure } = await select(context, targets, options);
  for (const { object } of found) {
    for (const [key, value] of Object.entries(object.metadata.annotations ?? {}).sort()) {
      context.terminal.out.write(`${key}=${printable(value)}\n`);
    }
  }
  if (failure !== undefined) throw failure;
};
