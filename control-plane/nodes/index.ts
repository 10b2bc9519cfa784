export { createNodesServer, type NodesServer } from './nodes-server';
export type { NodesOptions, NodesServerDeps, ObjectView } from './deps';
export { expireJoinTokens } from './join-token-expiry';
