import { encodeProtobuf } from '../../../api/protobuf/testing';
import { PODS } from '../../../api/resources';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const PATH = '/api/v1/namespaces/default/pods';
const PROTOBUF = { headers: { 'content-type': 'application/vnd.kubernetes.protobuf' } };

/** What `kubectl debug node/n1` sends. */
const DEBUGGER = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'node-debugger-n1' },
  spec: {
    nodeName: 'n1',
    hostIPC: true,
    hostNetwork: true,
    hostPID: true,
    restartPolicy: 'Never',
    tolerations: [{ operator: 'Exists' }],
    volumes: [{ name: 'host-root', hostPath: { path: '/', type: '' } }],
    // Its volume would have another name each time.
    automountServiceAccountToken: false,
    containers: [
      {
        name: 'debugger',
        image: 'busybox',
        stdin: true,
        tty: true,
        securityContext: { capabilities: { add: ['SYS_PTRACE'] } },
        volumeMounts: [
          {
            name: 'host-root',
            mountPath: '/host',
            readOnly: true,
            recursiveReadOnly: 'IfPossible',
          },
        ],
        resources: { limits: { cpu: '1' }, requests: { cpu: '100m' } },
      },
    ],
  },
};

it('stores a pod whole that comes as protobuf, as it does one that comes as JSON', async () => {
  const { status, json } = await server.request(
    'POST',
    PATH,
    encodeProtobuf(PODS, DEBUGGER),
    PROTOBUF,
  );
  expect(status).toBe(201);
  const twin = { ...DEBUGGER, metadata: { name: 'twin' } };
  const { json: fromJson } = await server.request('POST', PATH, twin);
  expect(json.spec).toEqual(fromJson.spec);
  expect(json.spec).toMatchObject(DEBUGGER.spec);
});

it('warns of a field that only a newer client knows, or refuses it', async () => {
  // Field 500 of the object, a text, behind all others: the envelope's length has two bytes.
  const newer = encodeProtobuf(PODS, DEBUGGER, Buffer.from([0xa2, 0x1f, 1, 120]));
  const strict = await server.request('POST', `${PATH}?fieldValidation=Strict`, newer, PROTOBUF);
  expect(strict.json).toMatchObject({
    code: 400,
    message: expect.stringContaining('unknown field "<protobuf field 500>"'),
  });
  const lenient = await server.request('POST', `${PATH}?fieldValidation=Ignore`, newer, PROTOBUF);
  expect(lenient.status).toBe(201);
  expect(lenient.headers['warning']).toEqual(
    expect.arrayContaining([expect.stringContaining('<protobuf field 500>')]),
  );
});
