import { NODES } from '../../api/resources';
import type { Node } from '../../api/types';
import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';

/** Keeps new pods from a node. */
export const cordon = (
  context: CliContext,
  names: readonly string[],
  options: ChangeOptions,
): Promise<void> => setUnschedulable(context, names, options, true);

/** Lets new pods onto a node again. */
export const uncordon = (
  context: CliContext,
  names: readonly string[],
  options: ChangeOptions,
): Promise<void> => setUnschedulable(context, names, options, false);

const setUnschedulable = (
  context: CliContext,
  names: readonly string[],
  options: ChangeOptions,
  isWanted: boolean,
): Promise<void> =>
  changeEach(context, nodeArguments(names), options, ({ object }) => {
    const word = isWanted ? 'cordoned' : 'uncordoned';
    const isSo = ((object as Node).spec.unschedulable ?? false) === isWanted;
    if (isSo) return { told: `already ${word}` };
    // A merge patch: what is null is removed, as kubectl leaves it.
    const body = { spec: { unschedulable: isWanted ? true : null } };
    return { patch: { type: 'merge', body }, told: word };
  });

/** `node-1 node/node-2` as arguments that name a kind. */
export const nodeArguments = (names: readonly string[]): readonly string[] => [
  NODES.plural,
  ...names.map((name) => name.replace(/^(nodes?|no)\//, '')),
];
