import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApiError } from '../../api/errors';
import { NODES, PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { seededRandom } from '../../lib/random';
import { parseSchedulerConfiguration } from './configuration/configuration';
import { createScheduler, type SchedulerDeps } from './scheduler';
import { FakeApi, FakeEvents, testNode, testPod, type NodeOptions } from './testing';

const start = (api: FakeApi, more: Partial<SchedulerDeps> = {}) => {
  const clock = new ManualClock(1_000_000);
  const events = new FakeEvents();
  const random = seededRandom(1);
  const deps = { client: api, clock, random, log: silentLog, events, seed: 7, ...more };
  const scheduler = createScheduler(deps);
  const abort = new AbortController();
  const running = scheduler.run(abort.signal);
  const stop = async () => {
    abort.abort();
    await running;
  };
  return { scheduler, clock, events, stop };
};

const until = async (clock: ManualClock, condition: () => boolean | Promise<boolean>) => {
  // Files are real: by the clock on the wall, not by turns.
  for (const deadline = Date.now() + 20_000; Date.now() < deadline;) {
    if (await condition()) return;
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('condition not reached');
};

const TWO_PROFILES = `apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
- schedulerName: packing
  pluginConfig: [{name: NodeResourcesFit, args: {scoringStrategy: {type: MostAllocated}}}]
`;

const bound = (api: FakeApi, name: string) => () => api.pod(name).spec.nodeName !== undefined;

const conditionOf = (api: FakeApi, name: string) =>
  api.pod(name).status.conditions?.find(({ type }) => type === 'PodScheduled');

describe('scheduler', () => {
  it('binds a waiting pod, records the decision and tells about it', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '1' }));
    api.putNode(testNode('node-2', { cpu: '8' }));
    api.putPod(testPod('web', { cpu: '500m' }));
    const { scheduler, clock, events, stop } = start(api);

    await until(clock, bound(api, 'web'));
    await until(clock, () => events.said.length > 0);
    const { items } = await scheduler.decisions.list!(undefined, new AbortController().signal);

    expect(api.pod('web').spec.nodeName).toBe('node-2');
    expect(events.said).toEqual([
      {
        object: 'web',
        reason: 'Scheduled',
        message: 'Successfully assigned default/web to node-2',
      },
    ]);
    expect(items).toHaveLength(1);
    expect(items[0]!.metadata.name).toBe('web-uidweb-1');
    expect(items[0]!.status).toMatchObject({
      outcome: 'Scheduled',
      nodeName: 'node-2',
      nodesConsidered: 2,
      nodesFeasible: 2,
      decidedBy: 'NodeResourcesFit',
    });
    await stop();
  });

  it('says in upstream’s words why a pod waits, and places it when a node comes', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '2' }));
    api.putPod(testPod('big', { cpu: '4' }));
    const { scheduler, clock, events, stop } = start(api);

    await until(clock, () => conditionOf(api, 'big') !== undefined);
    const message =
      '0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, ' +
      'preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.';
    expect(conditionOf(api, 'big')).toMatchObject({
      status: 'False',
      reason: 'Unschedulable',
      message,
    });
    expect(events.said).toEqual([{ object: 'big', reason: 'FailedScheduling', message }]);

    api.putNode(testNode('node-2', { cpu: '8' }));
    await clock.advance(1_000);
    await until(clock, bound(api, 'big'));
    const { items } = await scheduler.decisions.list!(undefined, new AbortController().signal);
    expect(items.map(({ spec, status }) => [spec.attempt, spec.trigger, status.outcome])).toEqual([
      [1, 'PodAdded', 'Unschedulable'],
      [2, 'NodeAdded', 'Scheduled'],
    ]);
    await stop();
  });

  it('places a pod as soon as a node fits, in whatever steps the node becomes so', async () => {
    const changes: readonly NodeOptions[] = [
      { cpu: '4' },
      { pods: '110' },
      { labels: { disk: 'ssd' } },
      { taints: [] },
      { unschedulable: false },
    ];
    for (let seed = 0; seed < 60; seed++) {
      const random = seededRandom(seed);
      const api = new FakeApi();
      api.putNode(testNode('other', { cpu: '1', labels: { disk: 'hdd' } }));
      let joining: NodeOptions = {
        ...{ cpu: '0', pods: '0', unschedulable: true },
        taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }],
      };
      const steps = changes.map((change) => () => {
        joining = { ...joining, ...change };
        api.putNode(testNode('new', joining));
      });
      steps.push(() => {
        api.putPod(testPod('waiting', { cpu: '2', nodeSelector: { disk: 'ssd' } }));
      });
      const { clock, stop } = start(api);
      while (steps.length > 0) {
        for (const step of steps.splice(Math.floor(random.next() * steps.length), 1)) step();
        await clock.advance(random.next() < 0.5 ? 0 : 1_500);
      }
      // Far less than after what a pod is tried again though nothing happened.
      await clock.advance(20_000);
      await until(clock, bound(api, 'waiting'));
      await stop();
    }
  });

  it('writes the condition again only when it changes', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '2' }));
    api.putPod(testPod('big', { cpu: '4' }));
    const { clock, events, stop } = start(api);
    await until(clock, () => api.patches.length === 1);

    await clock.advance(301_000);
    await until(clock, () => events.said.length === 2);
    expect(api.patches).toHaveLength(1);
    await stop();
  });

  it('tries another time when a binding is refused, and gives the room back', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '1' }));
    api.failNextBind = { error: new ApiError('Forbidden', 'no'), isApplied: false };
    api.putPod(testPod('web', { cpu: '1' }));
    const { scheduler, clock, stop } = start(api);

    const records = async () =>
      (await scheduler.decisions.list!(undefined, new AbortController().signal)).items;
    await until(clock, async () => (await records()).length === 2);
    await clock.advance(2_000);
    await until(clock, bound(api, 'web'));
    expect((await records()).map(({ status }) => status.outcome)).toEqual([
      'Scheduled',
      'Error',
      'Scheduled',
    ]);
    await stop();
  });

  it('reads the pod back when the answer to a binding is lost', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1'));
    api.failNextBind = { error: new ApiError('Timeout', 'lost'), isApplied: true };
    api.putPod(testPod('web'));
    const { clock, events, stop } = start(api);

    await until(clock, () => events.said.some(({ reason }) => reason === 'Scheduled'));
    expect(api.bindCount).toBe(1);
    await stop();
  });

  it('leaves a gated pod alone and says so, until the gate is lifted', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1'));
    const gated = testPod('web', { schedulingGates: [{ name: 'quota' }] });
    api.putPod(gated);
    const { scheduler, clock, stop } = start(api);
    await until(clock, () => conditionOf(api, 'web')?.reason === 'SchedulingGated');
    const explanation = await scheduler.explanations.get(
      { namespace: 'default', name: 'web' },
      new URLSearchParams(),
      new AbortController().signal,
    );
    expect(explanation.status.waitingFor).toEqual(['the scheduling gate quota being lifted']);
    api.putPod(testPod('web'));
    await until(clock, bound(api, 'web'));
    await stop();
  });

  it('warns that a pod will not stay on a node whose taint it tolerates for a while only', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { taints: [{ key: 'maint', effect: 'NoExecute' }] }));
    const tolerations = [{ key: 'maint', operator: 'Exists' as const, tolerationSeconds: 8 }];
    api.putPod(testPod('web', { tolerations }));
    const { clock, events, stop } = start(api);
    await until(clock, () => events.said.length === 2);
    expect(events.said[1]!.message).toBe(
      'node-1 has a NoExecute taint that the pod tolerates for 8 s only',
    );
    await stop();
  });

  it('leaves alone pods of other schedulers, but counts what they hold', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '1' }));
    api.putPod(testPod('theirs', { cpu: '1', schedulerName: 'other' }));
    api.putPod(testPod('held', { cpu: '1', schedulerName: 'other', nodeName: 'node-1' }));
    api.putPod(testPod('ours', { cpu: '1' }));
    const { clock, stop } = start(api);

    await until(clock, () => conditionOf(api, 'ours') !== undefined);
    expect(api.pod('theirs').spec.nodeName).toBeUndefined();
    expect(api.pod('ours').spec.nodeName).toBeUndefined();
    await stop();
  });

  it('places pods by the profile that they name, on the same nodes, and never overcommits them', async () => {
    const api = new FakeApi();
    for (let i = 0; i < 4; i++) api.putNode(testNode(`n${i}`, { cpu: '2' }));
    for (let i = 0; i < 24; i++) {
      const schedulerName = ['default-scheduler', 'packing', 'unknown'][i % 3]!;
      api.putPod(testPod(`p${i}`, { cpu: '700m', schedulerName }));
    }
    const { profiles } = parseSchedulerConfiguration(TWO_PROFILES);
    const { clock, stop } = start(api, { profiles });
    const placed = () =>
      [...api.objects.values()]
        .filter(({ kind }) => kind === 'Pod')
        .filter((pod) => (pod as Pod).spec.nodeName !== undefined) as Pod[];
    await until(clock, () => placed().length === 8);
    await until(clock, () => api.patches.length === 8);
    const perNode = new Map<string, number>();
    for (const { spec } of placed())
      perNode.set(spec.nodeName!, (perNode.get(spec.nodeName!) ?? 0) + 1);
    expect([...perNode.values()]).toEqual([2, 2, 2, 2]);
    const named = placed().map(({ spec }) => spec.schedulerName);
    expect(new Set(named)).toEqual(new Set(['default-scheduler', 'packing']));
    await stop();
  });

  it('uses room that a finished pod leaves', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '1' }));
    const job = api.putPod(testPod('job', { cpu: '1', nodeName: 'node-1', phase: 'Running' }));
    api.putPod(testPod('next', { cpu: '1' }));
    const { clock, stop } = start(api);
    await until(clock, () => conditionOf(api, 'next') !== undefined);

    api.putPod({ ...job, status: { phase: 'Succeeded' } });
    await clock.advance(1_000);
    await until(clock, bound(api, 'next'));
    await stop();
  });

  it('never puts more on a node than it holds, whatever arrives at once', async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '2' }));
    api.putNode(testNode('node-2', { cpu: '1' }));
    for (let i = 0; i < 20; i++) api.putPod(testPod(`p${i}`, { cpu: '500m' }));
    const { clock, stop } = start(api);

    await until(clock, () => api.patches.length === 14);
    const nodes = (await api.list(PODS)).items.map(({ spec }) => spec.nodeName);
    expect(nodes.filter((node) => node === 'node-1')).toHaveLength(4);
    expect(nodes.filter((node) => node === 'node-2')).toHaveLength(2);
    await stop();
  });

  it('keeps its records over a restart and counts attempts on', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'dhow-scheduler-'));
    try {
      const api = new FakeApi();
      api.putNode(testNode('node-1', { cpu: '1' }));
      api.putPod(testPod('big', { cpu: '4' }));
      const first = start(api, { dir });
      await until(first.clock, () => api.patches.length === 1);
      await first.stop();

      const second = start(api, { dir });
      await until(second.clock, () => second.events.said.length === 1);
      const list = await second.scheduler.decisions.list!(undefined, new AbortController().signal);
      expect(list.items.map(({ spec }) => spec.attempt)).toEqual([1, 2]);
      await second.stop();
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it("measures under upstream's names", async () => {
    const api = new FakeApi();
    api.putNode(testNode('node-1', { cpu: '1' }));
    api.putPod(testPod('big', { cpu: '8' }));
    api.putPod(testPod('gated', { schedulingGates: [{ name: 'a/b' }] }));
    api.putPod(testPod('web', { cpu: '500m' }));
    const { scheduler, clock, stop } = start(api, { random: { next: () => 0 } });
    await until(clock, bound(api, 'web'));
    const profile = 'profile="default-scheduler"';
    await until(clock, () =>
      scheduler.metrics
        .lines()
        .includes(`scheduler_schedule_attempts_total{result="scheduled",${profile}} 1`),
    );
    expect(scheduler.metrics.lines()).toEqual(
      expect.arrayContaining([
        `scheduler_schedule_attempts_total{result="unschedulable",${profile}} 1`,
        `scheduler_scheduling_attempt_duration_seconds_count{result="scheduled",${profile}} 1`,
        'scheduler_scheduling_algorithm_duration_seconds_count 2',
        'scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="1",le="+Inf"} 1',
        'scheduler_pod_scheduling_attempts_bucket{le="1"} 1',
        'scheduler_pending_pods{queue="unschedulable"} 1',
        'scheduler_pending_pods{queue="gated"} 1',
        'scheduler_pending_pods{queue="active"} 0',
        'scheduler_queue_incoming_pods_total{queue="active",event="PodAdd"} 2',
        'scheduler_queue_incoming_pods_total{queue="gated",event="PodAdd"} 1',
        'scheduler_queue_incoming_pods_total{queue="unschedulable",event="ScheduleAttemptFailure"} 1',
        'scheduler_preemption_attempts_total 0',
        'scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="default-scheduler"} 1',
        'dhow_scheduler_plugin_refusals_total{plugin="NodeResourcesFit"} 1',
        'dhow_scheduler_node_refusals_total{reason="Insufficient cpu"} 1',
        `scheduler_plugin_evaluation_total{plugin="NodeResourcesFit",extension_point="Filter",${profile}} 2`,
        'scheduler_plugin_execution_duration_seconds_count{plugin="DefaultBinder",extension_point="Bind",status="Success"} 1',
        `scheduler_framework_extension_point_duration_seconds_count{extension_point="Bind",status="Success",${profile}} 1`,
        `scheduler_framework_extension_point_duration_seconds_count{extension_point="PostFilter",status="Unschedulable",${profile}} 1`,
        `scheduler_framework_extension_point_duration_seconds_count{extension_point="Filter",status="Success",${profile}} 2`,
      ]),
    );
    await stop();
  });

  it('takes its decisions again in the state in which they were taken', async () => {
    const api = new FakeApi();
    for (const name of ['n1', 'n2', 'n3']) api.putNode(testNode(name, { cpu: '4' }));
    const { scheduler, clock, stop } = start(api);
    for (let i = 0; i < 9; i++) api.putPod(testPod(`p-${i}`, { cpu: '1' }));
    api.putPod(testPod('huge', { cpu: '9' }));
    await until(clock, () => [...Array(9).keys()].every((i) => bound(api, `p-${i}`)()));
    await until(clock, () => conditionOf(api, 'huge') !== undefined);
    api.take(NODES, testNode('n1'));
    api.putNode(testNode('n2', { cpu: '4', labels: { a: 'b' } }));
    const { signal } = new AbortController();
    const same = await scheduler.placements.replay({ last: 100 }, signal);
    expect(same).toMatchObject({ replayed: 10, same: 10, rescored: 0, differences: [] });
    const onlyPacking = TWO_PROFILES.replace('- schedulerName: default-scheduler\n', '');
    const config = onlyPacking.replace('packing', 'default-scheduler');
    const packed = await scheduler.placements.replay({ last: 9, config }, signal);
    expect(packed.replayed).toBe(9);
    expect(packed.same).toBeLessThan(9);
    expect(packed.differences[0]?.was.nodeName).not.toBe(packed.differences[0]?.now.nodeName);
    const others = { last: 1, config: onlyPacking };
    const [other] = (await scheduler.placements.replay(others, signal)).differences;
    expect(other?.now.message).toBe('no profile of the configuration is for it');
    await expect(
      scheduler.placements.replay({ last: 1, config: 'kind: Other' }, signal),
    ).rejects.toMatchObject({ reason: 'BadRequest' });
    await stop();
  });
});
