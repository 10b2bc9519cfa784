import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import type { Pod } from '../../api/types';
import { deploymentYaml, podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-exposing';

const cluster = sharedCluster(NAME, { nodes: 1 });

afterEach(() => cluster.clear());

const SERVE = 'mkdir /w; cd /w; echo from-pod > index.html; exec httpd -f -p 8080';

it('exposes a workload, and forwards the ports of the service to one of its pods', async () => {
  await cluster.apply(deploymentYaml('web', 1, ['sh', '-c', SERVE]));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=60s');
  const target = ['--port=80', '--target-port=8080'];
  expect(await cluster.must('expose', 'deploy/web', ...target)).toBe('service/web exposed\n');
  const path = 'jsonpath={.spec.selector.app}/{.spec.ports[0].port}/{.spec.ports[0].targetPort}';
  expect(await cluster.must('get', 'svc', 'web', '-o', path)).toBe('web/80/8080');
  const again = await cluster.dhow('expose', 'deploy/web', ...target);
  expect([again.code, again.stderr]).toEqual([
    1,
    expect.stringContaining('services "web" already exists'),
  ]);
  const forwarding = cluster.follow('port-forward', 'svc/web', ':80');
  let said = '';
  forwarding.stdout?.on('data', (data: Buffer) => (said += data.toString()));
  const port = await cluster.until('a port', async () => /127.0.0.1:(\d+) -> 8080/.exec(said)?.[1]);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('GET /index.html HTTP/1.0\r\n\r\n');
  expect(await text(socket)).toContain('from-pod\n');
  forwarding.kill('SIGINT');
  const proxied = '/api/v1/namespaces/default/services/web:80/proxy/index.html';
  expect(await cluster.must('get', '--raw', proxied)).toContain('from-pod');
  const missing = await cluster.dhow('port-forward', 'svc/web', '81');
  expect(missing.stderr).toContain('Service web does not have a service port 81');
});

it('runs pods of a class of its own, and says why it does not run those of others', async () => {
  const classOf = (name: string, handler: string) =>
    JSON.stringify({
      ...{ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, handler },
      overhead: { podFixed: { memory: '16Mi' } },
    });
  const podOf = (name: string, runtimeClassName: string): string =>
    podYaml(name, ['sleep', '1000000'], {}, { runtimeClassName });
  await cluster.apply(classOf('own', 'dhow'));
  await cluster.apply(classOf('boxed', 'kata'));
  try {
    await cluster.apply(podOf('plain', 'own'));
    await cluster.apply(podOf('boxed', 'boxed'));
    await cluster.until('the pod of its own class', async () => {
      const phase = await cluster.must('get', 'pod', 'plain', '-o', 'jsonpath={.status.phase}');
      return phase === 'Running' ? phase : undefined;
    });
    const why = await cluster.until('a reason', async () => {
      const told = (await cluster.dhow('why', 'pod/boxed')).stdout;
      return told.includes('no runtime handler') ? told : undefined;
    });
    expect(why).toContain('no runtime handler "kata": it has dhow');
    expect(await cluster.must('get', 'pod', 'boxed', '-o', 'jsonpath={.status.phase}')).toBe(
      'Pending',
    );
    expect(
      await cluster.must(
        'get',
        'nodes',
        '-o',
        'jsonpath={.items[0].status.runtimeHandlers[*].name}',
      ),
    ).toContain('dhow');
  } finally {
    await cluster.must('delete', 'runtimeclass', 'own', 'boxed');
  }
});

it('sends no faster than the annotation of a pod says, and starts none that cannot be read', async () => {
  const podOf = (name: string, bandwidth: string): string => {
    const pod = JSON.parse(podYaml(name, ['sh', '-c', SERVE_LARGE])) as Pod;
    const annotations = { 'kubernetes.io/egress-bandwidth': bandwidth };
    return JSON.stringify({ ...pod, metadata: { ...pod.metadata, annotations } });
  };
  await cluster.apply(podOf('slow', '8M'));
  await cluster.apply(podOf('none', '8'));
  await cluster.must('wait', 'pod/slow', '--for=condition=Ready', '--timeout=60s');
  const ip = await cluster.must('get', 'pod', 'slow', '-o', 'jsonpath={.status.podIP}');
  await cluster.apply(podYaml('client', ['sleep', '1000000']));
  await cluster.must('wait', 'pod/client', '--for=condition=Ready', '--timeout=60s');
  const fetched = `for i in $(seq 50); do wget -qO /large http://${ip}:8080/large && break; done`;
  const line = `${fetched}; date +%s > /a; wget -qO /large http://${ip}:8080/large; date +%s > /b; cat /a /b; wc -c < /large`;
  const said = await cluster.must('exec', 'client', '--', 'sh', '-c', line);
  const [before, after, bytes] = said.trim().split('\n').map(Number);
  expect(bytes).toBe(LARGE_BYTES);
  // Four megabytes at one a second; the clock has whole seconds.
  expect(after! - before!).toBeGreaterThanOrEqual(3);
  const events = await cluster.until('an event', async () => {
    const told = await cluster.must('events', '--for', 'pod/none');
    return told.includes('FailedCreatePodSandBox') ? told : undefined;
  });
  expect(events).toContain('resource is unreasonably small (< 1kbit)');
});

const LARGE_BYTES = 4 << 20;
const SERVE_LARGE = `mkdir /w; cd /w; head -c ${LARGE_BYTES} /dev/zero > large; exec httpd -f -p 8080`;
