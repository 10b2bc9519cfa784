import { connect, type Socket } from 'node:net';

import { CLUSTER_KEY } from '../../../api/assignment-rows';
import type { Clock } from '../../../lib/clock';
import type { NetworkView } from '../../session/network-tables';
import {
  receiveMessages,
  sendMessage,
  type NamedResource,
  type ResolverState,
  type ToResolver,
} from '../control/messages';

export interface LinkDeps {
  readonly network: NetworkView;
  readonly resolvConf: string;
  readonly clock: Clock;
  readonly onState: (state: ResolverState) => void;
}

/** Tells a resolver all names, and then what changes, until it ends or is silent for too long. */
export const feedResolver = async (
  path: string,
  deps: LinkDeps,
  signal: AbortSignal,
): Promise<void> => {
  const socket = connect(path);
  const link = new ResolverLink(socket, deps);
  try {
    await link.run(signal);
  } finally {
    socket.destroy();
  }
};

class ResolverLink {
  private heardMs: number;
  private readonly ended: Promise<void>;
  /** What is still to be told: what changes again before it is told once. */
  private readonly changed: Record<NamedResource, Set<string>> = {
    services: new Set(),
    endpointslices: new Set(),
  };
  private mustTellAll = true;
  private failure: Error | undefined;

  constructor(
    private readonly socket: Socket,
    private readonly deps: LinkDeps,
  ) {
    this.heardMs = deps.clock.monotonicMs();
    this.ended = new Promise((resolve) => {
      socket.on('error', (error) => (this.failure = error));
      socket.once('close', () => resolve());
    });
    receiveMessages(socket, (state) => {
      this.heardMs = deps.clock.monotonicMs();
      deps.onState(state as ResolverState);
    });
    socket.on('connect', () => this.tell());
    socket.on('drain', () => this.tell());
  }

  async run(signal: AbortSignal): Promise<void> {
    const { network, clock } = this.deps;
    const note = (resource: NamedResource) => (keys: ReadonlySet<string>) => {
      for (const key of keys) this.changed[resource].add(key);
      this.tell();
    };
    const undo = [
      network.services.onChange(note('services')),
      network.endpointSlices.onChange(note('endpointslices')),
      network.clusterNetwork.onChange(() => {
        this.mustTellAll = true;
        this.tell();
      }),
    ];
    try {
      while (!signal.aborted && !this.socket.destroyed) {
        if (clock.monotonicMs() - this.heardMs > SILENCE_MAX_MS)
          throw new Error('the resolver is silent');
        await Promise.race([this.ended, clock.sleep(LOOK_MS, signal)]);
      }
      if (!signal.aborted && this.failure !== undefined) throw this.failure;
    } finally {
      for (const forget of undo) forget();
    }
  }

  private tell(): void {
    const { socket } = this;
    if (socket.connecting || socket.destroyed) return;
    if (this.mustTellAll) this.tellAll();
    for (const resource of RESOURCES)
      for (const key of this.changed[resource]) {
        // The rest when there is room again.
        if (socket.writableNeedDrain) return;
        this.changed[resource].delete(key);
        sendMessage(socket, this.row(resource, key));
      }
  }

  private tellAll(): void {
    const { network, resolvConf } = this.deps;
    const cluster = network.clusterNetwork.get(CLUSTER_KEY);
    if (cluster === undefined) return;
    this.mustTellAll = false;
    const { clusterDns: addresses, clusterDomain, podCidrs, serviceCidrs } = cluster;
    const domain = clusterDomain.toLowerCase().replace(/\.$/, '');
    const ranges = [...podCidrs, ...serviceCidrs];
    const settings = { domain, addresses, ranges, resolvConf };
    sendMessage(this.socket, { op: 'begin', settings });
    for (const { metadata } of network.services.list())
      sendMessage(this.socket, this.row('services', keyOf(metadata)));
    for (const { metadata } of network.endpointSlices.list())
      sendMessage(this.socket, this.row('endpointslices', keyOf(metadata)));
    sendMessage(this.socket, { op: 'end' });
    for (const resource of RESOURCES) this.changed[resource].clear();
  }

  private row(resource: NamedResource, key: string): ToResolver {
    const { services, endpointSlices } = this.deps.network;
    const value = resource === 'services' ? services.get(key) : endpointSlices.get(key);
    return { op: 'row', resource, key, ...(value === undefined ? {} : { value }) };
  }
}

const keyOf = ({ namespace = '', name }: { namespace?: string; name: string }): string =>
  `${namespace}/${name}`;

const RESOURCES = ['services', 'endpointslices'] as const;
const LOOK_MS = 1_000;
/** It says every five seconds that it lives. */
const SILENCE_MAX_MS = 20_000;
