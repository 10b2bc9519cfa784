import type { Container, Pod } from '../../api/types';
import { DEFAULT_SETTINGS } from '../settings';
import type { ObservedContainer, PodObservation } from '../inventory/observe';
import { nextBackoff, planPod, type PodPlan } from './plan';
import type { RunTimes } from '../inventory/run-times';
import { testContainer, testPod } from '../pods/testing';

const NOW_MS = Date.UTC(2026, 0, 1);

const run = (name: string, more: Partial<ObservedContainer> = {}): ObservedContainer => ({
  id: `id-${name}`,
  name,
  restartCount: 0,
  backoffStep: -1,
  image: 'web:1',
  imageId: '',
  state: { status: 'running', startedAtMs: NOW_MS },
  exists: true,
  ...more,
});

const exited = (exitCode: number, ranMs = 1000): ObservedContainer['state'] => ({
  status: 'exited',
  startedAtMs: NOW_MS - ranMs,
  exit: { exitCode, oomKilled: false, finishedAtMs: NOW_MS },
});

const timesOf = ({ state }: ObservedContainer): RunTimes => {
  if (state.status !== 'exited') return { endedMs: NOW_MS, ranMs: 0 };
  const { startedAtMs = 0, exit } = state;
  return { endedMs: exit.finishedAtMs, ranMs: exit.finishedAtMs - startedAtMs };
};
const backoffOf = (worn: ObservedContainer, settings = DEFAULT_SETTINGS) =>
  nextBackoff(worn, timesOf(worn).ranMs, settings);

const plan = (
  pod: Pod,
  runs: readonly ObservedContainer[],
  { replaced = [] as string[], isEnding = false } = {},
): PodPlan => {
  const observation: PodObservation = new Map(
    runs.map((current) => [current.name, { current, previous: undefined, older: [] }]),
  );
  return planPod({
    pod,
    observation,
    nowMs: NOW_MS,
    timesOf,
    settings: DEFAULT_SETTINGS,
    isEnding,
    isStarted: () => true,
    needsRestart: () => false,
    isReplaced: ({ id }) => replaced.includes(id),
  });
};

const started = ({ starts }: PodPlan) =>
  starts.map(({ container, restartCount, backoffStep }) => [
    container.name,
    restartCount,
    backoffStep,
  ]);

describe('the restart back-off', () => {
  it('is 0, 10, 20, 40 ... 300 seconds, whatever the exit code, and counts every start', () => {
    const delays: number[] = [];
    let current = run('web', { state: exited(0) });
    for (let restart = 1; restart <= 8; restart++) {
      const { step, delayMs } = backoffOf(current);
      delays.push(delayMs / 1000);
      current = { ...current, backoffStep: step, state: exited(restart % 2) };
    }
    expect(delays).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  });

  it('begins again after ten minutes up, not a second less', () => {
    const worn = { backoffStep: 5 };
    const short = run('web', { ...worn, state: exited(1, 599_999) });
    const long = run('web', { ...worn, state: exited(1, 600_000) });
    expect(backoffOf(short).delayMs).toBe(300_000);
    expect(backoffOf(long)).toEqual({ step: 0, delayMs: 0 });
  });

  it('has a cap that can be set', () => {
    const settings = { ...DEFAULT_SETTINGS, restartBackoffMaxMs: 25_000 };
    const worn = run('web', { backoffStep: 9, state: exited(1) });
    expect(backoffOf(worn, settings).delayMs).toBe(25_000);
  });

  it('ends to the millisecond', () => {
    const waiting = (finishedAgoMs: number) => {
      const { startedAtMs } = exited(1) as { startedAtMs: number };
      const exit = { exitCode: 1, oomKilled: false, finishedAtMs: NOW_MS - finishedAgoMs };
      const state = { status: 'exited', startedAtMs, exit } as const;
      return plan(testPod(), [run('web', { restartCount: 1, backoffStep: 0, state })]);
    };
    expect(started(waiting(9_999))).toEqual([]);
    expect(waiting(9_999).backoffUntilMs.get('web')).toBe(NOW_MS + 1);
    expect(started(waiting(10_000))).toEqual([['web', 2, 1]]);
  });

  it('is not there for the first failure', () => {
    const first = plan(testPod(), [run('web', { state: exited(1) })]);
    expect(started(first)).toEqual([['web', 1, 0]]);
    expect(first.backoffUntilMs.size).toBe(0);
  });
});

describe('another image', () => {
  const changed = (restartPolicy: string) =>
    testPod({ spec: { restartPolicy, containers: [testContainer({ image: 'web:2' })] } });

  it('ends the container that runs the old one', () => {
    const { kills, starts } = plan(changed('Always'), [run('web')]);
    expect(kills).toMatchObject([
      {
        containerId: 'id-web',
        message: 'Container web definition changed, will be restarted',
      },
    ]);
    expect(starts).toEqual([]);
  });

  it.each(['Always', 'OnFailure', 'Never'])(
    'starts at once after that, restart policy %s',
    (restartPolicy) => {
      const ended = [run('web', { restartCount: 3, backoffStep: 2, state: exited(0) })];
      const next = plan(changed(restartPolicy), ended, { replaced: ['id-web'] });
      expect(started(next)).toEqual([['web', 4, -1]]);
      expect(next.isComplete).toBe(false);
    },
  );

  it('ends the wait of a crash loop, but restarts nothing that has ended for good', () => {
    const crashed = [run('web', { restartCount: 3, backoffStep: 5, state: exited(1) })];
    expect(started(plan(changed('Always'), crashed))).toEqual([['web', 4, -1]]);
    expect(plan(changed('Never'), crashed)).toMatchObject({ starts: [], isComplete: true });
  });

  it('replaces a sidecar too', () => {
    const sidecar = testContainer({ name: 'side', image: 'web:2', restartPolicy: 'Always' });
    const pod = testPod({ spec: { initContainers: [sidecar] } });
    expect(plan(pod, [run('side'), run('web')]).kills).toMatchObject([{ containerId: 'id-side' }]);
  });
});

describe('a pod whose machine went down under it', () => {
  const init: Container = testContainer({ name: 'first' });
  const pod = (restartPolicy: string, phase = 'Running') =>
    testPod({ spec: { restartPolicy, initContainers: [init] }, status: { phase } });
  const lost = [
    run('first', { exists: false, state: exited(0) }),
    run('web', { exists: false, restartCount: 2, state: exited(137) }),
  ];

  it('begins with its init containers, whose work in memory is gone', () => {
    const first = plan(pod('Always'), lost);
    expect(started(first)).toEqual([['first', 1, 0]]);
    expect(first.isInitialized).toBe(false);
    const again = [run('first', { restartCount: 1, state: exited(0) }), lost[1]!];
    expect(plan(pod('Always'), again).isInitialized).toBe(true);
  });

  it('is given up when nothing of it may restart', () => {
    expect(plan(pod('Never'), lost)).toMatchObject({ starts: [], isComplete: true });
  });

  it('stays as it ended when it had ended', () => {
    const done = lost.map((each) => ({ ...each, state: exited(0) }));
    expect(plan(pod('OnFailure', 'Succeeded'), done)).toMatchObject({
      starts: [],
      isInitialized: true,
      isComplete: true,
    });
  });
});

describe('a policy of a container of its own', () => {
  const pod = (own: object, policy = 'Never') =>
    testPod({ spec: { restartPolicy: policy, containers: [testContainer(own)] } });
  const after = (own: object, exitCode: number, policy?: string) => {
    const { starts, backoffUntilMs, isComplete } = plan(pod(own, policy), [
      run('web', { state: exited(exitCode) }),
    ]);
    return { again: starts.length + backoffUntilMs.size > 0, isComplete };
  };
  const rule = (operator: string, ...values: number[]) => ({
    action: 'Restart',
    exitCodes: { operator, values },
  });

  it.each([
    ['Always', 'Never', 0, true],
    ['OnFailure', 'Never', 0, false],
    ['OnFailure', 'Never', 1, true],
    ['Never', 'Always', 1, false],
  ])('restarts a container by its own policy: %s in a pod of %s, exit code %d', (...row) => {
    const [restartPolicy, policy, exitCode, again] = row;
    expect(after({ restartPolicy }, exitCode, policy)).toEqual({ again, isComplete: !again });
  });

  it.each([
    [[rule('In', 42)], 42, true],
    [[rule('In', 42)], 41, false],
    [[rule('NotIn', 0, 1)], 7, true],
    [[rule('NotIn', 0, 1)], 1, false],
    [[rule('In', 3), rule('In', 42)], 42, true],
  ])(
    'restarts a container by the first of its rules that matches: %j',
    (rules, exitCode, again) => {
      const own = { restartPolicy: 'Never', restartPolicyRules: rules };
      expect(after(own, exitCode)).toEqual({ again, isComplete: !again });
    },
  );

  it('lets an init container fail, or not, by its own rules', () => {
    const init = (own: object) =>
      testPod({ spec: { initContainers: [testContainer({ name: 'init', ...own })] } });
    const failed = [run('init', { state: exited(5) })];
    expect(plan(init({ restartPolicy: 'Never' }), failed).isComplete).toBe(true);
    const rules = { restartPolicy: 'Never', restartPolicyRules: [rule('In', 5)] };
    expect(plan(init(rules), failed).isComplete).toBe(false);
    // One that has ended well and whose work was lost with the machine is run again.
    const lost = [run('init', { state: exited(0), exists: false })];
    expect(plan(init({ restartPolicy: 'OnFailure' }), lost).isComplete).toBe(false);
  });
});
