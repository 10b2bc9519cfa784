import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { PODS, SECRETS, SERVICE_ACCOUNTS } from '../../api/resources';
import { FakeContainerRuntime } from '../../runtime/containers';
import { FakeImageService } from '../../runtime/images';
import { eventually, podDraft, startAgent, startPlane, type Plane } from './support/agent-plane';

let directory: string;
let plane: Plane;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-private-'));
  plane = await startPlane(directory);
});
afterEach(async () => {
  await plane[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const IMAGE = 'reg.example/web:1';
const me = { username: 'me', password: 'secret' };

const createPod = (name: string, spec: object = {}) =>
  plane.client.create(
    PODS,
    podDraft(name, { image: IMAGE, imagePullPolicy: 'IfNotPresent' }, spec),
  );
const waitFor = (name: string, isReached: (reason: string) => boolean) =>
  eventually(async () => {
    const { status } = await plane.client.get(PODS, { namespace: 'default', name });
    const [container] = status.containerStatuses ?? [];
    const reason = container?.state?.waiting?.reason ?? '';
    return isReached(container?.state?.running === undefined ? reason : 'Running');
  });
const runs = (name: string) => waitFor(name, (state) => state === 'Running');
const waits = (name: string) =>
  waitFor(name, (state) => /^ErrImagePull$|^ImagePullBackOff$/.test(state));

it('are for pods whose account has the secret, also where they are already', async () => {
  const images = new FakeImageService();
  images.publish(IMAGE, { readers: [me] });
  const runtime = new FakeContainerRuntime();
  const agent = await startAgent(plane, directory, { images, runtime });
  await plane.client.create(SERVICE_ACCOUNTS, {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'builder', namespace: 'default' },
    imagePullSecrets: [{ name: 'regcred' }],
  });
  await createPod('mine', { serviceAccountName: 'builder' });
  await waits('mine');
  const auths = { 'reg.example': me };
  await plane.client.create(SECRETS, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'regcred', namespace: 'default' },
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64'),
    },
  });
  await runs('mine');
  await createPod('other');
  await waits('other');
  await createPod('ours', { imagePullSecrets: [{ name: 'regcred' }] });
  await runs('ours');
  const pullCount = images.pulls.length;

  await agent.stop();
  await using _again = await startAgent(plane, directory, { images, runtime });
  await createPod('later');
  await waits('later');
  await createPod('ours-later', { serviceAccountName: 'builder' });
  await runs('ours-later');
  expect(images.pulls).toHaveLength(pullCount);
  images.publish(IMAGE);
  await runs('other');
});
