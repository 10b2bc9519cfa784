import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { isNodeReady } from '../../api/nodes';
import { NODES } from '../../api/resources';
import { RestClient } from '../../client/rest-client';
import { systemClock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { parseJoinToken } from '../../lib/join-token';
import { hostPort } from '../../lib/net/ip';
import { hostOf } from '../../node-agent/config';
import { IdentityStore, type NodeIdentity } from '../../node-agent/identity/identity-store';
import { authoritiesOf, ensureIdentity, joinAgain } from '../../node-agent/identity/join';
import { addressToward } from '../../node-agent/node/host';
import { UsageError } from '../usage-error';
import { keepSettings } from './before';
import { checkMachineFor } from './checks';
import { machineFacts } from './facts';
import type { Finding } from '../output/findings';
import type { FlagChange } from './flag-file';
import { AGENT_FILE, AGENT_UNIT, API_PORT, SERVER_FILE } from './places';
import {
  agentPlaces,
  flagOf,
  ingressPortsIn,
  insistOn,
  rangesIn,
  readFlagFile,
  type FlagFile,
} from './preflight';
import { checkServer, lookAtServer } from './server-probe';
import { untilStarted } from './starting';
import { hasSystemd, systemd } from './systemd';
import { saveFlags } from './save-flags';

export interface JoinOptions {
  readonly token: string | undefined;
  readonly nodeName: string | undefined;
  /** Trade the token for a new identity, though there is one. */
  readonly isAgain: boolean;
  /** The machine itself has been looked at. */
  readonly isChecked?: boolean;
  readonly ignored: readonly string[];
  readonly timeoutMs: number;
}

interface Joined {
  readonly node: string;
  readonly address: string;
  readonly server: string;
  /** Undefined: nobody started it, since there is no systemd. */
  readonly isReady: boolean | undefined;
}

/**
 * Makes this machine a node: an identity for the token, its file of flags, its service. Resolves once the server says
 * that the node is ready. Said again, it mends what is missing.
 * @throws UsageError before anything is changed where something stands in the way
 */
export const joinServer = async (
  server: string,
  options: JoinOptions,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Joined> => {
  const file = await readFlagFile(AGENT_FILE);
  const at = serverAt(server);
  const nodeName = nodeNameOf(file, options.nodeName);
  const store = new IdentityStore(agentPlaces(file).stateDir);
  const identity = await identityFor({ store, at, nodeName, file, options, say });
  const address = flagOf(file, 'address') ?? (await addressToward(at.host, at.port));
  say(`this machine is node ${nodeName} at ${address}, by the route to the server`);
  keepSettings();
  const wanted = { server: at.text, ...(options.nodeName === undefined ? {} : { name: nodeName }) };
  const changes = await saveFlags(file, wanted, say);
  const isReady = await startAgent({ identity, at, changes, options, say }, signal);
  return { node: nodeName, address, server: at.text, isReady };
};

interface ServerAt {
  readonly host: string;
  readonly port: number;
  /** `HOST:PORT` */
  readonly text: string;
}

/** `HOST`, `HOST:PORT` or a URL. @throws UsageError */
export const serverAt = (server: string): ServerAt => {
  const host = hostOf(server);
  const bare = server.replace(/^https:\/\//, '').replace(/\/$/, '');
  const port = /^(?:\[[^\]]+\]|[^:[\]]+):(\d{1,5})$/.exec(bare)?.[1] ?? String(API_PORT);
  if (!/^[\w.:-]+$/.test(host) || Number(port) < 1 || Number(port) > 65_535)
    throw new UsageError(`"${server}" is not the address of a server: HOST or HOST:PORT`);
  return { host, port: Number(port), text: hostPort(host, Number(port)) };
};

/** The token in a file; `-` is what comes in. @throws UsageError */
export const readToken = (path: string): string => {
  try {
    return readFileSync(path === '-' ? 0 : path, 'utf8').trim();
  } catch (error) {
    throw new UsageError(`--token-file: ${describeError(error)}`);
  }
};

const nodeNameOf = (file: FlagFile, asked: string | undefined): string =>
  asked ?? flagOf(file, 'name') ?? hostname().toLowerCase();

interface Joining {
  readonly store: IdentityStore;
  readonly at: ServerAt;
  readonly nodeName: string;
  readonly file: FlagFile;
  readonly options: JoinOptions;
  readonly say: (text: string) => void;
}

/** The one that is there while it is good for this cluster, or a new one. */
const identityFor = async (joining: Joining): Promise<NodeIdentity> => {
  const { store, at, nodeName, options, say } = joining;
  const { token, isAgain } = options;
  const stored = store.load();
  const parsed = token === undefined ? undefined : tokenIn(token);
  if (stored !== undefined && !isAgain) {
    refuseOther(stored, nodeName, parsed?.caHash);
    say(`this machine has joined before, as node ${stored.nodeName}`);
  } else if (parsed === undefined) {
    throw new UsageError(
      'a machine that joins needs --token-file with a token of the server: dhow token create, there',
    );
  }
  const known = stored === undefined ? [] : authoritiesOf(stored);
  await checkBefore(joining, parsed === undefined ? known : [parsed.caHash]);
  const wanted = { host: at.host, token, agentsPort: undefined, nodeName, clock: systemClock };
  try {
    return isAgain ? await joinAgain(store, wanted) : await ensureIdentity(store, wanted);
  } catch (error) {
    throw new UsageError(wordsOf(error), { cause: error });
  }
};

/** What a server says in its refusal is all there is to know. */
const wordsOf = (error: unknown): string =>
  error instanceof Error && error.cause instanceof Error && 'details' in error.cause
    ? error.message
    : describeError(error);

const tokenIn = (text: string) => {
  try {
    return parseJoinToken(text);
  } catch (error) {
    throw new UsageError(`--token-file: ${describeError(error)}`);
  }
};

const refuseOther = (
  stored: NodeIdentity,
  wantedName: string,
  wantedHash: string | undefined,
): void => {
  const { nodeName } = stored;
  if (wantedHash !== undefined && !authoritiesOf(stored).includes(wantedHash))
    throw new UsageError(
      `this machine is node ${nodeName} of another cluster: leave that first, by dhow uninstall. ` +
        'If it is the same cluster, whose authority was made anew: --rejoin',
    );
  if (nodeName !== wantedName)
    throw new UsageError(
      `this machine is node ${nodeName} already, and not ${wantedName}: to change that, dhow uninstall first`,
    );
};

const checkBefore = async (
  { at, nodeName, file, options, say }: Joining,
  caHashes: readonly string[],
): Promise<void> => {
  const machine = options.isChecked === true ? [] : await checkNode(file, nodeName);
  insistOn(
    [...machine, ...checkServer(await lookAtServer(at.host, at.port, caHashes), at.host, at.port)],
    options.ignored,
    say,
  );
};

const checkNode = async (file: FlagFile, nodeName: string): Promise<readonly Finding[]> => {
  // Where this machine is the server, too, its file tells of other ranges than the usual ones.
  const ranges = rangesIn(await readFlagFile(SERVER_FILE));
  const facts = await machineFacts(agentPlaces(file).stateDir, ranges.podCidrs);
  return checkMachineFor(facts, {
    agent: { nodeName, ingressPorts: ingressPortsIn(file) },
    ...ranges,
  });
};

interface AgentStart {
  readonly identity: NodeIdentity;
  readonly at: ServerAt;
  readonly changes: readonly FlagChange[];
  readonly options: JoinOptions;
  readonly say: (text: string) => void;
}

const startAgent = async (
  { identity, at, changes, options, say }: AgentStart,
  signal: AbortSignal,
): Promise<boolean | undefined> => {
  if (!hasSystemd()) {
    say(
      `systemd does not run this machine. Start the node yourself: dhow agent --config ${AGENT_FILE}`,
    );
    return undefined;
  }
  const before = await systemd.state(AGENT_UNIT);
  if (before.load !== 'loaded')
    throw new UsageError(`systemd does not know ${AGENT_UNIT}: install the package, or its units`);
  const client = clientOf(identity, at);
  try {
    const isRunning = before.active === 'active' && before.file === 'enabled';
    if (!isRunning || changes.length > 0 || options.isAgain) {
      say(`starting ${AGENT_UNIT}`);
      await systemd.start(AGENT_UNIT);
    }
    const isDone = async () => isReadyNow(client, identity.nodeName);
    await untilStarted(
      { services: systemd, unit: AGENT_UNIT, before, say, isDone, timeoutMs: options.timeoutMs },
      signal,
    );
    return true;
  } finally {
    client.http.close();
  }
};

/** As the node itself: any node may read its own object. */
const clientOf = (
  { certificate, key, caCertificate, nodeName }: NodeIdentity,
  { text }: ServerAt,
): RestClient =>
  new RestClient({
    ...{ server: `https://${text}`, ca: caCertificate, cert: certificate, key },
    ...{ authorization: undefined, skipTlsVerify: false, namespace: 'default', context: nodeName },
    // Whatever address it is reached by, its certificate bears this name.
    tlsServerName: 'kubernetes',
  });

const isReadyNow = async (client: RestClient, name: string): Promise<boolean> => {
  try {
    return isNodeReady(await client.get(NODES, { namespace: '', name }));
  } catch {
    // Not there yet, or the server is busy: the next look tells.
    return false;
  }
};
