import { Agent, get } from 'node:http';
import { text } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { systemClock } from '../../lib/clock';
import { makeDefaultCertificate } from '../../node-agent/ingress/serving/default-certificate';
import { deploymentYaml, podYaml, shell } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(180_000);

const BOTH_FAMILIES = [
  ...['--cluster-cidr', '10.42.0.0/16,fd42::/48'],
  ...['--service-cluster-ip-range', '10.96.0.0/16,fd96::/112'],
];
const cluster = sharedCluster('e2e-ingress', { nodes: 1, flags: BOTH_FAMILIES });

afterEach(() => cluster.clear());

const serve = (text: string) => `mkdir /w; cd /w; echo ${text} > index.html; exec httpd -f -p 8080`;

const pathTo = (path: string, name: string) => ({
  ...{ path, pathType: 'Prefix' },
  backend: { service: { name, port: { number: 80 } } },
});

const ingressJson = (spec: object) =>
  JSON.stringify({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'web' } },
    spec,
  });

const nodeAddress = () =>
  cluster.must('get', 'nodes', '-o', 'jsonpath={.items[0].status.addresses[0].address}');

it('leads hosts and paths to the services that an ingress names', async () => {
  for (const name of ['one', 'two']) {
    await cluster.apply(deploymentYaml(name, 1, ['sh', '-c', serve(name)]));
    await cluster.must('expose', `deploy/${name}`, '--port=80', '--target-port=8080');
  }
  const rules = [
    { host: 'a.example', http: { paths: [pathTo('/', 'one'), pathTo('/index.html', 'two')] } },
  ];
  await cluster.apply(ingressJson({ rules }));
  const address = await nodeAddress();
  const ask = async (host: string, url: string) =>
    (await shell(`curl -s --max-time 10 -H 'Host: ${host}' http://${address}${url}`)).stdout.trim();
  await cluster.until('one', async () => (await ask('a.example', '/')) === 'one');
  await cluster.until('two', async () => (await ask('a.example', '/index.html')) === 'two');
  expect(await ask('b.example', '/')).toBe('404 page not found');
  for (const what of ['ingress/web', 'ingressclass/dhow']) {
    await cluster.untilSame(
      async () => (await cluster.kubectl('describe', what)).stdout.replace(/ +$/gm, ''),
      () => cluster.must('describe', what),
    );
  }
});

/** Pods that listen for a while after they have been told to end, until nobody sends them anything. */
const steadyYaml = (word: string) => {
  const container = {
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
    lifecycle: { preStop: { sleep: { seconds: 8 } } },
  };
  const command = ['sh', '-c', serve(word)];
  const pod = podYaml('web', command, container, { terminationGracePeriodSeconds: 10 });
  const { spec } = JSON.parse(pod) as { readonly spec: object };
  const template = { metadata: { labels: { app: 'web' } }, spec };
  return deploymentYaml('web', 2, command, { template });
};

/** What answers, or why nothing does. */
const outcome = (address: string, agent: Agent | false): Promise<string> =>
  new Promise((resolve) => {
    const request = get({ host: address, agent, timeout: 10_000 }, (response) => {
      text(response).then(
        (body) => resolve(response.statusCode === 200 ? body.trim() : `${response.statusCode}`),
        (error: unknown) => resolve(String(error)),
      );
    });
    request.once('timeout', () => request.destroy(new Error('no answer')));
    request.once('error', (error) => resolve(String(error)));
  });

it('loses no request while the pods behind it are replaced', async () => {
  await cluster.apply(steadyYaml('first'));
  await cluster.must('rollout', 'status', 'deploy/web', '--timeout=60s');
  await cluster.must('expose', 'deploy/web', '--port=80', '--target-port=8080');
  await cluster.apply(ingressJson({ defaultBackend: pathTo('/', 'web').backend }));
  const address = await nodeAddress();
  await cluster.until('first', async () => (await outcome(address, false)) === 'first');
  const kept = new Agent({ keepAlive: true, maxSockets: 1 });
  let isDone = false;
  const client = async (agent: Agent | false) => {
    const seen = new Set<string>();
    while (!isDone) seen.add(await outcome(address, agent));
    return [...seen];
  };
  const clients = [client(false), client(kept)];
  try {
    await cluster.apply(steadyYaml('second'));
    await cluster.must('rollout', 'status', 'deploy/web', '--timeout=90s');
    // The last of the old ones ends after the rollout.
    await cluster.until('two pods', async () => (await cluster.pods()).length === 2);
  } finally {
    isDone = true;
    await Promise.all(clients);
    kept.destroy();
  }
  for (const seen of await Promise.all(clients)) expect(seen).toEqual(['first', 'second']);
});

/** What a client that asks for this host is shown: the certificate, in base64. */
const shownAt = (host: string, servername: string): Promise<string> =>
  new Promise((resolve) => {
    const socket = connect({ host, port: 443, servername, rejectUnauthorized: false });
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')));
    socket.once('secureConnect', () => {
      resolve(socket.getPeerCertificate().raw.toString('base64'));
      socket.destroy();
    });
    socket.once('error', (error) => resolve(error.message));
  });

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const secretJson = (name: string, data: object) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name }, data });

/** Puts a new pair into a secret, and says how it is shown. */
const certify = async (name: string): Promise<string> => {
  const { cert, key } = await makeDefaultCertificate(systemClock);
  await cluster.apply(secretJson(name, { 'tls.crt': base64(cert), 'tls.key': base64(key) }));
  return cert.replace(/-----.*-----|\s/g, '');
};

it('shows the certificate of a secret to who asks for its host, a new one as it comes, over both families', async () => {
  await cluster.apply(deploymentYaml('web', 1, ['sh', '-c', serve('web')]));
  await cluster.must('expose', 'deploy/web', '--port=80', '--target-port=8080');
  const rules = ['a.example', 'b.example'].map((host) => ({
    ...{ host, http: { paths: [pathTo('/', 'web')] } },
  }));
  const tls = ['a', 'b'].map((name) => ({
    hosts: [`${name}.example`],
    secretName: `cert-${name}`,
  }));
  const b = await certify('cert-b');
  await cluster.apply(ingressJson({ rules, tls }));
  const events = () =>
    cluster.must('get', 'events', '--field-selector', 'reason=CertificateNotShown');
  await cluster.until('an event', async () => (await events()).includes('no secret "cert-a"'));
  await cluster.apply(secretJson('cert-a', { 'tls.crt': base64('x'), 'tls.key': base64('x') }));
  await cluster.until('another', async () => /secret "cert-a": .*PEM/.test(await events()));

  const path = 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}';
  const addresses = (await cluster.must('get', 'nodes', '-o', path)).split(' ');
  expect(addresses).toHaveLength(2);
  for (const address of addresses)
    await cluster.until('b', async () => (await shownAt(address, 'b.example')) === b);
  const own = await shownAt(addresses[0] ?? '', 'a.example');
  expect(own).not.toBe(b);
  for (let round = 0; round < 2; round++) {
    const a = await certify('cert-a');
    for (const address of addresses) {
      await cluster.until('a', async () => (await shownAt(address, 'a.example')) === a);
      expect(await shownAt(address, 'b.example')).toBe(b);
      expect(await shownAt(address, 'other.example')).toBe(own);
      const literal = address.includes(':') ? `[${address}]` : address;
      const to = `--resolve a.example:443:${literal} https://a.example/`;
      await cluster.until('a page', async () => {
        const { stdout } = await shell(`curl -sk --max-time 10 ${to}`);
        return stdout.trim() === 'web';
      });
    }
  }
});

it('keeps a load balancer off the ports at which nodes serve ingresses', async () => {
  await cluster.must('create', 'service', 'loadbalancer', 'web', '--tcp=80:8080');
  const words = 'Error syncing load balancer: port 80/TCP of the nodes serves ingresses';
  await cluster.until('the event', async () =>
    (await cluster.must('describe', 'service', 'web')).includes(words),
  );
  await cluster.must('create', 'service', 'loadbalancer', 'other', '--tcp=8081:8080');
  const point = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
  const address = await nodeAddress();
  await cluster.until(
    'an address',
    async () => (await cluster.must('get', 'service', 'other', '-o', point)) === address,
  );
  expect(await cluster.must('get', 'service', 'web', '-o', point)).toBe('');
});
