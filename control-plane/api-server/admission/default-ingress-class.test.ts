import { startTestServer, type TestServer } from '../testing';

const GROUP = '/apis/networking.k8s.io/v1';
const MARK = 'ingressclass.kubernetes.io/is-default-class';
const BACKEND = { service: { name: 'web', port: { number: 80 } } };

let server: TestServer;

beforeEach(async () => {
  server = await startTestServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const ingressClass = (name: string, mark = 'true') =>
  server.request('POST', `${GROUP}/ingressclasses`, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass' },
    metadata: { name, annotations: { [MARK]: mark } },
    spec: { controller: 'example.com/ingress' },
  });
const classOf = async (spec: object = {}, annotations: object = {}) => {
  const { json } = await server.request('POST', `${GROUP}/namespaces/default/ingresses`, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
    metadata: { generateName: 'i-', annotations },
    spec: { defaultBackend: BACKEND, ...spec },
  });
  return json.spec.ingressClassName;
};

it('gives an ingress without a class the default one, the newest of several', async () => {
  expect(await classOf()).toBeUndefined();
  await ingressClass('none', 'false');
  await ingressClass('old');
  expect(await classOf()).toBe('old');
  await server.clock.advance(2000);
  await ingressClass('c');
  await ingressClass('b');
  expect(await classOf()).toBe('b');
});

it('leaves an ingress that names a class, in either way', async () => {
  await ingressClass('usual');
  expect(await classOf({ ingressClassName: 'other' })).toBe('other');
  expect(await classOf({}, { 'kubernetes.io/ingress.class': 'older' })).toBeUndefined();
});

it('tells the author of a new one that names its class by annotation, and of no other', async () => {
  const path = `${GROUP}/namespaces/default/ingresses`;
  const { headers, json } = await server.request('POST', path, {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress' },
    metadata: { name: 'a', annotations: { 'kubernetes.io/ingress.class': 'older' } },
    spec: { defaultBackend: BACKEND },
  });
  expect(headers['warning']).toEqual([
    `299 - "annotation \\"kubernetes.io/ingress.class\\" is deprecated, please use 'spec.ingressClassName' instead"`,
  ]);
  const next = { ...json, metadata: { ...json.metadata, labels: { changed: 'yes' } } };
  const updated = await server.request('PUT', `${path}/a`, next);
  expect([updated.status, updated.headers['warning']]).toEqual([200, undefined]);
});
