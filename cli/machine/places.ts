/** Where the services of a machine have what is theirs, unless their files of flags say otherwise. */
export const SERVER_FILE = '/etc/dhow/server.yaml';
export const AGENT_FILE = '/etc/dhow/agent.yaml';
export const CONFIG_DIR = '/etc/dhow';
export const SERVER_DIR = '/var/lib/dhow/server';
export const AGENT_DIR = '/var/lib/dhow/agent';
export const AGENT_RUN_DIR = '/run/dhow/agent';
export const SERVER_UNIT = 'dhow-server.service';
export const AGENT_UNIT = 'dhow-agent.service';
export const API_PORT = 6443;
