import { status } from '@grpc/grpc-js';

import { isIP } from 'node:net';

import { hasReason } from '../../api/errors';
import { NODES } from '../../api/resources';
import { NODE_NOT_READY } from '../../api/taints';
import { isNodeReady } from '../../api/nodes';
import type { Node, NodeCondition, Taint } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { Semaphore } from '../../lib/async/semaphore';
import { rfc3339, type Clock } from '../../lib/clock';
import { cidrContains } from '../../lib/net/ip';
import { internalIpsIn, podCidrsOf } from './peer-view';
import { grpcError } from './node-identity';
import { allocatePodCidrs } from './pod-cidr';

/** What an agent says of its node, after parsing. */
export interface NodeDraft {
  readonly labels: Readonly<Record<string, string>>;
  /** Set when the node is new only: later they belong to the operator. */
  readonly taints: readonly Taint[];
  readonly status: Node['status'];
}

/** Makes and updates the Node objects of agents. */
export class NodeRegistrar {
  // One at a time, so that two new nodes never get the same range.
  private readonly turn = new Semaphore(1);

  constructor(
    private readonly deps: {
      readonly client: ApiClient;
      readonly clock: Clock;
      readonly clusterCidrs: readonly string[];
      /** All ranges in which services may have addresses. */
      readonly serviceCidrs: () => readonly string[];
      readonly isLive: (nodeName: string) => boolean;
    },
  ) {}

  /**
   * The stored Node, with a pod range of each family. One that has ranges keeps just these, as upstream.
   * `peer` is where the agent calls from.
   * @throws ALREADY_EXISTS when an address is another node's, INVALID_ARGUMENT when it is none of a node
   */
  register(name: string, draft: NodeDraft, peer: string, signal: AbortSignal): Promise<Node> {
    const work = () => this.registerNow(name, draft, peer, signal);
    // By another server a node may get the range at the same time, and be stored first.
    return this.turn.use(() => withConflictRetry(undefined, async () => undefined, work));
  }

  private async registerNow(
    name: string,
    draft: NodeDraft,
    peer: string,
    signal: AbortSignal,
  ): Promise<Node> {
    const { items } = await this.deps.client.list(NODES, {}, signal);
    await this.takeAddresses(name, draft.status, peer, items, signal);
    const existing = items.find(({ metadata }) => metadata.name === name);
    const known = existing === undefined ? [] : podCidrsOf(existing);
    const podCidrs = known.length > 0 ? known : this.freeCidrs(items);
    const node =
      existing === undefined
        ? await this.create(name, draft, podCidrs, signal)
        : await this.adopt(existing, draft, podCidrs, signal);
    return await this.writeStatus(node, draft.status, signal).catch((error: unknown) => {
      // A node that is known already serves on though the store is full: that frees it.
      if (existing === undefined || !hasReason(error, 'InsufficientStorage')) throw error;
      return node;
    });
  }

  /**
   * Before a status with another address than the stored one is written.
   * @throws ALREADY_EXISTS when the address is another node's
   */
  async checkAddress(
    { metadata: { name }, ...node }: Node,
    reported: Node['status'],
    peer: string,
    signal: AbortSignal,
  ): Promise<void> {
    if (internalIpsIn(reported).join() === internalIpsIn(node.status).join()) return;
    await this.turn.use(async () => {
      const { items } = await this.deps.client.list(NODES, {}, signal);
      await this.takeAddresses(name, reported, peer, items, signal);
    });
  }

  /** Stores a node's status, keeping transition times of conditions that did not change. */
  async writeStatus(node: Node, reported: Node['status'], signal: AbortSignal): Promise<Node> {
    const { client, clock } = this.deps;
    return await withConflictRetry(
      node,
      () => client.get(NODES, { namespace: '', name: node.metadata.name }, signal),
      async (current) => {
        const merged = mergeNodeStatus(current.status, reported, rfc3339(clock.now()));
        const next = { ...current, status: merged };
        return await client.update(NODES, next, { subresource: 'status' }, signal);
      },
    );
  }

  /** Stores what a node says of itself beside its status. */
  annotate(
    name: string,
    annotations: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Node> {
    const body = { metadata: { annotations } };
    return this.deps.client.patch(NODES, { namespace: '', name }, 'merge', body, {}, signal);
  }

  /**
   * Two nodes of one address would cut off each other's pods. The one that has it keeps it, be it up
   * or not, unless the other proves by its connection that the address is its own now: then a machine
   * has got a new address, and the old owner tells its own when it is back.
   */
  private async takeAddresses(
    name: string,
    reported: Node['status'],
    peer: string,
    nodes: readonly Node[],
    signal: AbortSignal,
  ): Promise<void> {
    for (const address of internalIpsIn(reported))
      await this.takeAddress(name, address, peer, nodes, signal);
  }

  private async takeAddress(
    name: string,
    address: string,
    peer: string,
    nodes: readonly Node[],
    signal: AbortSignal,
  ): Promise<void> {
    // One address has one spelling here, or a second node could have it by another.
    if (isIP(address) === 0 || address.toLowerCase().startsWith('::ffff:'))
      throw grpcError(
        status.INVALID_ARGUMENT,
        `${JSON.stringify(address)} is no address of a node`,
      );
    const range = this.deps.serviceCidrs().find((cidr) => cidrContains(cidr, address));
    if (range !== undefined) throw addressOfServices(name, address, range);
    for (const other of nodes) {
      if (other.metadata.name === name || !internalIpsIn(other.status).includes(address)) continue;
      if (peer !== address || this.deps.isLive(other.metadata.name))
        throw addressTaken(name, address, other.metadata.name);
      await this.dropAddress(other, address, signal);
    }
  }

  private async dropAddress(node: Node, address: string, signal: AbortSignal): Promise<void> {
    const { client } = this.deps;
    await withConflictRetry(
      node,
      () => client.get(NODES, { namespace: '', name: node.metadata.name }, signal),
      async (current) => {
        const addresses = (current.status.addresses ?? []).filter(
          (each) => each.address !== address,
        );
        const next = { ...current, status: { ...current.status, addresses } };
        return await client.update(NODES, next, { subresource: 'status' }, signal);
      },
    );
  }

  private freeCidrs(nodes: readonly Node[]): readonly string[] {
    const used = new Set(nodes.flatMap(podCidrsOf));
    return allocatePodCidrs(this.deps.clusterCidrs, used);
  }

  private create(
    name: string,
    draft: NodeDraft,
    podCIDRs: readonly string[],
    signal: AbortSignal,
  ): Promise<Node> {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: draft.labels },
      spec: { podCIDR: podCIDRs[0] ?? '', podCIDRs, taints: draft.taints },
      status: draft.status,
    };
    return this.deps.client.create(NODES, node, {}, signal);
  }

  private async adopt(
    node: Node,
    draft: NodeDraft,
    podCIDRs: readonly string[],
    signal: AbortSignal,
  ): Promise<Node> {
    const { client } = this.deps;
    const [podCIDR = ''] = podCIDRs;
    return await withConflictRetry(
      node,
      () => client.get(NODES, { namespace: '', name: node.metadata.name }, signal),
      async (current) => {
        const labels = { ...current.metadata.labels, ...draft.labels };
        const isNew = current.spec.podCIDR === undefined;
        const taints = isNew ? withTaints(current, draft) : (current.spec.taints ?? []);
        const isSame =
          current.spec.podCIDR === podCIDR &&
          Object.entries(labels).every(([key, value]) => current.metadata.labels?.[key] === value);
        if (isSame) return current;
        const spec = { ...current.spec, taints, podCIDR, podCIDRs };
        const metadata = { ...current.metadata, labels };
        return await client
          .update(NODES, { ...current, metadata, spec }, {}, signal)
          .catch((error: unknown) => {
            const hasRange = current.spec.podCIDR === podCIDR;
            if (!hasRange || !hasReason(error, 'InsufficientStorage')) throw error;
            return current;
          });
      },
    );
  }
}

/**
 * An administrator's taints, on a Node made before its agent came, go before the agent's. The one that
 * kept pods away until then is not waited for: who has come and is ready can take them now.
 */
const withTaints = ({ spec }: Node, draft: NodeDraft): readonly Taint[] => {
  const { taints } = draft;
  const isReady = isNodeReady(draft);
  const known = (spec.taints ?? []).filter(({ key }) => !isReady || key !== NODE_NOT_READY);
  const isKnown = ({ key, effect }: Taint) =>
    known.some((taint) => taint.key === key && taint.effect === effect);
  return [...known, ...taints.filter((taint) => !isKnown(taint))];
};

/** What is sent to the node would be taken for what is sent to a service. */
const addressOfServices = (name: string, address: string, range: string): Error =>
  grpcError(
    status.INVALID_ARGUMENT,
    `node "${name}" has the address ${address}, which is in the range of services ${range}: choose ` +
      'another one of the machine with --address, or start the server with another ' +
      '--service-cluster-ip-range',
  );

const addressTaken = (name: string, address: string, other: string): Error =>
  grpcError(
    status.ALREADY_EXISTS,
    `node "${name}" has the address ${address}, which node "${other}" has already: choose the right ` +
      `one with --address, or, if that machine is gone for good, remove it first: ` +
      `kubectl delete node ${other}`,
  );

const MAX_CONFLICT_RETRIES = 8;

/** Runs `write` on `current`, and again on what `read` returns for as long as it conflicts. */
export const withConflictRetry = async <T, R = T>(
  current: T,
  read: () => Promise<T>,
  write: (current: T) => Promise<R>,
): Promise<R> => {
  for (let attempt = 0; ; attempt++) {
    try {
      return await write(current);
    } catch (error) {
      if (!hasReason(error, 'Conflict') || attempt >= MAX_CONFLICT_RETRIES) throw error;
      current = await read();
    }
  }
};

/** Pure: what to store when an agent reports `reported` over `stored`. */
export const mergeNodeStatus = (
  stored: Node['status'],
  reported: Node['status'],
  now: string,
): Node['status'] => {
  // A node that has none says nothing of them.
  const { volumesInUse: _before, ...kept } = stored;
  const conditions = mergeConditions(stored.conditions ?? [], reported.conditions ?? [], now);
  return { ...kept, ...reported, conditions };
};

const mergeConditions = (
  stored: readonly NodeCondition[],
  reported: readonly NodeCondition[],
  now: string,
): NodeCondition[] => {
  const kept = stored.filter(({ type }) => !reported.some((other) => other.type === type));
  const merged = reported.map((condition) => {
    const before = stored.find(({ type }) => type === condition.type);
    const isSame = before?.status === condition.status;
    const lastTransitionTime = (isSame ? before.lastTransitionTime : undefined) ?? now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime };
  });
  return [...kept, ...merged];
};
