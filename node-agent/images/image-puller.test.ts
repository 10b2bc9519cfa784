import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Container, Pod, Secret } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { silentLog } from '../../lib/log';
import { FakeImageService } from '../../runtime/images/fake';
import { parseReference } from '../../runtime/images/reference';
import { DEFAULT_SETTINGS } from '../settings';
import { ImagePuller } from './image-puller';
import { PullRecords } from './pull-records';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-puller-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

it('tells once why a name is none', async () => {
  const images = new FakeImageService();
  images.find = async (reference) => {
    parseReference(reference);
    return undefined;
  };
  const events: string[] = [];
  const puller = new ImagePuller({
    images,
    records: new PullRecords({ directory, images, log: silentLog }),
    objects: { secret: () => undefined, configMap: () => undefined },
    events: { emit: (_pod, { message }) => void events.push(message) },
    clock: new ManualClock(0),
    settings: DEFAULT_SETTINGS,
  });
  const container: Container = { name: 'c', image: 'WEB:1' };
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [container] },
    status: {},
  };
  const message =
    `Failed to apply default image tag "WEB:1": couldn't parse image name "WEB:1": invalid ` +
    'reference format: repository name (library/WEB) must be lowercase';
  await expect(puller.ensure(pod, container, new AbortController().signal)).rejects.toMatchObject({
    reason: 'InvalidImageName',
    message,
  });
  expect(events).toEqual([message]);
});

describe('an image that only some may read', () => {
  const right = { username: 'me', password: 'right' };
  const auths = (password: string) => ({ 'reg.example': { username: 'me', password } });
  const secretOf = (name: string, password: string): Secret => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name, namespace: 'ns', uid: `uid-${name}` },
    type: 'kubernetes.io/dockerconfigjson',
    data: {
      '.dockerconfigjson': Buffer.from(stringifyJson({ auths: auths(password) })).toString(
        'base64',
      ),
    },
  });
  const secrets: Readonly<Record<string, Secret>> = {
    wrong: secretOf('wrong', 'wrong'),
    right: secretOf('right', 'right'),
    second: secretOf('second', 'second'),
  };
  const container: Container = { name: 'c', image: 'reg.example/web:1' };
  const podOf = (...names: readonly string[]): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'ns' },
    spec: { containers: [container], imagePullSecrets: names.map((name) => ({ name })) },
    status: {},
  });
  const setUp = () => {
    const images = new FakeImageService();
    const image = images.publish('reg.example/web:1', {
      readers: [right, { username: 'me', password: 'second' }],
    });
    const clock = new ManualClock(0);
    const events: string[] = [];
    const puller = new ImagePuller({
      images,
      records: new PullRecords({ directory, images, log: silentLog }),
      objects: { secret: (_namespace, name) => secrets[name], configMap: () => undefined },
      events: { emit: (_pod, { reason, message }) => void events.push(`${reason}: ${message}`) },
      clock,
      settings: DEFAULT_SETTINGS,
    });
    const ensureAs = (imagePullPolicy: string, ...names: readonly string[]) =>
      puller.ensure(
        podOf(...names),
        { ...container, imagePullPolicy },
        new AbortController().signal,
      );
    const ensure = (...names: readonly string[]) => ensureAs('IfNotPresent', ...names);
    return { images, image, events, clock, ensure, ensureAs };
  };

  it('is pulled with whichever of the pod’s secrets lets it in', async () => {
    const { image, ensure } = setUp();
    await expect(ensure('wrong')).rejects.toThrow('pull access denied');
    expect((await ensure('wrong', 'right')).id).toBe(image.id);
  });

  it('is asked for without those that are missing, which people are told of', async () => {
    const { events, ensure } = setUp();
    await expect(ensure('gone', 'wrong', 'lost')).rejects.toThrow('pull access denied');
    expect(events).toContain(
      'FailedToRetrieveImagePullSecret: Unable to retrieve some image pull secrets (gone, lost); ' +
        'attempting to pull the image may not succeed.',
    );
  });

  it('is not given to a pod that could not have pulled it', async () => {
    const { images, image, events, clock, ensure } = setUp();
    await ensure('right');
    await expect(ensure()).rejects.toMatchObject({
      reason: 'ErrImagePull',
      message: expect.stringMatching(
        /^it is on this node, pulled with secret right, and this pod has to show .* pull access denied/,
      ),
    });
    await expect(ensure('wrong')).rejects.toMatchObject({ reason: 'ErrImagePull' });
    await expect(ensure()).rejects.toMatchObject({ reason: 'ImagePullBackOff' });
    expect(images.authentications).toHaveLength(2);
    await clock.advance(10_000);
    await expect(ensure()).rejects.toMatchObject({ reason: 'ErrImagePull' });
    expect((await ensure('right')).id).toBe(image.id);
    expect(images.authentications).toHaveLength(3);
    expect(images.pulls).toHaveLength(1);
    expect(events).toContain(
      'Pulled: Container image "reg.example/web:1" already present on machine and can be accessed by the pod',
    );
  });

  it('is given to a pod that can read it by other means, whose registry is asked once', async () => {
    const { images, image, ensure } = setUp();
    await ensure('right');
    for (let i = 0; i < 3; i++) expect((await ensure('second')).id).toBe(image.id);
    expect([images.pulls.length, images.authentications.length]).toEqual([1, 1]);
  });

  it('is given to all once everybody can read it', async () => {
    const { images, image, ensure } = setUp();
    await ensure('right');
    images.publish('reg.example/web:1');
    for (let i = 0; i < 3; i++) expect((await ensure()).id).toBe(image.id);
    expect([images.pulls.length, images.authentications.length]).toEqual([1, 1]);
  });

  it('is as if it were not there for a pod that must not pull and may not read it', async () => {
    const { images, image, ensure, ensureAs } = setUp();
    await ensure('right');
    const refused = { reason: 'ErrImageNeverPull' };
    for (let i = 0; i < 3; i++)
      await expect(ensureAs('Never', 'wrong')).rejects.toMatchObject(refused);
    expect(images.authentications).toHaveLength(1);
    expect((await ensureAs('Never', 'second')).id).toBe(image.id);
    expect((await ensureAs('Never', 'right')).id).toBe(image.id);
    expect(images.pulls).toHaveLength(1);
  });

  it('is for everybody when no pull has brought it', async () => {
    const { images, ensure, ensureAs } = setUp();
    const { id } = images.add('reg.example/web:1', { readers: [right] });
    expect([(await ensure()).id, (await ensureAs('Never', 'wrong')).id]).toEqual([id, id]);
    expect(images.authentications).toEqual([]);
  });
});

it.each([
  ['Always', true, 1],
  ['IfNotPresent', true, 0],
  ['IfNotPresent', false, 1],
  ['Never', true, 0],
])('pulls by the policy %s an image that is here (%s): %i times', async (policy, isHere, count) => {
  const images = new FakeImageService();
  if (isHere) images.add('web:1');
  else images.publish('web:1');
  const { puller, pod, container } = pullerOf(images, policy);
  await puller.ensure(pod, container, new AbortController().signal);
  expect(images.pulls).toHaveLength(count);
});

it('pulls nothing by the policy Never, and says that the image is not here', async () => {
  const images = new FakeImageService();
  images.publish('web:1');
  const { puller, pod, container } = pullerOf(images, 'Never');
  await expect(puller.ensure(pod, container, new AbortController().signal)).rejects.toMatchObject({
    reason: 'ErrImageNeverPull',
  });
  expect(images.pulls).toEqual([]);
});

const pullerOf = (images: FakeImageService, imagePullPolicy: string) => {
  const container: Container = { name: 'c', image: 'web:1', imagePullPolicy };
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [container] },
    status: {},
  };
  const puller = new ImagePuller({
    images,
    records: new PullRecords({ directory, images, log: silentLog }),
    objects: { secret: () => undefined, configMap: () => undefined },
    events: { emit: () => undefined },
    clock: new ManualClock(0),
    settings: DEFAULT_SETTINGS,
  });
  return { puller, pod, container };
};
