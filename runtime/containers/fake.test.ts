import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ManualClock } from '../../lib/clock';
import { RuntimeError } from '../container-runtime';
import { FakeContainerRuntime } from './fake';
import { containerSpec, runtimeSuite, sandboxSpec, type RuntimeHarness } from './runtime-suite';

const openFake = async (): Promise<RuntimeHarness> => {
  const logDir = mkdtempSync(join(tmpdir(), 'runtime-fake-'));
  return {
    runtime: new FakeContainerRuntime(),
    lowerDirs: ['/fake'],
    logDir,
    close: async () => rmSync(logDir, { recursive: true }),
  };
};

runtimeSuite('FakeContainerRuntime', openFake);

describe('FakeContainerRuntime for tests of other parts', () => {
  const harness = { lowerDirs: [], logDir: '/nowhere' } as unknown as RuntimeHarness;

  it('runs on the given clock', async () => {
    const clock = new ManualClock(1000);
    const runtime = new FakeContainerRuntime({ clock, writesLogs: false });
    await runtime.createSandbox(sandboxSpec('box'));
    await runtime.createContainer(containerSpec(harness, 'c1', 'sleep 5; exit 2'));
    await runtime.startContainer('c1');
    await clock.advance(5000);
    await clock.advance(0);
    expect(runtime.containers()[0]).toMatchObject({
      status: 'exited',
      startedAtMs: 1000,
      exit: { exitCode: 2, finishedAtMs: 6000 },
    });
  });

  it('fails when told to, once', async () => {
    const runtime = new FakeContainerRuntime({ writesLogs: false });
    runtime.failNext('createSandbox', new RuntimeError('netns', 'no space'));
    await expect(runtime.createSandbox(sandboxSpec('box'))).rejects.toThrow('no space');
    await runtime.createSandbox(sandboxSpec('box'));
    expect(runtime.calls).toEqual(['createSandbox box', 'createSandbox box']);
  });

  it('ends a container from outside, out of memory if asked', async () => {
    const runtime = new FakeContainerRuntime({ writesLogs: false });
    await runtime.createSandbox(sandboxSpec('box'));
    await runtime.createContainer(containerSpec(harness, 'c1', 'sleep 1000'));
    await runtime.startContainer('c1');
    await runtime.exitContainer('c1', 137, { oomKilled: true });
    expect(runtime.containers()[0]).toMatchObject({ exit: { exitCode: 137, oomKilled: true } });
  });

  it('goes on after SIGTERM when told to', async () => {
    const runtime = new FakeContainerRuntime({ writesLogs: false, ignoresSigterm: () => true });
    await runtime.createSandbox(sandboxSpec('box'));
    await runtime.createContainer(containerSpec(harness, 'c1', 'sleep 1000'));
    await runtime.startContainer('c1');
    await runtime.kill('c1', 15);
    expect(runtime.containers()[0]).toMatchObject({ status: 'running' });
    await runtime.removeContainer('c1');
  });
});
