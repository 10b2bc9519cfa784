import { MemoryStore } from './memory-store';
import { describeStore } from './store-suite';

describeStore('memory', async () => {
  const store = new MemoryStore();
  return {
    store,
    compact: async () => store.compact(),
    [Symbol.asyncDispose]: async () => undefined,
  };
});
