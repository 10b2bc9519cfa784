import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentsOf, testTracing } from '../../lib/tracing/testing';
import { noteTraces } from './pod-trace';
import { createPodBench, testPod, type PodBench } from './testing';

const TRACEPARENT = `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01`;
const row = (traceparent?: string) => ({
  ...{ resource: 'pods', key: 'uid-1', version: '1', json: Buffer.from('{}') },
  ...(traceparent === undefined ? {} : { traceparent }),
});

let directory: string;
let bench: PodBench;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-pod-trace-'));
});
afterEach(async () => {
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const isReady = () => bench.status().containerStatuses?.[0]?.ready === true;

it('tells of the start of a pod under the span that the server named', async () => {
  const { tracing, ended } = testTracing(0);
  bench = createPodBench({ directory, tracing });
  noteTraces(tracing, [row(TRACEPARENT)]);
  await bench.run(testPod());
  await bench.until(isReady);
  await bench.until(() => tracing.pods.of('uid-1') === undefined);
  const spans = await ended();
  expect(parentsOf(spans)).toEqual({
    'Run pod': '',
    'Create sandbox': 'Run pod',
    'Prepare volumes': 'Run pod',
    'Pull image': 'Run pod',
    'Create container': 'Run pod',
    'Start container': 'Run pod',
    'Wait until ready': 'Run pod',
  });
  const run = spans.find(({ name }) => name === 'Run pod');
  expect(run?.parentSpanContext).toMatchObject({ traceId: '1'.repeat(32), spanId: '2'.repeat(16) });
  expect(run?.attributes).toMatchObject({ 'k8s.pod.uid': 'uid-1', 'k8s.node.name': 'n1' });
});

it('traces no pod of which the server does not say so, nor one that ran before', async () => {
  const { tracing, ended } = testTracing();
  bench = createPodBench({ directory, tracing });
  noteTraces(tracing, [row(), row('00-nonsense-01'), row(`00-${'0'.repeat(32)}-0-01`)]);
  await bench.run(testPod());
  await bench.until(isReady);
  const known = testPod({
    metadata: { uid: 'uid-2', name: 'known' },
    status: { phase: 'Pending', startTime: '2026-01-01T00:00:00Z' },
  });
  noteTraces(tracing, [{ ...row(TRACEPARENT), key: 'uid-2' }]);
  await bench.run(testPod(), known);
  await bench.until(() => bench.status('uid-2').containerStatuses?.[0]?.ready === true);
  expect((await ended()).map(({ name }) => name)).not.toContain('Run pod');
});

it('tells that a step failed, and goes on with the next try', async () => {
  const { tracing, ended } = testTracing();
  bench = createPodBench({ directory, tracing });
  noteTraces(tracing, [row(TRACEPARENT)]);
  const [container] = testPod().spec.containers;
  await bench.run(testPod({ spec: { containers: [{ ...container!, image: 'later:1' }] } }));
  await bench.until(() => bench.events().some((text) => text.startsWith('Failed')));
  bench.images.publish('later:1');
  await bench.until(isReady, 600_000);
  const pulls = (await ended()).filter(({ name }) => name === 'Pull image');
  expect(pulls.map(({ status }) => status.code)).toEqual(expect.arrayContaining([2, 0]));
});
