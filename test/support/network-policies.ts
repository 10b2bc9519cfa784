import fc from 'fast-check';

import { CLUSTER_KEY, POLICY_ROW, type PolicyRowResource } from '../../api/assignment-rows';
import type { ClusterNetwork } from '../../api/cluster-network';
import { isAbout, isolates, type PolicyWorld, type Protocol } from '../../api/network-policies';
import type { AddressChunk, NodePolicy, PodPolicies } from '../../api/network-policies/rows';
import {
  keyOf,
  uidOf,
  type ApiObject,
  type Namespace,
  type NetworkPolicy,
  type Pod,
} from '../../api/types';
import type { ObjectView } from '../../control-plane/nodes/deps';
import { PolicyRows } from '../../control-plane/nodes/policies/policy-rows';
import { addressesOf } from '../../api/service-endpoints';
import { parseJson } from '../../lib/json';
import { sandboxIdOf } from '../../node-agent/inventory/labels';
import { PolicyBook } from '../../node-agent/policy/policy-book';
import type { RowTable } from '../../node-agent/session/network-tables';
import type { IpFamily } from '../../lib/net/ip';
import {
  afterChange,
  differenceOf,
  type AppliedTable,
} from '../../runtime/network/policy/difference';
import { planPolicies, type PolicyPlan } from '../../runtime/network/policy/plan';
import { containersOf } from '../../runtime/network/policy/text';
import type { PacketPolicies } from '../../runtime/packet-policies';

/*
 * Made-up worlds of pods and policies: what a server tells its nodes as they change, and what each of
 * their kernels is to hold.
 */

export const NODES = ['n1', 'n2'] as const;
export const NODE_ADDRESSES = new Map([
  ['n1', ['192.168.0.1', 'fd99::1']],
  ['n2', ['192.168.0.2', 'fd99::2']],
]);
export const RESOLVER = '10.96.0.10';
export const OUTSIDE = ['203.0.113.7', '203.0.113.200', '2001:db8::7', '2001:db8:1::7'];
const NAMESPACES = ['a', 'b', 'kube-system'];

const view = <T extends ApiObject>() => {
  const objects = new Map<string, T>();
  let handlers: Parameters<ObjectView<T>['subscribe']>[0] = {};
  const informer = {
    subscribe: (given: typeof handlers) => {
      handlers = given;
      return () => (handlers = {});
    },
  };
  return {
    objects,
    informer: informer as unknown as ObjectView<T>,
    put: (object: T) => {
      const before = objects.get(keyOf(object));
      objects.set(keyOf(object), object);
      if (before === undefined) handlers.onAdd?.(object);
      else handlers.onUpdate?.(object, before);
    },
    remove: (key: string) => {
      const object = objects.get(key);
      objects.delete(key);
      if (object !== undefined) handlers.onDelete?.(object);
    },
  };
};

const NO_OWN_PODS = { ownUid: (uid: string) => uid, uids: () => [] };

class MemoryTable<T> implements RowTable<T> {
  readonly rows = new Map<string, T>();
  private listener: (keys: ReadonlySet<string>) => void = () => undefined;
  get = (key: string) => this.rows.get(key);
  list = () => this.rows.values();
  onChange = (listener: (keys: ReadonlySet<string>) => void) => {
    this.listener = listener;
    return () => undefined;
  };
  set(key: string, value: T | undefined) {
    if (value === undefined) this.rows.delete(key);
    else this.rows.set(key, value);
    this.listener(new Set([key]));
  }
}

/** An agent that is told of changes only, and a kernel that gets differences only. */
export class TestNode {
  private readonly marked = new Map<PolicyRowResource, Set<string>>();
  private readonly tables = {
    policyAddresses: new MemoryTable<AddressChunk>(),
    networkPolicies: new MemoryTable<NodePolicy>(),
    podPolicies: new MemoryTable<PodPolicies>(),
    clusterNetwork: new MemoryTable<ClusterNetwork>(),
    isKnown: true,
  };
  private readonly book = new PolicyBook(this.tables, NO_OWN_PODS, () => undefined);
  private readonly kernels: Record<IpFamily, AppliedTable> = {
    4: { chains: new Map(), containers: new Map() },
    6: { chains: new Map(), containers: new Map() },
  };

  constructor(
    readonly name: string,
    private readonly server: PolicyRows,
  ) {
    server.onChange(name, (resource, key) => {
      this.marked.set(resource, (this.marked.get(resource) ?? new Set()).add(key));
    });
    this.tables.clusterNetwork.set(CLUSTER_KEY, { clusterDns: [RESOLVER] } as never);
  }

  hear(): void {
    const { rows, removed } = this.server.changesOf(this.name, this.marked);
    this.marked.clear();
    for (const { resource, key } of removed) this.table(resource).set(key, undefined);
    for (const { resource, key, json } of rows)
      this.table(resource).set(key, parseJson(json.toString()));
  }

  told(): ReadonlySet<string> {
    const { policyAddresses, networkPolicies, podPolicies } = this.tables;
    const texts = [
      ...[...policyAddresses.rows].map((row) => JSON.stringify([POLICY_ROW.addresses, ...row])),
      ...[...networkPolicies.rows].map((row) => JSON.stringify([POLICY_ROW.policies, ...row])),
      ...[...podPolicies.rows].map((row) => JSON.stringify([POLICY_ROW.podPolicies, ...row])),
    ];
    return new Set(texts);
  }

  all(): ReadonlySet<string> {
    return new Set(
      this.server
        .rows(this.name)
        .map(({ resource, key, json }) =>
          JSON.stringify([resource, key, parseJson(json.toString())]),
        ),
    );
  }

  wanted(): PacketPolicies {
    return this.book.wanted(() => true)!;
  }

  plan(pods: Iterable<Pod>, family: IpFamily): PolicyPlan {
    const addresses = new Map<string, readonly string[]>();
    for (const pod of pods)
      if (pod.spec.nodeName === this.name && pod.spec.hostNetwork !== true && pod.status.podIP)
        addresses.set(sandboxIdOf(uidOf(pod)), addressesOf(pod));
    const plan = planPolicies(this.wanted(), addresses, family);
    const difference = differenceOf(this.kernels[family], plan);
    const before = this.kernels[family];
    this.kernels[family] = afterChange(before, plan);
    // What a kernel has after the changes is what the plan asks for.
    for (const { container, added, removed } of difference.changes) {
      const elements = new Map(before.containers.get(container)!.elements);
      for (const key of removed) elements.delete(key);
      for (const [key, value] of added) elements.set(key, value);
      expect(elements).toEqual(containersOf(plan).get(container)!.elements);
    }
    return plan;
  }

  private table(resource: string): MemoryTable<unknown> {
    switch (resource) {
      case POLICY_ROW.addresses:
        return this.tables.policyAddresses;
      case POLICY_ROW.policies:
        return this.tables.networkPolicies;
      default:
        return this.tables.podPolicies;
    }
  }
}

export const someLabels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('x', 'y'), {
  maxKeys: 2,
});
const selector = fc.oneof(
  fc.constant({}),
  someLabels.map((matchLabels) => ({ matchLabels })),
  fc
    .record({
      key: fc.constantFrom('app', 'tier'),
      operator: fc.constantFrom('In', 'NotIn', 'Exists', 'DoesNotExist'),
      values: fc.uniqueArray(fc.constantFrom('x', 'y'), { minLength: 1 }),
    })
    .map(({ values, ...rest }) => ({
      matchExpressions: [rest.operator.endsWith('In') ? { ...rest, values } : rest],
    })),
  fc.constant({ matchLabels: { 'k8s-app': 'kube-dns' } }),
);
const BLOCKS = [
  { cidr: '0.0.0.0/0' },
  { cidr: '203.0.113.9/24', except: ['203.0.113.128/25', '203.0.113.192/26'] },
  { cidr: '10.42.1.0/24', except: ['10.42.1.3/32'] },
  { cidr: '192.168.0.0/16' },
  { cidr: '10.96.0.0/16' },
  { cidr: '2001:db8::/32', except: ['2001:db8:1::/48'] },
  { cidr: '::/0' },
  { cidr: 'fd42:0:0:1::/64', except: ['fd42:0:0:1::3/128'] },
];
const peerOf = (blocks: typeof BLOCKS) =>
  fc.oneof(
    selector.map((podSelector) => ({ podSelector })),
    selector.map((namespaceSelector) => ({ namespaceSelector })),
    fc.record({ podSelector: selector, namespaceSelector: selector }),
    fc.constantFrom(...blocks).map((ipBlock) => ({ ipBlock })),
  );
const protocol = fc.constantFrom<Protocol>('TCP', 'UDP');
const port = fc.oneof(
  fc.record({ protocol }),
  fc.record({ protocol, port: fc.constantFrom(53, 80, 81, 'http', 'dns') }),
  fc.record({ protocol, port: fc.constantFrom(50, 80), endPort: fc.constantFrom(80, 90) }),
);
const rulesOf = (name: 'from' | 'to', blocks: typeof BLOCKS) =>
  fc.array(
    fc
      .record({
        peers: fc.array(peerOf(blocks), { maxLength: 2 }),
        ports: fc.array(port, { maxLength: 3 }),
      })
      .map(({ peers, ports }) => ({ [name]: peers, ports })),
    { maxLength: 2 },
  );
/** Some policy of namespace `a` or `b`. */
export const somePolicy = (blocks: readonly (typeof BLOCKS)[number][] = BLOCKS) =>
  fc
    .record({
      name: fc.constantFrom('p1', 'p2', 'p3'),
      namespace: fc.constantFrom('a', 'b'),
      podSelector: selector,
      ingress: rulesOf('from', [...blocks]),
      egress: rulesOf('to', [...blocks]),
      policyTypes: fc.constantFrom([], ['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    })
    .map(({ name, namespace, ...spec }): NetworkPolicy => ({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace },
      spec: spec,
    }));
/** A body may lack what its type promises: such a policy isolates all pods of its namespace. */
const policy = fc.oneof(
  { weight: 9, arbitrary: somePolicy() },
  {
    weight: 1,
    arbitrary: somePolicy().map(({ spec: _spec, ...object }): NetworkPolicy => object),
  },
);
const pod = fc
  .record({
    number: fc.integer({ min: 2, max: 6 }),
    namespace: fc.constantFrom('a', 'b'),
    labels: someLabels,
    made: fc.integer({ min: 1, max: 2 }),
    node: fc.constantFrom('', ...NODES),
    onHost: fc.integer({ min: 0, max: 6 }).map((n) => n === 0),
    hasAddress: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
    port: fc.constantFrom(80, 81),
    phase: fc.constantFrom('Running', 'Running', 'Running', 'Succeeded'),
  })
  .map((given): Pod => {
    const { number, namespace, node, onHost, made } = given;
    // One address for each pod there can be: nobody else has it.
    const address = `10.42.${node === 'n2' ? 2 : 1}.${number + (namespace === 'a' ? 0 : 10)}`;
    const podIP = onHost ? NODE_ADDRESSES.get(node)?.[0] : address;
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name: `pod${number}`,
        namespace,
        uid: `${namespace}-${number}-${made}-${node}-${onHost}-${given.port}`,
        labels: given.labels,
      },
      spec: {
        ...(node === '' ? {} : { nodeName: node }),
        ...(onHost ? { hostNetwork: true } : {}),
        containers: [{ name: 'c', ports: [{ name: 'http', containerPort: given.port }] }],
      },
      status:
        given.hasAddress && node !== '' && podIP !== undefined
          ? { podIP, podIPs: bothOf(podIP, node), phase: given.phase }
          : { phase: 'Pending' },
    };
  });
/** Of a pod, or of the node that it shares. */
const bothOf = (podIP: string, node: string) => {
  const [, , third = '', fourth = ''] = podIP.split('.');
  const shared = NODE_ADDRESSES.get(node)?.includes(podIP) === true;
  const six = shared ? NODE_ADDRESSES.get(node)?.[1] : `fd42:0:0:${third}::${fourth}`;
  return [podIP, six ?? ''].map((ip) => ({ ip }));
};

export const someChange = fc.oneof(
  { weight: 4, arbitrary: pod.map((object) => ({ pod: object })) },
  { weight: 4, arbitrary: policy.map((object) => ({ policy: object })) },
  {
    weight: 2,
    arbitrary: fc.record({
      namespace: fc.constantFrom(...NAMESPACES),
      labels: fc.option(someLabels, { nil: undefined }),
    }),
  },
  { weight: 1, arbitrary: pod.map((object) => ({ noPod: object })) },
  { weight: 1, arbitrary: policy.map((object) => ({ noPolicy: object })) },
);

export const madeUpWorld = () => {
  const [pods, policies, namespaces] = [view<Pod>(), view<NetworkPolicy>(), view<Namespace>()];
  const server = new PolicyRows(
    { pods: pods.informer, networkPolicies: policies.informer, namespaces: namespaces.informer },
    [RESOLVER],
  );
  const nodes = NODES.map((name) => new TestNode(name, server));
  const apply = (each: typeof someChange extends fc.Arbitrary<infer T> ? T : never) => {
    if ('pod' in each) pods.put(each.pod);
    else if ('policy' in each) policies.put(each.policy);
    else if ('noPod' in each) pods.remove(keyOf(each.noPod));
    else if ('noPolicy' in each) policies.remove(keyOf(each.noPolicy));
    else if (each.labels === undefined) namespaces.remove(each.namespace);
    else
      namespaces.put({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: each.namespace, labels: each.labels },
      });
  };
  const known: PolicyWorld = {
    isolating: (subject, direction) =>
      [...policies.objects.values()].filter(
        (policy) => isAbout(policy, direction) && isolates(policy, subject),
      ),
    namespaceLabels: (name) =>
      namespaces.objects.has(name)
        ? (namespaces.objects.get(name)?.metadata.labels ?? {})
        : undefined,
    nodeAddresses: (name) => NODE_ADDRESSES.get(name) ?? [],
  };
  return { server, pods, policies, namespaces, nodes, apply, known };
};
