/**
 * The order in which clients prefer the versions of a group: stable ones, betas, alphas, the newest of
 * each first; then all others by name. Source: apimachinery's CompareKubeAwareVersionStrings.
 */
export const compareVersions = (a: string, b: string): number => {
  const [partsA, partsB] = [partsOf(a), partsOf(b)];
  if (partsA === undefined || partsB === undefined) {
    if (partsA !== partsB) return partsA === undefined ? 1 : -1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  const differing = partsA.findIndex((part, i) => part !== partsB[i]);
  return differing < 0 ? 0 : (partsB[differing] ?? 0) - (partsA[differing] ?? 0);
};

/** Stability, major and minor number of `v1`, `v2beta3`. */
const partsOf = (version: string): readonly [number, number, number] | undefined => {
  const match = /^v([1-9][0-9]*)(?:(alpha|beta)([1-9][0-9]*))?$/.exec(version);
  if (match === null) return undefined;
  const [, major, stage, minor = '0'] = match;
  const stability = stage === undefined ? 2 : stage === 'beta' ? 1 : 0;
  return [stability, Number(major), Number(minor)];
};
