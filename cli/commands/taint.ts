import type { Node } from '../../api/types';
import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';
import { applyTaints, parseTaints } from './taint-changes';

export interface TaintOptions extends ChangeOptions {
  readonly overwrite?: boolean;
}

/** Puts taints on nodes and takes them off: `key=value:Effect`, `key:Effect-`, `key-`. */
export const taint = async (
  context: CliContext,
  args: readonly string[],
  options: TaintOptions,
): Promise<void> => {
  const isChange = (arg: string): boolean => /[=:]/.test(arg) || arg.endsWith('-');
  const first = args.findIndex((arg, i) => i > 0 && isChange(arg));
  if (first < 0) throw new UsageError('at least one taint update is required');
  const targets = args.slice(0, first);
  const changes = parseTaints(args.slice(first));
  if (!/^(nodes?|no)(\/|$)/.test(targets[0] ?? '')) {
    throw new UsageError(`invalid resource type ${targets[0] ?? ''}, only node(s) is supported`);
  }
  await changeEach(context, targets, options, ({ object }) => {
    const node = object as Node;
    const { taints, told } = applyTaints(node, changes, options.overwrite === true);
    const { resourceVersion } = node.metadata;
    // The list is replaced as a whole: what others changed meanwhile must not be lost.
    const body = {
      metadata: { resourceVersion },
      spec: { taints: taints.length > 0 ? taints : null },
    };
    return { patch: { type: 'merge', body }, told };
  });
};
