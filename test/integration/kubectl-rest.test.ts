import { get } from 'node:https';
import { gunzipSync } from 'node:zlib';
import type { NodeConnections } from '../../client/node-connections';
import { startKubectlServer, type KubectlServer } from './support/kubectl-server';

let host: KubectlServer;

beforeAll(async () => {
  host = await startKubectlServer({ nodeConnections: NO_NODES });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const NO_NODES: NodeConnections = {
  isConnected: () => false,
  logs: () => {
    throw new Error('no nodes');
  },
  exec: () => Promise.reject(new Error('no nodes')),
};

describe('OpenAPI', () => {
  it('explains from the protobuf of v2, and from v3, alike', async () => {
    const second = await host.ok('explain pod.spec.containers --output=plaintext-openapiv2');
    const third = await host.ok('explain pod.spec.containers');
    for (const text of [second, third]) {
      expect(text).toMatch(/KIND: +Pod\nVERSION: +v1\n/);
      expect(text).toContain('imagePullPolicy');
    }
    const whole = await host.ok('explain deployment --recursive');
    expect(whole).toMatch(/ +containers\t<\[\]Container> -required-\n +args\t<\[\]string>/);
  });

  it('explains what can only be asked', async () => {
    const text = await host.ok('explain selfsubjectaccessreviews.spec.resourceAttributes');
    expect(text).toContain('GROUP:      authorization.k8s.io');
    expect(text).toContain('subresource\t<string>');
  });

  it('lets kubectl find unknown fields before it sends them', async () => {
    const manifest = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"},"dat":{}}';
    const { code, stderr } = await host.kubectl('apply --validate=strict -f -', manifest);
    expect(code).toBe(1);
    expect(stderr).toContain('unknown field "dat"');
  });

  it('describes every path of one document in the other', async () => {
    const [v2, v3] = await Promise.all(
      ['/openapi/v2', '/openapi/v3/api/v1'].map(
        async (path) =>
          JSON.parse(await host.ok(`get --raw ${path}`)) as {
            readonly paths: Record<string, Record<string, { readonly operationId: string }>>;
          },
      ),
    );
    expect(Object.keys(v2!.paths)).toEqual(expect.arrayContaining(Object.keys(v3!.paths)));
    const pods = v2!.paths['/api/v1/namespaces/{namespace}/pods']!;
    expect(Object.values(pods).map(({ operationId }) => operationId)).toEqual([
      'listCoreV1NamespacedPod',
      'createCoreV1NamespacedPod',
      'deleteCoreV1CollectionNamespacedPod',
      undefined,
    ]);
  });
});

/** As a client that takes gzip, and says so. */
const raw = (path: string, headers: Readonly<Record<string, string>>) =>
  new Promise<{ readonly headers: Record<string, unknown>; readonly body: Buffer }>(
    (resolve, reject) => {
      const { pki, port } = host;
      const request = get(
        {
          host: '127.0.0.1',
          ...{ port, path, headers },
          ca: pki.caCertificate,
          cert: pki.admin.certificate,
          key: pki.admin.key,
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () =>
            resolve({ headers: response.headers, body: Buffer.concat(chunks) }),
          );
          response.on('error', reject);
        },
      );
      request.on('error', reject);
    },
  );

describe('a large answer', () => {
  it('comes compressed to who asks for it, and is the same', async () => {
    const plain = await raw('/openapi/v2', {});
    const packed = await raw('/openapi/v2', { 'accept-encoding': 'gzip' });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(packed.headers).toMatchObject({
      'content-encoding': 'gzip',
      vary: 'Accept, Accept-Encoding',
    });
    expect(packed.body.length).toBeLessThan(plain.body.length / 4);
    expect(gunzipSync(packed.body).equals(plain.body)).toBe(true);
  });
});
