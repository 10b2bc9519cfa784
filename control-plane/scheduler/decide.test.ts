import fc from 'fast-check';
import { hostPortsClash } from '../../api/pods';
import { decide } from './decide';
import { filtersFor, firstRefusal } from './filters';
import { podInfoOf } from './pod-info';
import { DEFAULT_PROFILE } from './profile';
import { Snapshot } from './snapshot';
import { testNode, testPod } from './testing';

const label = fc.constantFrom('a', 'b', undefined);
const cpu = fc.constantFrom('100m', '500m', '1', '3', undefined);
const taint = fc.constantFrom('NoSchedule', 'PreferNoSchedule', 'NoExecute', undefined);

const arbitraryNode = fc
  .record({
    index: fc.nat(7),
    cpu: fc.constantFrom('1', '2', '4'),
    memory: fc.constantFrom('1Gi', '4Gi'),
    pods: fc.constantFrom('2', '110'),
    zone: label,
    taint,
    unschedulable: fc.boolean(),
  })
  .map(({ index, zone, taint: effect, ...rest }) =>
    testNode(`n${index}`, {
      ...rest,
      labels: zone === undefined ? {} : { zone },
      taints: effect === undefined ? [] : [{ key: 'k', effect }],
    }),
  );

const arbitraryPod = fc
  .record({
    index: fc.nat(60),
    cpu,
    memory: fc.constantFrom('128Mi', '1Gi', undefined),
    zone: label,
    tolerates: fc.boolean(),
    port: fc.constantFrom(80, 81, undefined),
    hostIP: fc.constantFrom('10.0.0.5', '10.0.0.6', ''),
    protocol: fc.constantFrom('TCP' as const, 'UDP' as const),
  })
  .map(({ index, zone, tolerates, port, hostIP, protocol, ...amounts }) =>
    testPod(`p${index}`, {
      ...(amounts.cpu === undefined ? {} : { cpu: amounts.cpu }),
      ...(amounts.memory === undefined ? {} : { memory: amounts.memory }),
      ...(zone === undefined ? {} : { nodeSelector: { zone } }),
      ...(tolerates ? { tolerations: [{ operator: 'Exists' }] } : {}),
      ...(port === undefined
        ? {}
        : { ports: [{ containerPort: port, hostPort: port, hostIP, protocol }] }),
    }),
  );

const arbitraryStep = fc.oneof(
  { weight: 5, arbitrary: arbitraryPod.map((pod) => ({ kind: 'pod' as const, pod })) },
  { weight: 2, arbitrary: arbitraryNode.map((node) => ({ kind: 'node' as const, node })) },
  { weight: 1, arbitrary: fc.nat(7).map((index) => ({ kind: 'remove-node' as const, index })) },
  { weight: 2, arbitrary: fc.nat(60).map((index) => ({ kind: 'remove-pod' as const, index })) },
);

describe('decide', () => {
  it('accounts for every node, chooses one that fits, and never gives room away twice', () => {
    fc.assert(
      fc.property(fc.array(arbitraryStep, { maxLength: 60 }), fc.integer(), (steps, seed) => {
        const snapshot = new Snapshot();
        const everOvercommitted = new Set<string>();
        for (const step of steps) {
          if (step.kind === 'node') {
            snapshot.setNode(step.node);
            // A node may shrink or come back under pods that are there: not the scheduler's doing.
            if (isOvercommitted(snapshot, step.node.metadata.name)) {
              everOvercommitted.add(step.node.metadata.name);
            }
          } else if (step.kind === 'remove-node') snapshot.removeNode(`n${step.index}`);
          else if (step.kind === 'remove-pod') snapshot.removePod(`uid-p${step.index}`);
          else {
            const pod = podInfoOf(step.pod);
            snapshot.removePod(pod.uid);
            const decision = decide(pod, snapshot, seed);
            const refused = Object.values(decision.reasons).reduce((sum, count) => sum + count, 0);
            expect(decision.nodesConsidered).toBe(snapshot.nodes.length);
            expect(refused + decision.nodesFeasible).toBe(snapshot.nodes.length);
            expect(decision.nodeName === undefined).toBe(decision.nodesFeasible === 0);
            if (decision.nodeName === undefined) continue;
            const filters = filtersFor(pod, snapshot, DEFAULT_PROFILE);
            expect(firstRefusal(filters, snapshot.node(decision.nodeName)!)).toBeUndefined();
            expect(decision.top[0]!.node).toBe(decision.nodeName);
            snapshot.assume(pod, decision.nodeName);
            if (everOvercommitted.has(decision.nodeName)) continue;
            expect(isOvercommitted(snapshot, decision.nodeName)).toBe(false);
          }
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives one answer per seed, in whatever order nodes came', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(arbitraryNode, { selector: ({ metadata }) => metadata.name }),
        arbitraryPod,
        fc.integer(),
        (nodes, pod, seed) => {
          const forward = new Snapshot();
          const backward = new Snapshot();
          for (const node of nodes) forward.setNode(node);
          for (const node of [...nodes].reverse()) backward.setNode(node);
          const info = podInfoOf(pod);
          const { top, message } = decide(info, forward, seed);
          expect(decide(info, backward, seed)).toMatchObject({ top, message });
        },
      ),
    );
  });

  it('keeps sums equal to a recount over any history', () => {
    fc.assert(
      fc.property(fc.array(arbitraryStep), (steps) => {
        const snapshot = new Snapshot();
        for (const step of steps) {
          if (step.kind === 'node') snapshot.setNode(step.node);
          else if (step.kind === 'remove-node') snapshot.removeNode(`n${step.index}`);
          else if (step.kind === 'remove-pod') snapshot.removePod(`uid-p${step.index}`);
          else snapshot.assume(podInfoOf(step.pod), `n${step.pod.metadata.name.length % 3}`);
        }
        for (const node of snapshot.nodes) {
          const recounted = node.with({});
          expect(node.requestedCpuMillis).toBe(recounted.requestedCpuMillis);
          expect(node.requestedMemoryBytes).toBe(recounted.requestedMemoryBytes);
          expect(node.scoringCpuMillis).toBe(recounted.scoringCpuMillis);
          expect(node.heldPorts).toHaveLength(recounted.heldPorts.length);
        }
      }),
    );
  });

  it('spreads equal choices over nodes instead of always taking the first', () => {
    const snapshot = new Snapshot();
    for (let i = 0; i < 8; i++) snapshot.setNode(testNode(`n${i}`));
    const chosen = new Set(
      Array.from(
        { length: 60 },
        (_, i) => decide(podInfoOf(testPod(`p${i}`)), snapshot, 1).nodeName,
      ),
    );
    expect(chosen.size).toBe(8);
    const { margin, decidedBy } = decide(podInfoOf(testPod('p')), snapshot, 1);
    expect({ margin, decidedBy }).toEqual({ margin: 0, decidedBy: 'tie' });
  });

  it('counts every reason of a node in the message, and nodes by all that refused them', () => {
    const snapshot = new Snapshot();
    snapshot.setNode(testNode('n1', { taints: [{ key: 'maint', effect: 'NoSchedule' }] }));
    snapshot.setNode(testNode('n2', { cpu: '1', memory: '1Gi' }));
    snapshot.setNode(testNode('n3', { cpu: '4' }));
    snapshot.assume(podInfoOf(testPod('full', { cpu: '4' })), 'n3');
    const { message, reasons, refusals } = decide(
      podInfoOf(testPod('p', { cpu: '2', memory: '2Gi' })),
      snapshot,
      1,
    );
    expect(message).toBe(
      '0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), ' +
        '2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: ' +
        '1 No preemption victims found for incoming pod, 2 Preemption is not helpful for scheduling.',
    );
    expect(reasons).toEqual({ 'node(s) had untolerated taint(s)': 1, 'Insufficient cpu': 2 });
    const sets = refusals.map(({ reasons: set, count }) => `${count} ${set.join(' + ')}`);
    expect(sets.sort()).toEqual([
      '1 Insufficient cpu',
      '1 Insufficient cpu + Insufficient memory',
      '1 node(s) had untolerated taint(s)',
    ]);
  });

  it('says so when there is no node at all', () => {
    const { message } = decide(podInfoOf(testPod('p')), new Snapshot(), 1);
    expect(message).toBe('no nodes available to schedule pods');
  });
});

const isOvercommitted = (snapshot: Snapshot, name: string): boolean => {
  const node = snapshot.node(name)!;
  const { cpuMillis, memoryBytes } = node.allocatable;
  const portsClash = node.heldPorts.some((a) =>
    node.heldPorts.some((b) => a.holder !== b.holder && hostPortsClash(a, b)),
  );
  return (
    portsClash ||
    node.requestedCpuMillis > cpuMillis ||
    node.requestedMemoryBytes > memoryBytes ||
    node.pods.size > node.podCountMax
  );
};
