import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PODS } from '../../api/resources';
import { isPodReady } from '../../api/pods';
import { FakeContainerRuntime } from '../../runtime/containers';
import { eventually, startAgent, startPlane, type Plane } from './support/agent-plane';

let dir: string;
let manifests: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'dhow-static-'));
  manifests = join(dir, 'manifests');
  mkdirSync(manifests);
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const put = (command: string, hostNetwork = true) =>
  writeFileSync(
    join(manifests, 'web.yaml'),
    `apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  hostNetwork: ${hostNetwork}\n  containers: [{name: c, image: web:1, command: [sh, -c, '${command}']}]\n`,
  );
const NAME = { namespace: 'default', name: 'web-n1' };
const mirror = ({ client }: Plane) => client.get(PODS, NAME).catch(() => undefined);
const readyMirror = (plane: Plane) =>
  eventually(async () => {
    const pod = await mirror(plane);
    return pod !== undefined && isPodReady(pod) && pod;
  });

it('shows a static pod on the server, and whoever deletes the mirror ends nothing', async () => {
  await using plane = await startPlane(dir);
  const runtime = new FakeContainerRuntime();
  put('sleep 1000');
  await using _agent = await startAgent(plane, dir, { runtime, podManifestPath: manifests });
  const first = await readyMirror(plane);
  expect(first.metadata).toMatchObject({
    annotations: { 'kubernetes.io/config.source': 'file' },
    ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', controller: true }],
  });
  expect(first.spec.serviceAccountName ?? '').toBe('');
  const [container] = runtime.containers();
  await plane.client.delete(PODS, NAME, { gracePeriodSeconds: 1 });
  const second = await eventually(async () => {
    const pod = await readyMirror(plane);
    return pod.metadata.uid !== first.metadata.uid && pod;
  });
  expect(second.status.containerStatuses).toEqual(first.status.containerStatuses);
  expect(runtime.containers().map(({ id }) => id)).toEqual([container?.id]);

  put('sleep 2000');
  await eventually(async () => {
    const pod = await readyMirror(plane);
    const hash = (each: typeof pod) => each.metadata.annotations?.['kubernetes.io/config.hash'];
    return hash(pod) !== hash(second);
  });
  expect(runtime.containers().map(({ id }) => id)).not.toEqual([container?.id]);
  rmSync(join(manifests, 'web.yaml'));
  await eventually(async () => (await mirror(plane)) === undefined);
  await eventually(async () => runtime.sandboxes().length === 0);
});

it('gives a static pod an address though nobody has told yet which policies hold for it', async () => {
  await using plane = await startPlane(dir);
  put('sleep 1000', false);
  const runtime = new FakeContainerRuntime();
  await using _agent = await startAgent(plane, dir, { runtime, podManifestPath: manifests });
  const { status } = await readyMirror(plane);
  expect(status.podIP).toMatch(/^10\.244\./);
});

it('runs a static pod while the server is away', async () => {
  const runtime = new FakeContainerRuntime();
  put('sleep 1000');
  const plane = await startPlane(dir);
  const first = await startAgent(plane, dir, { runtime, podManifestPath: manifests });
  await readyMirror(plane);
  await first.stop();
  const ids = runtime.containers().map(({ id }) => id);
  await plane[Symbol.asyncDispose]();
  const { token, port } = plane;
  rmSync(join(manifests, 'web.yaml'));
  writeFileSync(join(manifests, 'bad.yaml'), 'a: [');
  await using _agent = await startAgent({ token, port }, dir, {
    runtime,
    podManifestPath: manifests,
  });
  put('sleep 3000');
  await eventually(async () => {
    const running = runtime.containers().filter(({ status }) => status === 'running');
    return running.some(({ id }) => !ids.includes(id));
  });
});
