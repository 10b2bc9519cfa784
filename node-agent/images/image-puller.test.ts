import type { Container, Pod, Secret } from '../../api/types';
import { ManualClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { FakeImageService } from '../../runtime/images/fake';
import { parseReference } from '../../runtime/images/reference';
import { DEFAULT_SETTINGS } from '../settings';
import { ImagePuller } from './image-puller';

it('tells once why a name is none', async () => {
  const images = new FakeImageService();
  images.find = async (reference) => {
    parseReference(reference);
    return undefined;
  };
  const events: string[] = [];
  const puller = new ImagePuller({
    images,
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
    const image = images.publish('reg.example/web:1', { readers: [right] });
    const events: string[] = [];
    const puller = new ImagePuller({
      images,
      objects: { secret: (_namespace, name) => secrets[name], configMap: () => undefined },
      events: { emit: (_pod, { reason, message }) => void events.push(`${reason}: ${message}`) },
      clock: new ManualClock(0),
      settings: DEFAULT_SETTINGS,
    });
    const ensure = (...names: readonly string[]) =>
      puller.ensure(podOf(...names), container, new AbortController().signal);
    return { image, events, ensure };
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
});
