import { podIn, podPathOf } from '../../api/pod-in';
import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';

/** Sets the account that pods run under: `KIND/NAME ACCOUNT`. */
export const setServiceAccount = async (
  context: CliContext,
  args: readonly string[],
  options: ChangeOptions,
): Promise<void> => {
  const account = args.at(-1);
  if (account === undefined || (args.length === 1 && options.filename === undefined))
    throw new UsageError('serviceaccount is required');
  await changeEach(context, args.slice(0, -1), options, ({ object }) => {
    const path = podPathOf(object);
    if (path === undefined || podIn(object) === undefined)
      throw new UsageError(`${object.kind.toLowerCase()} "${object.metadata.name}" has no pods`);
    const body = [...path, 'spec'].reduceRight<object>((inner, field) => ({ [field]: inner }), {
      serviceAccountName: account,
    });
    return { patch: { type: 'strategic', body }, told: 'serviceaccount updated' };
  });
};
