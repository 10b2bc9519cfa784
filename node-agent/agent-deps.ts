import type { WireguardEnd } from '../api/node-encryption';
import type { Activities } from '../lib/activities';
import type { Clock } from '../lib/clock';
import type { LagHistogram } from '../lib/event-loop-monitor';
import type { Log } from '../lib/log';
import type { Random } from '../lib/random';
import type { Tracing } from '../lib/tracing/tracing';
import type { ContainerRuntime } from '../runtime/container-runtime';
import type { ImageService } from '../runtime/image-service';
import type { PodNetwork } from '../runtime/pod-network';
import type { AgentConfig } from './config';
import type { CpuTopology } from './cpus/topology';
import type { NetworkRange } from './network/node-network';
import type { HostFacts } from './node/host';
import type { HugePagePools } from './node/huge-pages';
import type { ProbeAction } from './probes/probe-runner';
import type { Transport } from './session/transport';
import type { AgentSettings } from './settings';
import type { Mounter } from './volumes/mounter';

export interface AgentDeps {
  readonly config: AgentConfig;
  readonly agentId: string;
  /** One of each family at most, that other nodes know it by first. */
  readonly nodeIps: readonly string[];
  readonly facts: HostFacts;
  /** What the kernel keeps now. */
  readonly hugePages: () => HugePagePools;
  /** Default: that of this machine. */
  readonly topology?: CpuTopology;
  readonly transport: Transport;
  /** Gets the node, which the cluster has taken out, into it again. Default: it can't. */
  readonly joinAgain?: () => Promise<void>;
  /** Told again and again which authorities the server trusts, by a hash. */
  readonly noteAuthorities?: (hash: string) => void;
  readonly runtime: ContainerRuntime;
  readonly images: ImageService;
  /** Called once, when the node's range is known. */
  readonly openNetwork: (range: NetworkRange) => Promise<PodNetwork>;
  /** Under which key others may send to this node. Default: it does not encrypt. */
  readonly wireguard?: WireguardEnd;
  readonly mounter: Mounter;
  /** Whether programs here can open sockets of SCTP. Default: they can. */
  readonly speaksSctp?: () => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly settings?: Partial<AgentSettings>;
  readonly probeAction?: ProbeAction;
  /** What this process is at. */
  readonly activities?: Activities;
  /** How late this process's event loop has been. Default: nobody measures it. */
  readonly lag?: () => LagHistogram;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
}

export interface Agent {
  /** Until `signal` aborts. Containers run on afterwards; disposing of `deps` is the caller's. */
  run(signal: AbortSignal): Promise<void>;
  /** The machine goes down: ends all pods, in order. Resolves when `run` may end. */
  shutDown(): Promise<void>;
  readonly isConnected: boolean;
}
