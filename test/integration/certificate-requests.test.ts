import { webcrypto, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { stringifyJson } from '../../lib/json';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';

/* Certificates as people ask for them: the real kubectl, a whole control plane on etcd. */

let directory: string;
let server: RunningServer;
let cli: Kubectl;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-requests-'));
  server = await startServer(directory);
  cli = await Kubectl.unpack(directory, server.kubeconfig);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const RSA = {
  ...{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 },
  publicExponent: new Uint8Array([1, 0, 1]),
};
const P384 = { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' };

/** A request as `openssl req` makes it; the key goes into a file. */
const requestOf = async (subject: string, algorithm: typeof RSA | typeof P384 = RSA) => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys: keys as never,
    signingAlgorithm: algorithm as never,
  });
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  const key = x509.PemConverter.encode(pkcs8, 'PRIVATE KEY');
  return { request: Buffer.from(`${request.toString('pem')}\n`).toString('base64'), key };
};
const manifest = (name: string, request: string, change: object = {}) =>
  stringifyJson({
    ...{ apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' },
    metadata: { name },
    spec: {
      ...{ request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
      ...change,
    },
  });
const SHOWN = '--no-headers -o custom-columns=C:.status.conditions[*].type';

it.each([
  ['RSA', RSA],
  ['P-384', P384],
])('signs what is approved, and who holds it is who it says: %s', async (kind, algorithm) => {
  const name = `ada-${kind.toLowerCase()}`;
  const { request, key } = await requestOf(`CN=${name}, O=math, O=engines`, algorithm);
  await cli.ok('create -f -', manifest(name, request, { expirationSeconds: 3600 }));
  const row = (await cli.ok(`get csr ${name} --no-headers`)).trim().split(/\s+/);
  expect([row[0], ...row.slice(2)]).toEqual([
    ...[name, 'kubernetes.io/kube-apiserver-client', 'kubernetes-admin', '60m', 'Pending'],
  ]);
  await cli.ok(`certificate approve ${name}`);
  await cli.ok(`wait csr/${name} --for=jsonpath={.status.certificate} --timeout=20s`);
  expect(await cli.ok(`get csr ${name} --no-headers`)).toContain('Approved,Issued');
  const base64 = await cli.ok(`get csr ${name} -o jsonpath={.status.certificate}`);
  const pem = Buffer.from(base64, 'base64').toString();
  const certificate = new X509Certificate(pem);
  const lifeMs = Date.parse(certificate.validTo) - Date.parse(certificate.validFrom);
  expect(lifeMs / 60_000).toBeCloseTo(65, 0);
  expect(certificate.ca).toBe(false);
  const files = [join(directory, `${name}.crt`), join(directory, `${name}.key`)] as const;
  await writeFile(files[0], pem);
  await writeFile(files[1], key, { mode: 0o600 });
  const as = `--client-certificate=${files[0]} --client-key=${files[1]}`;
  // Without the administrator's own.
  const config = join(directory, `${name}.kubeconfig`);
  const cluster = await cli.ok('config view --raw --minify -o jsonpath={.clusters[0].cluster}');
  const kubeconfig = {
    ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'c', users: [] },
    clusters: [{ name: 'c', cluster: JSON.parse(cluster) as object }],
    contexts: [{ name: 'c', context: { cluster: 'c', user: '' } }],
  };
  await writeFile(config, stringifyJson(kubeconfig));
  const whoami = await cli.ok(`--kubeconfig=${config} ${as} auth whoami -o json`);
  expect(JSON.parse(whoami)).toMatchObject({
    status: {
      userInfo: { username: name, groups: ['math', 'engines', 'system:authenticated'] },
    },
  });
  const refused = await cli.run(`--kubeconfig=${config} ${as} get csr`);
  expect(refused.stderr).toContain(`User "${name}" cannot list resource`);
});

it('signs nothing that is denied, and says so', async () => {
  const { request } = await requestOf('CN=eve');
  await cli.ok('create -f -', manifest('eve', request));
  await cli.ok('certificate deny eve');
  expect((await cli.ok(`get csr eve ${SHOWN}`)).trim()).toBe('Denied');
  const { code, stderr } = await cli.run('certificate approve eve');
  expect([code, stderr]).toEqual([1, expect.stringContaining('already')]);
  expect(await cli.ok('get csr eve --no-headers')).toContain('Denied');
});

it('makes nobody an administrator, and no server', async () => {
  const { request } = await requestOf('CN=root, O=system:masters');
  const { stderr } = await cli.run('create -f -', manifest('root', request));
  expect(stderr).toContain(
    'use of kubernetes.io/kube-apiserver-client signer with system:masters group is not allowed',
  );
  const { request: ofServer } = await requestOf('CN=dhow-server');
  const usages = ['server auth'];
  await cli.ok('create -f -', manifest('server', ofServer, { usages }));
  await cli.ok('certificate approve server');
  await cli.ok('wait csr/server --for=condition=Failed --timeout=20s');
  expect(await cli.ok('get csr server --no-headers')).toContain('Approved,Failed');
});
