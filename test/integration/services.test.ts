import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Service } from '../../api/types';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';

jest.setTimeout(120_000);

let directory: string;
let server: RunningServer;
let kubectl: Kubectl;

const OPTIONS = {
  serviceClusterIpRange: '10.96.0.0/27',
  serviceNodePortRange: '30000-30040',
  advertiseAddress: '192.0.2.7',
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-services-'));
  server = await startServer(directory, OPTIONS);
  kubectl = await Kubectl.unpack(directory, server.kubeconfig);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const restart = async () => {
  const { port } = new URL(server.url);
  await server[Symbol.asyncDispose]();
  server = await startServer(directory, { ...OPTIONS, listen: `127.0.0.1:${port}` });
};

const serviceOf = (name: string, spec: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: ${spec}\n---\n`;

it('has the services of every cluster, and a certificate for the name of the API', async () => {
  expect(await kubectl.ok('get svc -A --no-headers')).toMatch(
    /^default +kubernetes +ClusterIP +10\.96\.0\.1 +<none> +443\/TCP +\d+s\nkube-system +kube-dns +ClusterIP +10\.96\.0\.10 +<none> +53\/UDP,53\/TCP +\d+s\n$/,
  );
  expect(await kubectl.ok('describe svc kubernetes')).toMatch(/Endpoints: +192\.0\.2\.7:\d+\n/);
  const certificate = await certificateOf(server.url);
  for (const name of [
    ...['kubernetes', 'kubernetes.default', 'kubernetes.default.svc'],
    'kubernetes.default.svc.cluster.local',
  ])
    expect(certificate.checkHost(name)).toBe(name);
  expect(certificate.checkIP('10.96.0.1')).toBe('10.96.0.1');
});

it('gives addresses and ports once each, and knows them after a restart', async () => {
  const many = Array.from({ length: 12 }, (_none, i) =>
    serviceOf(`s${i}`, '{type: NodePort, ports: [{port: 80}]}'),
  ).join('');
  await kubectl.ok('apply -f -', many);
  const all = async () => {
    const { items } = JSON.parse(await kubectl.ok('get svc -o json')) as { items: Service[] };
    return items.flatMap(({ spec }) => [spec?.clusterIP, spec?.ports?.[0]?.nodePort ?? []].flat());
  };
  const before = await all();
  expect(new Set(before).size).toBe(25);
  await restart();
  expect(await kubectl.ok('apply -f -', many)).not.toContain('configured');
  expect(await all()).toEqual(before);
  const [address, port] = before.slice(1, 3).map(String);
  const taken = await kubectl.run(
    'apply -f -',
    serviceOf('t', `{clusterIP: ${address}, ports: [{port: 80}]}`),
  );
  expect(taken.stderr).toContain(
    `The Service "t" is invalid: spec.clusterIPs: Invalid value: ["${address}"]: failed to allocate IP ${address}: provided IP is already allocated`,
  );
  const asked = await kubectl.run(`create service nodeport t --tcp=80 --node-port=${port}`);
  expect(asked.stderr).toContain(
    `spec.ports[0].nodePort: Invalid value: ${port}: provided port is already allocated`,
  );
});

it('keeps a pair of TCP and UDP apart, by either way of applying', async () => {
  const pair = (...ports: string[]) =>
    serviceOf('pair', `{type: NodePort, ports: [${ports.join(', ')}]}`);
  const live = async () => {
    const { spec } = JSON.parse(await kubectl.ok('get svc pair -o json')) as Service;
    return spec?.ports ?? [];
  };
  const tcp = '{name: tcp, port: 9000}';
  const udp = '{name: udp, port: 9000, protocol: UDP}';
  const changed = '{name: udp, port: 9000, protocol: UDP, targetPort: 53}';
  const steps = [[tcp], [tcp, udp], [tcp, changed], [changed], [tcp, udp], [udp, tcp], [tcp]];
  for (const how of ['apply -f -', 'apply --server-side --force-conflicts -f -']) {
    let before = new Map<string | undefined, number | undefined>();
    for (const wanted of steps) {
      await kubectl.ok(how, pair(...wanted));
      const ports = await live();
      const shown = ports.map(({ name, protocol, targetPort }) => [name, protocol, targetPort]);
      expect(shown).toEqual(
        wanted.map((port) => [
          ...(port === tcp ? ['tcp', 'TCP'] : ['udp', 'UDP']),
          port === changed ? 53 : 9000,
        ]),
      );
      const staying = ports.filter(({ name }) => before.has(name));
      for (const { name, nodePort } of staying) expect(nodePort).toBe(before.get(name));
      before = new Map(ports.map(({ name, nodePort }) => [name, nodePort]));
      if (how === 'apply -f -')
        expect(await kubectl.ok(how, pair(...wanted))).toBe('service/pair unchanged\n');
    }
    await kubectl.ok('delete svc pair');
  }
});

it('does not start where an address would be both of a service and of a pod', async () => {
  const elsewhere = join(directory, 'overlap');
  await expect(startServer(elsewhere, { clusterCidr: '10.96.0.0/16' })).rejects.toThrow(
    '--service-cluster-ip-range 10.96.0.0/16 overlaps --cluster-cidr 10.96.0.0/16',
  );
});

const certificateOf = (url: string): Promise<X509Certificate> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      resolve(socket.getPeerX509Certificate() as X509Certificate);
      socket.destroy();
    });
  });
