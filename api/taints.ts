import type { Taint, Toleration } from './types';

/** Upstream's rule: an empty key with `Exists` tolerates all keys, an empty effect all effects. */
export const toleratesTaint = (toleration: Toleration, taint: Taint): boolean => {
  const { key = '', effect = '', operator = 'Equal', value = '' } = toleration;
  if (effect !== '' && effect !== taint.effect) return false;
  if (key !== '' && key !== taint.key) return false;
  if (operator === 'Exists') return true;
  return operator === 'Equal' && key !== '' && value === (taint.value ?? '');
};

export const isTolerated = (
  tolerations: readonly Toleration[] | undefined,
  taint: Taint,
): boolean => (tolerations ?? []).some((toleration) => toleratesTaint(toleration, taint));

/** The first taint with one of `effects` that nothing tolerates. */
export const firstUntolerated = (
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[] | undefined,
  effects: readonly string[] = ['NoSchedule', 'NoExecute'],
): Taint | undefined =>
  (taints ?? []).find(
    (taint) => effects.includes(taint.effect) && !isTolerated(tolerations, taint),
  );

/**
 * How long a pod may stay under these NoExecute taints: 0 when one is not tolerated, the shortest
 * `tolerationSeconds` otherwise, `undefined` for ever.
 */
export const tolerationSecondsFor = (
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[],
): number | undefined => {
  let shortest: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== 'NoExecute') continue;
    const matching = (tolerations ?? []).filter((toleration) => toleratesTaint(toleration, taint));
    if (matching.length === 0) return 0;
    for (const { tolerationSeconds } of matching) {
      if (tolerationSeconds === undefined) continue;
      shortest = Math.min(shortest ?? Infinity, Math.max(0, Number(tolerationSeconds)));
    }
  }
  return shortest;
};

/** `key=value:Effect`, as messages and `describe` show a taint. */
export const formatTaint = ({ key, value, effect }: Taint): string =>
  value === undefined || value === '' ? `${key}:${effect}` : `${key}=${value}:${effect}`;

/** Of a node that is not ready, or whose agent has not come yet. Source: k8s.io/api/core/v1, well_known_taints.go. */
export const NODE_NOT_READY = 'node.kubernetes.io/not-ready';

/**
 * Both lists as one, without what another of them says as well or more widely; of two that say the same,
 * the first stays. Source: upstream's pkg/util/tolerations.
 */
export const mergeTolerations = (
  first: readonly Toleration[],
  second: readonly Toleration[],
): readonly Toleration[] => {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [at, toleration] of all.entries()) {
    const isCovered =
      merged.some((other) => covers(other, toleration)) ||
      all.slice(at + 1).some((other) => covers(other, toleration) && !covers(toleration, other));
    if (!isCovered) merged.push(toleration);
  }
  return merged;
};

/** Does `wide` tolerate all that `narrow` does, and for as long? */
const covers = (wide: Toleration, narrow: Toleration): boolean => {
  const isAnyKey = (wide.key ?? '') === '' && wide.operator === 'Exists';
  if ((wide.key ?? '') !== (narrow.key ?? '') && !isAnyKey) return false;
  const effect = wide.effect ?? '';
  if (effect !== '' && effect !== narrow.effect) return false;
  if (secondsOf(wide) < secondsOf(narrow)) return false;
  const operator = wide.operator ?? 'Equal';
  if (operator === 'Exists') return true;
  return (
    operator === 'Equal' &&
    (narrow.operator ?? 'Equal') === 'Equal' &&
    (wide.value ?? '') === (narrow.value ?? '')
  );
};

const secondsOf = ({ tolerationSeconds }: Toleration): number =>
  tolerationSeconds === undefined ? Infinity : Number(tolerationSeconds);
