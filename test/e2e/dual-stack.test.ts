import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

import { deploymentYaml, podYaml, shell, TestCluster } from './support/cluster';

jest.setTimeout(300_000);

const SERVE = 'mkdir /w; cd /w; hostname > index.html; exec httpd -f -p 8080';

const service = (name: string, spec: object) =>
  JSON.stringify({
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name } },
    spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }], ...spec },
  });

const wget = async (cluster: TestCluster, url: string): Promise<string> =>
  (await cluster.wget('client', url)).stdout.trim();

const lookUp = async (cluster: TestCluster, ...args: readonly string[]): Promise<string> =>
  (await cluster.dhow('exec', 'client', '--', 'nslookup', ...args)).stdout;

const start = (name: string, pods: string, services: string) =>
  TestCluster.start(name, {
    nodes: 2,
    flags: ['--cluster-cidr', pods, '--service-cluster-ip-range', services],
  });

it('gives pods and services both families, to a service also later', async () => {
  await using cluster = await start(
    'e2e-dual',
    '10.42.0.0/16,fd42::/48',
    '10.96.0.0/16,fd96::/112',
  );
  await cluster.apply(deploymentYaml('web', 2, ['sh', '-c', SERVE]));
  await cluster.apply(podYaml('client', ['sleep', '1000000']));
  await cluster.apply(service('web', { ipFamilyPolicy: 'PreferDualStack' }));
  await cluster.apply(service('late', {}));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
  const client = await cluster.podIsReady('client');
  expect(client.status.podIPs).toHaveLength(2);
  expect(client.status.podIPs?.[0]?.ip).toBe(client.status.podIP);
  expect(client.status.podIPs?.[1]?.ip).toMatch(/^fd42:/);
  expect(client.status.hostIPs).toHaveLength(2);
  const hosts = await cluster.must('exec', 'client', '--', 'cat', '/etc/hosts');
  for (const { ip = '' } of client.status.podIPs ?? []) expect(hosts).toContain(`${ip}\tclient`);

  const names = (await cluster.pods('-l', 'app=web')).map(({ metadata }) => metadata.name);
  const field = (name: string, path: string) =>
    cluster.must('get', 'svc', name, '-o', `jsonpath={${path}}`);
  const [, six = ''] = JSON.parse(await field('web', '.spec.clusterIPs')) as string[];
  expect(six).toMatch(/^fd96::/);
  await cluster.until('the IPv6 address leads', async () =>
    names.includes(await wget(cluster, `http://[${six}]/`)),
  );
  expect(await lookUp(cluster, '-type=aaaa', 'web.default.svc.cluster.local')).toContain(six);
  expect(await lookUp(cluster, six)).toContain('web.default.svc.cluster.local');
  expect(await lookUp(cluster, 'web.default.svc.cluster.local', 'fd96::a')).toContain(six);

  expect(await field('late', '.spec.ipFamilyPolicy')).toBe('SingleStack');
  const patch = '{"spec":{"ipFamilyPolicy":"RequireDualStack"}}';
  await cluster.must('patch', 'svc', 'late', '--type=merge', '-p', patch);
  const [four, late = ''] = JSON.parse(await field('late', '.spec.clusterIPs')) as string[];
  expect(late).toMatch(/^fd96::/);
  for (const address of [four, `[${late}]`])
    await cluster.until(`${address} leads`, async () =>
      names.includes(await wget(cluster, `http://${address}/`)),
    );
  const back = '{"spec":{"ipFamilyPolicy":"SingleStack","clusterIPs":null,"ipFamilies":null}}';
  await cluster.must('patch', 'svc', 'late', '--type=merge', '-p', back);
  expect(JSON.parse(await field('late', '.spec.clusterIPs'))).toEqual([four]);
});

it('runs with IPv6 alone', async () => {
  await using cluster = await start('e2e-six', 'fd43::/48', 'fd97::/112');
  const probe = { httpGet: { path: '/', port: 8080 } };
  await cluster.apply(podYaml('web', ['sh', '-c', SERVE], { readinessProbe: probe }));
  await cluster.apply(podYaml('client', ['sleep', '1000000']));
  await cluster.apply(service('web', {}));
  const web = await cluster.podIsReady('web');
  expect(web.status.podIPs).toEqual([{ ip: web.status.podIP }]);
  expect(web.status.podIP).toMatch(/^fd43:/);
  await cluster.podIsReady('client');
  await cluster.until('the name leads', async () => (await wget(cluster, 'http://web/')) === 'web');
  expect(await cluster.must('get', 'pods', '-o', 'wide')).toContain(web.status.podIP);
  await leadsFromOutside(cluster);
  await explains(cluster);
});

/** By a forwarded port, and by the ingress of a node. */
const leadsFromOutside = async (cluster: TestCluster): Promise<void> => {
  const forwarding = cluster.follow('port-forward', 'svc/web', ':80');
  let said = '';
  forwarding.stdout?.on('data', (data: Buffer) => (said += data.toString()));
  const port = await cluster.until('a port', async () => /127.0.0.1:(\d+) -> 8080/.exec(said)?.[1]);
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  expect(await text(socket)).toMatch(/\r\n\r\nweb\n$/);
  forwarding.kill('SIGINT');

  const defaultBackend = { service: { name: 'web', port: { number: 80 } } };
  await cluster.apply(
    JSON.stringify({
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web' } },
      spec: { defaultBackend },
    }),
  );
  const addresses = 'jsonpath={.items[*].status.addresses[?(@.type=="InternalIP")].address}';
  for (const address of (await cluster.must('get', 'nodes', '-o', addresses)).split(' ')) {
    expect(address).toMatch(/:/);
    const ask = () => shell(`curl -sg --max-time 10 http://[${address}]/`);
    await cluster.until(`${address} leads`, async () => (await ask()).stdout === 'web\n');
  }
  const points = ['get', 'ingress', 'web', '-o', 'jsonpath={.status.loadBalancer.ingress[*].ip}'];
  await cluster.until('its addresses', async () => /:.* .*:/.test(await cluster.must(...points)));
};

/** A policy, and the question what stands in the way. */
const explains = async (cluster: TestCluster): Promise<void> => {
  const ask = async (target: string) => {
    const { code, stdout } = await cluster.dhow('why-blocked', 'pod/client', target);
    return { code, stdout };
  };
  const web = (await cluster.pod('web'))?.status.podIP ?? '';
  for (const target of ['svc/web:80', `[${web}]:8080`])
    expect(await ask(target)).toMatchObject({ code: 0 });
  await cluster.apply(
    JSON.stringify({
      ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'shut' } },
      spec: {
        podSelector: { matchLabels: { app: 'web' } },
        ingress: [{ from: [{ ipBlock: { cidr: 'fd99::/64' } }] }],
      },
    }),
  );
  for (const target of ['svc/web:80', `[${web}]:8080`])
    await cluster.until(`${target} is blocked`, async () => {
      const { code, stdout } = await ask(target);
      return code === 1 && stdout.includes('shut');
    });
  await cluster.until('nothing comes', async () => (await wget(cluster, 'http://web/')) === '');
};
