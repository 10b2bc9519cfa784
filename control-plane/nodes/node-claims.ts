import { status } from '@grpc/grpc-js';
import { createHash, timingSafeEqual } from 'node:crypto';

import { hasReason } from '../../api/errors';
import { isClaimed, isNodeKey, nodeIdentityOf, withNodeKey } from '../../api/node-identity';
import { NODES } from '../../api/resources';
import { NODE_NOT_READY } from '../../api/taints';
import type { Node } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { grpcError, type NodeHolder } from './node-identity';
import { withConflictRetry } from './node-registrar';

/**
 * Who may act as which node. A name is claimed by the agent that first joins under it, and stays
 * that agent's until the Node is deleted: a join token alone takes over no node that there is.
 */
export class NodeClaims {
  /** @param authority the hash of the key of who signs certificates of nodes now */
  constructor(
    private readonly client: ApiClient,
    private readonly authority: () => string | undefined = () => undefined,
  ) {}

  /** @throws ALREADY_EXISTS when the name is another agent's. To be asked before a key is signed. */
  async checkJoin(nodeName: string, agentId: string, signal: AbortSignal): Promise<void> {
    const node = await this.find(nodeName, signal);
    if (node !== undefined) refuseOther(node, agentId);
  }

  /** Lets a key act as the node, making the Node if there is none. @throws ALREADY_EXISTS */
  async join(nodeName: string, agentId: string, key: string, signal: AbortSignal): Promise<void> {
    for (;;) {
      const node = await this.find(nodeName, signal);
      if (node !== undefined) return this.addKey(node, agentId, key, signal);
      try {
        await this.create(nodeName, agentId, key, signal);
        return;
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      }
    }
  }

  /** Lets the key of a renewed certificate act as the node. @throws UNAUTHENTICATED as `check` */
  async renew({ nodeName, key }: NodeHolder, next: string, signal: AbortSignal): Promise<void> {
    await this.update(nodeName, signal, (node) => {
      refuseDead(node, nodeName, key);
      const record = nodeIdentityOf(node);
      return withNodeKey(node, record?.agent ?? '', this.signed(next), record?.keys ?? [key]);
    });
  }

  /** @throws UNAUTHENTICATED unless the key may act as the node: it has been taken out, or given anew. */
  async check({ nodeName, key }: NodeHolder, signal: AbortSignal): Promise<void> {
    refuseDead(await this.find(nodeName, signal), nodeName, key);
  }

  /** A node of before there were records gets its own from the agent that comes with its key. */
  async adopt({ nodeName, key }: NodeHolder, agentId: string, signal: AbortSignal): Promise<void> {
    const node = await this.find(nodeName, signal);
    refuseDead(node, nodeName, key);
    const agent = node && nodeIdentityOf(node)?.agent;
    if (agent !== undefined && agent !== '') return;
    await this.update(nodeName, signal, (current) => {
      refuseDead(current, nodeName, key);
      const known = nodeIdentityOf(current)?.keys ?? [];
      return withNodeKey(current, hashOf(agentId), { key }, known);
    });
  }

  private signed(key: string) {
    return { key, authority: this.authority() };
  }

  private async find(name: string, signal: AbortSignal): Promise<Node | undefined> {
    try {
      return await this.client.get(NODES, { namespace: '', name }, signal);
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  private addKey(node: Node, agentId: string, key: string, signal: AbortSignal): Promise<void> {
    return this.update(node.metadata.name, signal, (current) => {
      refuseOther(current, agentId);
      const known = nodeIdentityOf(current)?.keys ?? [];
      return withNodeKey(current, hashOf(agentId), this.signed(key), known);
    });
  }

  private async update(
    name: string,
    signal: AbortSignal,
    annotations: (node: Node) => Node['metadata']['annotations'],
  ): Promise<void> {
    const read = () => this.client.get(NODES, { namespace: '', name }, signal);
    await withConflictRetry(await read(), read, async (node) => {
      const metadata = { ...node.metadata, annotations: annotations(node) ?? {} };
      return await this.client.update(NODES, { ...node, metadata }, {}, signal);
    });
  }

  private async create(
    name: string,
    agentId: string,
    key: string,
    signal: AbortSignal,
  ): Promise<void> {
    const draft = { metadata: { name } };
    const annotations = withNodeKey(draft, hashOf(agentId), this.signed(key), []);
    // Until its agent has told what it has, nothing is to be put there.
    const taints = [{ key: NODE_NOT_READY, effect: 'NoSchedule' }];
    const metadata = { name, annotations };
    const node = { apiVersion: 'v1', kind: 'Node', metadata, spec: { taints }, status: {} };
    await this.client.create(NODES, node, {}, signal);
  }
}

const refuseOther = (node: Node, agentId: string): void => {
  const { name } = node.metadata;
  const record = nodeIdentityOf(node);
  if (!isClaimed(node) || (record !== undefined && isSame(record.agent, hashOf(agentId)))) return;
  throw grpcError(
    status.ALREADY_EXISTS,
    `node "${name}" is another agent's: choose another name with --name, or, if that machine ` +
      `is gone for good, remove it first: kubectl delete node ${name}`,
  );
};

const refuseDead = (node: Node | undefined, nodeName: string, key: string): void => {
  if (isNodeKey(node, key)) return;
  throw grpcError(
    status.UNAUTHENTICATED,
    node === undefined
      ? `node "${nodeName}" is not in the cluster: it must join again`
      : `the certificate is of an earlier node "${nodeName}": it must join again`,
  );
};

const isSame = (a: string, b: string): boolean =>
  a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
