export { createAgent, type Agent, type AgentDeps } from './agent';
export type { NetworkRange } from './network/node-network';
export { parseAgentConfig, type AgentConfig, type AgentConfigInput } from './config';
export { runAgent } from './main';
