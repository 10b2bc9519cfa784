import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';

jest.setTimeout(120_000);

let directory: string;
let server: RunningServer;
let kubectl: Kubectl;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-declared-'));
  server = await startServer(directory);
  kubectl = await Kubectl.unpack(directory, server.kubeconfig);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const manifest = (apiVersion: string, kind: string, spec: string): string =>
  `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: web}\nspec: ${spec}\n---\n`;

const MANIFESTS = [
  manifest(
    'networking.k8s.io/v1',
    'Ingress',
    '{rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]}',
  ),
  manifest('networking.k8s.io/v1', 'NetworkPolicy', '{podSelector: {matchLabels: {app: web}}}'),
].join('');

const KINDS = [
  ['ingress.networking.k8s.io', /^web +dhow +a\.example +80 +\d+s$/],
  ['networkpolicy.networking.k8s.io', /^web +app=web +\d+s$/],
] as const;

it('are kept, printed and explained as upstream does, without a warning', async () => {
  const { code, stdout, stderr } = await kubectl.run('apply -f -', MANIFESTS);
  expect({ code, stdout }).toEqual({
    code: 0,
    stdout: KINDS.map(([kind]) => `${kind}/web created\n`).join(''),
  });
  expect(stderr).toBe('');
  for (const [kind, row] of KINDS) {
    expect((await kubectl.ok(`get ${kind} --no-headers`)).trim()).toMatch(row);
    const [plural = ''] = kind.split('.');
    expect(await kubectl.ok(`explain ${plural}.spec`)).toContain('FIELDS:');
  }
  expect(await kubectl.ok('apply -f -', MANIFESTS)).toBe(
    KINDS.map(([kind]) => `${kind}/web unchanged\n`).join(''),
  );
});

it('are described and deleted', async () => {
  expect(await kubectl.ok('describe netpol web')).toContain('Policy Types: Ingress');
  expect(await kubectl.ok('describe ing web')).toContain('a.example');
  for (const [kind] of KINDS)
    expect(await kubectl.ok(`delete ${kind} web`)).toContain('"web" deleted');
});
