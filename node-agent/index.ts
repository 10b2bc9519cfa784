export { createAgent, type Agent, type AgentDeps, type NetworkRange } from './agent';
export { parseAgentConfig, type AgentConfig, type AgentConfigInput } from './config';
export { runAgent } from './main';
