import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { NODES, PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
import { LABEL } from '../../node-agent/inventory/labels';
import { createMounter } from '../../node-agent/volumes/mounter';
import { FakeImageService } from '../../runtime/images';
import { TestDevicePlugin, type DevicePluginOptionsOfTest } from '../support/device-plugin';
import { openRuntimeHost, type RuntimeHost } from './runtime-host';
import {
  eventually,
  podDraft,
  startAgent,
  startPlane,
  type Plane,
  type RunningAgent,
} from './support/agent-plane';

/** Not one that every container may use. */
const DEVICE = ['/dev/loop-control', '/dev/fuse', '/dev/kmsg', '/dev/vda'].find((path) =>
  existsSync(path),
);
const RESOURCE = 'example.com/gadget';

(DEVICE === undefined ? describe.skip : describe)('devices of a node', () => {
  const device = DEVICE ?? '';
  let directory: string;
  let plane: Plane;
  let host: RuntimeHost;
  let agent: RunningAgent;
  const plugins: TestDevicePlugin[] = [];

  const start = async (config: object = {}) => {
    const images = new FakeImageService();
    images.publish('web:1', { lowerDirs: host.lowerDirs });
    const runtime = await host.reopen();
    const cdiSpecDirs = [join(directory, 'cdi')];
    return startAgent(plane, directory, {
      ...{ runtime, images, mounter: createMounter() },
      config: { cdiSpecDirs, ...config },
    });
  };
  const folder = () => join(directory, 'state/device-plugins');
  const plugin = async (ids: readonly string[], more: Partial<DevicePluginOptionsOfTest> = {}) => {
    await eventually(async () => existsSync(join(folder(), 'kubelet.sock')));
    const given = {
      resource: RESOURCE,
      folder: folder(),
      answer: (some: readonly string[]) => ({ envs: { GADGETS: some.join(',') } }),
      ...more,
    };
    const started = await TestDevicePlugin.start(given, ids);
    plugins.push(started);
    return started;
  };
  const nodeCounts = async (resource = RESOURCE) => {
    const { status } = await plane.client.get(NODES, { namespace: '', name: 'n1' });
    return `${status.allocatable?.[resource]} of ${status.capacity?.[resource]}`;
  };
  const untilCounts = (wanted: string, resource?: string) =>
    eventually(async () => (await nodeCounts(resource)) === wanted);
  const create = (name: string, count: number, container: object = {}, resource = RESOURCE) => {
    const amounts = { [resource]: String(count) };
    const resources = { requests: amounts, limits: amounts };
    return plane.client.create(PODS, podDraft(name, { resources, ...container }));
  };
  const remove = (name: string) =>
    plane.client.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
  const podWhere = (name: string, isReached: (pod: Pod) => boolean | undefined) =>
    eventually(async () => {
      const pod = await plane.client.get(PODS, { namespace: 'default', name });
      return isReached(pod) === true ? pod : undefined;
    });
  const isRunning = ({ status }: Pod) =>
    status.containerStatuses?.[0]?.state?.running !== undefined;
  const hasFailed = ({ status }: Pod) => status.phase === 'Failed';
  const saidIn = async (name: string, command: string) => {
    const run = agent.runtime
      .containers()
      .find(({ labels, status }) => labels[LABEL.podName] === name && status === 'running');
    await using process = await agent.runtime.exec(run?.id ?? '', {
      ...{ args: ['sh', '-c', command], env: [], tty: false, stdin: false },
    });
    let said = '';
    for await (const piece of process.output)
      if (piece.stream !== 'exit') said += Buffer.from(piece.data).toString();
    return said.trim();
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-devices-'));
    plane = await startPlane(directory);
    host = await openRuntimeHost();
  });
  afterEach(async () => {
    const { items } = await plane.client.list(PODS);
    for (const { metadata } of items) await remove(metadata.name);
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    for (const each of plugins.splice(0)) await each[Symbol.asyncDispose]();
    await agent[Symbol.asyncDispose]();
    await host.close();
    await plane[Symbol.asyncDispose]();
    await rm(directory, { recursive: true, force: true });
  });

  it('are counted, handed out by their plugin, and kept over restarts', async () => {
    agent = await start();
    const mounted = join(directory, 'driver');
    writeFileSync(mounted, 'library');
    const options = { getPreferredAllocationAvailable: true, preStartRequired: true };
    const gadgets = await plugin(['g0', 'g1', 'g2'], {
      options,
      answer: (ids) => ({
        envs: { GADGETS: ids.join(','), SAID: 'by the plugin' },
        mounts: [{ containerPath: '/opt/driver', hostPath: mounted, readOnly: true }],
        devices: ids.map((id) => ({
          containerPath: `/dev/gadgets/${id}`,
          hostPath: device,
          permissions: 'rw',
        })),
      }),
    });
    await untilCounts('3 of 3');
    await create('two', 2, { env: [{ name: 'SAID', value: 'by the pod' }] });
    await podWhere('two', isRunning);
    // As the plugin prefers, the last.
    expect(gadgets.allocations).toEqual([['g1', 'g2']]);
    expect(gadgets.starts).toEqual([['g1', 'g2']]);
    expect(await saidIn('two', 'echo $GADGETS $SAID')).toBe('g1,g2 by the pod');
    expect(await saidIn('two', 'cat /opt/driver; echo x > /opt/driver')).toMatch(
      /^library.*Read-only/s,
    );
    const { rdev } = statSync(device);
    const numbers = await saidIn('two', 'stat -c %t:%T /dev/gadgets/g1');
    expect(numbers).toBe(
      `${((rdev >>> 8) & 0xfff).toString(16)}:${((rdev & 0xff) | ((rdev >>> 12) & 0xfff00)).toString(16)}`,
    );
    // The cgroup lets it be opened, unlike others.
    expect(await saidIn('two', 'exec 3<>/dev/gadgets/g2 && echo open')).toBe('open');

    await create('late', 2);
    const late = await podWhere('late', hasFailed);
    expect(late.status).toMatchObject({
      reason: 'UnexpectedAdmissionError',
      message:
        'Pod was rejected: Allocate failed due to requested number of devices unavailable for ' +
        `${RESOURCE}. Requested: 2, Available: 1, which is unexpected`,
    });

    await agent.stop();
    await gadgets[Symbol.asyncDispose]();
    agent = await start();
    // Nobody offers them, and what has some runs on.
    await untilCounts('0 of 0');
    const again = await plugin(['g0', 'g1', 'g2'], { options });
    await untilCounts('3 of 3');
    await create('one', 1);
    await podWhere('one', isRunning);
    expect(again.allocations).toEqual([['g0']]);
    expect(await saidIn('two', 'echo $GADGETS')).toBe('g1,g2');
    await remove('two');
    await eventually(async () => agent.runtime.sandboxes().length === 1);
    await create('next', 2);
    await podWhere('next', isRunning);
    expect(again.allocations.at(-1)).toEqual(['g1', 'g2']);
  });

  it('count for less when they are not healthy, and for nothing when their plugin ends', async () => {
    agent = await start();
    const gadgets = await plugin(['g0', 'g1']);
    await untilCounts('2 of 2');
    gadgets.setHealth('g0', false);
    await untilCounts('1 of 2');
    await create('one', 1);
    await podWhere('one', isRunning);
    expect(gadgets.allocations).toEqual([['g1']]);
    await gadgets[Symbol.asyncDispose]();
    await untilCounts('0 of 2');
    await create('late', 1);
    const { status } = await podWhere('late', hasFailed);
    expect(status.message).toContain(
      `no healthy devices present; cannot allocate unhealthy devices ${RESOURCE}`,
    );
  });

  it('fail the pod with the plugin’s own words, and are free again', async () => {
    agent = await start();
    const gadgets = await plugin(['g0']);
    await untilCounts('1 of 1');
    gadgets.refusal = 'it is on fire';
    await create('web', 1);
    const { status } = await podWhere('web', hasFailed);
    expect(status).toMatchObject({
      reason: 'UnexpectedAdmissionError',
      message:
        'Pod was rejected: Allocate failed due to rpc error: code = Unknown desc = it is on fire, which is unexpected',
    });
    gadgets.refusal = '';
    await create('next', 1);
    await podWhere('next', isRunning);
  });

  it('are not offered by what speaks another version, or has a name of nobody', async () => {
    agent = await start();
    await expect(plugin(['g0'], { register: { version: 'v1alpha' } })).rejects.toThrow(
      'requested API version "v1alpha" is not supported by kubelet. Supported version is ["v1beta1"]',
    );
    await expect(plugin(['g0'], { register: { resourceName: 'gadget' } })).rejects.toThrow(
      'the ResourceName "gadget" is invalid',
    );
    await expect(plugin(['g0'], { register: { endpoint: '../x' } })).rejects.toThrow(
      'is no name of a socket',
    );
  });

  it('are described by files, and counted as the node’s settings say', async () => {
    const resource = 'devices.dhow.dev/gadget';
    const spec = (words: string) => ({
      cdiVersion: '0.6.0',
      kind: 'example.com/gadget',
      devices: ['a', 'b'].map((name) => ({
        name,
        containerEdits: {
          deviceNodes: [
            { path: `/dev/gadget-${name}`, hostPath: device, fileMode: 0o640, uid: 7, gid: 8 },
          ],
        },
      })),
      containerEdits: { env: [`SAID=${words}`], additionalGids: [8] },
    });
    const file = join(directory, 'cdi/gadgets.json');
    mkdirSync(join(directory, 'cdi'));
    writeFileSync(join(directory, 'cdi/broken.yaml'), 'kind: [');
    const devices = { [resource]: ['a', 'b', 'c'].map((name) => `example.com/gadget=${name}`) };
    agent = await start({ devices });
    await untilCounts('0 of 3', resource);
    writeFileSync(file, JSON.stringify(spec('first')));
    await untilCounts('2 of 3', resource);
    await create('web', 1, { env: [{ name: 'SAID', value: 'by the pod' }] }, resource);
    await podWhere('web', isRunning);
    expect(await saidIn('web', 'echo $SAID; stat -c "%a %u %g" /dev/gadget-a; id -G')).toBe(
      'first\n640 7 8\n0 8',
    );
    expect(await saidIn('web', 'exec 3</dev/gadget-a && echo open')).toBe('open');
    await create('many', 2, {}, resource);
    expect((await podWhere('many', hasFailed)).status.message).toContain('Available: 1');
    // What it finds when it starts again is what the file says by then.
    writeFileSync(file, JSON.stringify(spec('second')));
    const [first] = agent.runtime.containers().filter(({ status }) => status === 'running');
    await agent.runtime.kill(first?.id ?? '', 9);
    await podWhere('web', (pod) => {
      const restarts = pod.status.containerStatuses?.[0]?.restartCount ?? 0;
      return restarts > 0 && isRunning(pod);
    });
    expect(await saidIn('web', 'echo $SAID')).toBe('second');
  });
});
