import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { podYaml, TestCluster } from './support/cluster';
import { Collector, type CollectedSpan } from './support/collector';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(240_000);

const NAME = 'e2e-traces';
/** Of no network: nodes reach it by way of the machine, whose own it is. */
const ADDRESS = '198.18.7.1';
const CREATE = 'POST /api/v1/namespaces/{:namespace}/pods';

let directory: string;
let before: readonly string[];
let collector: Collector;
let cluster: TestCluster;

beforeAll(async () => {
  before = sharedState();
  directory = mkdtempSync(join(tmpdir(), 'dhow-traces-'));
  execFileSync('ip', ['address', 'add', `${ADDRESS}/32`, 'dev', 'lo']);
  collector = await Collector.listen(ADDRESS);
  const file = join(directory, 'tracing.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: 'apiserver.config.k8s.io/v1',
      kind: 'TracingConfiguration',
      endpoint: `${ADDRESS}:${collector.port}`,
      samplingRatePerMillion: 1_000_000,
    }),
  );
  cluster = await TestCluster.start(NAME, { nodes: 1, flags: ['--tracing-config-file', file] });
});
afterAll(async () => {
  // In turn, and each whatever became of the others: the first may never have begun.
  await (cluster as TestCluster | undefined)?.[Symbol.asyncDispose]();
  await (collector as Collector | undefined)?.[Symbol.asyncDispose]();
  execFileSync('ip', ['address', 'del', `${ADDRESS}/32`, 'dev', 'lo']);
  rmSync(directory, { recursive: true, force: true });
  expect(leftBehind(NAME, before)).toEqual([]);
});

/** The spans of the pod's life by name, once these have come: server and agents send theirs when they like. */
const lifeOf = (
  uid: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, CollectedSpan>> =>
  cluster.until(`the trace with ${names.join(', ')}`, async () => {
    const run = collector.spans.find(
      ({ name, attributes }) => name === 'Run pod' && attributes['k8s.pod.uid'] === uid,
    );
    const spans = collector.trace(run?.traceId ?? '');
    return names.every((name) => spans.has(name)) ? spans : undefined;
  });

it('joins what server and agent do for a pod from its creation until it is ready', async () => {
  await cluster.apply(podYaml('traced', ['sleep', '1000000']));
  const pod = await cluster.podIsReady('traced');
  const expected = {
    [`dhow-server: ${CREATE}`]: '',
    'dhow-server: Mutating admission': CREATE,
    'dhow-server: Validating admission': CREATE,
    'dhow-server: Create etcd3': CREATE,
    'dhow-server: Wait in queue': CREATE,
    'dhow-server: Schedule pod': CREATE,
    'dhow-server: Bind pod': CREATE,
    'dhow-server: Send assignment': CREATE,
    'dhow-agent: Run pod': CREATE,
    'dhow-agent: Create sandbox': 'Run pod',
    'dhow-agent: Prepare volumes': 'Run pod',
    'dhow-agent: Pull image': 'Run pod',
    'dhow-agent: Create container': 'Run pod',
    'dhow-agent: Start container': 'Run pod',
    'dhow-agent: Wait until ready': 'Run pod',
    'dhow-server: Store status': CREATE,
  };
  const names = Object.keys(expected).map((each) => each.slice(each.indexOf(' ') + 1));
  const spans = await lifeOf(pod.metadata.uid ?? '', names);
  const parents = Object.fromEntries(
    [...spans.values()].map(({ name, service, parentSpanId }) => {
      const parent = [...spans.values()].find(({ spanId }) => spanId === parentSpanId);
      return [`${service}: ${name}`, parent?.name ?? ''];
    }),
  );
  expect(parents).toMatchObject(expected);
  expect(spans.get(CREATE)?.attributes).toMatchObject({
    'k8s.verb': 'create',
    'k8s.resource': 'pods',
    'http.response.status_code': 201,
  });
  expect(spans.get('Wait in queue')?.attributes).toMatchObject({
    'dhow.scheduling.attempt': 1,
    'dhow.scheduling.trigger': 'PodAdded',
  });
  expect(spans.get('Schedule pod')?.attributes).toMatchObject({
    'dhow.scheduling.result': 'scheduled',
    'k8s.node.name': 'node-1',
  });
  for (const { startNanos, endNanos } of spans.values())
    expect(endNanos).toBeGreaterThanOrEqual(startNanos);
  expect(JSON.stringify(pod)).not.toContain(spans.get(CREATE)?.traceId);
});

it('traces the pods that a controller makes, and says in its metrics what became of spans', async () => {
  await cluster.apply(
    JSON.stringify({
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: { name: 'set' },
      spec: {
        selector: { matchLabels: { app: 'set' } },
        template: {
          metadata: { labels: { app: 'set' } },
          spec: {
            containers: [
              { name: 'c', image: 'dhow.local/busybox:1', command: ['sleep', '1000000'] },
            ],
          },
        },
      },
    }),
  );
  const uid = await cluster.until('its pod', async () => {
    const found = await cluster.must('get', 'pods', '-l', 'app=set', '-o', 'json');
    return JSON.parse(found).items[0]?.metadata.uid as string | undefined;
  });
  await lifeOf(uid, [CREATE, 'Create etcd3', 'Bind pod', 'Start container']);
  const server = await cluster.must('get', '--raw', '/metrics');
  const agent = await cluster.must('get', '--raw', '/api/v1/nodes/node-1/proxy/metrics');
  for (const text of [server, agent]) {
    expect(text).toMatch(/^dhow_tracing_spans_exported_total [1-9]/m);
    // A batch that takes the collector seconds is dropped, and on a busy machine it may.
    expect(text).toMatch(/^dhow_tracing_spans_dropped_total \d+$/m);
  }
});
