import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PodExplanation, SchedulingDecision } from '../../api/decisions';
import type { Node, Pod } from '../../api/types';
import { decide } from '../../control-plane/scheduler/decide';
import { DecisionLog } from '../../control-plane/scheduler/decisions/decision-log';
import { PodExplanations } from '../../control-plane/scheduler/explanations';
import { podInfoOf } from '../../control-plane/scheduler/pod-info';
import { SchedulingQueue } from '../../control-plane/scheduler/queue';
import { Snapshot } from '../../control-plane/scheduler/snapshot';
import { suggest } from '../../control-plane/scheduler/suggest';
import { testNode, testPod } from '../../control-plane/scheduler/testing';
import { ManualClock } from '../../lib/clock';
import { renderDecisions, renderWhy } from '.';

const STYLE = { color: false, width: 100 };

/** A pod's explanation and record as the scheduler itself makes them. */
const scene = async (
  pod: Pod,
  nodes: readonly Node[],
  placed: Readonly<Record<string, readonly Pod[]>> = {},
  query = '',
) => {
  const clock = new ManualClock(Date.parse('2026-11-25T02:41:24.5Z'));
  const snapshot = new Snapshot();
  for (const node of nodes) snapshot.setNode(node);
  for (const [name, pods] of Object.entries(placed)) {
    for (const each of pods) snapshot.assume(podInfoOf(each), name);
  }
  const queue = new SchedulingQueue({
    clock,
    wakeEventsOf: () => ['PodRemoved'],
  });
  const decisions = new DecisionLog();
  const info = podInfoOf(pod);
  queue.offer(info);
  const attempt = await queue.pop(new AbortController().signal);
  const decision = decide(info, snapshot, 1);
  const suggestion = suggest(info, snapshot);
  const evicting = snapshot.node(decision.preemption?.nodeName ?? '');
  const record = decisions.record(decision, {
    attempt: attempt!,
    timeMs: clock.now(),
    latencyMicros: 85,
    ...(evicting === undefined ? {} : { node: evicting }),
    ...(decision.nodeName === undefined && suggestion !== undefined ? { suggestion } : {}),
  });
  if (decision.nodeName === undefined) queue.refused(info.uid, decision.refusedBy);
  else snapshot.assume(info, decision.nodeName);
  const pods = { hasSynced: true, get: () => pod };
  const explanations = new PodExplanations({ pods, snapshot, queue, decisions });
  const explanation = await explanations.get(
    { namespace: 'default', name: pod.metadata.name },
    new URLSearchParams(query),
  );
  return { explanation, record };
};

/** Compares with the file; `UPDATE_GOLDEN=1` writes it instead. */
const expectGolden = (name: string, text: string): void => {
  const path = join(__dirname, 'golden', `${name}.txt`);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  expect(text).toBe(readFileSync(path, 'utf8'));
};

const NODES = [
  testNode('node-1', { cpu: '2' }),
  testNode('node-2'),
  testNode('node-3', { taints: [{ key: 'maint', effect: 'NoSchedule' }] }),
];

const ports = [{ containerPort: 80, hostPort: 7000 }];

describe('dhow why', () => {
  it('shows where a pod is, who was second and which plugin decided', async () => {
    const { explanation, record } = await scene(
      testPod('web', { cpu: '500m', memory: '1Gi' }),
      NODES,
    );
    expectGolden('bound', renderWhy(explanation, STYLE));
    expectGolden('decision', renderWhy(record, STYLE));
  });

  it('shows what each node lacks by name, and the smallest change', async () => {
    const { explanation, record } = await scene(testPod('big', { cpu: '3', ports }), NODES, {
      'node-2': [testPod('front', { cpu: '2', ports }), testPod('side', { cpu: '1' })],
    });
    expectGolden('pending', renderWhy(explanation, STYLE));
    expectGolden('pending-narrow', renderWhy(explanation, { ...STYLE, width: 48 }));
    expectGolden('decision-pending', renderWhy(record, STYLE));
  });

  it('names whom a pod has end, and what that changes on the node', async () => {
    const urgent = testPod('urgent', { cpu: '1500m', priority: 9 });
    const low = { 'node-1': [testPod('low', { cpu: '2' })] };
    const { explanation, record } = await scene(urgent, NODES.slice(0, 1), low);
    const lines = [
      'evicted for it on node-1: default/low',
      'node-1 with it instead of them: pods 1 -> 1 of 110, cpu 2 -> 1500m of 2, memory 0 -> 0 of 8Gi',
    ];
    for (const text of [renderWhy(explanation, STYLE), renderWhy(record, STYLE)])
      for (const line of lines) expect(text).toContain(`  ${line}\n`);
    expect(renderDecisions([record], STYLE)).toMatch(
      / 0\/1 +evicts default\/low on node-1: 1 Insufficient cpu\n/,
    );
  });

  it('answers about one node', async () => {
    const { explanation } = await scene(testPod('web', { cpu: '1' }), NODES, {}, 'node=node-3');
    expectGolden('one-node', renderWhy(explanation, STYLE));
  });

  it('says when nothing separated two nodes', async () => {
    const { explanation } = await scene(testPod('web'), [testNode('a'), testNode('b')]);
    expectGolden('tie', renderWhy(explanation, STYLE));
  });

  it('counts nodes beyond the first twenty', async () => {
    const nodes = Array.from({ length: 50 }, (_, i) => testNode(`node-${i}`, { cpu: '1' }));
    const { explanation } = await scene(testPod('big', { cpu: '2' }), nodes);
    const text = renderWhy(explanation, STYLE);
    expect(text).toContain('and 30 more nodes: 30 Insufficient cpu');
    expect(text.split('\n').length).toBeLessThan(32);
  });

  it('says that there is no node', async () => {
    const { explanation } = await scene(testPod('web'), []);
    expectGolden('no-node', renderWhy(explanation, STYLE));
  });

  it('lets no control character of others through', async () => {
    const taints = [{ key: 'k', value: '\u001b[2J', effect: 'NoSchedule' as const }];
    const { explanation } = await scene(testPod('web'), [testNode('n', { taints })]);
    expect(renderWhy(explanation, STYLE)).not.toContain('\u001b');
    expect(renderWhy(explanation, { ...STYLE, color: true })).not.toContain('\u001b[2J');
  });

  it('explains a pod that nobody has a record of', () => {
    const explanation: PodExplanation = {
      apiVersion: 'scheduling.dhow.dev/v1',
      kind: 'PodExplanation',
      metadata: { name: 'static', namespace: 'kube-system' },
      spec: { podName: 'static' },
      status: { nodeName: 'node-1', attempts: 0, nodes: [] },
    };
    expect(renderWhy(explanation, STYLE)).toContain('kube-system/static is on node-1\n');
    const status = { ...explanation.status, nodeIsMissing: true };
    expect(renderWhy({ ...explanation, status }, STYLE)).toContain(
      'kube-system/static is bound to node-1, which does not exist\n',
    );
  });
});

describe('dhow decisions', () => {
  it('prints one line per attempt, and the same columns without a header', async () => {
    const placed = await scene(testPod('web', { cpu: '500m' }), NODES);
    const tied = await scene(testPod('tied'), [testNode('a'), testNode('b')]);
    const waiting = await scene(testPod('big', { cpu: '9' }), NODES);
    const failed: SchedulingDecision = {
      ...placed.record,
      status: {
        ...placed.record.status,
        outcome: 'Error',
        message: 'binding to node-2 failed: no',
      },
    };
    const records = [placed.record, tied.record, waiting.record, failed];
    const text = renderDecisions(records, STYLE);
    expectGolden('decisions', text);
    const alone = renderDecisions([waiting.record], { ...STYLE, header: false });
    expect(text).toContain(alone);
  });
});
