import { jsonEqual } from '../../api/json-value';
import type { ApiObject } from '../../api/types';
import { tell, tellingOf, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';
import { comparable, type Revision, type RolloutKind } from './rollout-kinds';
import { rolloutTargets } from './rollout-targets';

export interface RolloutUndoOptions extends ChangeOptions {
  readonly toRevision?: string;
}

/** Brings back the pod template of the revision before, or of a certain one. */
export const rolloutUndo = async (
  context: CliContext,
  args: readonly string[],
  options: RolloutUndoOptions,
): Promise<void> => {
  const telling = tellingOf(options);
  const { client, signal } = context;
  const what = 'no rollbacker has been implemented';
  for (const { kind, info, object: before } of await rolloutTargets(context, args, options, what)) {
    const { namespace = '', name } = before.metadata;
    const revision = await wantedRevision(context, kind, before, options.toRevision);
    const { type, body } = kind.undo(before, revision);
    const outcome = { info, object: before };
    if (jsonEqual(comparable(revision.template), comparable(kind.templateOf(before)))) {
      const told = `skipped rollback (current template already matches revision ${revision.number})`;
      tell(context, telling, { ...outcome, told });
      continue;
    }
    const write = { fieldManager: telling.fieldManager, dryRun: telling.dryRun === 'server' };
    const object =
      telling.dryRun === 'client'
        ? before
        : await client.patch(info, { namespace, name }, type, body, write, signal);
    tell(context, telling, { ...outcome, object, told: 'rolled back' });
  }
};

const wantedRevision = async (
  context: CliContext,
  kind: RolloutKind,
  object: ApiObject,
  text = '0',
): Promise<Revision> => {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--to-revision: "${text}" is not a revision`);
  const revisions = await kind.revisionsOf(context, object);
  const wanted = Number(text);
  const found = wanted === 0 ? revisions.at(-2) : revisions.find(({ number }) => number === wanted);
  if (found !== undefined) return found;
  throw new UsageError(
    wanted === 0
      ? kind.noneBefore(object)
      : `unable to find specified revision ${wanted} in history`,
  );
};
