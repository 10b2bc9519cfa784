import { hasReason } from '../../api/errors';
import type { Resource } from '../../api/resources';
import { keyOf, type ApiObject } from '../../api/types';
import { isLasting } from '../../client/object-faults';
import type { ControllerDeps } from './controller';

/**
 * Does `work` for each object, one after the other. One that fails holds up no other: it is named,
 * and left to the next sweep.
 */
export const sweep = async <T extends ApiObject>(
  consumer: string,
  resource: Resource<T>,
  objects: Iterable<T>,
  work: (object: T) => Promise<void>,
  { faults, log }: Pick<ControllerDeps, 'faults' | 'log'>,
  signal: AbortSignal,
): Promise<void> => {
  for (const object of objects) {
    if (signal.aborted) return;
    try {
      await work(object);
    } catch (error) {
      if (isStopped(signal)) return;
      // Somebody was faster: the next sweep sees what is.
      const level = hasReason(error, 'Conflict', 'NotFound') ? 'debug' : 'warn';
      log[level]({ consumer, object: keyOf(object), err: error }, 'object passed over in a sweep');
      if (isLasting(error)) faults?.report({ consumer, resource, object, error });
    }
  }
};

// Behind a call, so that the compiler does not take an earlier look for the present one.
const isStopped = (signal: AbortSignal): boolean => signal.aborted;
