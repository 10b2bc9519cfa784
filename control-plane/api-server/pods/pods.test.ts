import type { LogsRequest } from '../../../client/node-connections';
import { ApiError } from '../../../api/errors';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
const PODS = '/api/v1/namespaces/default/pods';
const asked: LogsRequest[] = [];

async function* logs(nodeName: string, request: LogsRequest) {
  asked.push(request);
  if (nodeName === 'gone') throw new ApiError('ServiceUnavailable', 'node "gone" is not connected');
  yield Buffer.from('one\n');
  yield Buffer.from('two\n');
}

beforeEach(async () => {
  asked.length = 0;
  server = await startTestServer({ nodes: { logs: (name, request) => logs(name, request) } });
});
afterEach(() => server[Symbol.asyncDispose]());

const create = async (name: string, spec: object = {}) =>
  (
    await server.request('POST', PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name },
      spec: { containers: [{ name: 'c', image: 'nginx' }], ...spec },
    })
  ).json;

describe('binding', () => {
  beforeEach(async () => {
    for (const name of ['n1', 'n2', 'n3', 'n4'])
      await server.request('POST', '/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name },
      });
  });
  const bind = (name: string, node: string, uid?: string) =>
    server.request('POST', `${PODS}/${name}/binding`, {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name, ...(uid === undefined ? {} : { uid }) },
      target: { kind: 'Node', name: node },
    });

  it('sets the node and says that the pod is scheduled', async () => {
    const { metadata } = await create('a');
    expect((await bind('a', 'n1', metadata.uid)).status).toBe(201);
    const { json } = await server.request('GET', `${PODS}/a`);
    expect(json.spec.nodeName).toBe('n1');
    expect(json.status.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
    expect(json.metadata.generation).toBe(1);
  });

  it('happens once, to the pod that was meant, and not while it goes', async () => {
    await create('a');
    expect((await bind('a', 'n1', 'other')).status).toBe(409);
    await bind('a', 'n1');
    const again = await bind('a', 'n2');
    expect([again.status, again.json.message]).toEqual([
      409,
      expect.stringContaining('pod a is already assigned to node "n1"'),
    ]);
    expect((await bind('nope', 'n1')).status).toBe(404);
  });

  it('lets one of many schedulers win', async () => {
    await create('a');
    const answers = await Promise.all(['n1', 'n2', 'n3', 'n4'].map((node) => bind('a', node)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
  });

  it('is to a node that is there', async () => {
    await create('a');
    const { status, json } = await bind('a', 'ghost');
    expect([status, json.message]).toEqual([
      422,
      'Binding "a" is invalid: target.name: Not found: "ghost"',
    ]);
    expect((await server.request('GET', `${PODS}/a`)).json.spec.nodeName).toBeUndefined();
  });

  it('needs a target', async () => {
    await create('a');
    const { status } = await server.request('POST', `${PODS}/a/binding`, { target: {} });
    expect(status).toBe(400);
  });
});

it('evicts a pod with its grace', async () => {
  await create('a', { nodeName: 'n1' });
  const { status } = await server.request('POST', `${PODS}/a/eviction`, {
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { name: 'a', namespace: 'default' },
    deleteOptions: { gracePeriodSeconds: 7 },
  });
  expect(status).toBe(201);
  const { json } = await server.request('GET', `${PODS}/a`);
  expect(json.metadata.deletionGracePeriodSeconds).toBe(7);
});

describe('log', () => {
  it('passes the options on and the bytes back', async () => {
    const { metadata } = await create('a', { nodeName: 'n1' });
    const answer = await server.request(
      'GET',
      `${PODS}/a/log?tailLines=5&timestamps=true&previous=true&sinceSeconds=60&limitBytes=9&follow=true`,
    );
    expect([answer.status, answer.text]).toEqual([200, 'one\ntwo\n']);
    expect(answer.headers['content-type']).toBe('text/plain');
    expect(asked).toEqual([
      {
        namespace: 'default',
        podName: 'a',
        podUid: metadata.uid,
        container: 'c',
        follow: true,
        previous: true,
        timestamps: true,
        tailLines: 5,
        sinceSeconds: 60,
        limitBytes: 9,
      },
    ]);
  });

  const two = {
    containers: [
      { name: 'a', image: 'x' },
      { name: 'b', image: 'x' },
    ],
  };

  it('takes the container that the pod names where the caller names none', async () => {
    await create('a', { nodeName: 'n1', ...two });
    const annotations = { 'kubectl.kubernetes.io/default-container': 'b' };
    const merge = { headers: { 'content-type': 'application/merge-patch+json' } };
    await server.request('PATCH', `${PODS}/a`, { metadata: { annotations } }, merge);
    expect((await server.request('GET', `${PODS}/a/log`)).status).toBe(200);
    expect(asked.at(-1)).toMatchObject({ container: 'b' });
  });

  it.each<[string, object, string, number, string]>([
    ['a pod without a node', {}, '', 400, 'pod a does not have a host assigned'],
    [
      'an unknown container',
      { nodeName: 'n1' },
      '?container=z',
      400,
      'container z is not valid for pod a',
    ],
    [
      'a choice that was not made',
      { nodeName: 'n1', ...two },
      '',
      400,
      'a container name must be specified for pod a, choose one of: [a b]',
    ],
    ['a node that is gone', { nodeName: 'gone' }, '', 503, 'node "gone" is not connected'],
    ['a bad time', { nodeName: 'n1' }, '?sinceTime=soon', 400, 'sinceTime'],
    [
      'two starts',
      { nodeName: 'n1' },
      '?sinceTime=2026-01-01T00:00:00Z&sinceSeconds=1',
      400,
      'at most one',
    ],
  ])('refuses %s', async (_title, spec, query, status, message) => {
    await create('a', spec);
    const answer = await server.request('GET', `${PODS}/a/log${query}`);
    expect(answer.status).toBe(status);
    expect(answer.json.message).toContain(message);
  });
});

describe('admission', () => {
  it.each([
    [{ serviceAccountName: 'nope' }, 'serviceaccount "nope" not found'],
    [{ priorityClassName: 'nope' }, 'no PriorityClass with name nope was found'],
  ])('refuses %j', async (spec, message) => {
    const status = await create('a', spec);
    expect(status).toMatchObject({ code: 403, reason: 'Forbidden' });
    expect(status.message).toContain(message);
  });

  it('knows the quality of service after defaulting', async () => {
    const limits = { cpu: '1', memory: '1Gi' };
    const { status } = await create('a', {
      containers: [{ name: 'c', image: 'x', resources: { limits } }],
    });
    expect(status.qosClass).toBe('Guaranteed');
  });
});
