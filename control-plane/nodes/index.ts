export { createNodesServer, type NodesServer } from './nodes-server';
export type { NodesOptions, NodesServerDeps, ObjectView } from './deps';
