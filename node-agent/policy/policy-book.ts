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

/** Pods that the node has from elsewhere: the server tells of mirrors of them, when it can. */
export interface OwnPods {
  /** The uid by which this node knows a pod of the server. */
  ownUid(uid: string): string;
  uids(): Iterable<string>;
}

/** What the server has told of policies, as the kernel is to hold it. Kept from changes of the rows. */
export class PolicyBook implements Disposable {
  private readonly policies = new Map<string, PacketPolicy>();
  /** By set, then by part. */
  private readonly chunks = new Map<string, Map<string, AddressChunk>>();
  private readonly addressSets = new Map<string, readonly string[]>();
  /** What was last said to hold, also for sandboxes of which nobody tells any more. */
  private sandboxes = new Map<string, SandboxPolicies>();
  /** Those: what held for them holds until they are gone. */
  private leftovers: readonly string[] = [];
  private built: PacketPolicies | undefined;
  private readonly undo: readonly (() => void)[];

  constructor(
    private readonly tables: PolicyTables,
    private readonly ownPods: OwnPods,
    private readonly onChange: () => void,
  ) {
    const { policyAddresses, networkPolicies, podPolicies, clusterNetwork } = tables;
    this.undo = [
      policyAddresses.onChange((keys) => this.addressesChanged(keys)),
      networkPolicies.onChange((keys) => this.policiesChanged(keys)),
      podPolicies.onChange(() => this.changed()),
      clusterNetwork.onChange(() => this.changed()),
    ];
  }

  [Symbol.dispose](): void {
    for (const undo of this.undo) undo();
  }

  /** What is the node's own does not wait for the server: policies hold for it once its mirror is there. */
  knows(podUid: string): boolean {
    if (this.tables.podPolicies.get(podUid) !== undefined) return true;
    return [...this.ownPods.uids()].includes(podUid);
  }

  /** The node's own pods, or their mirrors, are others. */
  ownPodsChanged(): void {
    this.changed();
  }

  /** Undefined until the server has told. `isAttached`: whether the sandbox is still there. */
  wanted(isAttached: (sandboxId: string) => boolean): PacketPolicies | undefined {
    if (!this.tables.isKnown) return undefined;
    if (!this.leftovers.every(isAttached)) this.built = undefined;
    this.built ??= this.build(isAttached);
    return this.built;
  }

  private build(isAttached: (sandboxId: string) => boolean): PacketPolicies {
    const told = this.told();
    const left = [...this.sandboxes].filter(([id]) => !told.has(id) && isAttached(id));
    this.leftovers = left.map(([id]) => id);
    this.sandboxes = new Map([...told, ...left]);
    return {
      sandboxes: this.sandboxes,
      policies: new Map(this.policies),
      addressSets: new Map(this.addressSets),
      portSets: this.portSets(),
      guardedAddresses: this.tables.clusterNetwork.get(CLUSTER_KEY)?.clusterDns ?? [],
    };
  }

  /** The node's own pods are free until the server tells of their mirrors. */
  private told(): Map<string, SandboxPolicies> {
    const { podPolicies, networkPolicies } = this.tables;
    const policy = (key: string) => networkPolicies.get(key);
    const told = [...podPolicies.list()].map(({ uid, policies }): [string, SandboxPolicies] => [
      sandboxIdOf(this.ownPods.ownUid(uid)),
      sandboxPoliciesOf(policies, policy),
    ]);
    // A mirror may be made anew: meanwhile what held goes on.
    const own = [...this.ownPods.uids()].map((uid): [string, SandboxPolicies] => {
      const id = sandboxIdOf(uid);
      return [id, this.sandboxes.get(id) ?? {}];
    });
    return new Map([...own, ...told]);
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

  private changed(): void {
    this.built = undefined;
    this.onChange();
  }
}
