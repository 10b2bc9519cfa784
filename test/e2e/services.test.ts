import { readdirSync } from 'node:fs';
import { deploymentYaml, podYaml, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const NAME = 'e2e-services';

const cluster = sharedCluster(NAME, { nodes: 2 });

afterEach(() => cluster.clear());

const SERVE = 'mkdir /w; cd /w; hostname > index.html; exec httpd -f -p 8080';

const service = (name: string, spec: object): Promise<string> =>
  cluster.apply(
    JSON.stringify({
      ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
      spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
    }),
  );

const field = (path: string): Promise<string> =>
  cluster.must('get', 'svc', 'web', '-o', `jsonpath={${path}}`);

const nodesWith = async (path: string): Promise<readonly string[]> =>
  (await cluster.must('get', 'nodes', '-o', `jsonpath={.items[*].${path}}`)).split(' ').sort();

/** A pod on each node, to ask from. */
const clients = async (): Promise<readonly string[]> => {
  const nodes = await nodesWith('metadata.name');
  const names = nodes.map((_node, i) => `client-${i}`);
  for (const [i, nodeName] of nodes.entries())
    await cluster.apply(podYaml(names[i]!, ['sleep', '1000000'], {}, { nodeName }));
  for (const name of names)
    await cluster.must('wait', `pod/${name}`, '--for=condition=Ready', '--timeout=90s');
  return names;
};

const askFrom = async (pod: string, host: string, times = 1): Promise<readonly string[]> => {
  const line = `for i in $(seq ${times}); do timeout 3 wget -qO- http://${host}/ 2>&1 || true; done`;
  const { stdout } = await cluster.dhow('exec', pod, '--', 'sh', '-c', line);
  return stdout.split('\n').filter((each) => each !== '');
};

const servers = async (): Promise<readonly string[]> =>
  (await cluster.must('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].metadata.name}'))
    .split(' ')
    .sort();

const all = async (ask: () => Promise<readonly string[]>, wanted: readonly string[]) => {
  let seen: readonly string[] = [];
  try {
    await cluster.until('all pods answer', async () => {
      seen = [...new Set(await ask())].sort();
      return seen.join() === wanted.join() ? true : undefined;
    });
  } catch {
    expect(seen).toEqual(wanted);
  }
};

it('leads to all pods of a deployment, from every node and from outside, as they come and go', async () => {
  const names = await clients();
  await cluster.apply(deploymentYaml('web', 3, ['sh', '-c', SERVE]));
  await service('web', { type: 'NodePort' });
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
  const address = await field('.spec.clusterIP');
  const port = await field('.spec.ports[0].nodePort');
  const nodes = await nodesWith('status.addresses[?(@.type=="InternalIP")].address');
  const before = await servers();
  for (const from of names) await all(() => askFrom(from, address, 20), before);
  for (const node of nodes) {
    await all(() => askFrom(names[0]!, `${node}:${port}`, 20), before);
    const outside = async () => {
      const line = `for i in $(seq 20); do busybox wget -qO- http://${node}:${port}/; done`;
      return (await shell(line)).stdout.split('\n').filter((each) => each !== '');
    };
    await all(outside, before);
  }
  await cluster.must('scale', 'deploy/web', '--replicas=1');
  await cluster.until('one pod', async () => ((await servers()).length === 1 ? true : undefined));
  for (const from of names) await all(() => askFrom(from, address, 10), await servers());
  await cluster.must('scale', 'deploy/web', '--replicas=0');
  for (const from of names)
    await cluster.until('a refusal', async () => {
      const [said = ''] = await askFrom(from, address);
      return said.includes('refused') ? true : undefined;
    });
  await cluster.until('no pod', async () => (await cluster.pods('-l', 'app=web')).length === 0);
  await cluster.must('scale', 'deploy/web', '--replicas=2');
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
  await all(() => askFrom(names[1]!, address, 10), await servers());
});

it('balances load by the nodes, and puts back rules that somebody flushes, with an event', async () => {
  const [from = ''] = await clients();
  await cluster.apply(deploymentYaml('web', 1, ['sh', '-c', SERVE]));
  await service('web', { type: 'LoadBalancer', ports: [{ port: 8088, targetPort: 8080 }] });
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
  const nodes = await nodesWith('status.addresses[?(@.type=="InternalIP")].address');
  const given = await cluster.until('addresses', async () => {
    const found = (await field('.status.loadBalancer.ingress[*].ip')).split(' ').sort();
    return found.length === nodes.length ? found : undefined;
  });
  expect(given).toEqual(nodes);
  for (const node of nodes)
    await all(
      async () => {
        const { stdout } = await shell(`busybox wget -qO- http://${node}:8088/`);
        return stdout.split('\n').filter((each) => each !== '');
      },
      await servers(),
    );
  for (const netns of readdirSync('/run/netns').filter((name) => name.startsWith(`dhow-${NAME}-`)))
    await shell(`ip netns exec ${netns} nft flush ruleset`);
  await cluster.until('the event', async () => {
    const told = await cluster.must('get', 'events', '-A');
    return told.includes('ServiceRulesRestored') ? true : undefined;
  });
  await all(() => askFrom(from, `${nodes[0]!}:8088`), await servers());
});

it('leads to pods of a node that the server has lost, until somebody says that it is off', async () => {
  const [asking = ''] = await clients();
  const [, lost = ''] = await nodesWith('metadata.name');
  const tolerations = [{ operator: 'Exists' }];
  await cluster.apply(podYaml('web', ['sh', '-c', SERVE], {}, { nodeName: lost, tolerations }));
  const { status } = await cluster.podIsReady('web');
  const ask = () => askFrom(asking, `${status.podIP ?? ''}:8080`);
  await cluster.until('an answer', async () => (await ask()).join() === 'web');
  const ready = `jsonpath={.status.conditions[?(@.type=="Ready")].status}`;
  const isReady = () => cluster.must('get', 'node', lost, '-o', ready);
  const off = 'node.kubernetes.io/out-of-service';
  process.kill(cluster.pid(lost), 'SIGSTOP');
  try {
    await cluster.until('it is lost', async () => (await isReady()) === 'Unknown');
    // As the peers are told of the next change of a node, they have heard of that one.
    await cluster.must('taint', 'node', lost, 'example.com/seen=:PreferNoSchedule');
    for (let i = 0; i < 5; i++) expect(await ask()).toEqual(['web']);
    await cluster.must('taint', 'node', lost, `${off}=:NoExecute`);
    await cluster.until('no way', async () => (await ask()).join().includes('No route to host'));
    await cluster.must('taint', 'node', lost, `${off}-`);
    await cluster.until('a way again', async () => (await ask()).join() === 'web');
  } finally {
    process.kill(cluster.pid(lost), 'SIGCONT');
    await cluster.dhow('taint', 'node', lost, `${off}-`);
    await cluster.dhow('taint', 'node', lost, 'example.com/seen-');
  }
  await cluster.until('it is back', async () => (await isReady()) === 'True');
});
