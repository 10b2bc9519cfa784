import { status } from '@grpc/grpc-js';

import { hasReason } from '../../api/errors';
import { IMAGE_LAYERS_ANNOTATION, IMAGE_LAYERS_LENGTH_MAX } from '../../api/image-layers';
import { NODES } from '../../api/resources';
import type { Node, NodeCondition, Taint } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { Semaphore } from '../../lib/async/semaphore';
import { rfc3339, type Clock } from '../../lib/clock';
import { internalIpOf, isReady } from './assignments';
import { grpcError } from './node-identity';
import { allocatePodCidr } from './pod-cidr';

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
      readonly clusterCidr: string;
      readonly isLive: (nodeName: string) => boolean;
    },
  ) {}

  /** The stored Node, with a pod range. @throws ALREADY_EXISTS when the address is another node's. */
  register(name: string, draft: NodeDraft, signal: AbortSignal): Promise<Node> {
    return this.turn.use(async () => {
      const { items } = await this.deps.client.list(NODES, {}, signal);
      this.refuseSharedAddress(name, draft, items);
      const existing = items.find(({ metadata }) => metadata.name === name);
      const podCidr = existing?.spec.podCIDR ?? this.freeCidr(items);
      const node =
        existing === undefined
          ? await this.create(name, draft, podCidr, signal)
          : await this.adopt(existing, draft, podCidr, signal);
      return await this.writeStatus(node, draft.status, signal).catch((error: unknown) => {
        // A node that is known already serves on though the store is full: that frees it.
        if (existing === undefined || !hasReason(error, 'InsufficientStorage')) throw error;
        return node;
      });
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

  /** Stores what a node's images are made of, for the scheduler. */
  writeImageLayers(name: string, imageLayers: string, signal: AbortSignal): Promise<Node> {
    const body = {
      metadata: {
        annotations: { [IMAGE_LAYERS_ANNOTATION]: imageLayers.slice(0, IMAGE_LAYERS_LENGTH_MAX) },
      },
    };
    return this.deps.client.patch(NODES, { namespace: '', name }, 'merge', body, {}, signal);
  }

  private refuseSharedAddress(name: string, draft: NodeDraft, nodes: readonly Node[]): void {
    const address = draft.status.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    if (address === undefined) return;
    const other = nodes.find(
      (node) =>
        node.metadata.name !== name &&
        internalIpOf(node) === address &&
        (this.deps.isLive(node.metadata.name) || isReady(node)),
    );
    if (other === undefined) return;
    throw grpcError(
      status.ALREADY_EXISTS,
      `node "${name}" has the address ${address}, which node "${other.metadata.name}" has already: ` +
        'choose the right one with --node-address',
    );
  }

  private freeCidr(nodes: readonly Node[]): string {
    const used = new Set(nodes.flatMap(({ spec }) => spec.podCIDR ?? []));
    return allocatePodCidr(this.deps.clusterCidr, used);
  }

  private create(
    name: string,
    draft: NodeDraft,
    podCIDR: string,
    signal: AbortSignal,
  ): Promise<Node> {
    const node = {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: draft.labels },
      spec: { podCIDR, podCIDRs: [podCIDR], taints: draft.taints },
      status: draft.status,
    };
    return this.deps.client.create(NODES, node, {}, signal);
  }

  private async adopt(
    node: Node,
    draft: NodeDraft,
    podCIDR: string,
    signal: AbortSignal,
  ): Promise<Node> {
    const { client } = this.deps;
    return await withConflictRetry(
      node,
      () => client.get(NODES, { namespace: '', name: node.metadata.name }, signal),
      async (current) => {
        const labels = { ...current.metadata.labels, ...draft.labels };
        const isSame =
          current.spec.podCIDR === podCIDR &&
          Object.entries(labels).every(([key, value]) => current.metadata.labels?.[key] === value);
        if (isSame) return current;
        const spec = { ...current.spec, podCIDR, podCIDRs: [podCIDR] };
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

const MAX_CONFLICT_RETRIES = 8;

/** Runs `write` on `current`, and again on what `read` returns for as long as it conflicts. */
export const withConflictRetry = async <T>(
  current: T,
  read: () => Promise<T>,
  write: (current: T) => Promise<T>,
): Promise<T> => {
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
): Node['status'] => ({
  ...stored,
  ...reported,
  conditions: mergeConditions(stored.conditions ?? [], reported.conditions ?? [], now),
});

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
