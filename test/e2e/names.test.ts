import { clusterPaths } from '../../cli/cluster-paths';
import { stringifyJson } from '../../lib/json';
import { deploymentYaml, podYaml, shell, TestCluster } from './support/cluster';
import { leftBehind, sharedState } from './support/machine';

jest.setTimeout(300_000);

const NAME = 'e2e-names';
const DNS = '10.96.0.10';

let before: readonly string[];
let cluster: TestCluster;

beforeAll(async () => {
  before = sharedState();
  cluster = await TestCluster.start(NAME, { nodes: 2 });
});

afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  expect(leftBehind(NAME, before)).toEqual([]);
});

const SERVE = 'mkdir /w; cd /w; hostname > index.html; exec httpd -f -p 8080';

const headless = (name: string) => ({
  ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
  spec: { clusterIP: 'None', selector: { app: name }, ports: [{ name: 'http', port: 8080 }] },
});

const statefulSet = (name: string) => ({
  ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata: { name } },
  spec: {
    ...{ replicas: 2, serviceName: name, selector: { matchLabels: { app: name } } },
    template: {
      metadata: { labels: { app: name } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [{ name: 'main', image: 'dhow.local/busybox:1', command: ['sh', '-c', SERVE] }],
      },
    },
  },
});

/** What a pod gets at a name, which it looks up by itself. */
const fetchIn = async (pod: string, name: string, port: number): Promise<string | undefined> => {
  const line = `timeout 10 wget -qO- http://${name}:${port}/`;
  const { code, stdout } = await cluster.dhow('exec', pod, '--', 'sh', '-c', line);
  return code === 0 ? stdout.trim() : undefined;
};

/** What the C library of this machine finds on a node, by the resolv.conf of a pod there. */
const foundBy = async (node: string, uid: string, name: string): Promise<string> => {
  const file = `${clusterPaths(NAME).nodeRunDir(node)}/pods/${uid}/lent/etc/resolv.conf`;
  const inside = `mount --bind ${file} /etc/resolv.conf && getent ahostsv4 ${name}`;
  const { stdout } = await shell(
    `ip netns exec dhow-${NAME}-${node} unshare --mount sh -c '${inside}'`,
  );
  return stdout.split(' ')[0] ?? '';
};

/** Asked on a node itself, whether or not there is a server or an agent. */
const lookUpOn = async (node: string, name: string): Promise<string> =>
  (await shell(`ip netns exec dhow-${NAME}-${node} busybox nslookup ${name} ${DNS}`)).stdout;

it('finds Services and pods by name from every node, also without server and agent', async () => {
  await cluster.apply(deploymentYaml('web', 1, ['sh', '-c', SERVE]));
  await cluster.must('expose', 'deploy/web', '--port=80', '--target-port=8080');
  for (const object of [headless('db'), statefulSet('db')])
    await cluster.apply(stringifyJson(object));
  const clients = ['node-1', 'node-2'].map((node) => [`client-${node}`, node] as const);
  for (const [name, nodeName] of clients)
    await cluster.apply(podYaml(name, ['sleep', '1000000'], {}, { nodeName }));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
  await cluster.must('rollout', 'status', 'sts/db', '--timeout=90s');
  const [web = ''] = (await cluster.pods()).flatMap(({ metadata }) =>
    metadata.name.startsWith('web-') ? [metadata.name] : [],
  );
  const address = await cluster.must('get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  for (const [client, node] of clients) {
    const { metadata } = await cluster.podIsReady(client);
    await cluster.until(`web from ${client}`, async () =>
      (await fetchIn(client, 'web.default', 80)) === web ? true : undefined,
    );
    for (const pod of ['db-0', 'db-1'])
      await cluster.until(`${pod} from ${client}`, async () =>
        (await fetchIn(client, `${pod}.db.default`, 8080)) === pod ? true : undefined,
      );
    for (const name of ['web', 'web.default', 'web.default.svc', 'web.default.svc.cluster.local'])
      expect([name, await foundBy(node, metadata.uid ?? '', name)]).toEqual([name, address]);
  }
  const hosts = await cluster.must('exec', 'client-node-1', '--', 'cat', '/etc/resolv.conf');
  expect(hosts).toContain(`nameserver ${DNS}\n`);
  expect(hosts).toContain('search default.svc.cluster.local svc.cluster.local cluster.local');
  expect(hosts).toContain('options ndots:5\n');

  const isFound = () => lookUpOn('node-1', 'web.default.svc.cluster.local');
  process.kill(cluster.pid('server'), 'SIGKILL');
  expect(await isFound()).toContain(address);
  process.kill(cluster.pid('node-1'), 'SIGKILL');
  expect(await isFound()).toContain(address);
  await cluster.up();
  expect(await isFound()).toContain(address);
  await cluster.must('delete', 'svc', 'web');
  await cluster.until('the name to be gone', async () =>
    (await isFound()).includes('NXDOMAIN') ? true : undefined,
  );
});
