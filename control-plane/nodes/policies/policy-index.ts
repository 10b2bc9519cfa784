import { isDeepStrictEqual } from 'node:util';

import { POLICY_ROW, type PolicyRowResource } from '../../../api/assignment-rows';
import {
  isolates,
  resolverSubject,
  subjectOf,
  type PolicySubject,
} from '../../../api/network-policies';
import { chunkKey, type AddressChunk, type NodePolicy } from '../../../api/network-policies/rows';
import { requirementsOf } from '../../../api/selectors';
import {
  keyOf,
  nameKey,
  uidOf,
  type Namespace,
  type NetworkPolicy,
  type Pod,
} from '../../../api/types';
import { KeyedListeners } from '../../../lib/keyed-listeners';
import type { NodesServerDeps } from '../deps';
import { AddressSets, type Member } from './address-sets';
import { compilePolicy, type CompiledPolicy } from './compile';
import { NodePolicies } from './node-policies';
import { SelectorIndex } from './selector-index';

interface PodRecord extends Member {
  readonly uid: string;
  /** Those that isolate it. */
  policies: ReadonlySet<string>;
}

interface PolicyRecord {
  readonly object: NetworkPolicy;
  readonly compiled: CompiledPolicy;
}

interface NamespaceRecord {
  /** Undefined: it is not there, or not heard of yet. */
  labels: Namespace['metadata']['labels'] | undefined;
  readonly pods: Map<string, PodRecord>;
  readonly policies: Map<string, PolicyRecord>;
  readonly selectors: SelectorIndex<string>;
}

/**
 * Which policies isolate each pod, whose addresses they speak of, and what of it each node needs, kept
 * from the informers' changes. A change of a pod meets only the policies of its namespace and the sets
 * that are filed under one of its labels.
 */
export class PolicyIndex implements Disposable {
  private readonly namespaces = new Map<string, NamespaceRecord>();
  private readonly nodes = new Map<string, NodePolicies>();
  private readonly listeners = new KeyedListeners<[PolicyRowResource, string]>();
  private readonly sets: AddressSets;
  private readonly undo: readonly (() => void)[];

  constructor(
    {
      pods,
      namespaces,
      networkPolicies,
    }: Pick<NodesServerDeps, 'pods' | 'namespaces' | 'networkPolicies'>,
    resolverAddresses: readonly string[],
  ) {
    this.sets = new AddressSets(
      {
        namespaces: () => this.namespaces.keys(),
        namespaceLabels: (name) => this.namespaces.get(name)?.labels,
        membersIn: (name) => this.namespaces.get(name)?.pods.values() ?? [],
      },
      (set, part) => this.chunkChanged(set, part),
    );
    this.addResolver(resolverAddresses);
    const name = 'network policies of nodes';
    this.undo = [
      namespaces.subscribe({
        name,
        onAdd: (namespace) => this.noteNamespace(namespace.metadata.name, namespace),
        onUpdate: (namespace) => this.noteNamespace(namespace.metadata.name, namespace),
        onDelete: (namespace) => this.noteNamespace(namespace.metadata.name, undefined),
      }),
      networkPolicies.subscribe({
        name,
        onAdd: (policy) => this.notePolicy(policy, policy),
        onUpdate: (policy) => this.notePolicy(policy, policy),
        onDelete: (policy) => this.notePolicy(policy, undefined),
      }),
      pods.subscribe({
        name,
        onAdd: (pod) => this.notePod(pod),
        onUpdate: (pod) => this.notePod(pod),
        onDelete: (pod) => this.removePod(pod),
      }),
    ];
  }

  [Symbol.dispose](): void {
    for (const undo of this.undo) undo();
  }

  onChange(
    nodeName: string,
    listener: (resource: PolicyRowResource, key: string) => void,
  ): () => void {
    return this.listeners.add(nodeName, listener);
  }

  podsOn(nodeName: string): readonly string[] {
    return [...(this.nodes.get(nodeName)?.pods.keys() ?? [])];
  }

  policiesOf(nodeName: string, uid: string): readonly string[] | undefined {
    const policies = this.nodes.get(nodeName)?.pods.get(uid);
    return policies && [...policies].sort();
  }

  policiesFor(nodeName: string): readonly string[] {
    return this.nodes.get(nodeName)?.policyKeys() ?? [];
  }

  /** Undefined where the node has no pod that it isolates. */
  policyFor(nodeName: string, key: string): NodePolicy | undefined {
    if (this.nodes.get(nodeName)?.hasPolicy(key) !== true) return undefined;
    return this.compiled(key)?.policy;
  }

  chunksFor(nodeName: string): readonly Omit<AddressChunk, 'entries'>[] {
    return (this.nodes.get(nodeName)?.setIds() ?? []).flatMap((set) =>
      this.sets.nodesIn(set).map((part) => ({ set, nodeName: part })),
    );
  }

  /** Undefined where no policy of the node needs it. */
  chunkFor(nodeName: string, set: string, part: string): AddressChunk | undefined {
    if (this.nodes.get(nodeName)?.hasSet(set) !== true) return undefined;
    return this.sets.chunk(set, part);
  }

  private addResolver(addresses: readonly string[]): void {
    if (addresses.length === 0) return;
    const subject = resolverSubject(addresses);
    const record = { uid: '', subject, memberOf: new Set<string>(), policies: NONE };
    this.namespaceOf(subject.namespace).pods.set('', record);
  }

  private noteNamespace(name: string, namespace: Namespace | undefined): void {
    const labels = namespace === undefined ? undefined : (namespace.metadata.labels ?? {});
    const record = this.namespaceOf(name);
    if (isDeepStrictEqual(record.labels, labels)) return;
    record.labels = labels;
    this.sets.namespaceChanged(name);
    this.dropIfEmpty(name);
  }

  private notePolicy({ metadata }: NetworkPolicy, policy: NetworkPolicy | undefined): void {
    const { namespace = '', name } = metadata;
    const record = this.namespaceOf(namespace);
    const key = nameKey({ namespace, name });
    const before = record.policies.get(name);
    // Of one that is deleted nothing stays, also when it never had a spec.
    if (policy !== undefined && before !== undefined)
      if (isDeepStrictEqual(before.object.spec, policy.spec)) return;
    const after = policy && { object: policy, compiled: compilePolicy(policy) };
    if (after === undefined) record.policies.delete(name);
    else record.policies.set(name, after);
    for (const [id, definition] of after?.compiled.sets ?? []) this.sets.use(id, definition);
    if (before !== undefined) record.selectors.remove(name, selectorOf(before.object));
    if (after !== undefined) record.selectors.add(name, selectorOf(after.object));
    // First what the nodes have of it, then who is isolated by it.
    for (const node of this.nodes.values()) node.policyChanged(key, before?.compiled);
    for (const pod of record.pods.values()) this.isolate(pod, policyAt(pod, key, after?.object));
    for (const id of before?.compiled.sets.keys() ?? []) this.sets.release(id);
    this.dropIfEmpty(namespace);
  }

  private notePod(pod: Pod): void {
    const subject = subjectOf(pod);
    const { pods } = this.namespaceOf(subject.namespace);
    const uid = uidOf(pod);
    const known = pods.get(subject.name);
    // The name is the key: a pod made again under the same name replaces the one before.
    if (known !== undefined && known.uid !== uid) this.forget(known);
    const record = known?.uid === uid ? known : newRecord(uid, subject);
    const before = record === known ? known.subject : undefined;
    if (before !== undefined && isDeepStrictEqual(before, subject)) return;
    record.subject = subject;
    pods.set(subject.name, record);
    this.sets.put(record, before);
    this.isolate(record, this.policiesAt(subject), before?.nodeName);
  }

  private removePod({ metadata: { namespace = '', name } }: Pod): void {
    const record = this.namespaces.get(namespace)?.pods.get(name);
    if (record === undefined) return;
    this.forget(record);
    this.dropIfEmpty(namespace);
  }

  private forget(record: PodRecord): void {
    const { namespace, name, nodeName } = record.subject;
    this.sets.remove(record);
    this.namespaces.get(namespace)?.pods.delete(name);
    this.tellNode(nodeName, record.uid, undefined);
  }

  private policiesAt(subject: PolicySubject): ReadonlySet<string> {
    const { selectors, policies } = this.namespaceOf(subject.namespace);
    const found = [...selectors.candidates(subject.labels)].flatMap(
      (name) => policies.get(name)?.object ?? [],
    );
    return new Set(found.filter((policy) => isolates(policy, subject)).map(keyOf));
  }

  private isolate(record: PodRecord, policies: ReadonlySet<string>, oldNode?: string): void {
    const { nodeName } = record.subject;
    if (oldNode === undefined && policies === record.policies) return;
    record.policies = policies;
    if (oldNode !== undefined && oldNode !== nodeName)
      this.tellNode(oldNode, record.uid, undefined);
    this.tellNode(nodeName, record.uid, policies);
  }

  private tellNode(nodeName: string, uid: string, policies: ReadonlySet<string> | undefined): void {
    if (nodeName === '') return;
    const node = this.nodes.get(nodeName) ?? this.newNode(nodeName);
    const before = node.pods.get(uid);
    node.setPod(uid, policies);
    if (node.isEmpty) this.nodes.delete(nodeName);
    if (!isDeepStrictEqual(before, policies))
      this.listeners.tell(nodeName, POLICY_ROW.podPolicies, uid);
  }

  private newNode(nodeName: string): NodePolicies {
    const node = new NodePolicies({
      compiled: (key) => this.compiled(key),
      onPolicy: (key) => this.listeners.tell(nodeName, POLICY_ROW.policies, key),
      onSet: (set) => {
        for (const part of this.sets.nodesIn(set)) this.tellChunk(nodeName, set, part);
      },
    });
    this.nodes.set(nodeName, node);
    return node;
  }

  private chunkChanged(set: string, part: string): void {
    for (const [nodeName, node] of this.nodes)
      if (node.hasSet(set)) this.tellChunk(nodeName, set, part);
  }

  private tellChunk(nodeName: string, set: string, part: string): void {
    this.listeners.tell(nodeName, POLICY_ROW.addresses, chunkKey({ set, nodeName: part }));
  }

  private compiled(key: string): CompiledPolicy | undefined {
    const [namespace = '', name = ''] = key.split('/');
    return this.namespaces.get(namespace)?.policies.get(name)?.compiled;
  }

  private namespaceOf(name: string): NamespaceRecord {
    const known = this.namespaces.get(name);
    if (known !== undefined) return known;
    const record: NamespaceRecord = {
      labels: undefined,
      pods: new Map(),
      policies: new Map(),
      selectors: new SelectorIndex(),
    };
    this.namespaces.set(name, record);
    return record;
  }

  private dropIfEmpty(name: string): void {
    const record = this.namespaces.get(name);
    if (record === undefined || record.labels !== undefined) return;
    if (record.pods.size + record.policies.size === 0) this.namespaces.delete(name);
  }
}

/** The pod's policies after a change of one of them: the same set when it makes no difference to it. */
const policyAt = (
  { subject, policies }: PodRecord,
  key: string,
  policy: NetworkPolicy | undefined,
): ReadonlySet<string> => {
  const isIsolated = policy !== undefined && isolates(policy, subject);
  if (isIsolated === policies.has(key)) return policies;
  const next = new Set(policies);
  if (isIsolated) next.add(key);
  else next.delete(key);
  return next;
};

const newRecord = (uid: string, subject: PolicySubject): PodRecord => ({
  uid,
  subject,
  memberOf: new Set(),
  policies: NONE,
});

const selectorOf = ({ spec }: NetworkPolicy) => requirementsOf(spec?.podSelector ?? {});

const NONE: ReadonlySet<string> = new Set();
