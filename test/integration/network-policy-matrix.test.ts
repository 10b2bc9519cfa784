import fc from 'fast-check';

import { decideConnection, subjectOf, type ConnectionEnd } from '../../api/network-policies';
import type { NetworkPolicy, Pod } from '../../api/types';
import { sandboxIdOf } from '../../node-agent/inventory/labels';
import type { PacketPolicies } from '../../runtime/packet-policies';
import { madeUpWorld, someLabels, somePolicy } from '../support/network-policies';
import { NetnsLab, type NetworkNode } from './network/netns';
import type { WirePolicies } from './network/node';
import { attach } from './network/pairs';
import { startPeer, type Peer, type Try } from './network/peer';

/*
 * Made-up policies, and every pair of pods tried with real packets: what passes is what the API says.
 * A few rounds, or as many as DHOW_POLICY_ROUNDS says (`npm run test:policies`).
 */

const ROUNDS = Number(process.env['DHOW_POLICY_ROUNDS'] ?? 12);
const SEED = Number(process.env['DHOW_POLICY_SEED'] ?? 7);
const PODS_PER_NODE = 5;

jest.setTimeout(120_000 + ROUNDS * 30_000);

const BLOCKS = [
  { cidr: '0.0.0.0/0' },
  { cidr: '10.77.1.0/24', except: ['10.77.1.2/31'] },
  { cidr: '10.77.0.9/16', except: ['10.77.2.0/24', '10.77.2.4/32'] },
  { cidr: '10.77.2.4/32' },
];
const PROBES = [
  ['TCP', 80],
  ['TCP', 81],
  ['UDP', 53],
] as const;

interface TestPod {
  readonly object: Pod;
  readonly end: ConnectionEnd;
  readonly peer: Peer;
}

let lab: NetnsLab;
let nodes: readonly NetworkNode[];
let pods: TestPod[];
beforeAll(async () => {
  lab = new NetnsLab();
  pods = [];
  const addresses = ['192.168.77.1', '192.168.77.2'];
  const ranges = ['10.77.1.0/24', '10.77.2.0/24'];
  const places = ['n1', 'n2'].map((name) => lab.netns(name));
  lab.wire(places[0]!, '192.168.77.1/24', places[1]!, '192.168.77.2/24');
  const started: NetworkNode[] = [];
  for (const [i, netns] of places.entries()) {
    const node = await lab.node(netns, {
      ...{ podCidrs: [ranges[i]!], nodeAddresses: [addresses[i]!], interfacePrefix: 'nwm' },
    });
    const other = 1 - i;
    const peer = {
      nodeName: `n${other + 1}`,
      addresses: [addresses[other]],
      podCidrs: [ranges[other]],
    };
    await node.call('syncPeers', [{ ...peer, isUnreachable: false }]);
    for (let n = 0; n < PODS_PER_NODE; n++) pods.push(await startPod(node, `n${i + 1}`, n));
    started.push(node);
  }
  nodes = started;
});
afterAll(async () => {
  for (const { peer } of pods) await peer[Symbol.asyncDispose]();
  await lab.dispose();
});

const startPod = async (node: NetworkNode, nodeName: string, n: number): Promise<TestPod> => {
  const name = `${nodeName}-${n}`;
  const path = lab.netns(name);
  const { ip } = await attach(node, sandboxIdOf(name), path);
  const port = n % 2 === 0 ? 80 : 81;
  const object: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, uid: name, namespace: n % 3 === 0 ? 'b' : 'a' },
    spec: { nodeName, containers: [{ name: 'c', ports: [{ name: 'http', containerPort: port }] }] },
    status: { podIP: ip, phase: 'Running' },
  };
  const peer = await startPeer(path, [80, 81, 53]);
  return { object, end: { address: ip, subject: subjectOf(object) }, peer };
};

const roundsOf = (count: number) =>
  fc.sample(
    fc.record({
      policies: fc.array(somePolicy(BLOCKS), { minLength: 1, maxLength: 4 }),
      labels: fc.array(someLabels, { minLength: 10, maxLength: 10 }),
      namespaces: fc.tuple(someLabels, someLabels),
    }),
    { numRuns: count, seed: SEED },
  );

const overWire = (policies: PacketPolicies): WirePolicies => ({
  sandboxes: Object.fromEntries(policies.sandboxes),
  policies: Object.fromEntries(policies.policies),
  addressSets: Object.fromEntries(policies.addressSets),
  portSets: Object.fromEntries(policies.portSets),
  guardedAddresses: policies.guardedAddresses,
});

it('lets exactly those packets pass that the API lets pass', async () => {
  const world = madeUpWorld();
  const counts = { reached: 0, silence: 0 };
  let current: readonly NetworkPolicy[] = [];
  for (const { policies, labels, namespaces } of roundsOf(ROUNDS)) {
    namespaces.forEach((each, i) => world.apply({ namespace: 'ab'[i] as 'a', labels: each }));
    const round = pods.map(({ object, ...pod }, i) => {
      const metadata = { ...object.metadata, labels: labels[i] ?? {} };
      const labelled = { ...object, metadata };
      world.apply({ pod: labelled });
      return { ...pod, end: { ...pod.end, subject: subjectOf(labelled) } };
    });
    for (const gone of current) world.apply({ noPolicy: gone });
    for (const policy of policies) world.apply({ policy });
    current = policies;
    for (const [i, node] of world.nodes.entries()) {
      node.hear();
      await nodes[i]!.call('syncPolicies', overWire(node.wanted()));
    }
    for (const { result, expected, what } of await tryAll(round, world.known)) {
      counts[expected]++;
      if (result !== expected)
        throw new Error(
          `${what}: ${result}, not ${expected}\n${JSON.stringify({ policies, labels, namespaces })}`,
        );
    }
  }
  for (const node of nodes) expect(await node.call('warnings')).toEqual([]);
  // Both answers are common, or nothing has been shown.
  const all = counts.reached + counts.silence;
  expect(all).toBe(ROUNDS * pods.length ** 2 * PROBES.length);
  expect(Math.min(counts.reached, counts.silence)).toBeGreaterThan(all / 10);
});

type Round = readonly Pick<TestPod, 'end' | 'peer'>[];

/** From all pods at once. What should get through and did not, on a busy machine, is tried once more. */
const tryAll = async (round: Round, known: ReturnType<typeof madeUpWorld>['known']) =>
  (
    await Promise.all(
      round.map(async ({ end: from, peer }) => {
        const asked = round.flatMap(({ end: to }) =>
          PROBES.map(([protocol, port]) => ({ to, protocol, port })),
        );
        const tries = asked.map(({ to, protocol, port }): Try => ({
          protocol: protocol === 'TCP' ? 'tcp' : 'udp',
          address: to.address,
          port,
        }));
        const results = await peer.attempt(tries);
        const answers = asked.map(({ to, protocol, port }, i) => {
          const { isAllowed } = decideConnection({ from, to, protocol, port }, known);
          const expected = isAllowed ? ('reached' as const) : ('silence' as const);
          const what = `${protocol} ${from.address} -> ${to.address}:${port}`;
          return { result: results[i], expected, what, tried: tries[i]! };
        });
        return Promise.all(answers.map((answer) => again(peer, answer)));
      }),
    )
  ).flat();

const again = async <
  T extends { readonly result: unknown; readonly expected: string; readonly tried: Try },
>(
  peer: Peer,
  answer: T,
): Promise<T> => {
  if (answer.expected !== 'reached' || answer.result === 'reached') return answer;
  const [result] = await peer.attempt([answer.tried], 5_000);
  return { ...answer, result };
};
