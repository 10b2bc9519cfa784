import type { SchedulingDecision } from '../../api/decisions';
import { quantile, samplesOf } from './metrics-lines';
import { schedulerTable, schedulerUsage } from './scheduler-usage';

const METRICS = `# HELP scheduler_pending_pods Number of pending pods, by the queue type.
# TYPE scheduler_pending_pods gauge
scheduler_pending_pods{queue="active"} 0
scheduler_pending_pods{queue="unschedulable"} 3
scheduler_schedule_attempts_total{result="scheduled",profile="a"} 5
scheduler_schedule_attempts_total{result="scheduled",profile="b"} 2
scheduler_schedule_attempts_total{result="unschedulable",profile="a"} 4
scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="1",le="0.01"} 4
scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="1",le="0.02"} 8
scheduler_pod_scheduling_sli_duration_seconds_bucket{attempts="1",le="+Inf"} 8
scheduler_preemption_attempts_total 1
scheduler_preemption_victims_sum 2
scheduler_unschedulable_pods{plugin="NodeResourcesFit",profile="a"} 3
dhow_scheduler_plugin_refusals_total{plugin="TaintToleration"} 1
dhow_scheduler_plugin_refusals_total{plugin="NodeResourcesFit"} 4
not a sample
`;

const decision = (status: Partial<SchedulingDecision['status']>): SchedulingDecision => ({
  ...{ apiVersion: 'v1', kind: 'SchedulingDecision', metadata: { name: 'd' } },
  spec: { podName: 'p', podUID: 'p', attempt: 1, time: '', trigger: '' },
  status: {
    ...{ outcome: 'Scheduled', nodesConsidered: 3, nodesFeasible: 2, reasons: {}, top: [] },
    ...{ message: '', latencyMicros: 1000 },
    ...status,
  },
});

it('reads samples with their labels', () => {
  expect(samplesOf('a{x="1",y="q\\"\\n"} 2.5\nb 1e3 1700000000\nc{} x')).toEqual([
    { name: 'a', labels: { x: '1', y: 'q"\n' }, value: 2.5 },
    { name: 'b', labels: {}, value: 1000 },
    { name: 'c', labels: {}, value: NaN },
  ]);
});

it('finds a share between the bounds of a bucket', () => {
  const buckets = samplesOf(METRICS).filter(({ name }) => name.endsWith('_bucket'));
  expect(quantile(buckets, 0.5)).toBe(0.01);
  expect(quantile(buckets, 0.75)).toBeCloseTo(0.015);
  expect(quantile([], 0.5)).toBeUndefined();
  const beyond = samplesOf('a_bucket{le="1"} 0\na_bucket{le="+Inf"} 2');
  expect(quantile(beyond, 0.5)).toBe(1);
});

it('sums up what the server measures and what the records say', () => {
  const usage = schedulerUsage(
    samplesOf(METRICS),
    [
      decision({ nodeName: 'n1' }),
      decision({ nodeName: 'n1', latencyMicros: 3000 }),
      decision({ nodeName: 'n2', reasons: { 'Too many pods': 1 } }),
      decision({ outcome: 'Unschedulable', reasons: { 'Insufficient cpu': 3 } }),
    ],
    60,
  );
  expect(schedulerTable(usage, { isWide: false })).toBe(
    `queue         0 active, 3 unschedulable
since start   7 scheduled, 4 unschedulable; queued to bound 10ms (p50), 19.8ms (p99)
preemption    1 attempts, 2 victims
last 60s      4 attempts (0.0667/s), 3 placed; a decision takes 1ms (p50), 3ms (p99)

PLUGIN             REFUSED IN   KEEPS WAITING
NodeResourcesFit   4            3
TaintToleration    1            0

REASON             NODES
Insufficient cpu   3
Too many pods      1

HOT NODE   PLACED
n1         2
n2         1
`,
  );
  const quiet = schedulerUsage(undefined, [], 600);
  expect(schedulerTable(quiet, { isWide: false })).toBe(
    'last 600s     0 attempts (0/s), 0 placed\n',
  );
});

it('counts on a node of any name', () => {
  const decisions = ['constructor', '__proto__', 'constructor'].map((nodeName) =>
    decision({ nodeName }),
  );
  expect(schedulerUsage(undefined, decisions, 60).recent.hotNodes).toEqual([
    { node: 'constructor', placed: 2 },
    { node: '__proto__', placed: 1 },
  ]);
});
