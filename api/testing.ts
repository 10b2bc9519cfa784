import { ApiError } from './errors';
import type { Resource } from './resources';
import { applyDefaults, validate } from './scheme';
import { decode } from './schema/decode';
import type { ApiObject } from './types';

type Json = Record<string, unknown>;

/** An object as the server makes it: decoded, placed, defaulted. */
export const made = (resource: Resource, body: object): ApiObject => {
  const { object } = decode(resource, structuredClone(body), { fieldValidation: 'Strict' });
  if (resource.isNamespaced) (object.metadata as unknown as Json)['namespace'] ??= 'default';
  applyDefaults(resource, object);
  return object;
};

/** Why the API refuses it, or the change from `old`: `field: message`. */
export const refusal = (resource: Resource, body: object, old?: object): readonly string[] => {
  try {
    validate(resource, made(resource, body), old && made(resource, old));
    return [];
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return error.details?.causes?.map(({ field, message }) => `${field ?? ''}: ${message}`) ?? [];
  }
};

/** What steps come to, and how many there were between which others could run. */
export const finished = <T>(steps: Iterator<void, T, void>): { value: T; pauseCount: number } => {
  for (let pauseCount = 0; ; pauseCount++) {
    const step = steps.next();
    if (step.done === true) return { value: step.value, pauseCount };
  }
};

export const pod = (spec: object = {}, container: object = {}) => ({
  metadata: { name: 'web' },
  spec: { containers: [{ name: 'c', image: 'nginx:1.27', ...container }], ...spec },
});

export const deployment = (spec: object = {}, podSpec: object = {}) => ({
  metadata: { name: 'web' },
  spec: {
    selector: { matchLabels: { app: 'web' } },
    template: { metadata: { labels: { app: 'web' } }, spec: { ...pod().spec, ...podSpec } },
    ...spec,
  },
});
