import type { Store } from './store';

/** A store whose writes happen only where `check`, called when they are made, does not throw. */
export const withinTerm = (store: Store, check: () => void): Store => ({
  get: (...args) => store.get(...args),
  list: (...args) => store.list(...args),
  watch: (...args) => store.watch(...args),
  currentVersion: (...args) => store.currentVersion(...args),
  progress: (...args) => store.progress(...args),
  within: (...args) => store.within(...args),
  create: async (...args) => {
    check();
    return store.create(...args);
  },
  update: async (...args) => {
    check();
    return store.update(...args);
  },
  delete: async (...args) => {
    check();
    return store.delete(...args);
  },
});
