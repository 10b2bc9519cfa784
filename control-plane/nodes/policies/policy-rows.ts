import { POLICY_ROW, type PolicyRowResource } from '../../../api/assignment-rows';
import { chunkKey, type PodPolicies } from '../../../api/network-policies/rows';
import { stringifyJson } from '../../../lib/json';
import type { Changes, Row } from '../../../proto/gen/dhow/agent/v1/agent';
import type { NodesServerDeps } from '../deps';
import { PolicyIndex } from './policy-index';

/**
 * What each node is told of network policies: those that isolate one of its pods, the addresses that
 * these speak of, and of each pod which ones they are.
 */
export class PolicyRows implements Disposable {
  private readonly index: PolicyIndex;
  /** Of what many nodes are told: encoded for the first of them. */
  private readonly encoded = new WeakMap<object, Buffer>();

  constructor(
    views: Pick<NodesServerDeps, 'pods' | 'namespaces' | 'networkPolicies'>,
    resolverAddresses: readonly string[],
  ) {
    this.index = new PolicyIndex(views, resolverAddresses);
  }

  [Symbol.dispose](): void {
    this.index[Symbol.dispose]();
  }

  /** All that there are for a node, in the order in which they are to come. */
  rows(nodeName: string): Row[] {
    const { index } = this;
    const chunks = index.chunksFor(nodeName).map((chunk) => this.chunkRow(nodeName, chunk));
    const policies = index.policiesFor(nodeName).map((key) => this.policyRow(nodeName, key));
    const pods = index.podsOn(nodeName).map((uid) => this.podRow(nodeName, uid));
    return [...chunks, ...policies, ...pods].flatMap((row) => row ?? []);
  }

  /** The rows of these keys, those that are gone as removed. */
  changesOf(nodeName: string, keys: ReadonlyMap<PolicyRowResource, ReadonlySet<string>>): Changes {
    const named = ORDER.flatMap((resource) =>
      [...(keys.get(resource) ?? [])].map((key) => ({
        resource,
        key,
        row: this.rowOf(nodeName, resource, key),
      })),
    );
    return {
      rows: named.flatMap(({ row }) => row ?? []),
      removed: named.flatMap(({ resource, key, row }) => (row ? [] : [{ resource, key }])),
    };
  }

  /** Calls `listener` with each row for the node that may be another, come or go; returns the undo. */
  onChange(
    nodeName: string,
    listener: (resource: PolicyRowResource, key: string) => void,
  ): () => void {
    return this.index.onChange(nodeName, listener);
  }

  private rowOf(nodeName: string, resource: PolicyRowResource, key: string): Row | undefined {
    switch (resource) {
      case POLICY_ROW.addresses: {
        const [set = '', part = ''] = key.split(' ');
        return this.chunkRow(nodeName, { set, nodeName: part });
      }
      case POLICY_ROW.policies:
        return this.policyRow(nodeName, key);
      case POLICY_ROW.podPolicies:
        return this.podRow(nodeName, key);
    }
  }

  private chunkRow(
    nodeName: string,
    part: { readonly set: string; readonly nodeName: string },
  ): Row | undefined {
    const chunk = this.index.chunkFor(nodeName, part.set, part.nodeName);
    return chunk && rowOf(POLICY_ROW.addresses, chunkKey(part), this.encode(chunk));
  }

  private policyRow(nodeName: string, key: string): Row | undefined {
    const policy = this.index.policyFor(nodeName, key);
    return policy && rowOf(POLICY_ROW.policies, key, this.encode(policy));
  }

  private podRow(nodeName: string, uid: string): Row | undefined {
    const policies = this.index.policiesOf(nodeName, uid);
    if (policies === undefined) return undefined;
    const value = { uid, policies } satisfies PodPolicies;
    return rowOf(POLICY_ROW.podPolicies, uid, encoded(value));
  }

  private encode(shared: object): Buffer {
    const known = this.encoded.get(shared) ?? encoded(shared);
    this.encoded.set(shared, known);
    return known;
  }
}

const rowOf = (resource: PolicyRowResource, key: string, json: Buffer): Row => ({
  ...{ resource, key, version: '', json },
});

const encoded = (value: object): Buffer => Buffer.from(stringifyJson(value));

/** What is spoken of comes first. */
const ORDER = [POLICY_ROW.addresses, POLICY_ROW.policies, POLICY_ROW.podPolicies] as const;
