import { portNamed, type PolicySubject } from '../../../api/network-policies';
import type { AddressChunk } from '../../../api/network-policies/rows';
import { matchesRequirements, type Labels } from '../../../api/selectors';
import type { SetDefinition } from './compile';
import { SelectorIndex } from './selector-index';

interface AddressSet {
  readonly id: string;
  readonly definition: SetDefinition;
  users: number;
  readonly chunks: Map<string, Chunk>;
}

/** What members on one node bring in. */
interface Chunk {
  readonly members: Map<Member, readonly string[]>;
  /** The same object for all nodes that are told, as long as it is right. */
  told: AddressChunk | undefined;
}

/** Stands for one subject from when it comes until it goes. */
export interface Member {
  subject: PolicySubject;
  /** Ids of sets; kept here. */
  readonly memberOf: Set<string>;
}

/** What is known besides the sets themselves. */
export interface SetWorld {
  readonly membersIn: (namespace: string) => Iterable<Member>;
  readonly namespaces: () => Iterable<string>;
  readonly namespaceLabels: (namespace: string) => Labels | undefined;
}

/**
 * The sets of addresses that policies ask for, each kept once. A change of a pod meets only sets that
 * it was in, and those that are filed under one of its labels in its namespace.
 */
export class AddressSets {
  private readonly sets = new Map<string, AddressSet>();
  /** Sets of pods by the namespaces that they cover, as far as those exist. */
  private readonly byNamespace = new Map<string, SelectorIndex<AddressSet>>();
  private readonly ofManyNamespaces = new Set<AddressSet>();
  private readonly portSets = new Map<string, AddressSet>();

  /** `onChange` hears of each part of a set that becomes another. */
  constructor(
    private readonly world: SetWorld,
    private readonly onChange: (set: string, nodeName: string) => void,
  ) {}

  /** One more policy uses the set. */
  use(id: string, definition: SetDefinition): void {
    const known = this.sets.get(id);
    if (known !== undefined) {
      known.users++;
      return;
    }
    const set: AddressSet = { id, definition, users: 1, chunks: new Map() };
    this.sets.set(id, set);
    if (definition.kind === 'ports') {
      this.portSets.set(portKey(definition.name, definition.protocol), set);
      for (const namespace of this.world.namespaces()) this.fill(set, namespace);
    } else if (typeof definition.namespaces === 'string') this.cover(set, definition.namespaces);
    else {
      this.ofManyNamespaces.add(set);
      for (const namespace of this.world.namespaces())
        if (this.covers(set, namespace)) this.cover(set, namespace);
    }
  }

  /** One policy less uses it. */
  release(id: string): void {
    const set = this.sets.get(id);
    if (set === undefined || --set.users > 0) return;
    for (const [nodeName, chunk] of set.chunks) {
      this.onChange(id, nodeName);
      for (const member of chunk.members.keys()) member.memberOf.delete(id);
    }
    this.sets.delete(id);
    this.ofManyNamespaces.delete(set);
    const { definition } = set;
    if (definition.kind === 'ports')
      this.portSets.delete(portKey(definition.name, definition.protocol));
    else for (const namespace of [...this.byNamespace.keys()]) this.unfile(set, namespace);
  }

  /** The member has come, or was `before`. */
  put(member: Member, before: PolicySubject | undefined): void {
    const touched = new Set([...member.memberOf].flatMap((id) => this.sets.get(id) ?? []));
    for (const set of this.candidates(member.subject)) touched.add(set);
    for (const set of touched) this.place(set, member, before?.nodeName);
  }

  remove(member: Member): void {
    for (const id of member.memberOf) {
      const set = this.sets.get(id);
      if (set !== undefined) this.takeOut(set, member.subject.nodeName, member);
    }
    member.memberOf.clear();
  }

  /** The labels of the namespace are others, or it has come or gone. */
  namespaceChanged(namespace: string): void {
    for (const set of this.ofManyNamespaces) {
      if (this.covers(set, namespace)) this.cover(set, namespace);
      else {
        this.unfile(set, namespace);
        for (const member of this.world.membersIn(namespace)) {
          this.takeOut(set, member.subject.nodeName, member);
          member.memberOf.delete(set.id);
        }
      }
    }
  }

  /** Another object only where it has changed. */
  chunk(set: string, nodeName: string): AddressChunk | undefined {
    const chunk = this.sets.get(set)?.chunks.get(nodeName);
    if (chunk === undefined) return undefined;
    const entriesNow = () => [...new Set([...chunk.members.values()].flat())].sort();
    return (chunk.told ??= { set, nodeName, entries: entriesNow() });
  }

  /** The nodes whose pods are in the set. */
  nodesIn(set: string): readonly string[] {
    return [...(this.sets.get(set)?.chunks.keys() ?? [])];
  }

  private candidates(subject: PolicySubject): Iterable<AddressSet> {
    const found = this.byNamespace.get(subject.namespace)?.candidates(subject.labels) ?? new Set();
    for (const { name, protocol } of subject.namedPorts) {
      const set = this.portSets.get(portKey(name, protocol));
      if (set !== undefined) found.add(set);
    }
    return found;
  }

  private covers({ definition }: AddressSet, namespace: string): boolean {
    if (definition.kind === 'ports' || typeof definition.namespaces === 'string') return false;
    const labels = this.world.namespaceLabels(namespace);
    return labels !== undefined && matchesRequirements(definition.namespaces, labels);
  }

  /** Idempotent. */
  private cover(set: AddressSet, namespace: string): void {
    if (set.definition.kind !== 'pods') return;
    const index = this.byNamespace.get(namespace) ?? new SelectorIndex<AddressSet>();
    this.byNamespace.set(namespace, index);
    index.add(set, set.definition.pods);
    this.fill(set, namespace);
  }

  private unfile(set: AddressSet, namespace: string): void {
    const index = this.byNamespace.get(namespace);
    if (index === undefined || set.definition.kind !== 'pods') return;
    index.remove(set, set.definition.pods);
    if (index.isEmpty) this.byNamespace.delete(namespace);
  }

  private fill(set: AddressSet, namespace: string): void {
    for (const member of this.world.membersIn(namespace))
      this.place(set, member, member.subject.nodeName);
  }

  private place(set: AddressSet, member: Member, oldNode: string | undefined): void {
    const { nodeName } = member.subject;
    const entries = entriesOf(set.definition, member.subject);
    const isIn = entries.length > 0;
    if (oldNode !== undefined && (!isIn || oldNode !== nodeName))
      this.takeOut(set, oldNode, member);
    if (!isIn) {
      member.memberOf.delete(set.id);
      return;
    }
    member.memberOf.add(set.id);
    const chunk: Chunk = set.chunks.get(nodeName) ?? { members: new Map(), told: undefined };
    if (chunk.members.get(member)?.join() === entries.join()) return;
    chunk.members.set(member, entries);
    chunk.told = undefined;
    set.chunks.set(nodeName, chunk);
    this.onChange(set.id, nodeName);
  }

  private takeOut(set: AddressSet, nodeName: string, member: Member): void {
    const chunk = set.chunks.get(nodeName);
    if (chunk?.members.delete(member) !== true) return;
    chunk.told = undefined;
    if (chunk.members.size === 0) set.chunks.delete(nodeName);
    this.onChange(set.id, nodeName);
  }
}

/** Whether its namespace is covered is for the caller to know. */
const entriesOf = (definition: SetDefinition, subject: PolicySubject): readonly string[] => {
  if (!subject.isSelectable) return [];
  if (definition.kind === 'pods')
    return matchesRequirements(definition.pods, subject.labels) ? subject.addresses : [];
  const port = portNamed(subject, definition.name, definition.protocol);
  return port === undefined ? [] : subject.addresses.map((address) => `${address} ${port}`);
};

const portKey = (name: string, protocol: string): string => `${name} ${protocol}`;
