// What the server's main needs. Everyone else imports the contracts from store.ts and watch-cache.ts.
export { openStore, type OpenedStore, type OpenStoreOptions } from './open-store';
export { createWatchCaches } from './watch-caches';
export { MemoryStore } from './memory-store';
export type { Leading } from './etcd/leadership';
export type { Term } from './store';
export type { ServerRecord, ServerSelf } from './etcd/server-record';
export type { Servers } from './etcd/server-registry';
