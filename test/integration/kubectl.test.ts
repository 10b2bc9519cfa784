import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { ApiError } from '../../api/errors';
import { KUBERNETES_VERSION } from '../../api/release';
import { NODES, PODS } from '../../api/resources';
import type { ExecOutput, ExecRequest, NodeConnections } from '../../client/node-connections';
import type { ApiServer } from '../../control-plane/api-server/api-server';
import { Channel } from '../../lib/async/channel';
import { systemClock } from '../../lib/clock';
import { startKubectlServer, type KubectlServer } from './support/kubectl-server';

let host: KubectlServer;
let server: ApiServer;
const sizes: string[] = [];

beforeAll(async () => {
  host = await startKubectlServer({ nodeConnections: NODE });
  server = host.server;
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const kubectl = (args: string, input?: string) => host.kubectl(args, input);
const ok = (args: string, input?: string) => host.ok(args, input);
const file = (name: string, content: string) => host.file(name, content);

const POD = `apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: web}}
spec:
  containers:
  - name: c
    image: nginx:1.27
    ports: [{containerPort: 80, name: http}]
`;

const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "nginx:1.27"}]}
`;

/** A node that echoes: what it is asked for, and what it reads. */
const NODE: NodeConnections = {
  isConnected: () => true,
  async *logs(_node, { tailLines, follow }) {
    const lines = ['one\n', 'two\n', 'three\n'].slice(-(tailLines ?? 3));
    for (const line of lines) {
      if (follow) await systemClock.sleep(20);
      yield Buffer.from(line);
    }
  },
  exec: async (_node, request) => {
    if (request.command?.[0] === 'refused')
      throw new ApiError('BadRequest', 'container c is not running');
    return echoSession(request);
  },
  connect: async (_node, { port }) => {
    if (port !== 80) throw new ApiError('BadRequest', 'nobody listens there');
    const output = new Channel<Uint8Array>(1000);
    return {
      output,
      write: async (data) => void output.push(data),
      end: () => output.end(),
      [Symbol.asyncDispose]: async () => output.end(),
    };
  },
  usage: () => Promise.reject(new ApiError('ServiceUnavailable', 'not measured')),
  metrics: () => Promise.reject(new ApiError('ServiceUnavailable', 'not measured')),
  isolation: () => Promise.reject(new ApiError('ServiceUnavailable', 'not measured')),
};

const echoSession = ({ command, stdin, tty }: ExecRequest) => {
  const output = new Channel<ExecOutput>(1000);
  const say = (stream: 'stdout' | 'stderr', text: string) =>
    output.push({ stream, data: Buffer.from(text) });
  const finish = () => {
    output.push({ stream: 'exit', exitCode: Number(command?.[1] ?? 0) });
    output.end();
  };
  say('stdout', `${(command ?? ['attached']).join(' ')} tty=${tty}\n`);
  if (!tty) say('stderr', 'and to stderr\n');
  if (!stdin) finish();
  return {
    output,
    writeStdin: async (data: Uint8Array) => {
      output.push({ stream: 'stdout', data });
    },
    closeStdin: () => {
      if (stdin) finish();
    },
    resize: (columns: number, rows: number) => {
      sizes.push(`${columns}x${rows}`);
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
};

it('says of which release its API is', async () => {
  const { code, stdout, stderr } = await kubectl('version');
  // This kubectl is two releases older.
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(
      /^Warning: version difference between client \(1\.34\) and server \(1\.36\)/,
    ),
  ]);
  expect(stdout).toContain(`Server Version: ${KUBERNETES_VERSION}+dhow`);
});

it('applies, shows, changes and deletes a pod', async () => {
  const path = await file('pod.yaml', POD);
  expect(await ok(`apply -f ${path}`)).toBe('pod/web created\n');
  expect(await ok(`apply -f ${path}`)).toBe('pod/web unchanged\n');
  const changed = await file('pod2.yaml', POD.replace('app: web', 'app: web, tier: front'));
  expect(await ok(`diff -f ${path}`)).toBe('');
  expect((await kubectl(`diff -f ${changed}`)).code).toBe(1);
  expect(await ok(`apply -f ${changed}`)).toBe('pod/web configured\n');
  expect(await ok('get pods')).toMatch(
    /^NAME {3}READY {3}STATUS {4}RESTARTS {3}AGE\nweb {4}0\/1 {5}Pending {3}0 {10}\d+s\n$/,
  );
  expect(await ok('get pod web -o wide')).toContain('NOMINATED NODE');
  expect(await ok('get pod web -o yaml')).toContain('tier: front');
  expect(await ok('get pod web -o jsonpath={.spec.containers[0].image}')).toBe('nginx:1.27');
  expect(await ok('label pod web a=b')).toBe('pod/web labeled\n');
  expect(await ok('annotate pod web note=x')).toBe('pod/web annotated\n');
  expect(await ok('patch pod web -p {"metadata":{"labels":{"p":"1"}}}')).toBe('pod/web patched\n');
  expect(await ok('describe pod web')).toMatch(/Name: +web\n[^]*Status: +Pending/);
  expect(await ok('delete pod web')).toBe('pod "web" deleted from default namespace\n');
  expect((await kubectl('get pod web')).stderr).toBe(
    'Error from server (NotFound): pods "web" not found\n',
  );
});

it('applies on the server side', async () => {
  const path = await file('ss.yaml', POD.replace('name: web,', 'name: ss,'));
  expect(await ok(`apply --server-side -f ${path}`)).toBe('pod/ss serverside-applied\n');
  expect(await ok(`apply --server-side -f ${path}`)).toBe('pod/ss serverside-applied\n');
  await ok('delete pod ss --now');
});

it('prints mistakes as upstream does', async () => {
  const bad = async (text: string) => (await kubectl('create -f -', text)).stderr;
  expect(await bad(POD.replace('image:', 'imagee: x\n    image:'))).toBe(
    'Error from server (BadRequest): error when creating "STDIN": Pod in version "v1" cannot be ' +
      'handled as a Pod: strict decoding error: unknown field "spec.containers[0].imagee"\n',
  );
  expect(await bad(POD.replace('80', '70000'))).toBe(
    'The Pod "web" is invalid: spec.containers[0].ports[0].containerPort: Invalid value: 70000: ' +
      'must be between 1 and 65535, inclusive\n',
  );
  expect(await bad(POD.replace('80', '"eighty"'))).toContain(
    'json: cannot unmarshal string into Go struct field',
  );
});

it('creates by its own verbs, which send protobuf, and asks who it is', async () => {
  expect(await ok('create namespace made')).toBe('namespace/made created\n');
  expect(await ok('create configmap cm --from-literal=a=b')).toBe('configmap/cm created\n');
  expect(await ok('get configmap cm -o jsonpath={.data.a}')).toBe('b');
  expect(await ok('create secret generic sec --from-literal=a=b')).toBe('secret/sec created\n');
  expect(await ok('get secret sec -o jsonpath={.data.a}')).toBe('Yg==');
  expect(await ok('create sa robot')).toBe('serviceaccount/robot created\n');
  expect(await ok('create deployment dep --image=nginx:1.27 --replicas=3')).toBe(
    'deployment.apps/dep created\n',
  );
  expect(await ok('get deployment dep -o jsonpath={.spec.replicas}')).toBe('3');
  expect(await ok('auth whoami')).toMatch(/Username +\S+/);
  expect(await ok('auth can-i create pods')).toBe('yes\n');
  await ok('delete deployment/dep configmap/cm secret/sec sa/robot');
});

it('scales and rolls back a deployment', async () => {
  const path = await file('deployment.yaml', DEPLOYMENT);
  expect(await ok(`create -f ${path}`)).toBe('deployment.apps/web created\n');
  expect(await ok('scale deploy web --replicas=5')).toBe('deployment.apps/web scaled\n');
  expect(await ok('get deploy web -o jsonpath={.spec.replicas}')).toBe('5');
  expect(await ok('set image deploy/web c=nginx:1.28')).toBe('deployment.apps/web image updated\n');
  expect(await ok('rollout restart deploy/web')).toBe('deployment.apps/web restarted\n');
  expect(await ok('get deploy -o wide')).toMatch(/web +0\/5 +0 +0 +\d+s +c +nginx:1.28 +app=web/);
  expect(await ok('get all')).toContain('deployment.apps/web');
  expect(await ok('delete deploy web')).toContain('deleted');
});

it('watches', async () => {
  const watching = spawn(host.kubectlPath, ['get', 'pods', '-w', '-o', 'name'], {
    env: host.env,
  });
  const seen: string[] = [];
  const waiters = new Set<() => void>();
  watching.stdout.on('data', (data: Buffer) => {
    seen.push(...String(data).trim().split('\n'));
    for (const wake of waiters) wake();
  });
  try {
    const created = (async () => {
      for (let i = 0; i < 40 && seen.length === 0; i++) {
        await ok('create -f -', POD.replace('name: web,', `name: w${i},`));
        await systemClock.sleep(100);
      }
    })();
    await created;
    expect(seen[0]).toMatch(/^pod\/w\d+$/);
  } finally {
    watching.kill('SIGTERM');
    await once(watching, 'close');
    await ok('delete pods --all');
  }
});

describe('with a pod on a node', () => {
  beforeAll(async () => {
    const { client } = server;
    await client.create(NODES, {
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'n1', labels: { 'node-role.kubernetes.io/worker': '' } },
      spec: {},
    });
    await ok('create -f -', POD);
    const { metadata } = await client.get(PODS, { namespace: 'default', name: 'web' });
    const { uid = '' } = metadata;
    await client.bind({ namespace: 'default', name: 'web', uid }, 'n1');
  });

  it('reads logs', async () => {
    expect(await ok('logs web')).toBe('one\ntwo\nthree\n');
    expect(await ok('logs web --tail=1')).toBe('three\n');
    expect(await ok('logs -f web')).toBe('one\ntwo\nthree\n');
    expect((await kubectl('logs web -c nope')).stderr).toContain('container nope is not valid');
  });

  it('runs commands, with stdin, streams apart and exit codes', async () => {
    const plain = await kubectl('exec web -- true');
    expect(plain).toEqual({ code: 0, stdout: 'true tty=false\n', stderr: 'and to stderr\n' });
    const failed = await kubectl('exec web -- false 7');
    expect(failed.code).toBe(7);
    expect(failed.stderr).toContain('command terminated with exit code 7');
    const text = 'line\n'.repeat(100_000);
    const echoed = await kubectl('exec -i web -- cat', text);
    expect(echoed.code).toBe(0);
    expect(echoed.stdout).toBe(`cat tty=false\n${text}`);
  });

  it('says why a command cannot run', async () => {
    const { code, stderr } = await kubectl('exec web -- refused');
    expect(code).toBe(1);
    expect(stderr).toContain('container c is not running');
  });

  it.each([
    ['a WebSocket', 'true'],
    ['SPDY', 'false'],
  ])('forwards ports over %s', async (_title, webSockets) => {
    await ok('patch pod web --subresource=status -p {"status":{"phase":"Running"}}');
    const child = spawn(host.kubectlPath, ['port-forward', 'pod/web', ':80', ':81'], {
      env: { ...host.env, KUBECTL_PORT_FORWARD_WEBSOCKETS: webSockets },
    });
    try {
      let said = '';
      child.stdout.on('data', (data: Buffer) => (said += data.toString()));
      child.stderr.on('data', (data: Buffer) => (said += data.toString()));
      const portOf = async (remote: number): Promise<number> => {
        for (;;) {
          const port = new RegExp(`127.0.0.1:(\\d+) -> ${remote}\n`).exec(said)?.[1];
          if (port !== undefined) return Number(port);
          await systemClock.sleep(20);
        }
      };
      const big = 'x'.repeat(1_000_000);
      const echoes = [big, 'small'].map(async (content) => {
        const socket = connect({ port: await portOf(80), host: '127.0.0.1' });
        socket.end(content);
        return text(socket);
      });
      const heard = await Promise.all(echoes);
      expect(heard.map((each) => each.length)).toEqual([1_000_000, 5]);
      const refused = connect({ port: await portOf(81), host: '127.0.0.1' });
      refused.on('error', () => undefined);
      refused.end('?');
      await text(refused).catch(() => '');
      while (!said.includes('nobody listens there')) await systemClock.sleep(20);
    } finally {
      child.kill();
      await once(child, 'exit');
    }
  });

  it('attaches', async () => {
    const { stdout } = await kubectl('attach web');
    expect(stdout).toContain('attached tty=false');
  });

  it('cordons, drains and describes the node', async () => {
    expect(await ok('cordon n1')).toBe('node/n1 cordoned\n');
    expect(await ok('get nodes')).toMatch(/n1 +Unknown,SchedulingDisabled +worker/);
    expect(await ok('describe node n1')).toContain('Unschedulable:      true');
    const draining = kubectl('drain n1 --force --timeout=20s');
    for (let gone = false; !gone;) {
      const { metadata } = await server.client.get(PODS, { namespace: 'default', name: 'web' });
      gone = metadata.deletionTimestamp !== undefined;
      await systemClock.sleep(50);
    }
    await server.client.delete(
      PODS,
      { namespace: 'default', name: 'web' },
      { gracePeriodSeconds: 0 },
    );
    expect((await draining).code).toBe(0);
  });
});
