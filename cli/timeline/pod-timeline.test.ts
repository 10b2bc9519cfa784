import fc from 'fast-check';
import type { SchedulingDecision } from '../../api/decisions';
import type { Event, Pod } from '../../api/types';
import { podTimeline } from './pod-timeline';

const at = (second: number, fraction = '') =>
  `2026-11-29T10:00:${String(second).padStart(2, '0')}${fraction}Z`;

const pod = (status: object, metadata: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'u',
    creationTimestamp: at(0),
    ...metadata,
  },
  spec: { containers: [{ name: 'main', image: 'app:1' }] },
  status,
});

const decision = (second: number, outcome: string, more: object = {}): SchedulingDecision =>
  ({
    spec: { podName: 'web', podUID: 'u', attempt: 1, time: at(second, '.250000'), trigger: 'x' },
    status: { outcome, nodesConsidered: 3, nodesFeasible: 0, message: 'no room.', ...more },
  }) as unknown as SchedulingDecision;

const event = (second: number, reason: string, more: object = {}): Event =>
  ({
    reason,
    message: `${reason} it`,
    firstTimestamp: at(second),
    lastTimestamp: at(second),
    involvedObject: { fieldPath: 'spec.containers{main}' },
    metadata: {},
    ...more,
  }) as unknown as Event;

const steps = (...args: Parameters<typeof podTimeline>) =>
  podTimeline(...args).map(({ step, message }) => `${step}: ${message}`);

describe('a timeline', () => {
  const placed = { nodeName: 'node-2', nodesFeasible: 2, decidedBy: 'ImageLocality' };

  it('tells a life in order, also within one second', () => {
    const status = {
      conditions: [
        { type: 'PodScheduled', status: 'True', lastTransitionTime: at(0) },
        { type: 'Ready', status: 'True', lastTransitionTime: at(3) },
      ],
      containerStatuses: [
        { name: 'main', restartCount: 0, state: { running: { startedAt: at(3) } } },
      ],
    };
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'set', controller: true };
    const decisions = [decision(0, 'Scheduled', placed)];
    const events = [event(0, 'Pulling'), event(2, 'Pulled'), event(3, 'Started')];
    const entries = podTimeline(pod(status, { ownerReferences: [owner] }), events, decisions);
    expect(entries.map(({ step }) => step)).toEqual([
      ...['Created', 'Scheduled', 'Pulling', 'Pulled', 'Started', 'Ready'],
    ]);
    expect(entries[0]?.message).toBe('by ReplicaSet/set');
    expect(entries[1]?.message).toBe('to node-2: 2 of 3 nodes fit, decided by ImageLocality');
    expect(entries[3]).toMatchObject({ container: 'main', tookMs: 2000 });
  });

  it('counts attempts that failed alike, and tells what would help', () => {
    const decisions = [
      decision(1, 'Unschedulable', { suggestion: 'ask for less.' }),
      decision(2, 'Unschedulable', { suggestion: 'ask for less.' }),
      decision(5, 'Scheduled', placed),
    ];
    const [, waiting, scheduled] = podTimeline(pod({}), [], decisions);
    expect(waiting).toMatchObject({
      step: 'Unschedulable',
      message: 'no room. Try: ask for less.',
      count: 2,
      lastTime: at(2, '.250000'),
    });
    expect(scheduled).toMatchObject({ step: 'Scheduled', tookMs: 4000 });
  });

  it('falls back on the condition when the decisions are forgotten', () => {
    const condition = { type: 'PodScheduled', status: 'True', lastTransitionTime: at(4) };
    expect(steps(pod({ conditions: [condition] }), [], [])[1]).toBe('Scheduled: to ?');
  });

  it('says how runs ended, and that they began again', () => {
    const terminated = {
      ...{ exitCode: 137, reason: 'OOMKilled', startedAt: at(2), finishedAt: at(9) },
    };
    const status = {
      containerStatuses: [
        {
          ...{ name: 'main', restartCount: 3, lastState: { terminated } },
          state: { running: { startedAt: at(12) } },
        },
      ],
    };
    const backOff = event(9, 'BackOff', { count: 4, lastTimestamp: at(11) });
    const entries = podTimeline(pod(status), [backOff], []);
    expect(entries.slice(1)).toEqual([
      expect.objectContaining({ step: 'Started', message: 'restart 2' }),
      expect.objectContaining({ step: 'BackOff', count: 4, lastTime: at(11) }),
      expect.objectContaining({ step: 'Ended', message: 'exit code 137 after 7s: OOMKilled' }),
      expect.objectContaining({ step: 'Started', message: 'restart 3' }),
    ]);
  });

  it('tells when its end was asked for', () => {
    const metadata = { deletionTimestamp: at(40), deletionGracePeriodSeconds: 30 };
    const [, last] = podTimeline(pod({}, metadata), [], []);
    expect(last).toMatchObject({ step: 'Deleted', tookMs: 10_000 });
  });

  it('is in order and counts no time backwards, whatever the stamps are', () => {
    const stamp = fc.constantFrom(at(0), at(1, '.900'), at(1), 'never', '');
    fc.assert(
      fc.property(fc.array(stamp), fc.array(stamp), (seen, decided) => {
        const events = seen.map((firstTimestamp) => event(0, 'Seen', { firstTimestamp }));
        const decisions = decided.map((time, i) => {
          const { spec, status } = decision(0, 'Error', { message: String(i) });
          return { spec: { ...spec, time }, status } as SchedulingDecision;
        });
        const entries = podTimeline(pod({}), events, decisions);
        const seconds = entries.map(({ time }) => Math.floor(Date.parse(time) / 1000));
        expect(seconds).toEqual([...seconds].sort((a, b) => a - b));
        expect(entries.every(({ tookMs = 0 }) => tookMs >= 0)).toBe(true);
      }),
    );
  });
});
