import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statfsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
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

describe('pods as real processes', () => {
  let directory: string;
  let plane: Plane;
  let host: RuntimeHost;
  let agent: RunningAgent;

  const start = async () => {
    const images = new FakeImageService();
    images.publish('web:1', { lowerDirs: host.lowerDirs });
    const runtime = await host.reopen();
    const logDir = join(directory, 'var-log');
    return startAgent(plane, directory, { runtime, images, mounter: createMounter(), logDir });
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dhow-agent-'));
    plane = await startPlane(directory);
    host = await openRuntimeHost({ logMaxBytes: 64 * 1024, logMaxFiles: 3 });
    agent = await start();
  });
  afterEach(async () => {
    try {
      const { items } = await plane.client.list(PODS);
      await Promise.all(
        items.map(({ metadata: { name, namespace = '' } }) =>
          plane.client.delete(PODS, { namespace, name }, { gracePeriodSeconds: 0 }),
        ),
      );
      await eventually(async () => agent.runtime.sandboxes().length === 0);
    } finally {
      // Also when a pod does not go: what is left of it goes with the host.
      await agent[Symbol.asyncDispose]();
      await host.close();
      await plane[Symbol.asyncDispose]();
    }
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
  const targetOf = ({ metadata: { name, uid = '' } }: Pod) => ({
    namespace: 'default',
    podName: name,
    podUid: uid,
    container: 'web',
  });
  const logOf = async (pod: Pod, options: { follow?: boolean; tailLines?: number } = {}) => {
    const how = { follow: false, previous: false, timestamps: false, ...options };
    const request = { ...targetOf(pod), ...how };
    const chunks: Uint8Array[] = [];
    const { signal } = new AbortController();
    for await (const chunk of plane.nodes.connections.logs('n1', request, signal))
      chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  const execIn = async (pod: Pod, command: string[], columns?: number, rows = 37) => {
    const how = { stdin: true, stdout: true, stderr: true, tty: columns !== undefined };
    const { signal } = new AbortController();
    const request = { ...targetOf(pod), command, ...how };
    await using session = await plane.nodes.connections.exec('n1', request, signal);
    if (columns !== undefined) session.resize(columns, rows);
    let output = '';
    for await (const chunk of session.output)
      if ('data' in chunk) output += Buffer.from(chunk.data).toString();
    return output;
  };
  const script = (text: string) => ({ command: ['sh', '-c', text] });
  const once = { restartPolicy: 'Never' };

  it('shows containers of a pod each other’s processes', async () => {
    const seer = { name: 'seer', image: 'web:1', ...script('sleep 2000') };
    const orphan = 'sh -c "sleep 0.1 &"; exec sleep 1000';
    const draft = podDraft('web', script(orphan), { shareProcessNamespace: true });
    const { containers } = draft.spec;
    await createPod({ ...draft, spec: { ...draft.spec, containers: [...containers, seer] } });
    const pod = await podWhere(isReady);
    const list = () => execIn(pod, ['sh', '-c', 'ps -o pid,stat,args']);
    expect(await list()).toMatch(/^ *1 +\S+ +\/hold hold$/m);
    expect(await list()).toMatch(/sleep 2000/);
    // Orphans are reaped by the first of all.
    await eventually(async () => !/ Z/.test(await list()));
    // None of them is the first: each may end, and start again, among the others.
    const [, other = ''] = /^ *(\d+) .* sleep 2000$/m.exec(await list()) ?? [];
    await execIn(pod, ['kill', '-9', other]);
    const again = await podWhere(({ status }) =>
      status.containerStatuses?.some(
        ({ name, restartCount }) => name === 'seer' && restartCount > 0,
      ),
    );
    expect(again.status.containerStatuses?.find(({ name }) => name === 'web')?.restartCount).toBe(
      0,
    );
    await agent.stop();
    agent = await start();
    await eventually(() => Promise.resolve(agent.agent.isConnected));
    expect(await list()).toMatch(/\/hold hold/);
  });

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

  it('bounds what containers write into the files that they are lent', async () => {
    const { blocks, bfree } = statfsSync(directory);
    const used = blocks - bfree;
    const fill = ['/etc/hosts', '/etc/resolv.conf', '/etc/hostname', '/dev/termination-log']
      .map((path) => `head -c 100000000 /dev/zero | tr "\\0" a >> ${path}; echo $?`)
      .join('; ');
    await createPod(podDraft('web', script(`${fill}; tail -c 3 /etc/hosts; exit 1`), once));
    const pod = await podWhere(isOver);
    expect(await logOf(pod)).toContain('aaa');
    const after = statfsSync(directory);
    expect((after.blocks - after.bfree - used) * after.bsize).toBeLessThan(8 << 20);
    const message = pod.status.containerStatuses?.[0]?.state?.terminated?.message ?? '';
    expect(message.length).toBeLessThanOrEqual(4096);
    // A pod that has filled its own files is still restarted, reported and removed.
    await plane.client.delete(PODS, { namespace: 'default', name: 'web' });
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain('/lent');
  });

  it('deletes nothing of what a pod has mounted into its volumes', async () => {
    const kept = join(directory, 'kept');
    const state = join(directory, 'state');
    await mkdir(kept);
    await writeFile(join(kept, 'file'), 'kept');
    // As the root of most machines is.
    execFileSync('mount', ['--bind', state, state]);
    execFileSync('mount', ['--make-shared', state]);
    try {
      const container = {
        ...script('mkdir "/vol/a b"; mount --bind /kept "/vol/a b"; echo up; sleep 1000'),
        securityContext: { privileged: true },
        volumeMounts: [
          { name: 'vol', mountPath: '/vol', mountPropagation: 'Bidirectional' },
          { name: 'kept', mountPath: '/kept' },
        ],
      };
      const volumes = [
        { name: 'vol', emptyDir: {} },
        { name: 'kept', hostPath: { path: kept } },
      ];
      const pod = await createPod(podDraft('web', container, { volumes }));
      await eventually(async () => (await logOf(pod).catch(() => '')) === 'up\n');
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).toContain('/vol/a\\040b');
      const name = { namespace: 'default', name: 'web' };
      await plane.client.delete(PODS, name, { gracePeriodSeconds: 0 });
      await eventually(async () => readdirSync(join(state, 'pods')).length === 0);
    } finally {
      execFileSync('umount', ['-l', state]);
    }
    expect(readFileSync(join(kept, 'file'), 'utf8')).toBe('kept');
  });

  it('evicts a pod that fills its writable layer, and sizes memory volumes by its limit', async () => {
    const limits = { 'ephemeral-storage': '10Mi', memory: '64Mi' };
    const container = {
      ...script(
        'df -m /mem | tail -1 | tr -s " " | cut -d" " -f2; ' +
          'dd if=/dev/zero of=/big bs=1M count=20 2>/dev/null; sleep 1000',
      ),
      resources: { limits },
      volumeMounts: [{ name: 'mem', mountPath: '/mem' }],
    };
    const volumes = [{ name: 'mem', emptyDir: { medium: 'Memory' } }];
    await createPod(podDraft('web', container, { volumes }));
    const pod = await podWhere(isOver);
    expect(pod.status).toMatchObject({
      phase: 'Failed',
      reason: 'Evicted',
      message: 'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ',
    });
    expect(await logOf(pod)).toBe('64\n');
  });

  it('reports the last words of each run, however often it restarts', async () => {
    const words =
      'echo -n "bye $(cat /proc/sys/kernel/random/uuid)" > /dev/termination-log; exit 1';
    await createPod(podDraft('web', script(words)));
    const pod = await podWhere(
      ({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) >= 4,
    );
    const { state, lastState } = pod.status.containerStatuses![0]!;
    expect((state?.terminated ?? lastState?.terminated)?.message).toMatch(/^bye [0-9a-f-]{36}$/);
    const lent = join(directory, 'run/pods', pod.metadata.uid!, 'lent/termination');
    expect(readdirSync(lent).length).toBeLessThanOrEqual(3);
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

  it('gives an exec its terminal at the size it has, from the first read on', async () => {
    await createPod(podDraft('web', script('sleep 1000')));
    const pod = await podWhere(isReady);
    for (let i = 0; i < 5; i++)
      expect(await execIn(pod, ['stty', 'size'], 119 + i)).toBe(`37 ${119 + i}\r\n`);
    expect(await execIn(pod, ['test', '-t', '0'])).toBe('');
  });

  it('restarts with the new bytes of a changed config map, also by sub path', async () => {
    const map = (text: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'conf', namespace: 'default' },
      data: { 'app.ini': text, other: text },
    });
    const created = await plane.client.create(CONFIG_MAPS, map('one'));
    const container = {
      ...script('cat /sub.ini; echo; sleep 1000'),
      volumeMounts: [
        { name: 'conf', mountPath: '/all' },
        { name: 'conf', mountPath: '/sub.ini', subPath: 'app.ini' },
      ],
    };
    const volumes = [{ name: 'conf', configMap: { name: 'conf' } }];
    await createPod(podDraft('web', container, { volumes, terminationGracePeriodSeconds: 0 }));
    const pod = await podWhere(isReady);
    await plane.client.update(CONFIG_MAPS, { ...created, data: map('two').data });
    await eventually(async () => (await execIn(pod, ['cat', '/all/app.ini'])) === 'two');
    // One folder holds all files of one moment.
    expect(await execIn(pod, ['cat', '/all/other'])).toBe('two');
    expect(await execIn(pod, ['cat', '/sub.ini'])).toBe('one');
    for (let count = 1; count <= 3; count++) {
      const [state] = agent.runtime.containers().filter(({ status }) => status === 'running');
      await agent.runtime.kill(state!.id, 9);
      const again = await podWhere(
        (p) => isReady(p) === true && p.status.containerStatuses?.[0]?.restartCount === count,
      );
      expect(await execIn(again, ['cat', '/sub.ini'])).toBe('two');
      expect(await logOf(again)).toBe('two\n');
    }
  });

  it('follows a log over rotations, every line once, and reads back into rotated files', async () => {
    const line = 'x'.repeat(100);
    const count = 4000;
    const print =
      `i=0; while [ $i -lt ${count} ]; do echo "$i ${line}"; i=$((i+1)); ` +
      '[ $((i % 100)) -eq 0 ] && usleep 40000; done';
    await createPod(podDraft('web', script(print), once));
    const pod = await podWhere(
      ({ status }) => status.containerStatuses?.[0]?.containerID !== undefined,
    );
    const numbers = (text: string) =>
      text
        .split('\n')
        .slice(0, -1)
        .map((each) => Number(each.split(' ')[0]));
    const all = Array.from({ length: count }, (_, i) => i);
    // Some 140 bytes a line: eight files of 64 KiB, of which three are kept.
    expect(numbers(await logOf(pod, { follow: true }))).toEqual(all);
    await podWhere(isOver);
    expect(numbers(await logOf(pod, { tailLines: 800 }))).toEqual(all.slice(-800));
    const kept = numbers(await logOf(pod));
    expect(kept.length).toBeGreaterThan(800);
    expect(kept.length).toBeLessThan(2000);
    expect(kept).toEqual(all.slice(-kept.length));
  });

  it('lets who collects logs find those of all containers, until their pods are gone', async () => {
    const logDir = join(directory, 'var-log');
    await createPod(podDraft('web', script('echo said by web; exec sleep 1000')));
    await podWhere(isReady);
    const collector = {
      ...script(`cd ${logDir}/containers; while sleep 0.1; do ls; cat web_*.log; done 2>/dev/null`),
      // As collectors do: links lead to where they lead on the node.
      volumeMounts: [{ name: 'log', mountPath: logDir, readOnly: true }],
    };
    const volumes = [{ name: 'log', hostPath: { path: logDir } }];
    await createPod(podDraft('collector', collector, { volumes }));
    const found = await podWhere(isReady, 'collector');
    await eventually(async () => / stdout F\S* said by web\n/.test(await logOf(found)));
    expect(await logOf(found)).toMatch(/^web_default_web-[0-9a-f]{32}\.log$/m);
    // An agent that died between the making of a container and its link.
    await agent.stop();
    await rm(join(logDir, 'containers'), { recursive: true });
    await mkdir(join(logDir, 'containers'));
    agent = await start();
    await eventually(async () => readdirSync(join(logDir, 'containers')).length === 2);
    const web = { namespace: 'default', name: 'web' };
    await plane.client.delete(PODS, web, { gracePeriodSeconds: 1 });
    await eventually(async () => readdirSync(join(logDir, 'pods')).length === 1);
    expect(readdirSync(join(logDir, 'containers'))).toEqual([
      expect.stringMatching(/^collector_default_/),
    ]);
  });

  it('cleans up pods that were deleted while the agent was away', async () => {
    const memory = [{ name: 'mem', emptyDir: { medium: 'Memory' } }];
    const mounted = { volumeMounts: [{ name: 'mem', mountPath: '/mem' }] };
    for (const name of ['forced', 'asked'])
      await createPod(podDraft(name, { ...script('sleep 1000'), ...mounted }, { volumes: memory }));
    const forced = await podWhere(isReady, 'forced');
    await podWhere(isReady, 'asked');
    await agent.stop();
    await plane.client.delete(
      PODS,
      { namespace: 'default', name: 'forced' },
      { gracePeriodSeconds: 0 },
    );
    await plane.client.delete(
      PODS,
      { namespace: 'default', name: 'asked' },
      { gracePeriodSeconds: 1 },
    );
    agent = await start();
    await eventually(async () => (await plane.client.list(PODS)).items.length === 0);
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    await eventually(async () => !readFileSync('/proc/self/mountinfo', 'utf8').includes(directory));
    const { uid = '-' } = forced.metadata;
    await eventually(async () => {
      const left = readdirSync(directory, { recursive: true, encoding: 'utf8' });
      return !left.some((path) => path.includes(uid));
    });
  });

  it('leaves no process of a pod on the host pid namespace, however often it restarts', async () => {
    const marker = `31536${process.pid}`;
    const running = () =>
      readdirSync('/proc').filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\0${marker}\0`;
        } catch {
          return false;
        }
      }).length;
    const container = script(`setsid sleep ${marker} & sleep 0.2; exit 1`);
    await createPod(podDraft('web', container, { hostPID: true }));
    await podWhere(({ status }) => (status.containerStatuses?.[0]?.restartCount ?? 0) >= 3);
    // That of the present run, at most.
    expect(running()).toBeLessThanOrEqual(1);
    await plane.client.delete(PODS, { namespace: 'default', name: 'web' });
    await eventually(async () => agent.runtime.sandboxes().length === 0);
    expect(running()).toBe(0);
  });
});
