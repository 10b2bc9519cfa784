import type { ClusterNetwork } from '../api/cluster-network';
import { ApiEventRecorder } from '../client/events';
import { systemClock as clock } from '../lib/clock';
import type { Log } from '../lib/log';
import { systemRandom as random } from '../lib/random';
import type { ApiServer } from './api-server/api-server';
import { expireEvents } from './api-server/objects/event-expiry';
import { parseAddress, type ServerConfig } from './config';
import {
  createControllers,
  runControllers,
  type ControllersDeps,
  type ControllersOptions,
} from './controllers';
import { expireJoinTokens } from './nodes';
import type { Pki } from './pki/pki';

interface Parts {
  readonly config: ServerConfig;
  readonly network: ClusterNetwork;
  readonly log: Log;
  readonly pki: Pki;
}

type Task = (signal: AbortSignal) => Promise<void>;
type Deps = Pick<ControllersDeps, 'client' | 'informers' | 'faults'>;

/** What only the leader does, besides placing pods. To be made before the informers run. */
export const leadersTasks = (
  parts: Parts,
  { kinds: served }: Pick<ApiServer, 'kinds'>,
  deps: Deps & {
    /** Several servers may be told the same schedule. */
    readonly snapshots: readonly { run: Task }[];
  },
): Task[] => {
  const { client, snapshots, ...views } = deps;
  const { log } = parts;
  const controllers = controllersFor(parts, { client, ...views, served });
  return [
    (signal) => runControllers(controllers, { clock, random, log }, signal),
    (signal) => expireEvents({ client, clock, log }, signal),
    (signal) => expireJoinTokens({ client, clock, log }, signal),
    ...snapshots.map(
      (each): Task =>
        (signal) =>
          each.run(signal),
    ),
  ];
};

const controllersFor = (
  { config, network, log, pki }: Parts,
  { served, ...deps }: Deps & Pick<ControllersOptions, 'served'>,
) => {
  const { client } = deps;
  const eventsFor = (component: string) => new ApiEventRecorder({ client, clock, log, component });
  return createControllers(
    { clock, random, log, eventsFor, ...deps },
    {
      served,
      caCertificate: () => pki.caCertificate,
      authority: pki,
      nodeGracePeriodMs: config.nodeGraceSeconds * 1000,
      reservedPorts: ownPortsOf(config),
      serviceCidrs: network.serviceCidrs,
    },
  );
};

/** A service that got one of these at the nodes' addresses would cut the nodes off. */
const ownPortsOf = ({ listen, agentsListen }: ServerConfig): readonly number[] => {
  const { port } = parseAddress(listen);
  return [port, agentsListen === undefined ? port + 1 : parseAddress(agentsListen).port];
};
