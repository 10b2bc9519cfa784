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
const requestOf = async (
  subject: string,
  algorithm: typeof RSA | typeof P384 = RSA,
  names: x509.JsonGeneralNames = [],
) => {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: subject,
    keys: keys as never,
    signingAlgorithm: algorithm as never,
    extensions: names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)],
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

it('lets a node serve, approved by whoever has the role for it, and makes it no client', async () => {
  const names: x509.JsonGeneralNames = [
    { type: 'dns', value: 'n1.example' },
    { type: 'ip', value: '192.0.2.1' },
  ];
  const { request, key } = await requestOf('CN=system:node:n1, O=system:nodes', P384, names);
  const change = {
    signerName: 'kubernetes.io/kubelet-serving',
    usages: ['server auth', 'digital signature'],
  };
  await cli.ok('create -f -', manifest('n1', request, change));
  const role = 'system:certificates.k8s.io:kubelet-serving-approver';
  await cli.ok(
    'create clusterrole csr-editor --verb=get,update --resource=certificatesigningrequests,certificatesigningrequests/approval',
  );
  await cli.ok('create clusterrolebinding csr-editor --clusterrole=csr-editor --user=grace');
  const refused = await cli.run('--as=grace certificate approve n1');
  expect(refused.stderr).toContain(
    'user not permitted to approve requests with signerName "kubernetes.io/kubelet-serving"',
  );
  await cli.ok(`create clusterrolebinding grace-approves --clusterrole=${role} --user=grace`);
  await cli.ok('--as=grace certificate approve n1');
  await cli.ok('wait csr/n1 --for=jsonpath={.status.certificate} --timeout=20s');
  const base64 = await cli.ok('get csr n1 -o jsonpath={.status.certificate}');
  const pem = Buffer.from(base64, 'base64').toString();
  const certificate = new X509Certificate(pem);
  expect(certificate.subjectAltName).toBe('DNS:n1.example, IP Address:192.0.2.1');
  expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  const files = [join(directory, 'n1.crt'), join(directory, 'n1.key')] as const;
  await writeFile(files[0], pem);
  await writeFile(files[1], key, { mode: 0o600 });
  const url = new URL(
    await cli.ok('config view --minify -o jsonpath={.clusters[0].cluster.server}'),
  );
  const as = `--client-certificate=${files[0]} --client-key=${files[1]}`;
  const config = `--kubeconfig=/dev/null --insecure-skip-tls-verify --server=${url.origin}`;
  expect((await cli.run(`${config} ${as} auth whoami`)).code).not.toBe(0);
});
