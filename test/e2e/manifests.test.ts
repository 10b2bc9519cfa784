import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isReady, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const NAME = 'e2e-manifests';
const FOLDER = join(__dirname, '..', '..', 'manifests');

const cluster = sharedCluster(NAME);

afterEach(() => cluster.clear());

/** As somebody at this machine opens what runs in the cluster. */
const curl = async (url: string): Promise<string> =>
  (await shell(`curl -sS --max-time 10 ${url}`)).stdout;

/**
 * The lines of a pod's log, in any order: a log keeps the order of what one stream wrote, not that of
 * stdout among stderr.
 */
const EXPECTED_LOGS: Readonly<Record<string, readonly [pod: string, ...lines: RegExp[]]>> = {
  '01-pod.yaml': ['hello', /^hello from hello$/],
  '03-config-map.yaml': ['configured', /^good morning$/, /^\[server\]$/, /^port = 8080$/],
  '04-secret.yaml': ['trusted', /^400 \/secrets\/password$/],
  '05-init-containers.yaml': ['prepared', /^prepared by prepared$/],
  '07-security.yaml': [
    'humble',
    /^uid=1000 gid=1000 groups=(1000,)?2000$/,
    /^touch: \/nope: Read-only file system$/,
    /^the root is read-only$/,
  ],
  '10-downward-api.yaml': [
    'self-aware',
    /^I am self-aware on node-\d at 10\.42\.\d+\.\d+, with 16777216 bytes$/,
  ],
  '12-once.yaml': ['once', /^2 \+ 2 = 4$/],
  '14-stateful-set.yaml': ['seat-2', /^seat-2 has place 2$/],
};

it.each(readdirSync(FOLDER))(
  'runs manifests/%s, and a second apply changes nothing',
  async (file) => {
    const path = join(FOLDER, file);
    await cluster.must('apply', '-f', path);
    await cluster.until(`the pods of ${file}`, async () => {
      const pods = await cluster.pods('-A');
      return (
        pods.length > 0 && pods.every((pod) => isReady(pod) || pod.status.phase === 'Succeeded')
      );
    });
    const [pod, ...expected] = EXPECTED_LOGS[file] ?? [];
    if (pod !== undefined) {
      // A pod is ready once its program runs, which is before it has said all.
      // Nor are all pods there once all that are there are ready: a StatefulSet makes the next then.
      const lines = await cluster.until(`${expected.length} lines of ${pod}`, async () => {
        const { code, stdout } = await cluster.dhow('logs', pod);
        const found = stdout.trimEnd().split('\n');
        return code === 0 && found.length >= expected.length && found;
      });
      expect(lines).toHaveLength(expected.length);
      for (const line of expected) expect(lines).toContainEqual(expect.stringMatching(line));
    }
    const again = await cluster.must('apply', '-f', path);
    expect(
      again
        .trim()
        .split('\n')
        .every((line) => line.endsWith(' unchanged')),
    ).toBe(true);
    // What is in a namespace may go with it before its own turn has come.
    await cluster.must('delete', '-f', path, '--ignore-not-found');
    await cluster.until('no pods', async () => (await cluster.pods('-A')).length === 0);
  },
);

it('lets pods of different nodes, and this machine, talk to pods', async () => {
  await cluster.must('apply', '-f', join(FOLDER, '02-deployment.yaml'));
  const pods = await cluster.until('three servers', async () => {
    const found = await cluster.pods('-l', 'app=web');
    return found.length === 3 && found.every(isReady) && found;
  });
  for (const client of pods) {
    for (const server of pods) {
      const { name } = client.metadata;
      const url = `http://${server.status.podIP ?? ''}:8080/`;
      const answer = await cluster.must('exec', name, '--', 'timeout', '10', 'wget', '-qO-', url);
      expect(answer.trim()).toBe(server.metadata.name);
      expect(await curl(url)).toBe(`${server.metadata.name}\n`);
    }
  }
  expect(new Set(pods.map(({ spec }) => spec.nodeName)).size).toBeGreaterThan(1);
});

it('answers by the name of a Service, and at a port of every node', async () => {
  await cluster.must('apply', '-f', join(FOLDER, '15-service.yaml'));
  await cluster.must('rollout', 'status', 'deploy/echo', '--timeout=60s');
  const pods = await cluster.pods('-l', 'app=echo');
  const names = pods.map(({ metadata }) => metadata.name).sort();
  const seen = async (ask: () => Promise<string>) =>
    cluster.until('answers of both', async () => {
      const answers = new Set<string>();
      for (let count = 0; count < 20; count++) answers.add((await ask()).trim());
      answers.delete('');
      return answers.size === names.length ? [...answers].sort() : undefined;
    });
  for (const client of names) {
    const wget = `timeout 10 wget -qO- http://echo/`;
    expect(await seen(() => cluster.must('exec', client, '--', 'sh', '-c', wget))).toEqual(names);
  }
  const query = 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}';
  const addresses = (await cluster.must('get', 'nodes', '-o', query)).split(' ');
  expect(addresses.length).toBeGreaterThan(1);
  for (const address of addresses)
    expect(await seen(() => curl(`http://${address}:30080/`))).toEqual(names);
});

it('answers for a host, by path, at port 80 of every node', async () => {
  await cluster.must('apply', '-f', join(FOLDER, '16-ingress.yaml'));
  for (const name of ['front', 'orders'])
    await cluster.must('rollout', 'status', `deploy/${name}`, '--timeout=60s');
  const query = 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}';
  const nodes = (await cluster.must('get', 'nodes', '-o', query)).split(' ').sort();
  const told = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
  const addresses = await cluster.until('addresses of all nodes', async () => {
    const found = (await cluster.must('get', 'ingress', 'shop', '-o', told)).split(' ').sort();
    return found.length === nodes.length && found;
  });
  expect(addresses).toEqual(nodes);
  for (const address of addresses) {
    const ask = (host: string, path: string) => curl(`-H 'Host: ${host}' http://${address}${path}`);
    await cluster.until(`both at ${address}`, async () => {
      const [front, orders] = [
        await ask('shop.example', '/'),
        await ask('shop.example', '/orders/'),
      ];
      return /^welcome, says front-/.test(front) && orders === 'no orders yet\n';
    });
    expect(await ask('other.example', '/')).toBe('404 page not found\n');
  }
  await cluster.untilSaid(/^ +\/orders +orders:http \(10\.42\.\d+\.\d+:8080\)$/m, () =>
    cluster.dhow('describe', 'ingress', 'shop'),
  );
});
