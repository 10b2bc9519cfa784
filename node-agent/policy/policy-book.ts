import { CLUSTER_KEY } from '../../api/assignment-rows';
import type { Protocol } from '../../api/network-policies';
import type { AddressChunk } from '../../api/network-policies/rows';
import type { PacketPolicies, PacketPolicy, SandboxPolicies } from '../../runtime/packet-policies';
import { sandboxIdOf } from '../inventory/labels';
import type { NetworkView } from '../session/network-tables';
import { addressPortsOf, packetPolicyOf, portSetsIn, sandboxPoliciesOf } from './packet-rules';

type PolicyTables = Pick<
  NetworkView,
  'policyAddresses' | 'networkPolicies' | 'podPolicies' | 'clusterNetwork' | 'isKnown'
>;

/** What the server has told of policies, as the kernel is to hold it. Kept from changes of the rows. */
export class PolicyBook implements Disposable {
  private readonly policies = new Map<string, PacketPolicy>();
  /** By set, then by part. */
  private readonly chunks = new Map<string, Map<string, AddressChunk>>();
  private readonly addressSets = new Map<string, readonly string[]>();
  /** Pods of which the server tells no more: what held for them holds until they are gone. */
  private readonly leftovers = new Map<string, SandboxPolicies>();
  private sandboxes = new Map<string, SandboxPolicies>();
  private built: PacketPolicies | undefined;
  private readonly undo: readonly (() => void)[];

  constructor(
    private readonly tables: PolicyTables,
    private readonly onChange: () => void,
  ) {
    const { policyAddresses, networkPolicies, podPolicies, clusterNetwork } = tables;
    this.undo = [
      policyAddresses.onChange((keys) => this.addressesChanged(keys)),
      networkPolicies.onChange((keys) => this.policiesChanged(keys)),
      podPolicies.onChange((keys) => this.podsChanged(keys)),
      clusterNetwork.onChange(() => this.changed()),
    ];
  }

  [Symbol.dispose](): void {
    for (const undo of this.undo) undo();
  }

  knows(podUid: string): boolean {
    return this.tables.podPolicies.get(podUid) !== undefined;
  }

  /** Undefined until the server has told. `isAttached`: whether the sandbox is still there. */
  wanted(isAttached: (sandboxId: string) => boolean): PacketPolicies | undefined {
    if (!this.tables.isKnown) return undefined;
    for (const id of this.leftovers.keys())
      if (!isAttached(id)) {
        this.leftovers.delete(id);
        this.built = undefined;
      }
    this.built ??= this.build();
    return this.built;
  }

  private build(): PacketPolicies {
    this.sandboxes = this.sandboxesNow();
    return {
      sandboxes: new Map([...this.leftovers, ...this.sandboxes]),
      policies: new Map(this.policies),
      addressSets: new Map(this.addressSets),
      portSets: this.portSets(),
      guardedAddresses: this.tables.clusterNetwork.get(CLUSTER_KEY)?.clusterDns ?? [],
    };
  }

  private sandboxesNow(): Map<string, SandboxPolicies> {
    const { podPolicies, networkPolicies } = this.tables;
    const policy = (key: string) => networkPolicies.get(key);
    return new Map(
      [...podPolicies.list()].map(({ uid, policies }) => [
        sandboxIdOf(uid),
        sandboxPoliciesOf(policies, policy),
      ]),
    );
  }

  private portSets(): PacketPolicies['portSets'] {
    const protocols = new Map<string, Protocol>(
      [...this.tables.networkPolicies.list()].flatMap(portSetsIn),
    );
    return new Map(
      [...protocols].map(([id, protocol]) => [
        id,
        addressPortsOf(this.addressSets.get(id) ?? [], protocol),
      ]),
    );
  }

  private addressesChanged(keys: ReadonlySet<string>): void {
    const touched = new Set<string>();
    for (const key of keys) {
      const [set = ''] = key.split(' ');
      touched.add(set);
      const parts = this.chunks.get(set) ?? new Map<string, AddressChunk>();
      const chunk = this.tables.policyAddresses.get(key);
      if (chunk === undefined) parts.delete(key);
      else parts.set(key, chunk);
      if (parts.size > 0) this.chunks.set(set, parts);
      else this.chunks.delete(set);
    }
    for (const set of touched) {
      const parts = this.chunks.get(set);
      if (parts === undefined) this.addressSets.delete(set);
      else
        this.addressSets.set(
          set,
          [...parts.values()].flatMap(({ entries }) => entries),
        );
    }
    this.changed();
  }

  private policiesChanged(keys: ReadonlySet<string>): void {
    for (const key of keys) {
      const policy = this.tables.networkPolicies.get(key);
      if (policy === undefined) this.policies.delete(key);
      else this.policies.set(key, packetPolicyOf(policy));
    }
    this.changed();
  }

  private podsChanged(keys: ReadonlySet<string>): void {
    for (const uid of keys) {
      const id = sandboxIdOf(uid);
      const before = this.sandboxes.get(id);
      if (this.knows(uid)) this.leftovers.delete(id);
      else if (before !== undefined) this.leftovers.set(id, before);
    }
    this.changed();
  }

  private changed(): void {
    this.built = undefined;
    this.onChange();
  }
}
