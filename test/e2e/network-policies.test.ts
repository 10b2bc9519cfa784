import { podYaml } from './support/cluster';
import { sharedCluster } from './support/shared-cluster';

jest.setTimeout(240_000);

const NAME = 'e2e-netpol';

const cluster = sharedCluster(NAME, { nodes: 2 });

afterEach(() => cluster.clear());

const SERVE = 'mkdir /w; cd /w; echo here > index.html; httpd -p 9090; exec httpd -f -p 8080';

interface Placed {
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  readonly node?: 0 | 1;
  readonly container?: object;
}

const nodeNames = async (): Promise<readonly string[]> =>
  (await cluster.must('get', 'nodes', '-o', 'jsonpath={.items[*].metadata.name}'))
    .split(' ')
    .sort();

const run = async (
  name: string,
  command: readonly string[],
  placed: Placed = {},
): Promise<void> => {
  const { labels = {}, namespace = 'default', node = 0, container = {} } = placed;
  const nodeName = (await nodeNames())[node];
  const pod = JSON.parse(podYaml(name, command, container, { nodeName })) as {
    metadata: { labels: object; namespace?: string };
  };
  pod.metadata = { ...pod.metadata, namespace, labels: { ...pod.metadata.labels, ...labels } };
  await cluster.apply(JSON.stringify(pod));
};

const server = (name: string, placed: Placed = {}): Promise<void> =>
  run(name, ['sh', '-c', SERVE], {
    container: {
      ports: [{ name: 'http', containerPort: 8080 }],
      readinessProbe: { httpGet: { port: 'http', path: '/index.html' }, periodSeconds: 1 },
    },
    ...placed,
  });

const client = (name: string, placed: Placed = {}): Promise<void> =>
  run(name, ['sleep', '1000000'], placed);

const ready = (name: string, namespace = 'default'): Promise<string> =>
  cluster.must('wait', `pod/${name}`, '-n', namespace, '--for=condition=Ready', '--timeout=90s');

const ipOf = async (name: string, namespace = 'default'): Promise<string> =>
  cluster.must('get', 'pod', name, '-n', namespace, '-o', 'jsonpath={.status.podIP}');

const policy = (name: string, spec: object, namespace = 'default'): Promise<string> =>
  cluster.apply(
    JSON.stringify({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace },
      spec,
    }),
  );

/** Whether a pod gets the page of a server. */
const gets = async (from: string, ip: string, port = 8080, namespace = 'default') => {
  const command = ['timeout', '2', 'wget', '-qO-', `http://${ip}:${port}/index.html`];
  const { code } = await cluster.dhow('exec', from, '-n', namespace, '--', ...command);
  return code === 0;
};

const soon = (what: string, holds: () => Promise<boolean>): Promise<boolean> =>
  cluster.until(what, holds);

it('lets in by labels, namespaces and names of ports, as they change', async () => {
  await cluster.must('create', 'ns', 'partners');
  await cluster.must('label', 'ns', 'partners', 'trust=some');
  await server('web');
  await client('friend', { labels: { role: 'friend' }, node: 1 });
  await client('stranger');
  await client('partner', { namespace: 'partners', node: 1 });
  for (const name of ['web', 'friend', 'stranger']) await ready(name);
  await ready('partner', 'partners');
  const ip = await ipOf('web');
  await soon('all come in', () => gets('stranger', ip));

  const { stderr } = await cluster.dhow('get', 'networkpolicies');
  expect(stderr).toContain('No resources found');
  await policy('deny', { podSelector: {} });
  await soon('nothing comes in', async () => !(await gets('stranger', ip)));
  expect(await gets('friend', ip)).toBe(false);
  expect(await gets('partner', ip, 8080, 'partners')).toBe(false);

  await policy('friends', {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [
      { from: [{ podSelector: { matchLabels: { role: 'friend' } } }], ports: [{ port: 'http' }] },
      {
        from: [{ namespaceSelector: { matchLabels: { trust: 'some' } } }],
        ports: [{ port: 9000, endPort: 9100 }],
      },
    ],
  });
  await soon('friends come in', () => gets('friend', ip));
  expect(await gets('friend', ip, 9090)).toBe(false);
  expect(await gets('stranger', ip)).toBe(false);
  await soon('partners come in', () => gets('partner', ip, 9090, 'partners'));
  expect(await gets('partner', ip, 8080, 'partners')).toBe(false);

  await explained();
  await cluster.must('label', 'pod', 'stranger', 'role=friend');
  await soon('one who becomes a friend comes in', () => gets('stranger', ip));
  await cluster.must('label', 'ns', 'partners', 'trust-');
  await soon(
    'a namespace without its label',
    async () => !(await gets('partner', ip, 9090, 'partners')),
  );

  // The node asks all the while.
  await cluster.podIsReady('web');
  await server('late', { labels: { app: 'web' } });
  await cluster.must('wait', 'pod/late', '--for=condition=Ready', '--timeout=90s');
  await soon('friends come in', async () => gets('friend', await ipOf('late')));
  expect(await gets('friend', await ipOf('late'), 9090)).toBe(false);

  await cluster.must('delete', 'netpol', 'deny', 'friends');
  await soon('all come in', () => gets('partner', ip, 9090, 'partners'));
});

/** Why each of them gets through to the service of `web`, or does not. */
const explained = async (): Promise<void> => {
  const metadata = { name: 'web' };
  const ports = [{ port: 80, targetPort: 'http' }];
  const spec = { selector: { app: 'web' }, ports };
  await cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata, spec }));
  const text = await cluster.until('a way to the service', async () => {
    const { code, stdout } = await cluster.dhow('why-blocked', 'pod/friend', 'svc/web:80');
    return code === 0 ? stdout : undefined;
  });
  expect(text).toContain('pod/friend -> svc/web:80: reachable\n');
  expect(text).toContain('(pod default/web): reachable');
  expect(text).toContain('in: allowed by rule 1 of policy default/friends\n');
  const stranger = await cluster.dhow('why-blocked', 'stranger', 'pod/web:8080');
  expect(stranger.code).toBe(1);
  expect(stranger.stdout).toContain('default/deny: has no rule, so allows nothing\n');
  expect(stranger.stdout).toContain('default/friends rule 1: does not match the other end\n');
  const missing = await cluster.dhow('why-blocked', 'friend', 'svc/web:81', '-o', 'json');
  expect(JSON.parse(missing.stdout)).toMatchObject({
    kind: 'ConnectionReview',
    status: { problems: [expect.stringContaining('service default/web has no port 81')] },
  });
};

it('lets out only where a policy says so', async () => {
  await server('near');
  await server('far', { node: 1 });
  await client('shut');
  for (const name of ['near', 'far', 'shut']) await ready(name);
  const [near, far] = [await ipOf('near'), await ipOf('far')];
  await policy('out', {
    podSelector: { matchLabels: { app: 'shut' } },
    policyTypes: ['Egress'],
    egress: [
      { to: [{ podSelector: { matchLabels: { app: 'far' } } }], ports: [{ port: 'http' }] },
      { to: [{ ipBlock: { cidr: `${near}/32` } }], ports: [{ port: 9090 }] },
    ],
  });
  await soon('nothing else goes out', async () => !(await gets('shut', near)));
  await soon('what is allowed goes out', () => gets('shut', far));
  expect(await gets('shut', far, 9090)).toBe(false);
  await soon('an address goes out', () => gets('shut', near, 9090));
  await soon('others go out', () => gets('near', far, 9090));
});

it('holds what goes through services, and to the names of services', async () => {
  await server('web', { node: 1 });
  await client('shut');
  const ports = [{ port: 80, targetPort: 'http' }];
  const spec = { selector: { app: 'web' }, ports };
  const metadata = { name: 'web' };
  await cluster.apply(JSON.stringify({ apiVersion: 'v1', kind: 'Service', metadata, spec }));
  for (const name of ['web', 'shut']) await ready(name);
  const ip = await cluster.must('get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP}');
  const knows = async () =>
    (
      await cluster.dhow(
        'exec',
        'shut',
        '--',
        'timeout',
        '2',
        'nslookup',
        'web.default.svc.cluster.local',
      )
    ).code === 0;
  await soon('the service leads to its pod', () => gets('shut', ip, 80));
  await soon('its name is known', knows);
  const podSelector = { matchLabels: { app: 'shut' } };
  const shut = { podSelector, policyTypes: ['Egress'] };
  await policy('out', shut);
  await soon('nothing goes out', async () => !(await gets('shut', ip, 80)));
  expect(await knows()).toBe(false);
  const dns = {
    to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
    ports: [{ protocol: 'UDP', port: 53 }],
  };
  await policy('out', { ...shut, egress: [dns] });
  await soon('names are known again', knows);
  expect(await gets('shut', ip, 80)).toBe(false);
  const web = { to: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ port: 8080 }] };
  await policy('out', { ...shut, egress: [dns, web] });
  await soon('the service is reached', () => gets('shut', ip, 80));
});

it('cuts a connection that it forbids, and leaves those that it allows', async () => {
  const count = (file: string) => `while true; do echo x; sleep 0.1; done | nc WEB 7000 > ${file}`;
  const readinessProbe = { tcpSocket: { port: 7000 }, periodSeconds: 1 };
  await run('web', ['sh', '-c', 'nc -ll -p 7000 -e cat'], { container: { readinessProbe } });
  await ready('web');
  const ip = await ipOf('web');
  for (const [name, role] of [
    ['kept', 'friend'],
    ['cut', 'none'],
  ] as const)
    await run(name, ['sh', '-c', count('/tmp/got').replace('WEB', ip)], { labels: { role } });
  const size = async (name: string) =>
    Number(await cluster.must('exec', name, '--', 'stat', '-c', '%s', '/tmp/got'));
  const grows = async (name: string) => {
    const before = await size(name);
    for (let left = 5; left > 0; left--) if ((await size(name)) > before) return true;
    return false;
  };
  for (const name of ['kept', 'cut']) {
    await ready(name);
    await soon(`${name} talks`, () => grows(name));
  }
  await policy('friends', {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { role: 'friend' } } }] }],
  });
  await soon('one is cut', async () => !(await grows('cut')));
  await soon('the other talks on', () => grows('kept'));
});
