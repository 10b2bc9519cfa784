import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { stringifyJson } from '../../lib/json';
import { Kubectl } from './support/kubectl';
import { startServer, type RunningServer } from './support/running-server';
import {
  sendJson,
  startWebhookServer,
  type Answering,
  type WebhookServer,
} from './support/webhook-server';

/* A conversion webhook as its author has it: real HTTPS, the real kubectl, a whole control plane on etcd. */

let directory: string;
let server: RunningServer;
let hook: WebhookServer;
let cli: Kubectl;
/** How the webhook behaves. */
let mood: 'right' | 'broken' = 'right';

interface Widget {
  readonly apiVersion: string;
  readonly spec: { readonly size?: string; readonly width?: number };
}

const convert = (object: Widget, apiVersion: string): Widget => {
  if (object.apiVersion === apiVersion) return object;
  const { size = '', width = 0 } = object.spec;
  const spec = apiVersion.endsWith('v2') ? { width: Number(size) } : { size: String(width) };
  return { ...object, apiVersion, spec };
};

const answer: Answering = (_path, { request, apiVersion, kind }, response) => {
  const { uid, objects, desiredAPIVersion } = request;
  const result = mood === 'right' ? { status: 'Success' } : { status: 'Failed', message: 'no' };
  const convertedObjects = (objects as readonly Widget[]).map((each) =>
    convert(each, desiredAPIVersion as string),
  );
  sendJson(response, { apiVersion, kind, response: { uid, result, convertedObjects } });
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-conversion-'));
  hook = await startWebhookServer(answer);
  server = await startServer(directory);
  cli = await Kubectl.unpack(directory, server.kubeconfig);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await hook[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});
beforeEach(() => {
  mood = 'right';
});

const kubectl = async (args: string, input?: string) => {
  const { code, stdout, stderr } = await cli.run(args, input);
  return { code, stdout: stdout.trim(), stderr: stderr.trim() };
};

const version = (name: string, field: string, type: string) => ({
  ...{ name, served: true, storage: name === 'v1' },
  schema: {
    openAPIV3Schema: {
      type: 'object',
      properties: { spec: { type: 'object', properties: { [field]: { type } } } },
    },
  },
});

const definition = (
  clientConfig: object = { url: `${hook.url}/convert`, caBundle: hook.caBundle },
) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'widgets.parts.example' },
  spec: {
    ...{ group: 'parts.example', scope: 'Namespaced' },
    names: { plural: 'widgets', kind: 'Widget' },
    versions: [version('v1', 'size', 'string'), version('v2', 'width', 'integer')],
    conversion: {
      strategy: 'Webhook',
      webhook: {
        clientConfig,
        conversionReviewVersions: ['v1'],
      },
    },
  },
});
const widget = (name: string, spec: object, apiVersion = 'parts.example/v1') =>
  stringifyJson({ apiVersion, kind: 'Widget', metadata: { name }, spec });

it('lets kubectl work in either version, and delete when the webhook is dead', async () => {
  expect((await kubectl('apply -f -', stringifyJson(definition()))).stderr).toBe('');
  await kubectl('wait --for=condition=Established crd/widgets.parts.example --timeout=30s');
  expect((await kubectl('apply -f -', widget('a', { size: '3' }))).stderr).toBe('');
  const applied = await kubectl('apply -f -', widget('b', { width: 4 }, 'parts.example/v2'));
  expect(applied.stderr).toBe('');
  const sizes = 'get widgets.v1.parts.example -o jsonpath={.items[*].spec.size}';
  expect((await kubectl(sizes)).stdout).toBe('3 4');
  const widths = 'get widgets.v2.parts.example -o jsonpath={.items[*].spec.width}';
  expect((await kubectl(widths)).stdout).toBe('3 4');
  mood = 'broken';
  await kubectl('label widgets.v1.parts.example a is=changed');
  const failed = await kubectl(widths);
  expect(failed.stderr).toBe(
    'Error from server: conversion for parts.example/v1, Kind=Widget failed: conversion webhook for ' +
      'parts.example/v1, Kind=Widget failed: no',
  );
  expect((await kubectl(sizes)).stdout).toBe('3 4');
  await hook[Symbol.asyncDispose]();
  const dead = await kubectl('get widgets.v2.parts.example a');
  expect(dead.stderr).toContain('connect: connection refused');
  const deleted = await kubectl('delete widgets.v2.parts.example a b --wait=false');
  expect([deleted.code, deleted.stderr]).toEqual([0, '']);
  expect((await kubectl('delete crd widgets.parts.example --timeout=30s')).code).toBe(0);
});

const ip = (change: 'add' | 'del', address: string) =>
  promisify(execFile)('ip', ['address', change, `${address}/32`, 'dev', 'lo']);

/** One that selects nothing: who is behind it is said by hand. */
const serviceWith = (addresses: readonly string[], port: number) =>
  stringifyJson({
    ...{ apiVersion: 'v1', kind: 'List' },
    items: [
      {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'converters' } },
        spec: { ports: [{ name: 'https', port: 8443 }] },
      },
      {
        ...{ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', addressType: 'IPv4' },
        metadata: { name: 'converters', labels: { 'kubernetes.io/service-name': 'converters' } },
        ports: [{ name: 'https', port }],
        endpoints: addresses.map((each) => ({ addresses: [each] })),
      },
    ],
  });

it('asks a webhook behind a service where its endpoints are', async () => {
  // Endpoints may not be of this machine alone, as 127.0.0.1 is.
  const address = '192.0.2.81';
  await ip('add', address);
  try {
    await using behind = await startWebhookServer(answer, ['converters.default.svc'], address);
    const service = { namespace: 'default', name: 'converters', path: '/convert', port: 8443 };
    const config = definition({ service, caBundle: behind.caBundle });
    expect((await kubectl('apply -f -', stringifyJson(config))).stderr).toBe('');
    await kubectl('wait --for=condition=Established crd/widgets.parts.example --timeout=30s');
    await kubectl('apply -f -', widget('a', { size: '3' }));
    const width = () => kubectl('get widgets.v2.parts.example a -o jsonpath={.spec.width}');
    expect((await width()).stderr).toContain('service "converters" not found');
    await kubectl('apply -f -', serviceWith([], behind.port));
    expect((await width()).stderr).toContain('no endpoints available for service "converters"');
    await kubectl('apply -f -', serviceWith([address], behind.port));
    expect(await width()).toEqual({ code: 0, stdout: '3', stderr: '' });
    expect(behind.asked.map(({ path }) => path)).toEqual(['/convert?timeout=30s']);
  } finally {
    await kubectl('delete service,endpointslice converters --ignore-not-found');
    await kubectl('delete crd widgets.parts.example --ignore-not-found --timeout=30s');
    await ip('del', address);
  }
});
