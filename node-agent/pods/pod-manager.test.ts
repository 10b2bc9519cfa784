import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Pod } from '../../api/types';
import { createPodBench, testPod } from './testing';

const LATER_MS = 1000;

const podNamed = (name: string, resourceVersion: string): Pod => {
  const pod = testPod();
  return { ...pod, metadata: { ...pod.metadata, name, uid: name, resourceVersion } };
};

it('wakes only the pods that changed', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-pod-manager-'));
  const bench = createPodBench({ directory });
  const sync = async (...pods: readonly Pod[]) => {
    bench.manager.sync(new Map(pods.map((pod) => [pod.metadata.uid ?? '', pod])));
    await bench.until(() => pods.every(({ metadata: { uid } }) => isRunning(uid)));
  };
  const isRunning = (uid?: string) => bench.status(uid).phase === 'Running';
  try {
    await sync(podNamed('old', '1'));
    await bench.clock.advance(LATER_MS);
    const lookedAt = jest.spyOn(bench.runtime, 'containers');
    await sync(podNamed('old', '1'), podNamed('new', '2'));
    expect(lookedAt).toHaveBeenCalledWith('new');
    expect(lookedAt).not.toHaveBeenCalledWith('old');
    await sync(podNamed('old', '3'), podNamed('new', '2'));
    await bench.clock.advance(0);
    expect(lookedAt).toHaveBeenCalledWith('old');
  } finally {
    await bench.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
