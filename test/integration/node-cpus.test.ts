import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

import { PODS } from '../../api/resources';
import { parseCpuList } from '../../node-agent/cpus/cpu-list';
import { readTopology } from '../../node-agent/cpus/topology';
import { LABEL } from '../../node-agent/inventory/labels';
import { createMounter } from '../../node-agent/volumes/mounter';
import { FakeImageService } from '../../runtime/images';
import { openRuntimeHost, type RuntimeHost } from './runtime-host';
import {
  eventually,
  podDraft,
  startAgent,
  startPlane,
  type Plane,
  type RunningAgent,
} from './support/agent-plane';

const CPUSET = ['/sys/fs/cgroup/cpuset', '/sys/fs/cgroup/cpuset.cpus.effective'];
const topology = readTopology();
const isPossible =
  CPUSET.some((path) => existsSync(path)) && topology.length > 1 && availableParallelism() > 1;

(isPossible ? describe : describe.skip)('processors of real containers', () => {
  let directory: string;
  let plane: Plane;
  let host: RuntimeHost;
  let agent: RunningAgent;

  const start = async (config: object) => {
    const images = new FakeImageService();
    images.publish('web:1', { lowerDirs: host.lowerDirs });
    const runtime = await host.reopen();
    return startAgent(plane, directory, { runtime, images, mounter: createMounter(), config });
  };
  const isStatic = { cpuManagerPolicy: 'static', reservedCpus: '0' };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-cpus-'));
    plane = await startPlane(directory);
    host = await openRuntimeHost();
  });
  afterEach(async () => {
    const { items } = await plane.client.list(PODS);
    for (const { metadata } of items) await remove(metadata.name);
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    await agent[Symbol.asyncDispose]();
    await host.close();
    await plane[Symbol.asyncDispose]();
    const root = ['/sys/fs/cgroup/cpuset', '/sys/fs/cgroup'].find((path) => existsSync(path)) ?? '';
    expect(existsSync(join(root, host.cgroupParent))).toBe(false);
    await rm(directory, { recursive: true, force: true });
  });

  /** Where the kernel lets the processes of a container run, its own and what is executed in it. */
  const cpusOf = async (name: string): Promise<readonly number[] | undefined> => {
    const run = agent.runtime
      .containers()
      .find(({ labels, status }) => labels[LABEL.podName] === name && status === 'running');
    if (run?.status !== 'running') return undefined;
    const status = readFileSync(`/proc/${run.pid}/status`, 'utf8');
    const own = /^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '';
    await using process = await agent.runtime.exec(run.id, {
      ...{ args: ['grep', 'Cpus_allowed_list', '/proc/self/status'], env: [] },
      ...{ tty: false, stdin: false },
    });
    let said = '';
    for await (const piece of process.output)
      if (piece.stream === 'stdout') said += Buffer.from(piece.data).toString();
    // Between the two looks the agent may have given it others.
    return said.split(':')[1]?.trim() === own ? parseCpuList(own) : undefined;
  };
  const settled = (name: string, wanted: readonly number[]) =>
    eventually(async () => (await cpusOf(name))?.join() === wanted.join());
  const remove = (name: string) =>
    plane.client.delete(PODS, { namespace: 'default', name }, { gracePeriodSeconds: 0 });
  const create = (name: string, cpu?: string, count = 1) => {
    const amounts = { cpu: String(count), memory: '16Mi' };
    const resources =
      cpu === undefined ? {} : { resources: { requests: amounts, limits: amounts } };
    return plane.client.create(PODS, podDraft(name, resources));
  };

  it('are one container’s alone while it runs, over restarts of the agent too', async () => {
    const all = topology.map(({ id }) => id);
    const own = all.slice(1);
    agent = await start({ ...isStatic, systemReserved: {} });
    await create('shares');
    await settled('shares', all);
    await create('own', '1');
    const first = own.slice(0, 1);
    await settled('own', first);
    const rest = all.filter((id) => !first.includes(id));
    await settled('shares', rest);
    await agent.stop();
    agent = await start(isStatic);
    await settled('own', first);
    await create('late');
    await settled('late', rest);
    await remove('own');
    await settled('shares', all);
  });

  it('are given to what ran before, and taken from it, when the policy changes', async () => {
    const all = topology.map(({ id }) => id);
    agent = await start({});
    await create('own', '1');
    await eventually(async () => cpusOf('own'));
    await agent.stop();
    agent = await start(isStatic);
    await eventually(async () => {
      const run = agent.runtime.containers().find(({ status }) => status === 'running');
      const pid = run?.status === 'running' ? run.pid : 0;
      const threads = readdirSync(`/proc/${pid}/task`);
      return threads.every((thread) =>
        /^Cpus_allowed_list:\s*1$/m.test(
          readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8'),
        ),
      );
    });
    await agent.stop();
    agent = await start({});
    await settled('own', all);
  });
});
