import { hasReason } from '../../api/errors';
import { LEASES, NAMESPACES } from '../../api/resources';
import type { Lease } from '../../api/types';
import type { ApiClient } from '../../client/api-client';
import { rfc3339Micro, type Clock } from '../../lib/clock';

const NODE_LEASE_NAMESPACE = 'kube-node-lease';

/** Keeps one node's lease: the cheap sign of life that node-lifecycle watches. */
export class LeaseRenewer {
  private last: Lease | undefined;

  constructor(
    private readonly deps: { readonly client: ApiClient; readonly clock: Clock },
    private readonly nodeName: string,
    private readonly durationSeconds: number,
  ) {}

  async renew(signal: AbortSignal): Promise<void> {
    const { client } = this.deps;
    const lease = this.last ?? (await this.read(signal));
    if (lease === undefined) {
      this.last = await this.create(signal);
      return;
    }
    try {
      const spec = { ...lease.spec, ...this.spec() };
      this.last = await client.update(LEASES, { ...lease, spec }, {}, signal);
    } catch (error) {
      this.last = undefined;
      if (!hasReason(error, 'Conflict', 'NotFound')) throw error;
    }
  }

  private async read(signal: AbortSignal): Promise<Lease | undefined> {
    const name = { namespace: NODE_LEASE_NAMESPACE, name: this.nodeName };
    try {
      return await this.deps.client.get(LEASES, name, signal);
    } catch (error) {
      if (hasReason(error, 'NotFound')) return undefined;
      throw error;
    }
  }

  private async create(signal: AbortSignal): Promise<Lease> {
    const { client } = this.deps;
    const draft = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: NODE_LEASE_NAMESPACE, name: this.nodeName },
      spec: this.spec(),
    };
    try {
      return await client.create(LEASES, draft, {}, signal);
    } catch (error) {
      if (!hasReason(error, 'NotFound', 'Forbidden')) throw error;
      await this.createNamespace(signal);
      return await client.create(LEASES, draft, {}, signal);
    }
  }

  private async createNamespace(signal: AbortSignal): Promise<void> {
    const metadata = { name: NODE_LEASE_NAMESPACE };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata };
    try {
      await this.deps.client.create(NAMESPACES, namespace, {}, signal);
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  }

  private spec(): Lease['spec'] & object {
    return {
      holderIdentity: this.nodeName,
      leaseDurationSeconds: this.durationSeconds,
      renewTime: rfc3339Micro(this.deps.clock.now()),
    };
  }
}
