import { ApiError } from '../../api/errors';

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

/** Says in kubectl's words what was done to which file when the server refused it. */
export const when = async <T>(
  doing: string,
  source: string,
  work: () => Promise<T>,
): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ApiError) || error.reason === 'ServiceUnavailable') throw error;
    const message = `error when ${doing} "${source}": ${error.message}`;
    const { details } = error;
    throw new ApiError(error.reason, message, {
      cause: error,
      ...(details === undefined ? {} : { details }),
    });
  }
};
