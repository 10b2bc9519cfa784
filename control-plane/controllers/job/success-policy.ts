import { IndexSet } from './index-set';
import type { Wanted } from './wanted';

/** Why the indexes that have succeeded are enough, in upstream's words (success_policy.go). */
export const successOf = (
  { successPolicy, completions = 0 }: Wanted,
  succeeded: IndexSet,
): string | undefined => {
  if (succeeded.size === 0) return undefined;
  const at = (successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined)
      return succeededCount !== undefined && succeeded.size >= succeededCount;
    const asked = IndexSet.parse(succeededIndexes, completions);
    const common = asked.commonCount(succeeded);
    return asked.size > 0 && (common === asked.size || common >= (succeededCount ?? Infinity));
  });
  return at < 0 ? undefined : `Matched rules at index ${at}`;
};
