import type { ApiObject } from '../../api/types';
import { LAST_APPLIED } from '../last-applied';
import { describeObject } from './describe';

const describeAlone = (object: ApiObject & Record<string, unknown>): string =>
  describeObject(object, { events: [], pods: [], nowMs: 0 });

it('shows how much a secret holds, and nothing of it', () => {
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 's', annotations: { [LAST_APPLIED]: '{"stringData":{"password":"hush"}}' } },
    type: 'Opaque',
    data: { password: Buffer.from('hush').toString('base64') },
  });
  expect(text).not.toMatch(/hush|aHVzaA/);
  expect(text).toContain('password:  4 bytes');
});

it('describes a kind of another group by what it holds, whatever its name', () => {
  const text = describeAlone({
    apiVersion: 'example.com/v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { whales: 3 },
  });
  expect(text).toContain('API Version:  example.com/v1\n');
  expect(text).toContain('Spec:\n  Whales:  3\n');
});

it('keeps the keys of data, and lays longer values out below them', () => {
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'settings', annotations: { note: 'two\nlines\n' } },
    data: { 'app.ini': '[server]\nport = 1\u001b[2J\n', plain: 'one' },
  });
  expect(text).toContain('Annotations:  note:\n                two\n                lines\n');
  expect(text).toContain('app.ini:\n----\n[server]\nport = 1\\x1b[2J\n\n\nplain:\n----\none\n\n');
});

it('shows what a pod asks for itself before its containers', () => {
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: { containers: [], resources: { limits: { cpu: '2' }, requests: { cpu: '1' } } },
    status: {},
  });
  expect(text).toMatch(/Resources:\n  Limits: +cpu=2\n  Requests: +cpu=1\nContainers:/);
});

it('names the devices of a container beside its mounts', () => {
  const volumeDevices = [
    { name: 'b', devicePath: '/mnt/b' },
    { name: 'a', devicePath: '/dev/a' },
  ];
  const spec = {
    containers: [{ name: 'main', image: 'web:1', volumeDevices }],
    volumes: [{ name: 'a', persistentVolumeClaim: { claimName: 'disk-a', readOnly: true } }],
  };
  const metadata = { name: 'p' };
  const text = describeAlone({ apiVersion: 'v1', kind: 'Pod', metadata, spec, status: {} });
  expect(text).toMatch(/ Devices: +\/dev\/a from a, \/mnt\/b from b\n/);
  expect(text).toMatch(
    / a:\n +Type: +PersistentVolumeClaim \(a reference .*\)\n +ClaimName: +disk-a\n +ReadOnly: +true\n/,
  );
  const template = describeAlone({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata, status: {} },
    spec: { selector: {}, template: { spec } },
  });
  expect(template).toContain('    Devices:\n      /dev/a from a\n      /mnt/b from b\n');
});

it('says of every volume what it is and where its content comes from', () => {
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p' },
    spec: {
      containers: [],
      volumes: [
        { name: 'scratch', emptyDir: { sizeLimit: '1Mi' } },
        { name: 'keys', secret: { secretName: 'tls', optional: true } },
        { name: 'all', projected: { sources: [{ configMap: { name: 'settings' } }] } },
        { name: 'share', nfs: { server: 'a', path: '/b' } },
        { name: 'other', cephfs: { monitors: ['m'] } },
      ],
    },
    status: {},
  });
  const volumes = text.slice(text.indexOf('Volumes:'), text.indexOf('QoS Class'));
  expect(volumes).toBe(
    [
      'Volumes:',
      '  scratch:',
      "    Type:       EmptyDir (a temporary directory that shares a pod's lifetime)",
      '    Medium:     <none>',
      '    SizeLimit:  1Mi',
      '  keys:',
      '    Type:        Secret (a volume populated by a Secret)',
      '    SecretName:  tls',
      '    Optional:    true',
      '  all:',
      '    Type:           Projected (a volume that contains injected data from multiple sources)',
      '    ConfigMapName:  settings',
      '    Optional:       false',
      '  share:',
      '    Type:      NFS (an NFS mount that lasts the lifetime of a pod)',
      '    Server:    a',
      '    Path:      /b',
      '    ReadOnly:  false',
      '  other:',
      '    Type:  cephfs',
      '',
    ].join('\n'),
  );
});

it('lets no condition of a node drive the terminal', () => {
  const esc = '\u001b[2J';
  const condition = { type: `X${esc}`, status: 'True', reason: `R${esc}`, message: `m${esc}` };
  const text = describeAlone({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: {},
    status: { conditions: [condition], addresses: [{ type: esc, address: esc }] },
  });
  expect(text).toContain('R\\x1b[2J');
  expect(text).not.toContain('\u001b');
});

const meta = (kind: string, name: string, namespace: string) => ({
  ...{ apiVersion: 'v1', kind, metadata: { name, namespace } },
});

it('describes a quota as kubectl does', () => {
  const status = { hard: { pods: '2', cpu: '1' }, used: { cpu: '0', pods: '0' } };
  expect(describeAlone({ ...meta('ResourceQuota', 'q', 'team-a'), status })).toBe(
    [
      'Name:       q',
      'Namespace:  team-a',
      'Resource    Used  Hard',
      '--------    ----  ----',
      'cpu         0     1',
      'pods        0     2',
      '',
    ].join('\n'),
  );
});

it('says of the scopes of a quota what they mean', () => {
  const quota = { ...meta('ResourceQuota', 'q', 'a'), spec: { scopes: ['BestEffort'] } };
  expect(describeAlone({ ...quota, status: { hard: { pods: '2' }, used: { pods: '1' } } })).toBe(
    [
      'Name:       q',
      'Namespace:  a',
      'Scopes:     BestEffort',
      ' * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.',
      'Resource  Used  Hard',
      '--------  ----  ----',
      'pods      1     2',
      '',
    ].join('\n'),
  );
});

it('describes a limit range as kubectl does', () => {
  const limits = [{ type: 'Container', default: { cpu: '200m' }, defaultRequest: { cpu: '50m' } }];
  expect(describeAlone({ ...meta('LimitRange', 'lr', 'default'), spec: { limits } })).toBe(
    [
      'Name:       lr',
      'Namespace:  default',
      'Type        Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio',
      '----        --------  ---  ---  ---------------  -------------  -----------------------',
      'Container   cpu       -    -    50m              200m           -',
      '',
    ].join('\n'),
  );
});

it('shows the template of a deployment as the history of its rollouts does', () => {
  const containers = [{ name: 'main', image: 'web:1', ports: [{ containerPort: 80 }] }];
  const text = describeAlone({
    ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
    spec: {
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web', tier: 'front' } }, spec: { containers } },
    },
    status: {},
  });
  expect(text).toContain(
    [
      'Pod Template:',
      '  Labels:  app=web',
      '           tier=front',
      '  Containers:',
      '   main:',
      '    Image:         web:1',
      '    Port:          80/TCP',
      '    Host Port:     0/TCP',
      '    Environment:   <none>',
      '    Mounts:        <none>',
      '  Volumes:         <none>',
      '  Node-Selectors:  <none>',
      '  Tolerations:     <none>',
    ].join('\n'),
  );
});

it('tells how a node reaches others, and whether encrypted, where it says so', () => {
  const nodeWith = (annotations: Record<string, string>) =>
    describeAlone({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n', annotations },
      spec: {},
      status: {},
    });
  const sealed = nodeWith({
    'dhow.dev/wireguard': `${Buffer.alloc(32, 7).toString('base64')}:51820`,
    'dhow.dev/peer-ways': 'wireguard; none: n3 (it has no key)\u001b[2J',
  });
  expect(sealed).toMatch(/^Encryption: +WireGuard, UDP port 51820$/m);
  expect(sealed).toMatch(/^Ways to Peers: +wireguard; none: n3 \(it has no key\)\\x1b\[2J$/m);
  expect(nodeWith({ 'dhow.dev/wireguard': 'none' })).toMatch(/^Encryption: +none$/m);
  expect(nodeWith({})).not.toMatch(/Encryption|Ways to Peers/);
});
