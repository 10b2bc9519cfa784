import { hostname } from 'node:os';
import { IdentityStore } from '../../node-agent/identity/identity-store';
import { UsageError } from '../usage-error';
import { checkMachineFor, type Role } from './checks';
import { machineFacts } from './facts';
import type { Finding } from '../output/findings';
import { authoritiesOf } from '../../node-agent/identity/join';
import { serverAt } from './join';
import { AGENT_FILE, API_PORT, SERVER_FILE } from './places';
import {
  agentPlaces,
  flagOf,
  ingressPortsIn,
  rangesIn,
  readFlagFile,
  serverPlaces,
  serverPorts,
  type FlagFile,
} from './preflight';
import { checkServer, lookAtServer } from './server-probe';

/** What `init` and `join` look at before they begin, of this machine as it is. @throws UsageError */
export const examine = async (asked: string | undefined): Promise<readonly Finding[]> => {
  const [serverFile, agentFile] = [await readFlagFile(SERVER_FILE), await readFlagFile(AGENT_FILE)];
  const role = roleOf(serverFile, agentFile, asked);
  const stateDir =
    role.server === undefined ? agentPlaces(agentFile).stateDir : serverPlaces(serverFile).dataDir;
  const facts = await machineFacts(stateDir, role.podCidrs);
  const findings = checkMachineFor(facts, role);
  // What is root's own cannot be looked at.
  if (role.agent === undefined || !facts.isRoot) return findings;
  return [...findings, ...(await examineServer(agentFile))];
};

/** As this machine is set up; both where it is nothing yet. */
const roleOf = (serverFile: FlagFile, agentFile: FlagFile, asked: string | undefined): Role => {
  if (asked !== undefined && !ROLES.includes(asked))
    throw new UsageError(`--role: "${asked}" is none of ${ROLES.join(', ')}`);
  const listen = flagOf(serverFile, 'listen');
  const isNothing = listen === undefined && flagOf(agentFile, 'server') === undefined;
  const isServer = asked === undefined ? isNothing || listen !== undefined : asked !== 'agent';
  const isAgent =
    asked === undefined
      ? isNothing || flagOf(agentFile, 'server') !== undefined
      : asked !== 'server';
  const nodeName = flagOf(agentFile, 'name') ?? hostname().toLowerCase();
  return {
    ...rangesIn(serverFile),
    ...(isServer
      ? { server: { ports: serverPorts(serverFile, listen ?? `127.0.0.1:${API_PORT}`) } }
      : {}),
    ...(isAgent ? { agent: { nodeName, ingressPorts: ingressPortsIn(agentFile) } } : {}),
  };
};

/** Of a node: whether its server answers, and has the same time. */
const examineServer = async (agentFile: FlagFile): Promise<readonly Finding[]> => {
  const server = flagOf(agentFile, 'server');
  const identity = new IdentityStore(agentPlaces(agentFile).stateDir).load();
  if (server === undefined || identity === undefined) return [];
  const { host, port } = serverAt(server);
  return checkServer(await lookAtServer(host, port, authoritiesOf(identity)), host, port);
};

const ROLES = ['server', 'agent', 'both'];
