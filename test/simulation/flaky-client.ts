import { ApiError } from '../../api/errors';
import type { Resource } from '../../api/resources';
import type { ApiClient } from '../../client/api-client';

/** One call of a component that changes, or was refused to change, an object. */
export interface Write {
  readonly verb: string;
  readonly plural: string;
  readonly isRefused: boolean;
}

interface FlakyOptions {
  /** In [0, 1): below half the rate a call is lost, below the rate its answer. */
  readonly draw: () => number;
  readonly faultRate: () => number;
  readonly onWrite: (write: Write) => void;
}

/** Fails calls of the components: half of them before, half after they took effect. */
export const flaky = (client: ApiClient, options: FlakyOptions): ApiClient =>
  new Proxy(client, {
    get: (target, key: keyof ApiClient) => {
      if (key === 'watch') return target.watch.bind(target);
      const call = target[key].bind(target) as (...args: unknown[]) => Promise<unknown>;
      return async (...args: unknown[]) => {
        const chance = options.draw();
        if (chance < options.faultRate() / 2)
          throw new ApiError('ServiceUnavailable', 'lost request');
        const result = await noted(key, args, call(...args), options.onWrite);
        if (chance < options.faultRate()) throw new ApiError('ServiceUnavailable', 'lost answer');
        return result;
      };
    },
  });

const noted = async (
  verb: string,
  args: unknown[],
  call: Promise<unknown>,
  onWrite: FlakyOptions['onWrite'],
): Promise<unknown> => {
  const [resource] = args as [Resource?];
  const plural = verb === 'bind' ? 'pods' : (resource?.plural ?? '');
  const isWrite = WRITES.has(verb) && plural !== 'events';
  try {
    const result = await call;
    if (isWrite) onWrite({ verb, plural, isRefused: false });
    return result;
  } catch (error) {
    if (isWrite) onWrite({ verb, plural, isRefused: true });
    throw error;
  }
};

const WRITES = new Set(['create', 'update', 'patch', 'delete', 'bind']);
