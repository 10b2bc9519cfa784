import { existsSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { readKubeconfig } from '../../client/kubeconfig';
import { RestClient } from '../../client/rest-client';
import { hostPort, ipOf } from '../../lib/net/ip';
import { addressToward } from '../../node-agent/node/host';
import { UsageError } from '../usage-error';
import { chooseAddress, type LocalAddress } from './advertise';
import { keepSettings } from './before';
import { checkMachineFor } from './checks';
import { machineFacts } from './facts';
import { giveKubeconfig } from './home';
import { joinServer } from './join';
import { AGENT_FILE, API_PORT, SERVER_FILE, SERVER_UNIT } from './places';
import {
  addressIn,
  flagOf,
  ingressPortsIn,
  insistOn,
  rangesIn,
  readFlagFile,
  serverPlaces,
  serverPorts,
  type FlagFile,
} from './preflight';
import { saveFlags } from './save-flags';
import { untilStarted } from './starting';
import { hasSystemd, systemd } from './systemd';

export interface InitOptions {
  readonly advertiseAddress: string | undefined;
  readonly listen: string | undefined;
  /** The machine runs pods as well. */
  readonly hasAgent: boolean;
  readonly nodeName: string | undefined;
  readonly clusterName: string | undefined;
  readonly ignored: readonly string[];
  readonly timeoutMs: number;
}

/** What there is in the end. */
export interface Initialized {
  /** `10.0.0.1:6443` */
  readonly server: string;
  /** Undefined where nobody started it: there is no systemd. */
  readonly joinToken: string | undefined;
  readonly kubeconfig: string;
  /** Undefined: it was not to be one. */
  readonly node: string | undefined;
}

/**
 * Makes this machine the first server of a cluster, and a node of it. Said again, it mends what is missing.
 * @throws UsageError before anything is changed where something stands in the way
 */
export const initServer = async (
  options: InitOptions,
  say: (text: string) => void,
  signal: AbortSignal,
): Promise<Initialized> => {
  const file = await readFlagFile(SERVER_FILE);
  const wish = await wishedFlags(file, options, say);
  await checkBefore(file, wish, options, say);
  keepSettings();
  const { advertised, flags } = wish;
  const changes = await saveFlags(file, flags, say);
  const places = serverPlaces(file);
  if (!hasSystemd()) {
    say(
      `systemd does not run this machine. Start the server yourself: dhow server --config ${SERVER_FILE}`,
    );
    if (options.hasAgent)
      say(`Then: dhow join ${advertised} --token-file ${places.dataDir}/join-token`);
    return {
      server: advertised,
      joinToken: undefined,
      kubeconfig: places.kubeconfig,
      node: undefined,
    };
  }
  await startServer(
    { kubeconfig: places.kubeconfig, isChanged: changes.length > 0, options, say },
    signal,
  );
  const tokenFile = join(places.dataDir, 'join-token');
  const joinToken = readFileSync(tokenFile, 'utf8').trim();
  const node = options.hasAgent
    ? (
        await joinServer(
          advertised,
          {
            ...{ token: joinToken, nodeName: options.nodeName, isAgain: false },
            isChecked: true,
            ...{ ignored: options.ignored, timeoutMs: options.timeoutMs },
          },
          say,
          signal,
        )
      ).node
    : undefined;
  const given = giveKubeconfig(places.kubeconfig) ?? places.kubeconfig;
  return { server: advertised, joinToken, kubeconfig: given, node };
};

interface Wish {
  /** Where it is to listen. */
  readonly listen: string;
  /** Where others reach it: `10.0.0.1:6443`. */
  readonly advertised: string;
  readonly flags: Readonly<Record<string, string>>;
}

/** What the command line says, or the file, or else what this machine suggests. */
const wishedFlags = async (
  file: FlagFile,
  { advertiseAddress, listen, clusterName }: InitOptions,
  say: (text: string) => void,
): Promise<Wish> => {
  if (advertiseAddress !== undefined && ipOf(advertiseAddress) === undefined)
    throw new UsageError(`--advertise-address: "${advertiseAddress}" is not an IP address`);
  const addresses = localAddresses();
  const written = listen ?? flagOf(file, 'listen');
  const named = written === undefined ? undefined : addressIn(file, 'listen', written).host;
  const address =
    advertiseAddress ??
    flagOf(file, 'advertise-address') ??
    (named === undefined || isAny(named) ? await suggested(addresses, say) : named);
  const port = written === undefined ? API_PORT : addressIn(file, 'listen', written).port;
  const isHere = addresses.some((each) => each.address === address);
  // The address asked for goes before one that was chosen for this machine earlier.
  const isMoved = listen === undefined && advertiseAddress !== undefined && named !== address;
  const usual = hostPort(isHere ? address : '0.0.0.0', port);
  const where = written === undefined || (isMoved && !isAny(named ?? '')) ? usual : written;
  const isSaid = addressIn(file, 'listen', where).host === address;
  return {
    listen: where,
    advertised: hostPort(address, port),
    flags: {
      listen: where,
      ...(isSaid && flagOf(file, 'advertise-address') === undefined
        ? {}
        : { 'advertise-address': address }),
      ...(clusterName === undefined ? {} : { 'cluster-name': clusterName }),
    },
  };
};

const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::';

const suggested = async (
  addresses: readonly LocalAddress[],
  say: (text: string) => void,
): Promise<string> => {
  const outward = await addressToward(OUTSIDE, API_PORT).catch(() => undefined);
  const choice = chooseAddress(addresses, outward);
  if (choice === undefined)
    throw new UsageError(
      'this machine has no address that others could reach: --advertise-address',
    );
  say(
    `others reach this machine at ${choice.address} ${choice.reason} (--advertise-address for another)`,
  );
  return choice.address;
};

const localAddresses = (): readonly LocalAddress[] =>
  Object.entries(networkInterfaces()).flatMap(([interfaceName, list]) =>
    (list ?? []).flatMap(({ address, internal }) => (internal ? [] : [{ interfaceName, address }])),
  );

const checkBefore = async (
  file: FlagFile,
  { listen }: Wish,
  { hasAgent, nodeName, ignored }: InitOptions,
  say: (text: string) => void,
): Promise<void> => {
  const agentFile = await readFlagFile(AGENT_FILE);
  const ranges = rangesIn(file);
  const facts = await machineFacts(serverPlaces(file).dataDir, ranges.podCidrs);
  const agent = {
    nodeName: nodeName ?? flagOf(agentFile, 'name') ?? facts.hostname.toLowerCase(),
    ingressPorts: ingressPortsIn(agentFile),
  };
  const role = {
    ...{ server: { ports: serverPorts(file, listen) }, ...ranges },
    ...(hasAgent ? { agent } : {}),
  };
  insistOn(checkMachineFor(facts, role), ignored, say);
};

interface ServerStart {
  readonly kubeconfig: string;
  readonly isChanged: boolean;
  readonly options: InitOptions;
  readonly say: (text: string) => void;
}

const startServer = async (
  { kubeconfig, isChanged, options, say }: ServerStart,
  signal: AbortSignal,
): Promise<void> => {
  const before = await systemd.state(SERVER_UNIT);
  if (before.load !== 'loaded')
    throw new UsageError(`systemd does not know ${SERVER_UNIT}: install the package, or its units`);
  const isRunning = before.active === 'active' && before.file === 'enabled';
  if (isRunning && !isChanged) say(`${SERVER_UNIT} runs already`);
  else {
    say(`${isRunning ? 'restarting' : 'starting'} ${SERVER_UNIT}`);
    await systemd.start(SERVER_UNIT);
  }
  const isDone = async () => existsSync(kubeconfig) && (await answers(kubeconfig));
  await untilStarted(
    { services: systemd, unit: SERVER_UNIT, before, say, isDone, timeoutMs: options.timeoutMs },
    signal,
  );
};

const answers = async (kubeconfig: string): Promise<boolean> => {
  try {
    const client = new RestClient(await readKubeconfig(kubeconfig));
    try {
      await client.http.text({ method: 'GET', path: '/readyz' });
      return true;
    } finally {
      client.http.close();
    }
  } catch {
    // It begins to listen before it tells that it is ready; the next look tells.
    return false;
  }
};

/** Of a range kept for documentation: stands for "anywhere outside". */
const OUTSIDE = '198.51.100.1';
