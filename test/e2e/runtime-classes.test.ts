import { readFileSync } from 'node:fs';

import type { Pod } from '../../api/types';
import { installedProgram } from '../../runtime/containers';
import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(300_000);

const cluster = sharedCluster('e2e-classes', { nodes: 1 });

afterEach(() => cluster.clear());

const classYaml = (name: string, handler: string, overhead = {}): string =>
  JSON.stringify({
    ...{ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, handler },
    ...overhead,
  });

const podOf = async (name: string): Promise<Pod> =>
  JSON.parse(await cluster.must('get', 'pod', name, '-o', 'json')) as Pod;

const SCRIPT = 'echo started; cat /etc/hostname; exec sleep 1000000';
const OPTIONS = {
  resources: { limits: { memory: '256Mi', cpu: '1' } },
  readinessProbe: {
    ...{ exec: { command: ['test', '-f', '/data/ready'] }, periodSeconds: 1, timeoutSeconds: 20 },
    failureThreshold: 100,
  },
  volumeMounts: [{ name: 'data', mountPath: '/data' }],
};
const VOLUMES = { volumes: [{ name: 'data', emptyDir: {} }] };

for (const name of ['runc', 'runsc']) {
  if (installedProgram(name) === undefined) {
    it.skip(`runs pods with ${name}: it is not installed (apt install ${name})`, () => undefined);
    continue;
  }

  it(`runs pods of a class with ${name}: logs, exec, probes, volumes, overhead`, async () => {
    const handlers = 'jsonpath={.items[0].status.runtimeHandlers[*].name}';
    expect(await cluster.must('get', 'nodes', '-o', handlers)).toMatch(
      new RegExp(`^ ?dhow .*\\b${name}\\b`),
    );
    const overhead = { overhead: { podFixed: { memory: '64Mi', cpu: '50m' } } };
    await cluster.apply(classYaml(`class-${name}`, name, overhead));
    try {
      const spec = { ...VOLUMES, runtimeClassName: `class-${name}` };
      await cluster.apply(podYaml('classed', ['sh', '-c', SCRIPT], OPTIONS, spec));
      await cluster.until('a pod that runs', async () => {
        const { status } = await podOf('classed');
        return status.phase === 'Running' ? status : undefined;
      });
      expect(
        await cluster.must('exec', 'classed', '--', 'sh', '-c', 'echo in $HOSTNAME'),
      ).toContain('in ');
      const failing = await cluster.dhow('exec', 'classed', '--', 'sh', '-c', 'exit 9');
      expect(failing.code).toBe(9);
      // Until this file is there, the probe that runs inside says no.
      const before = await podOf('classed');
      expect(before.status.containerStatuses?.[0]?.ready).toBe(false);
      await cluster.must('exec', 'classed', '--', 'touch', '/data/ready');
      await cluster.must('wait', '--for=condition=Ready', 'pod/classed', '--timeout=90s');
      expect(await cluster.must('logs', 'classed')).toBe('started\nclassed\n');
      const kernel = await cluster.must('exec', 'classed', '--', 'cat', '/proc/version');
      const isOwn = kernel !== readFileSync('/proc/version', 'utf8');
      expect(isOwn).toBe(name === 'runsc');
      const pod = await podOf('classed');
      expect(pod.spec.overhead).toEqual({ memory: '64Mi', cpu: '50m' });
      expect(pod.metadata.annotations).toMatchObject({ 'dhow.dev/runtime-handler': name });
      expect(pod.status.containerStatuses?.[0]?.restartCount).toBe(0);
      await cluster.must('delete', 'pod', 'classed', '--timeout=60s');
    } finally {
      await cluster.must('delete', 'runtimeclass', `class-${name}`);
    }
  });
}

it('tells pods of a class that no node can run, before they run and after', async () => {
  const handler = 'crun';
  await cluster.apply(classYaml('boxed', handler));
  try {
    const [node = ''] = (await cluster.must('get', 'nodes', '-o', 'name')).split('\n');
    const nodeName = node.replace('node/', '');
    const handlers = await cluster.must('get', node, '-o', 'jsonpath={.status.runtimeHandlers}');
    if (handlers.includes(`"${handler}"`)) return;
    await cluster.apply(podYaml('waits', ['true'], {}, { runtimeClassName: 'boxed' }));
    const placed = { runtimeClassName: 'boxed', nodeName };
    await cluster.apply(podYaml('placed', ['true'], {}, placed));
    const why = await cluster.until('a reason', async () => {
      const { stdout } = await cluster.dhow('why', 'pod/waits');
      return stdout.includes('no runtime handler') ? stdout : undefined;
    });
    expect(why).toContain(`no runtime handler "${handler}"`);
    expect(why).toContain('--runtime-handler crun=PATH');
    const waiting = await cluster.until('why it waits', async () => {
      const { status } = await podOf('placed');
      const found = status.containerStatuses?.[0]?.state?.waiting;
      return found?.reason === 'RuntimeHandlerMissing' ? found : undefined;
    });
    expect(waiting.message).toContain(`no runtime for "${handler}" is configured`);
    if (installedProgram(handler) !== undefined) expect(waiting.message).toContain(`(${handler}: `);
    expect((await podOf('placed')).status.containerStatuses?.[0]?.restartCount).toBe(0);
  } finally {
    await cluster.must('delete', 'runtimeclass', 'boxed');
  }
});
