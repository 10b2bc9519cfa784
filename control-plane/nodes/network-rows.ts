import { CLUSTER_KEY, NETWORK_ROW, type NetworkRowResource } from '../../api/assignment-rows';
import { parsedRange, type ClusterNetwork } from '../../api/cluster-network';
import { knownRanges } from '../../api/service-cidrs';
import { formatPrefix } from '../../lib/net/ip';
import { SERVICE_NAME_LABEL, SERVICE_PROXY_LABEL } from '../../api/endpoint-slices';
import {
  keyOf,
  type ApiObject,
  type EndpointSlice,
  type Service,
  type ServiceCidr,
} from '../../api/types';
import { stringifyJson } from '../../lib/json';
import type { Changes, Row } from '../../proto/gen/dhow/agent/v1/agent';
import type { NodesServerDeps, ObjectView } from './deps';
import { followIngresses, type IngressViews } from './ingress-rows';

type Listener = (resource: NetworkRowResource, key: string) => void;

/**
 * What every node is told of the network, the same for all, kept from the informers' changes: each row
 * is encoded once, however many nodes there are, and nobody hears of a change that no node acts on.
 */
export class NetworkRows implements Disposable {
  private readonly tables: Readonly<Record<NetworkRowResource, Map<string, Row>>> = {
    [NETWORK_ROW.services]: new Map(),
    [NETWORK_ROW.endpointSlices]: new Map(),
    [NETWORK_ROW.ingresses]: new Map(),
    [NETWORK_ROW.ingressSecrets]: new Map(),
    [NETWORK_ROW.clusterNetwork]: new Map(),
  };
  private readonly listeners = new Set<Listener>();
  private readonly undo: readonly (() => void)[];

  constructor(
    private readonly views: Pick<NodesServerDeps, 'services' | 'endpointSlices' | 'serviceCidrs'> &
      IngressViews,
    private readonly cluster: ClusterNetwork,
  ) {
    this.putCluster();
    this.undo = [
      this.follow(NETWORK_ROW.services, views.services, serviceForNodes),
      this.follow(NETWORK_ROW.endpointSlices, views.endpointSlices, sliceForNodes),
      this.followRanges(views.serviceCidrs),
      followIngresses(views, (resource, key, value) => {
        if (value === undefined) this.remove(resource, key);
        else this.put(resource, key, value);
      }),
    ];
  }

  [Symbol.dispose](): void {
    for (const undo of this.undo) undo();
  }

  /** All that there are, in the order in which they are to come. */
  rows(): Row[] {
    return Object.values(NETWORK_ROW).flatMap((resource) => [...this.tables[resource].values()]);
  }

  /** The rows of these keys, those that are gone as removed. */
  changesOf(keys: ReadonlyMap<NetworkRowResource, ReadonlySet<string>>): Changes {
    const named = [...keys].flatMap(([resource, each]) =>
      [...each].map((key) => ({ resource, key, row: this.tables[resource].get(key) })),
    );
    return {
      rows: named.flatMap(({ row }) => row ?? []),
      removed: named.flatMap(({ resource, key, row }) => (row ? [] : [{ resource, key }])),
    };
  }

  /** Calls `listener` with each row that becomes another, comes or goes; returns the undo. */
  onChange(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private followRanges(view: ObjectView<ServiceCidr>): () => void {
    const put = () => this.putCluster();
    return view.subscribe({ name: 'nodes', onAdd: put, onUpdate: put, onDelete: put });
  }

  /** With all ranges in which a service may have its address. */
  get serviceCidrs(): readonly string[] {
    const configured = this.cluster.serviceCidrs.map(parsedRange);
    return knownRanges(configured, [...this.views.serviceCidrs.list()]).map(formatPrefix);
  }

  private putCluster(): void {
    const { serviceCidrs } = this;
    this.put(NETWORK_ROW.clusterNetwork, CLUSTER_KEY, { ...this.cluster, serviceCidrs });
  }

  private follow<T extends ApiObject>(
    resource: NetworkRowResource,
    view: ObjectView<T>,
    forNodes: (object: T) => object,
  ): () => void {
    const put = (object: T) => this.put(resource, keyOf(object), forNodes(object));
    return view.subscribe({
      name: 'nodes',
      onAdd: put,
      onUpdate: put,
      onDelete: (object) => this.remove(resource, keyOf(object)),
    });
  }

  private remove(resource: NetworkRowResource, key: string): void {
    if (this.tables[resource].delete(key)) this.tell(resource, key);
  }

  private put(resource: NetworkRowResource, key: string, value: object): void {
    const json = Buffer.from(stringifyJson(value));
    const table = this.tables[resource];
    if (table.get(key)?.json.equals(json) === true) return;
    table.set(key, { resource, key, version: '', json });
    this.tell(resource, key);
  }

  private tell(resource: NetworkRowResource, key: string): void {
    for (const listener of this.listeners) listener(resource, key);
  }
}

/** Pure: of a Service, what a node acts on. */
export const serviceForNodes = ({ metadata, spec, status, ...type }: Service): Service => ({
  apiVersion: type.apiVersion,
  kind: type.kind,
  metadata: identityOf(metadata, SERVICE_PROXY_LABEL),
  ...(spec === undefined ? {} : { spec }),
  ...(status?.loadBalancer === undefined ? {} : { status: { loadBalancer: status.loadBalancer } }),
});

/** Pure: of an EndpointSlice, what a node acts on. */
export const sliceForNodes = ({ metadata, ...slice }: EndpointSlice): EndpointSlice => ({
  ...slice,
  metadata: identityOf(metadata, SERVICE_NAME_LABEL),
});

const identityOf = (
  { name, namespace, uid, labels = {} }: ApiObject['metadata'],
  label: string,
): ApiObject['metadata'] => ({
  name,
  ...(namespace === undefined ? {} : { namespace }),
  ...(uid === undefined ? {} : { uid }),
  ...(labels[label] === undefined ? {} : { labels: { [label]: labels[label] } }),
});
