import { NO_NODES } from '../../control-plane/api-server/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, get, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { httpsDocuments } from '../../control-plane/api-server/auth/fetch-document';
import { issuerOf, OidcAuthenticator, userByFlags } from '../../control-plane/api-server/auth/oidc';
import { openPki } from '../../control-plane/pki/pki';
import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import { startKubectlServer, type KubectlServer } from './support/kubectl-server';

let host: KubectlServer;

let issuer: Issuer;

beforeAll(async () => {
  issuer = await startIssuer();
  const options = {
    issuerUrl: issuer.url,
    clientId: 'dhow',
    usernameClaim: 'sub',
    usernamePrefix: 'oidc:',
    groupsClaim: 'groups',
    groupsPrefix: 'oidc:',
    requiredClaims: {},
    signingAlgorithms: ['ES256'],
  };
  const oidc = new OidcAuthenticator({
    issuer: issuerOf(options),
    userOfClaims: userByFlags(options),
    fetch: httpsDocuments(systemClock, issuer.ca),
    clock: systemClock,
    log: silentLog,
  });
  host = await startKubectlServer({ nodeConnections: NO_NODES, oidc });
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

interface Issuer extends AsyncDisposable {
  readonly url: string;
  readonly ca: string;
  token(claims: object): Promise<string>;
}

/** An OpenID Connect issuer on this machine, with an authority of its own. */
const startIssuer = async (): Promise<Issuer> => {
  const directory = await mkdtemp(join(tmpdir(), 'dhow-issuer-'));
  const pki = await openPki({ directory, serverNames: ['127.0.0.1'], clock: systemClock });
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const keys = [{ ...(await exportJWK(publicKey)), kid: '1', alg: 'ES256' }];
  const { certificate: cert, key } = pki.server;
  const server: Server = createServer({ cert, key }, (request, response) => {
    const isKeys = request.url === '/keys';
    response.end(JSON.stringify(isKeys ? { keys } : { issuer: url, jwks_uri: `${url}/keys` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    ca: pki.caCertificate,
    token: (claims) =>
      new SignJWT({ iss: url, aud: 'dhow', ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: '1' })
        .setExpirationTime('1h')
        .sign(privateKey),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
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

it('lists who answers for each group version: the server itself', async () => {
  expect(await host.ok('get apiservices v1.apps')).toMatch(
    /^NAME +SERVICE +AVAILABLE +AGE\nv1\.apps +Local +True +\d+s\n$/,
  );
  const { stderr } = await host.kubectl('delete apiservice v1.apps');
  expect(stderr).toContain('it passes no requests on to others');
});

it('shows an autoscaler in both versions, and applies it in either', async () => {
  const manifest = (version: string, spec: object) =>
    JSON.stringify({
      ...{ apiVersion: `autoscaling/${version}`, kind: 'HorizontalPodAutoscaler' },
      metadata: { name: 'web' },
      spec: {
        scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
        ...{ maxReplicas: 3, ...spec },
      },
    });
  const old = manifest('v1', { targetCPUUtilizationPercentage: 50 });
  try {
    expect(await host.ok('apply -f -', old)).toBe(
      'horizontalpodautoscaler.autoscaling/web created\n',
    );
    const percent = '-o jsonpath={.spec.targetCPUUtilizationPercentage}';
    expect(await host.ok(`get horizontalpodautoscalers.v1.autoscaling web ${percent}`)).toContain(
      '50',
    );
    expect(await host.ok('get hpa web')).toContain('cpu: <unknown>/50%');
    expect(await host.ok('get horizontalpodautoscalers.v1.autoscaling web')).toContain(
      'cpu: <unknown>/50%',
    );
    expect(await host.ok('apply -f -', old)).toContain('unchanged');
    await host.ok('apply --server-side --force-conflicts -f -', manifest('v2', { maxReplicas: 4 }));
    const { spec } = JSON.parse(
      await host.ok('get horizontalpodautoscalers.v1.autoscaling web -o json'),
    ) as {
      readonly spec: object;
    };
    expect(spec).toMatchObject({ maxReplicas: 4, targetCPUUtilizationPercentage: 50 });
  } finally {
    await host.kubectl('delete hpa web --ignore-not-found');
  }
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

const REVIEWS = '/apis/authentication.k8s.io/v1/tokenreviews';

describe('a token of another issuer', () => {
  it('makes one known to kubectl, and to who reviews it, as what roles may be bound to', async () => {
    const token = await issuer.token({ sub: 'ann', groups: ['dev'] });
    expect(await host.ok(`auth whoami --token=${token}`)).toMatch(
      /Username +oidc:ann\nGroups +\[oidc:dev system:authenticated\]/,
    );
    const before = await host.kubectl(`get pods --token=${token}`);
    expect(before.stderr).toContain('User "oidc:ann" cannot list resource "pods"');
    await host.ok('create clusterrolebinding dev --clusterrole=view --group=oidc:dev');
    expect(await host.ok(`auth can-i list pods --token=${token}`)).toBe('yes\n');
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
    const answer = await host.ok(`create --raw ${REVIEWS} -f -`, JSON.stringify(review));
    expect(JSON.parse(answer)).toMatchObject({
      status: { authenticated: true, user: { username: 'oidc:ann' } },
    });
  });

  it('is no token when another signed it', async () => {
    const [head, , signature] = (await issuer.token({ sub: 'ann' })).split('.');
    const body = Buffer.from(JSON.stringify({ iss: issuer.url, aud: 'dhow', sub: 'eve' }));
    const forged = `${head}.${body.toString('base64url')}.${signature}`;
    const { stderr } = await host.kubectl(`auth whoami --token=${forged}`);
    expect(stderr).toContain('must be logged in to the server');
  });
});
