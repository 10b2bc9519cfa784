import {
  clusterNetworkOf,
  DEFAULT_CLUSTER_NETWORK,
  type ClusterNetwork,
} from '../../api/cluster-network';
import type {
  ApiObject,
  ConfigMap,
  CSIDriver,
  EndpointSlice,
  Ingress,
  IngressClass,
  Namespace,
  NetworkPolicy,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  RuntimeClass,
  Secret,
  Service,
  ServiceCidr,
  VolumeAttachment,
} from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import type { Informer } from '../../client/informer';
import type { Clock } from '../../lib/clock';
import type { Log } from '../../lib/log';
import type { Random } from '../../lib/random';
import type { Tracing } from '../../lib/tracing/tracing';
import type { Answer } from './leaders-questions';
import type { BootstrapTokens } from '../pki/bootstrap-tokens';
import type { Pki } from '../pki/pki';

/** Another server, or this one. */
export interface KnownServer {
  readonly id: string;
  /** Where its agents connect, and other servers. */
  readonly agents: { readonly host: string; readonly port: number };
}

/** Which servers a cluster has, and which has the session of a node. */
export interface KnownServers {
  /** This one. */
  readonly id: string;
  live(): readonly KnownServer[];
  holderOf(nodeName: string): KnownServer | undefined;
  /** This server has it until disposed of; `onLost` when another has it since. */
  hold(nodeName: string, onLost: () => void): Disposable;
  onChange(listener: () => void): () => void;
}

/** The part of an informer that this room needs. */
export type ObjectView<T extends ApiObject> = Pick<
  Informer<T>,
  'get' | 'list' | 'subscribe' | 'whenSynced' | 'noteWritten'
>;

export interface NodesServerDeps {
  readonly client: ApiClient;
  readonly pods: ObjectView<Pod>;
  readonly nodes: ObjectView<Node>;
  readonly secrets: ObjectView<Secret>;
  readonly configMaps: ObjectView<ConfigMap>;
  readonly claims: ObjectView<PersistentVolumeClaim>;
  readonly volumes: ObjectView<PersistentVolume>;
  readonly namespaces: ObjectView<Namespace>;
  readonly networkPolicies: ObjectView<NetworkPolicy>;
  /** A token of the pod's account, bound to the pod. @throws ApiError */
  readonly issueToken: IssueToken;
  readonly runtimeClasses: ObjectView<RuntimeClass>;
  readonly csiDrivers: ObjectView<CSIDriver>;
  readonly attachments: ObjectView<VolumeAttachment>;
  readonly services: ObjectView<Service>;
  readonly endpointSlices: ObjectView<EndpointSlice>;
  readonly serviceCidrs: ObjectView<ServiceCidr>;
  readonly ingresses: ObjectView<Ingress>;
  readonly ingressClasses: ObjectView<IngressClass>;
  /** Who this server is (asked again by `showNewCertificate`), and who makes agents into nodes. */
  readonly pki: Pick<Pki, 'caCertificate' | 'clientCaHash' | 'server' | 'signNodeRequest'>;
  /** Whoever has a live token may join. */
  readonly tokens: Pick<BootstrapTokens, 'verify'>;
  /** What other servers may ask of this one besides streams to its nodes. Default: nothing. */
  readonly answer?: Answer;
  /** Default: there is but one server. */
  readonly servers?: KnownServers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly options?: Partial<NodesOptions>;
  /** The mark of a restore: volumes are held while it is there. Default: nothing was restored. */
  readonly restoredFile?: string | undefined;
  /** Default: nothing is traced. */
  readonly tracing?: Tracing;
}

export type IssueToken = (
  pod: Pod,
  order: { readonly audience: string; readonly lifetimeSeconds: number },
  signal: AbortSignal,
) => Promise<string>;

export interface NodesOptions {
  /** Ranges that the nodes' pod ranges are cut from, one of each family at most. Default 10.42.0.0/16. */
  readonly clusterCidrs: readonly string[];
  /** How often an agent says that it lives; the lease lasts four times as long. Default 10 s. */
  readonly heartbeatIntervalMs: number;
  /** What agents are told of it besides `clusterCidrs`. */
  readonly network: Omit<ClusterNetwork, 'podCidrs'>;
}

export const DEFAULT_NODES_OPTIONS: NodesOptions = {
  clusterCidrs: [DEFAULT_CLUSTER_NETWORK.clusterCidr],
  heartbeatIntervalMs: 10_000,
  network: clusterNetworkOf(DEFAULT_CLUSTER_NETWORK),
};
