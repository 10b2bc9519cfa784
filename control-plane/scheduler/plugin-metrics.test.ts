import { IndexedEngine } from './engine/indexed-engine';
import { PluginMetrics } from './plugin-metrics';
import { podInfoOf } from './pod-info';
import type { FilterPlugin } from './plugins/plugin';
import { DEFAULT_PROFILE, type Profile } from './profile';
import { Snapshot } from './snapshot';
import { testNode, testPod, type PodOptions } from './testing';

const NODE_COUNT = 3;
const PROFILE = 'profile="default-scheduler"';

/** An engine whose attempts are measured; whenever the clock is looked at, a millisecond has gone. */
const measured = (lot: number, profile: Profile = DEFAULT_PROFILE) => {
  let nowMs = 0;
  const metrics = new PluginMetrics({
    clock: { monotonicMs: () => nowMs++ },
    random: { next: () => lot },
  });
  const cluster = new Snapshot();
  for (let i = 0; i < NODE_COUNT; i++) cluster.setNode(testNode(`n${i}`, { cpu: '4' }));
  const engine = new IndexedEngine({ cluster, keptFrom: 2 });
  const meter = metrics.meterOf(profile.schedulerName);
  let count = 0;
  const decide = (options: PodOptions = { cpu: '1' }) => {
    const pod = podInfoOf(testPod(`p${count++}`, options));
    const decision = metrics.during(profile.schedulerName, () =>
      engine.decide(pod, 1, { ...profile, meter }),
    );
    if (decision.nodeName !== undefined) cluster.assume(pod, decision.nodeName);
    return decision;
  };
  const values = () => new Map(metrics.lines().map((line) => split(line)));
  return { metrics, decide, values };
};

const split = (line: string): readonly [string, number] => {
  const at = line.lastIndexOf(' ');
  return [line.slice(0, at), Number(line.slice(at + 1))];
};

const evaluations = (plugin: string, point: string) =>
  `scheduler_plugin_evaluation_total{plugin="${plugin}",extension_point="${point}",${PROFILE}}`;

const callsOf = (plugin: string, point: string, status: string) =>
  `scheduler_plugin_execution_duration_seconds_count{plugin="${plugin}",extension_point="${point}",status="${status}"}`;

const pointOf = (what: 'count' | 'sum', point: string, status: string) =>
  `scheduler_framework_extension_point_duration_seconds_${what}{extension_point="${point}",status="${status}",${PROFILE}}`;

const DRAWN = 0.05;
const NOT_DRAWN = 0.5;

describe('what is measured of plugins', () => {
  it('counts who is asked, and times one attempt in ten', () => {
    const { decide, values } = measured(NOT_DRAWN);
    decide();
    const found = values();
    expect(found.get(evaluations('NodeResourcesFit', 'PreFilter'))).toBe(1);
    expect(found.get(evaluations('NodeResourcesFit', 'Filter'))).toBe(NODE_COUNT);
    expect(found.get(evaluations('NodeResourcesFit', 'Score'))).toBe(NODE_COUNT);
    expect([...found.keys()].filter((name) => name.includes('_seconds_'))).toEqual([]);
  });

  it('times each call, and all calls of a point together', () => {
    const { decide, values } = measured(DRAWN);
    decide();
    const found = values();
    expect(found.get(callsOf('NodeResourcesFit', 'Filter', 'Success'))).toBe(NODE_COUNT);
    expect(found.get(callsOf('NodePorts', 'PreFilter', 'Skip'))).toBe(1);
    expect(found.get(callsOf('TaintToleration', 'ScoreExtensionNormalize', 'Success'))).toBe(1);
    let filterCalls = 0;
    for (const [name, value] of found)
      if (name.includes('_execution_duration_seconds_count') && name.includes('"Filter"'))
        filterCalls += value;
    expect(filterCalls).toBeGreaterThan(NODE_COUNT);
    expect(found.get(pointOf('count', 'Filter', 'Success'))).toBe(1);
    expect(found.get(pointOf('sum', 'Filter', 'Success'))).toBeCloseTo(filterCalls / 1000);
    expect(found.get(pointOf('count', 'PostFilter', 'Unschedulable'))).toBeUndefined();
  });

  it('counts of a class that is kept only the nodes that are asked again', () => {
    const { decide, values } = measured(DRAWN);
    // The first is decided node by node, and the second makes the index.
    for (let i = 0; i < 4; i++) decide();
    expect(values().get(evaluations('NodeResourcesFit', 'Filter'))).toBe(2 * NODE_COUNT + 2);
  });

  it('tells a refusal that pods may lift from one that they cannot', () => {
    const { decide, values } = measured(DRAWN);
    decide({ cpu: '3', priority: 0 });
    decide({ cpu: '4', nodeName: 'n9' });
    decide({ cpu: '9', priority: 10 });
    const found = values();
    expect(found.get(callsOf('NodeName', 'Filter', 'UnschedulableAndUnresolvable'))).toBe(
      NODE_COUNT,
    );
    expect(found.get(pointOf('count', 'Filter', 'Success'))).toBe(3);
    expect(found.get(pointOf('count', 'PostFilter', 'Unschedulable'))).toBe(2);
    expect(found.get(callsOf('DefaultPreemption', 'PostFilter', 'Unschedulable'))).toBe(2);
  });

  it('counts what filters are asked for whom to evict to that alone', () => {
    const { decide, values } = measured(DRAWN);
    for (let i = 0; i < NODE_COUNT; i++) decide({ cpu: '3' });
    const before = values().get(pointOf('sum', 'Filter', 'Success')) ?? 0;
    const asked = values().get(callsOf('NodeResourcesFit', 'Filter', 'Success')) ?? 0;
    expect(decide({ cpu: '2', priority: 10 }).preemption).toBeDefined();
    const found = values();
    expect(found.get(callsOf('NodeResourcesFit', 'Filter', 'Success'))).toBeGreaterThan(asked);
    expect(found.get(pointOf('count', 'PostFilter', 'Success'))).toBe(1);
    const filtering = (found.get(pointOf('sum', 'Filter', 'Success')) ?? 0) - before;
    expect(filtering).toBeLessThan(found.get(pointOf('sum', 'PostFilter', 'Success')) ?? 0);
  });

  it('says of a plugin that breaks that it failed', () => {
    const broken: FilterPlugin = {
      name: 'Broken',
      scope: 'static',
      wakeOn: [],
      prepare: () => ({
        refuse: () => {
          throw new Error('broken');
        },
        explain: () => [],
        remedies: () => [],
      }),
    };
    const profile = { ...DEFAULT_PROFILE, filters: [...DEFAULT_PROFILE.filters, broken] };
    const { decide, values } = measured(DRAWN, profile);
    decide();
    expect(values().get(callsOf('Broken', 'Filter', 'Error'))).toBe(NODE_COUNT);
    expect(values().get(pointOf('count', 'Filter', 'Error'))).toBe(1);
  });

  it('times what happens behind the decision, also when it fails', async () => {
    const { metrics, values } = measured(DRAWN);
    const what = { profile: 'default-scheduler', plugin: 'DefaultBinder', point: 'Bind' } as const;
    await metrics.behind(what, Promise.resolve(1), () => 'Success');
    await expect(
      metrics.behind(what, Promise.reject(new Error('lost')), () => 'Success'),
    ).rejects.toThrow('lost');
    expect(values().get(callsOf('DefaultBinder', 'Bind', 'Success'))).toBe(1);
    expect(values().get(pointOf('count', 'Bind', 'Error'))).toBe(1);
  });

  it('decides as it does unmeasured', () => {
    const { decide } = measured(DRAWN);
    const plain = measured(NOT_DRAWN);
    for (let i = 0; i < 9; i++)
      expect(decide({ cpu: `${i % 3}` })).toEqual(plain.decide({ cpu: `${i % 3}` }));
  });
});
