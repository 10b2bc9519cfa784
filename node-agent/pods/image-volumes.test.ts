import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Container, Pod } from '../../api/types';
import { ImageError } from '../../runtime/image-service';
import { ImageCollector } from '../images/image-collector';
import { silentLog } from '../../lib/log';
import { sandboxIdOf } from '../inventory/labels';
import { createPodBench, testContainer, testPod, type PodBench } from './testing';

let directory: string;
let bench: PodBench;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-image-volumes-'));
  bench = createPodBench({ directory });
});
afterEach(async () => {
  await bench.stop();
  await rm(directory, { recursive: true, force: true });
});

const MOUNT = { name: 'model', mountPath: '/model' };
const podWith = (
  image: object,
  containers: readonly Container[] = [testContainer({ volumeMounts: [MOUNT] })],
): Pod => testPod({ spec: { containers: [...containers], volumes: [{ name: 'model', image }] } });
const stateOf = (name = 'web') =>
  bench.status().containerStatuses?.find((each) => each.name === name)?.state;
const isRunning = (name = 'web') => stateOf(name)?.running !== undefined;

it('brings an image that is a volume, by its own policy, and shows its layers read-only', async () => {
  const { id } = bench.images.publish('model:1', { lowerDirs: ['/top', '/bottom'] });
  await bench.run(podWith({ reference: 'model:1', pullPolicy: 'Always' }));
  await bench.until(() => isRunning());
  expect(bench.images.pulls).toEqual(['docker.io/library/model:1', 'docker.io/library/web:1']);
  expect(bench.images.pins.get('uid-1')?.has(id)).toBe(true);
  const path = bench.deps.volumes.imagePath('uid-1', 'model');
  expect(path).toBe(join(directory, 'run/pods/uid-1/image/model'));
  const [run] = bench.runtime.containers(sandboxIdOf('uid-1'));
  expect(bench.runtime.specOf(run?.id ?? '').mounts).toContainEqual(
    expect.objectContaining({ source: path, target: '/model', isReadOnly: true }),
  );
});

it('says of each container that mounts it why an image is not there, and starts the others', async () => {
  bench.images.failNextPulls(new ImageError('ErrImagePull', 'no such thing'));
  const other = testContainer({ name: 'other' });
  await bench.run(
    podWith({ reference: 'model:1' }, [testContainer({ volumeMounts: [MOUNT] }), other]),
  );
  await bench.until(() => isRunning('other'));
  expect(stateOf()?.waiting).toMatchObject({ reason: 'ErrImagePull', message: 'no such thing' });
  await bench.until(() => stateOf()?.waiting?.reason === 'ImagePullBackOff');
  expect(bench.events()).toContain('BackOff: Back-off pulling image "model:1"');
  bench.images.publish('model:1');
  await bench.until(() => isRunning());
});

it('does not pull what must be there already', async () => {
  await bench.run(podWith({ reference: 'model:1', pullPolicy: 'Never' }));
  await bench.until(() => stateOf()?.waiting?.reason === 'ErrImageNeverPull');
  expect(bench.images.pulls).toEqual([]);
});

it('keeps an image while a pod has it as a volume, and lets it go with the pod', async () => {
  const { id } = bench.images.publish('model:1');
  const pod = podWith({ reference: 'model:1' });
  await bench.run(pod);
  await bench.until(() => isRunning());
  const collector = new ImageCollector({
    images: bench.images,
    pods: () => [pod],
    diskUse: () => Promise.resolve(1),
    records: { prune: () => Promise.resolve() },
    clock: bench.clock,
    log: silentLog,
  });
  await collector.collect();
  await bench.clock.advance(200_000);
  await collector.collect();
  expect((await bench.images.list()).map((image) => image.id)).toContain(id);
  await bench.run();
  await bench.until(() => !bench.images.pins.has('uid-1'));
  expect(bench.deps.volumes.imagePath('uid-1', 'model')).toBeUndefined();
});

it('shows the same for all the life of a pod', async () => {
  bench.images.publish('model:1');
  await bench.run(
    podWith({ reference: 'model:1', pullPolicy: 'Always' }, [
      testContainer({ volumeMounts: [MOUNT] }),
      testContainer({ name: 'other', volumeMounts: [MOUNT] }),
    ]),
  );
  await bench.until(() => isRunning() && isRunning('other'));
  expect(bench.images.pulls.filter((name) => name.includes('model'))).toHaveLength(1);
});
