import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { CONFIG_MAPS, PODS } from '../../api/resources';
import type { Pod } from '../../api/types';
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

const isMountPoint = (path: string) =>
  readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);

describe('pods as real processes', () => {
  let directory: string;
  let plane: Plane;
  let host: RuntimeHost;
  let agent: RunningAgent;

  const start = async () => {
    const images = new FakeImageService();
    images.publish('web:1', { lowerDirs: host.lowerDirs });
    const runtime = await host.reopen();
    return startAgent(plane, directory, { runtime, images, mounter: createMounter(isMountPoint) });
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-agent-'));
    plane = await startPlane(directory);
    host = await openRuntimeHost();
    agent = await start();
  });
  afterEach(async () => {
    await plane.client
      .list(PODS)
      .then(({ items }) =>
        Promise.all(
          items.map(({ metadata: { name, namespace = '' } }) =>
            plane.client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 }),
          ),
        ),
      );
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    await agent[Symbol.asyncDispose]();
    await host.close();
    await plane[Symbol.asyncDispose]();
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(directory);
    await rm(directory, { recursive: true, force: true });
  });

  const createPod = (draft: ReturnType<typeof podDraft>) => plane.client.create(PODS, draft);
  const podWhere = (isReached: (pod: Pod) => boolean | undefined, name = 'web') =>
    eventually(async () => {
      const pod = await plane.client.get(PODS, { namespace: 'default', name });
      return isReached(pod) === true ? pod : undefined;
    });
  const isReady = ({ status }: Pod) =>
    status.conditions?.some((c) => c.type === 'Ready' && c.status === 'True');
  const isOver = ({ status }: Pod) => status.phase === 'Succeeded' || status.phase === 'Failed';
  const logOf = async (pod: Pod) => {
    const { name, uid = '' } = pod.metadata;
    const target = { namespace: 'default', podName: name, podUid: uid, container: 'web' };
    const request = { ...target, follow: false, previous: false, timestamps: false };
    const chunks: Uint8Array[] = [];
    const { signal } = new AbortController();
    for await (const chunk of plane.nodes.connections.logs('n1', request, signal))
      chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const script = (text: string) => ({ command: ['sh', '-c', text] });
  const once = { restartPolicy: 'Never' };

  it('gives a container its host name, files, volumes, user and environment', async () => {
    await plane.client.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf', namespace: 'default' },
      data: { key: 'from the map' },
    });
    const container = {
      ...script(
        'hostname; id -u; id -g; cat /conf/key; echo; cat /sub; echo; grep -c web /etc/hosts; ' +
          'echo $FROM; touch /mem/x && echo wrote; touch /conf/y 2>/dev/null || echo read-only; ' +
          'df -m /mem | tail -1 | tr -s " " | cut -d" " -f2; echo bye > /dev/termination-log',
      ),
      env: [{ name: 'FROM', valueFrom: { configMapKeyRef: { name: 'conf', key: 'key' } } }],
      securityContext: { runAsUser: 1234, runAsGroup: 2345 },
      volumeMounts: [
        { name: 'conf', mountPath: '/conf' },
        { name: 'conf', mountPath: '/sub', subPath: 'key' },
        { name: 'mem', mountPath: '/mem' },
      ],
    };
    const volumes = [
      { name: 'conf', configMap: { name: 'conf' } },
      { name: 'mem', emptyDir: { medium: 'Memory', sizeLimit: '4Mi' } },
    ];
    await createPod(podDraft('web', container, { ...once, volumes }));
    const pod = await podWhere(isOver);
    expect(await logOf(pod)).toBe(
      'web\n1234\n2345\nfrom the map\nfrom the map\n1\nfrom the map\nwrote\nread-only\n4\n',
    );
    expect(pod.status).toMatchObject({
      phase: 'Succeeded',
      containerStatuses: [{ state: { terminated: { reason: 'Completed', message: 'bye\n' } } }],
    });
  });

  it('tells a memory kill from an exit code of 137', async () => {
    const limits = { resources: { limits: { memory: '16Mi' } } };
    await createPod(podDraft('greedy', { ...script('tail /dev/zero'), ...limits }, once));
    await createPod(podDraft('plain', script('exit 137'), once));
    const greedy = await podWhere(isOver, 'greedy');
    const plain = await podWhere(isOver, 'plain');
    const end = (pod: Pod) => pod.status.containerStatuses?.[0]?.state?.terminated;
    expect(end(greedy)).toMatchObject({ reason: 'OOMKilled', exitCode: 137 });
    expect(end(plain)).toMatchObject({ reason: 'Error', exitCode: 137 });
  });

  it('keeps processes over a restart of the agent', async () => {
    await createPod(podDraft('web', script('echo $$; sleep 1000')));
    const before = await podWhere(isReady);
    const pids = () => agent.runtime.containers().map((state) => ('pid' in state ? state.pid : 0));
    const pidsBefore = pids();
    await agent.stop();
    agent = await start();
    await eventually(async () => plane.nodes.connections.isConnected('n1'));
    await eventually(async () => agent.runtime.containers().length === 1);
    const after = await podWhere(isReady);
    expect(pids()).toEqual(pidsBefore);
    expect(after.status.containerStatuses).toEqual(before.status.containerStatuses);
  });

  it('kills what ignores SIGTERM once its grace is over', async () => {
    await createPod(podDraft('web', script('trap "" TERM; while true; do sleep 1; done')));
    await podWhere(isReady);
    await plane.client.delete(
      PODS,
      { namespace: 'default', name: 'web' },
      { gracePeriodSeconds: 1 },
    );
    await eventually(async () => (await plane.client.list(PODS)).items.length === 0);
    await eventually(async () => agent.runtime.containers().length === 0);
  });

  it('holds a fork bomb to the limit of its pod', async () => {
    await createPod(podDraft('web', script('f() { f | f & }; f; sleep 1000')));
    await podWhere(isReady);
    const [state] = agent.runtime.containers();
    const { pidsCount } = await agent.runtime.stats(state!.id);
    expect(pidsCount).toBeLessThanOrEqual(4096);
  });

  it('restarts what fails its liveness probe by exec', async () => {
    const livenessProbe = {
      exec: { command: ['test', '-e', '/tmp/alive'] },
      periodSeconds: 1,
      failureThreshold: 1,
    };
    await createPod(
      podDraft(
        'web',
        { ...script('sleep 1000'), livenessProbe },
        { terminationGracePeriodSeconds: 0 },
      ),
    );
    const pod = await podWhere(
      ({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) > 0,
    );
    expect(pod.status.containerStatuses?.[0]?.lastState?.terminated?.exitCode).toBe(137);
  });
});
