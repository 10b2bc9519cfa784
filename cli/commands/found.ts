/**
 * Asks for one thing after the other. What fails does not keep the others from being shown: it is
 * told when they have been, as kubectl does.
 */
export const collectFound = async <T, R>(
  wanted: readonly T[],
  find: (each: T) => Promise<R>,
): Promise<{
  readonly found: readonly (readonly [T, R])[];
  readonly failure: Error | undefined;
}> => {
  const found: (readonly [T, R])[] = [];
  const failures: Error[] = [];
  for (const each of wanted) {
    try {
      found.push([each, await find(each)]);
    } catch (error) {
      failures.push(error as Error);
    }
  }
  const [first, second] = failures;
  return { found, failure: second === undefined ? first : new AggregateError(failures) };
};
