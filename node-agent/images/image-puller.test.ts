import type { Container, Pod } from '../../api/types';
import { ManualClock } from '../../lib/clock';
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
