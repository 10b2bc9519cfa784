import type { ApiClient } from '../../client/api-client';

/** A client that components may be built with before the server behind it exists. */
export const lateClient = (): { readonly client: ApiClient; use(client: ApiClient): void } => {
  let target: ApiClient | undefined;
  const client = new Proxy({} as ApiClient, {
    get: (_none, name) => {
      if (target === undefined) throw new Error('the server is not up yet');
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { client, use: (given) => (target = given) };
};
