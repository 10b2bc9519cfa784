import { ApiError } from '../../api/errors';
import type { ApiObject } from '../../api/types';
import { ageOf } from '../../lib/age';
import { systemClock } from '../../lib/clock';
import type { CliContext } from '../context';
import type { OfferedResource } from '../discovery';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { namespaceFor, parseTargets } from '../targets';
import { ownerTree, type Branch } from '../tree/owner-tree';
import { readinessOf } from '../tree/readiness';
import { UsageError } from '../usage-error';

/** An object and all that it owns, each with whether it is ready and why it is not. */
export const tree = async (context: CliContext, args: readonly string[]): Promise<void> => {
  const [target, another] = await parseTargets(context, args);
  if (target?.name === undefined || another !== undefined)
    throw new UsageError('name one object: KIND NAME or KIND/NAME');
  const { info, name } = target;
  const namespace = namespaceFor(context, info);
  const root = await context.client.get(info, { namespace, name }, context.signal);
  const { objects, unread } = await dependents(context, namespace);
  const { branches, isCut } = ownerTree(root, objects);
  context.terminal.out.write(formatTable(HEADER, branches.map(rowOf(systemClock.now()))));
  if (isCut) context.terminal.err.write('Warning: the tree goes on: look at one of its branches\n');
  if (unread.length > 0) {
    context.terminal.err.write(
      `Warning: not all objects of these kinds could be read: ${printable(unread.join(', '))}\n`,
    );
  }
};

const HEADER = ['NAMESPACE', 'NAME', 'READY', 'REASON', 'AGE'];

const rowOf =
  (nowMs: number) =>
  ({ object, lead, isRepeated }: Branch): readonly string[] => {
    const { kind, metadata } = object;
    const { ready, reason } = readinessOf(object);
    const named = `${lead}${kind}/${metadata.name}${isRepeated ? ' (shown above)' : ''}`;
    const age = ageOf(metadata.creationTimestamp, nowMs);
    return [metadata.namespace ?? '', named, ready, reason, age].map(printable);
  };

interface Dependents {
  readonly objects: readonly ApiObject[];
  /** Plurals of the kinds that this user may not list, or that have too many objects. */
  readonly unread: readonly string[];
}

/** All that could be owned: of a namespace, or anywhere. */
const dependents = async (context: CliContext, namespace: string): Promise<Dependents> => {
  const kinds = (await context.allKinds()).filter((kind) => canBeOwned(kind, namespace !== ''));
  const objects: ApiObject[] = [];
  const unread: string[] = [];
  const left = [...kinds];
  const work = async (): Promise<void> => {
    for (let kind = left.shift(); kind !== undefined; kind = left.shift()) {
      const found = await unlessRefused(listOf(context, kind, namespace));
      objects.push(...(found?.items ?? []));
      if (found === undefined || found.isCut) unread.push(kind.plural);
    }
  };
  await Promise.all(Array.from({ length: LISTS_AT_ONCE }, work));
  return { objects, unread: unread.sort() };
};

/** Events name what they are about, and are owned by nobody. What cannot be deleted is no object. */
const canBeOwned = ({ verbs, kind, isNamespaced }: OfferedResource, isPlaced: boolean): boolean =>
  verbs.includes('list') &&
  verbs.includes('delete') &&
  kind !== 'Event' &&
  (isNamespaced || !isPlaced);

const listOf = async (
  { client, signal }: CliContext,
  kind: OfferedResource,
  namespace: string,
): Promise<{ readonly items: readonly ApiObject[]; readonly isCut: boolean }> => {
  const list = await client.list(kind, { namespace, limit: OBJECTS_MAX }, signal);
  return { items: list.items, isCut: list.continue !== undefined };
};

const unlessRefused = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof ApiError && error.reason !== 'ServiceUnavailable') return undefined;
    throw error;
  }
};

/** Of one kind. */
const OBJECTS_MAX = 5000;
const LISTS_AT_ONCE = 6;
