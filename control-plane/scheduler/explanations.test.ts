import { ManualClock } from '../../lib/clock';
import { DecisionLog } from './decisions/decision-log';
import { PodExplanations } from './explanations';
import { podInfoOf } from './pod-info';
import { SchedulingQueue } from './queue';
import { Snapshot } from './snapshot';
import { testNode, testPod, type PodOptions } from './testing';

const setUp = (hasSynced = true, options: PodOptions = { cpu: '8' }) => {
  const pod = testPod('web', options);
  const snapshot = new Snapshot();
  snapshot.setNode(testNode('n1'));
  snapshot.setNode(testNode('n2', { cpu: '2' }));
  const clock = new ManualClock(Date.parse('2026-11-25T00:00:00Z'));
  const queue = new SchedulingQueue({
    clock,
    wakeEventsOf: () => ['PodRemoved'],
  });
  const pods = { hasSynced, get: (key: string) => (key === 'default/web' ? pod : undefined) };
  const explanations = new PodExplanations({ pods, snapshot, queue, decisions: new DecisionLog() });
  const get = (name = 'web', query = '') =>
    explanations.get({ namespace: 'default', name }, new URLSearchParams(query));
  return { get, queue, info: podInfoOf(pod), snapshot };
};

describe('PodExplanations', () => {
  it('tell where the pod waits, until when, and for what', async () => {
    const { get, queue, info } = setUp();
    queue.offer(info);
    expect((await get()).status).toMatchObject({
      ...{ queue: 'active', attempts: 0, queuePosition: 1, queueSize: 1 },
    });
    queue.offer(podInfoOf(testPod('first', { priority: 9 })));
    expect((await get()).status).toMatchObject({ queuePosition: 2, queueSize: 2 });
    queue.remove('uid-first');
    await queue.pop(new AbortController().signal);
    queue.refused(info.uid, new Set(['NodeResourcesFit']));
    expect((await get()).status).toMatchObject({
      queue: 'unschedulable',
      retryBy: '2026-11-25T00:05:00.000000Z',
      waitingFor: ['a new node', 'a pod that ends or is deleted'],
    });
    queue.wake({ event: 'PodRemoved', key: 'n1', effectOn: () => 'may-help' });
    const popping = queue.pop(AbortSignal.timeout(10));
    expect((await get()).status).toMatchObject({
      queue: 'backoff',
      retryAt: '2026-11-25T00:00:01.000000Z',
      suggestion: 'lower the cpu request from 8 to 4, or add a node with 8 cpu to allocate',
    });
    await popping;
  });

  it('answer about one node, and know which nodes there are', async () => {
    const { get } = setUp();
    const { status } = await get('web', 'node=n2');
    expect(status.nodes.map(({ node, fits }) => [node, fits])).toEqual([['n2', false]]);
    await expect(get('web', 'node=n9')).rejects.toMatchObject({
      reason: 'NotFound',
      message: 'nodes "n9" not found',
    });
  });

  it('suggest about the node that was asked about only', async () => {
    const { get, queue, info } = setUp(true, { nodeSelector: { disk: 'ssd' } });
    queue.offer(info);
    const { status } = await get('web', 'node=n2');
    expect(status.suggestion).toContain('n2');
    expect(status.suggestion).not.toMatch(/n1|add a node/);
  });

  it('name the gate that holds a pod, and the scheduler that is to place it', async () => {
    const gated = setUp(true, { schedulingGates: [{ name: 'quota' }] });
    gated.queue.offer(gated.info);
    expect((await gated.get()).status).toMatchObject({
      queue: 'gated',
      gates: ['quota'],
      suggestion: 'remove the scheduling gate quota from the pod',
    });
    const theirs = (await setUp(true, { schedulerName: 'other' }).get()).status;
    expect(theirs).toMatchObject({
      schedulerName: 'other',
      waitingFor: ['the scheduler other to place it'],
    });
    expect(theirs.suggestion).toBeUndefined();
  });

  it('know a pod that is assumed on its node and not yet bound', async () => {
    const { get, snapshot, info } = setUp();
    snapshot.assume(info, 'n1');
    expect((await get()).status.nodeName).toBe('n1');
  });

  it('say so when the node that a pod names does not exist', async () => {
    const { get, snapshot, info } = setUp(true, { nodeName: 'nowhere' });
    snapshot.setPod(info.pod);
    expect((await get()).status).toMatchObject({ nodeName: 'nowhere', nodeIsMissing: true });
  });

  it('judge other nodes by what a bound pod asks for, not by where it is', async () => {
    const { get, snapshot, info } = setUp(true, { cpu: '1', nodeName: 'n1' });
    snapshot.setPod(info.pod);
    const { status } = await get();
    expect(status.nodeName).toBe('n1');
    expect(status.nodes.map(({ node, fits }) => [node, fits])).toEqual([
      ['n1', true],
      ['n2', true],
    ]);
  });

  it('say that a pod is unknown only after having read the pods', async () => {
    await expect(setUp().get('gone')).rejects.toMatchObject({ reason: 'NotFound' });
    await expect(setUp(false).get('gone')).rejects.toMatchObject({ reason: 'ServiceUnavailable' });
  });
});
