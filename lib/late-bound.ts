/**
 * A stand-in for an object that is made later: two components that need each other can both be
 * built. @throws Error when used before `bind`.
 */
export const lateBound = <T extends object>(
  name: string,
): { readonly proxy: T; bind(target: T): void } => {
  let target: T | undefined;
  const proxy = new Proxy({} as T, {
    get: (_none, key) => {
      if (target === undefined) throw new Error(`${name} is not ready yet`);
      const value: unknown = Reflect.get(target, key);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  return { proxy, bind: (given) => (target = given) };
};
