import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createPodBench, testContainer, testPod, type PodBench } from '../pods/testing';
import { MetricsPages } from './metrics-pages';
import { UsageMeter } from './usage-meter';

let directory: string;
let bench: PodBench;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'metrics-'));
  bench = createPodBench({ directory });
});

afterEach(async () => {
  await bench.stop();
  rmSync(directory, { recursive: true, force: true });
});

const VOLUMES = ['v', 'w'].map((name) => ({
  ...{ podUid: 'u', name, namespace: 'ns', claimName: 'data', atMs: 1_000 },
  ...{ availableBytes: 60, capacityBytes: 100, usedBytes: 40 },
  condition: { abnormal: true, message: 'scratched' },
}));
const use = (usedBytes: number) => ({ usedBytes, inodesUsed: 1 });
const LAG = { buckets: [[0.1, 1]] as const, sumSeconds: 0.2, count: 2 };
const RESOURCES = {
  requests: { cpu: '250m' },
  limits: { cpu: '500m', memory: '64Mi' },
};

const pages = (resolver?: object, ingress?: object): MetricsPages => {
  const { runtime, clock, manager } = bench;
  const node = { nodeName: 'n1', bootedAtMs: 0, memoryBytes: 2 ** 31 };
  return new MetricsPages({
    ...{ nodeName: 'n1', cpuMillis: 2000, memoryBytes: 2 ** 31, runtime },
    meter: new UsageMeter({
      runtime,
      node,
      clock,
      volumes: { measure: () => Promise.resolve(VOLUMES) },
      disks: {
        measure: async (subjects) =>
          new Map(subjects.map(({ id }) => [id, { rootfs: use(40), logs: use(2), atMs: 5_000 }])),
      },
      filesOf: ({ id }) => ({ layer: `/layers/${id}`, logs: '/logs' }),
      stateDir: directory,
    }),
    podOf: (uid) => manager.worker(uid)?.current,
    services: () => ({ changeCount: 3, restoredCount: 1 }),
    resolver: () => resolver,
    ingress: () => ingress,
    lag: () => LAG,
    tracing: () => [],
  });
};

/** The series of a page by name and labels. */
const seriesOf = async (path: string, of = pages()): Promise<ReadonlyMap<string, string>> => {
  const text = (await of.page(path)) ?? '';
  expect(text).toMatch(/[^\n]\n$/);
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const series = new Map(
    lines.map((line) => /^([^{ ]+(?:\{.*\})?) (.*)$/.exec(line)!.slice(1, 3)) as [string, string][],
  );
  // Twice the same one is no page that could be read.
  expect(series.size).toBe(lines.length);
  return series;
};

const runPod = async (): Promise<void> => {
  await bench.run(testPod({ spec: { containers: [testContainer({ resources: RESOURCES })] } }));
  await bench.until(() => bench.status().phase === 'Running');
};

it('tells what the node, its pods and containers have used', async () => {
  await runPod();
  const at = bench.clock.now();
  const [state] = bench.runtime.containers();
  const series = await seriesOf('metrics/resource');
  const container = 'container="web",namespace="default",pod="web"';
  const pod = 'namespace="default",pod="web"';
  expect(Object.fromEntries(series)).toEqual({
    [`container_cpu_usage_seconds_total{${container}}`]: `0.001 ${at}`,
    [`container_memory_working_set_bytes{${container}}`]: `${1 << 20} ${at}`,
    [`container_start_time_seconds{${container}}`]: String(
      (state?.status === 'running' ? state.startedAtMs : 0) / 1000,
    ),
    node_cpu_usage_seconds_total: `0.01 ${at}`,
    node_memory_working_set_bytes: `${1 << 29} ${at}`,
    [`pod_cpu_usage_seconds_total{${pod}}`]: `0.001 ${at}`,
    [`pod_memory_working_set_bytes{${pod}}`]: `${1 << 20} ${at}`,
    ...{ resource_scrape_error: '0', scrape_error: '0' },
  });
});

it('tells of containers as cAdvisor does, with what they may use', async () => {
  await runPod();
  const at = bench.clock.now();
  const [state] = bench.runtime.containers();
  const series = await seriesOf('metrics/cadvisor');
  const { id = '', sandboxId = '' } = state ?? {};
  const own = `{container="web",id="/${sandboxId}/${id}",image="web:1",name="${id}",namespace="default",pod="web"}`;
  const root = '{container="",id="/",image="",name="",namespace="",pod=""}';
  expect(Object.fromEntries(series)).toMatchObject({
    [`container_cpu_usage_seconds_total${own}`]: `0.001 ${at}`,
    [`container_memory_usage_bytes${own}`]: `${1 << 20} ${at}`,
    [`container_memory_rss${own}`]: `${1 << 19} ${at}`,
    [`container_threads${own}`]: `1 ${at}`,
    [`container_cpu_usage_seconds_total${root}`]: `0.01 ${at}`,
    [`container_memory_working_set_bytes${root}`]: `${1 << 29} ${at}`,
    [`container_spec_cpu_period${own}`]: '100000',
    [`container_spec_cpu_quota${own}`]: '50000',
    [`container_spec_cpu_shares${own}`]: '256',
    [`container_spec_memory_limit_bytes${own}`]: String(64 * 2 ** 20),
    ...{ machine_cpu_cores: '2', machine_memory_bytes: String(2 ** 31) },
    [`container_fs_usage_bytes${own}`]: '42 5000',
    [`container_fs_usage_bytes${root}`]: expect.stringMatching(/^[1-9]\d*$/),
    [`container_fs_limit_bytes${root}`]: expect.stringMatching(/^[1-9]\d*$/),
  });
});

it('leaves out a container that is removed while it is read', async () => {
  await runPod();
  bench.runtime.stats = () => Promise.reject(new Error('no such container'));
  const series = await seriesOf('metrics/cadvisor');
  expect([...series.keys()].filter((name) => name.includes('container="web"'))).toEqual([]);
  expect(series.get('machine_cpu_cores')).toBe('2');
});

it('tells what runs, and what is counted elsewhere', async () => {
  await runPod();
  const dns = { queries: { A: 5, 'x"': 1 }, responses: { NXDOMAIN: 2 }, outside: { miss: 1 } };
  const ingress = { requestCount: 7, upgradeCount: 0, failureCount: 2 };
  const series = await seriesOf('metrics', pages(dns, ingress));
  expect(Object.fromEntries(series)).toMatchObject({
    'kubelet_node_name{node="n1"}': '1',
    'kubelet_running_containers{container_state="running"}': '1',
    ...{ kubelet_running_pods: '1', dhow_service_changes_total: '3' },
    ...{ dhow_service_restorations_total: '1', 'dhow_dns_queries_total{type="A"}': '5' },
    'dhow_dns_queries_total{type="x\\""}': '1',
    'dhow_dns_responses_total{rcode="NXDOMAIN"}': '2',
    'dhow_dns_outside_total{result="miss"}': '1',
    ...{ dhow_ingress_requests_total: '7', dhow_ingress_upgrades_total: '0' },
    ...{ dhow_ingress_failures_total: '2', dhow_event_loop_lag_seconds_count: '2' },
    process_resident_memory_bytes: expect.stringMatching(/^\d+$/),
  });
});

it.each([[undefined], [{}], [{ queries: 'many', responses: [1], outside: { miss: 'x' } }]])(
  'says nothing of what a companion has not counted: %j',
  async (counts) => {
    const series = await seriesOf('metrics', pages(counts, counts));
    expect([...series.keys()].filter((name) => /_(dns|ingress)_/.test(name))).toEqual([]);
  },
);

it.each(['', 'metrics/', 'metrics/probes', '__proto__'])('has no page at %j', async (path) => {
  expect(await pages().page(path)).toBeUndefined();
});

it('tells how full the volume of each claim is, once', async () => {
  const series = await seriesOf('metrics');
  const claim = '{namespace="ns",persistentvolumeclaim="data"}';
  expect([...series].filter(([name]) => name.startsWith('kubelet_volume_stats_'))).toEqual([
    [`kubelet_volume_stats_capacity_bytes${claim}`, '100'],
    [`kubelet_volume_stats_available_bytes${claim}`, '60'],
    [`kubelet_volume_stats_used_bytes${claim}`, '40'],
    [`kubelet_volume_stats_health_status_abnormal${claim}`, '1'],
  ]);
});
