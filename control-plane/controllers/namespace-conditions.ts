import type { Namespace } from '../../api/types';

/** What is left of one kind in a namespace that is being emptied. */
export interface Remaining {
  readonly plural: string;
  readonly group: string;
  readonly count: number;
  /** How many objects each finalizer holds. */
  readonly finalizers: ReadonlyMap<string, number>;
}

type Condition = NonNullable<NonNullable<Namespace['status']>['conditions']>[number];

/**
 * What a namespace says while it is emptied, in upstream's words and order. Undefined when it says so
 * already. Source: pkg/controller/namespace/deletion
 */
export const emptyingConditions = (
  { status }: Namespace,
  remaining: readonly Remaining[],
  failure: string | undefined,
  now: string,
): readonly Condition[] | undefined => {
  const known = status?.conditions ?? [];
  const wanted = [
    isFalse('NamespaceDeletionDiscoveryFailure', 'ResourcesDiscovered', DISCOVERED),
    isFalse('NamespaceDeletionGroupVersionParsingFailure', 'ParsedGroupVersions', PARSED),
    failure === undefined
      ? isFalse('NamespaceDeletionContentFailure', 'ContentDeleted', DELETED)
      : isTrue('NamespaceDeletionContentFailure', 'ContentDeletionFailed', failure),
    contentCondition(remaining),
    finalizersCondition(remaining),
  ].map((condition) => {
    const before = known.find(({ type }) => type === condition.type);
    const isSame = before?.status === condition.status;
    return { ...condition, lastTransitionTime: (isSame ? before.lastTransitionTime : now) ?? now };
  });
  const isTold = wanted.every(({ type, status: value, message }) =>
    known.some((each) => each.type === type && each.status === value && each.message === message),
  );
  if (isTold) return undefined;
  const others = known.filter(({ type }) => !wanted.some((each) => each.type === type));
  return [...others, ...wanted];
};

const contentCondition = (remaining: readonly Remaining[]) => {
  const counts = remaining
    .map(({ plural, group, count }) => `${plural}.${group} has ${count} resource instances`)
    .sort();
  return counts.length === 0
    ? isFalse('NamespaceContentRemaining', 'ContentRemoved', 'All content successfully removed')
    : isTrue(
        'NamespaceContentRemaining',
        'SomeResourcesRemain',
        `Some resources are remaining: ${counts.join(', ')}`,
      );
};

const finalizersCondition = (remaining: readonly Remaining[]) => {
  const counts = new Map<string, number>();
  for (const { finalizers } of remaining)
    for (const [name, count] of finalizers) counts.set(name, (counts.get(name) ?? 0) + count);
  const held = [...counts].map(([name, count]) => `${name} in ${count} resource instances`).sort();
  return held.length === 0
    ? isFalse(
        'NamespaceFinalizersRemaining',
        'ContentHasNoFinalizers',
        'All content-preserving finalizers finished',
      )
    : isTrue(
        'NamespaceFinalizersRemaining',
        'SomeFinalizersRemain',
        `Some content in the namespace has finalizers remaining: ${held.join(', ')}`,
      );
};

const isTrue = (type: string, reason: string, message: string) => ({
  type,
  status: 'True',
  reason,
  message,
});
const isFalse = (type: string, reason: string, message: string) => ({
  type,
  status: 'False',
  reason,
  message,
});

const DISCOVERED = 'All resources successfully discovered';
const PARSED = 'All legacy kube types successfully parsed';
const DELETED = 'All content successfully deleted, may be waiting on finalization';
