import type { NetworkPolicy } from '../types';
import { decideConnection, type ConnectionEnd, type DirectionVerdict } from './decide';
import { PoliciesByLabel } from './policies-by-label';
import { resolverSubject, subjectOf, type Protocol } from './subject';

type Spec = NonNullable<NetworkPolicy['spec']>;

const policy = (spec: Partial<Spec>, name = 'p', namespace = 'shop'): NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace },
  spec: { podSelector: {}, ...spec },
});

const pod = (
  name: string,
  address: string,
  { namespace = 'shop', labels = {}, spec = {} } = {},
): ConnectionEnd => ({
  address,
  subject: subjectOf({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels: { app: name, ...labels } },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }],
      ...spec,
    },
    status: { podIP: address },
  }),
});

const NAMESPACES = new Map([
  ['shop', { team: 'a' }],
  ['other', { team: 'b' }],
]);
const WEB = pod('web', '10.42.1.2');
const CLIENT = pod('client', '10.42.2.2', { spec: { nodeName: 'n2', containers: [] } });
const STRANGER = pod('client', '10.42.2.3', { namespace: 'other' });
const OUTSIDE = { address: '203.0.113.7' };

const asked = (
  policies: readonly NetworkPolicy[],
  from: ConnectionEnd,
  to: ConnectionEnd,
  port = 8080,
  protocol: Protocol = 'TCP',
) =>
  decideConnection(
    { from, to, protocol, port },
    {
      isolating: (subject, direction) =>
        new PoliciesByLabel(policies).isolating(subject, direction),
      namespaceLabels: (name) => NAMESPACES.get(name),
      nodeAddresses: (name) => (name === 'n1' ? ['192.168.0.1', '10.42.1.1'] : ['192.168.0.2']),
    },
  );

const from = (...peers: NonNullable<NonNullable<Spec['ingress']>[number]['from']>) => ({
  ingress: [{ from: peers }],
});
const byRule = (rule = 0, name = 'shop/p'): DirectionVerdict => ({
  isAllowed: true,
  because: 'Rule',
  policy: name,
  rule,
});

it('lets everything pass where no policy isolates', () => {
  expect(asked([], CLIENT, WEB)).toEqual({
    isAllowed: true,
    egress: { isAllowed: true, because: 'NotIsolated' },
    ingress: { isAllowed: true, because: 'NotIsolated' },
  });
  const elsewhere = policy({ podSelector: { matchLabels: { app: 'db' } } });
  expect(asked([elsewhere, policy({}, 'p', 'other')], CLIENT, WEB).isAllowed).toBe(true);
});

it('is about what comes in, and about what goes out only where it says so', () => {
  const deny = policy({});
  expect(asked([deny], OUTSIDE, WEB).ingress).toEqual({
    isAllowed: false,
    because: 'NoRule',
    policies: [{ policy: 'shop/p', rules: [] }],
  });
  expect(asked([deny], WEB, OUTSIDE).isAllowed).toBe(true);
  const allowsOut = policy({ egress: [{}] });
  expect(asked([allowsOut], OUTSIDE, WEB).isAllowed).toBe(false);
  const onlyOut = policy({ policyTypes: ['Egress'] });
  expect(asked([onlyOut], WEB, OUTSIDE).isAllowed).toBe(false);
  expect(asked([onlyOut], OUTSIDE, WEB).isAllowed).toBe(true);
});

it.each([
  ['a selector of pods means those of its own namespace', { podSelector: {} }, true, false],
  ['one of namespaces all pods in them', { namespaceSelector: {} }, true, true],
  ['both together mean both', both('client', 'b'), false, true],
  ['labels must match', { podSelector: { matchLabels: { app: 'x' } } }, false, false],
])('%s', (_what, peer, inOwn, inOther) => {
  const policies = [policy(from(peer))];
  expect(asked(policies, CLIENT, WEB).isAllowed).toBe(inOwn);
  expect(asked(policies, STRANGER, WEB).isAllowed).toBe(inOther);
  expect(asked(policies, OUTSIDE, WEB).isAllowed).toBe(false);
});

it('knows blocks of addresses and what they leave out', () => {
  const block = { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.8/31'] } };
  const policies = [policy(from(block))];
  expect(asked(policies, OUTSIDE, WEB).ingress).toEqual(byRule());
  expect(asked(policies, { address: '203.0.113.9' }, WEB).isAllowed).toBe(false);
  expect(asked(policies, { address: '203.0.114.1' }, WEB).isAllowed).toBe(false);
  expect(asked(policies, { address: '2001:db8::1' }, WEB).isAllowed).toBe(false);
});

it('knows ports, ranges of them, and names that each pod gives to its own', () => {
  const ports = (...list: NonNullable<NonNullable<Spec['ingress']>[number]['ports']>) =>
    policy({ ingress: [{ ports: list }] });
  expect(asked([ports({ port: 8080 })], CLIENT, WEB).isAllowed).toBe(true);
  expect(asked([ports({ port: 8080 })], CLIENT, WEB, 8080, 'UDP').isAllowed).toBe(false);
  expect(asked([ports({ port: 8000, endPort: 8080 })], CLIENT, WEB).isAllowed).toBe(true);
  expect(asked([ports({ port: 8000, endPort: 8080 })], CLIENT, WEB, 8081).isAllowed).toBe(false);
  expect(asked([ports({ protocol: 'TCP' })], CLIENT, WEB, 1).isAllowed).toBe(true);
  expect(asked([ports({ port: 'web' })], CLIENT, WEB).isAllowed).toBe(true);
  expect(asked([ports({ port: 'web' })], CLIENT, WEB, 80).isAllowed).toBe(false);
  const other = { ports: [{ name: 'web', containerPort: 81 }], name: 'c' };
  const second = pod('second', '10.42.1.9', { spec: { containers: [other] } });
  expect(asked([ports({ port: 'web' })], CLIENT, second, 81).isAllowed).toBe(true);
});

it('adds policies up, and says of those that deny what is missing', () => {
  const narrow = policy({ ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 1 }] }] }, 'a');
  const wide = policy(from(both('client', 'b')), 'b');
  expect(asked([narrow, wide], STRANGER, WEB).ingress).toEqual(byRule(0, 'shop/b'));
  expect(asked([narrow, wide], CLIENT, WEB).ingress).toEqual({
    isAllowed: false,
    because: 'NoRule',
    policies: [
      { policy: 'shop/a', rules: [{ peer: true, port: false }] },
      { policy: 'shop/b', rules: [{ peer: false, port: true }] },
    ],
  });
});

it('never comes between a pod and its own node, nor between a pod and itself', () => {
  const deny = policy({ policyTypes: ['Ingress', 'Egress'] });
  const node = { address: '192.168.0.1' };
  expect(asked([deny], node, WEB).ingress).toEqual({ isAllowed: true, because: 'OwnNode' });
  expect(asked([deny], WEB, node).egress).toEqual({ isAllowed: true, because: 'OwnNode' });
  expect(asked([deny], { address: '192.168.0.2' }, WEB).isAllowed).toBe(false);
  expect(asked([deny], WEB, WEB).isAllowed).toBe(true);
});

it('takes a pod on the network of its node for the node', () => {
  const onNode = (nodeName: string, address: string) =>
    pod('agent', address, { spec: { nodeName, hostNetwork: true, containers: [] } });
  const policies = [policy({ policyTypes: ['Ingress', 'Egress'], ...from({ podSelector: {} }) })];
  expect(asked(policies, OUTSIDE, onNode('n1', '192.168.0.1')).isAllowed).toBe(true);
  expect(asked(policies, onNode('n1', '192.168.0.1'), WEB).isAllowed).toBe(true);
  expect(asked(policies, onNode('n2', '192.168.0.2'), WEB).isAllowed).toBe(false);
  const block = [policy(from({ ipBlock: { cidr: '192.168.0.2/32' } }))];
  expect(asked(block, onNode('n2', '192.168.0.2'), WEB).isAllowed).toBe(true);
});

it('takes the resolver of the node for the pods that it stands in for', () => {
  const dns = { address: '10.96.0.10', subject: resolverSubject(['10.96.0.10']) };
  const toDns = policy({
    egress: [
      { to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }] },
    ],
  });
  NAMESPACES.set('kube-system', { team: 'x' });
  expect(asked([policy({ policyTypes: ['Egress'] })], WEB, dns, 53, 'UDP').isAllowed).toBe(false);
  expect(asked([toDns], WEB, dns, 53, 'UDP').isAllowed).toBe(true);
  const byName = policy({ policyTypes: ['Egress'], egress: [{ ports: [{ port: 'dns-tcp' }] }] });
  expect(asked([byName], WEB, dns, 53).isAllowed).toBe(true);
  expect(asked([policy({}, 'p', 'kube-system')], WEB, dns, 53).isAllowed).toBe(true);
});

function both(app: string, team: string) {
  return {
    podSelector: { matchLabels: { app } },
    namespaceSelector: { matchLabels: { team } },
  };
}
