import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Pod } from '../../api/types';
import { createPodBench, testContainer, testPod } from './testing';

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

it('keeps neither room nor ports for a pod that was deleted by force and still ends', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-pod-manager-'));
  const bench = createPodBench({ directory });
  const ports = [{ containerPort: 80, hostPort: 8080 }];
  const withPort = (name: string): Pod => {
    const pod = podNamed(name, '1');
    return { ...pod, spec: { ...pod.spec, containers: [testContainer({ ports })] } };
  };
  const phase = (name: string) => bench.status(name).phase;
  try {
    bench.manager.sync(new Map([['old', withPort('old')]]));
    await bench.until(() => phase('old') === 'Running');
    jest.spyOn(bench.runtime, 'removeSandbox').mockRejectedValue(new Error('busy'));
    bench.manager.sync(new Map([['new', withPort('new')]]));
    const active = () => bench.manager.active().map(({ metadata }) => metadata.name);
    expect(active()).not.toContain('old');
    await bench.until(() => phase('new') === 'Running');
    expect(active()).toEqual(['new']);
    expect(bench.manager.hostPorts().map(({ podIp }) => podIp)).toEqual([
      bench.status('new').podIP,
      bench.status('old').podIP,
    ]);
  } finally {
    await bench.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
