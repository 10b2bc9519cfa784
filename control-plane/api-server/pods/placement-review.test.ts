import type { Pod } from '../../../api/types';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
let reviewed: Pod[];

beforeEach(async () => {
  reviewed = [];
  server = await startTestServer({
    placements: {
      review: (pod) => {
        reviewed.push(pod);
        return { nodesConsidered: 3, nodesFeasible: 2, refusals: [] };
      },
      plan: () => Promise.reject(new Error('is not asked')),
      rebalance: () => Promise.reject(new Error('is not asked')),
      replay: () => Promise.reject(new Error('is not asked')),
      capture: () => Promise.reject(new Error('is not asked')),
    },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const GROUP = '/apis/scheduling.dhow.dev/v1';
const PATH = `${GROUP}/namespaces/default/placementreviews`;
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { generateName: 'new-' },
  spec: { containers: [{ name: 'main', image: 'web:1' }] },
};
const DEV = { name: 'dev', groups: ['system:authenticated'] };

it('answers about a pod as it would be stored, and stores nothing', async () => {
  const { status, json } = await server.request('POST', PATH, POD);
  expect(status).toBe(201);
  expect(json).toMatchObject({
    kind: 'PlacementReview',
    apiVersion: 'scheduling.dhow.dev/v1',
    metadata: { namespace: 'default' },
    status: { nodesConsidered: 3, nodesFeasible: 2 },
  });
  expect(reviewed[0]?.spec).toMatchObject({ schedulerName: 'default-scheduler' });
  const { json: pods } = await server.request('GET', '/api/v1/pods');
  expect(pods.items).toEqual([]);
});

it('refuses what could not be created', async () => {
  const invalid = { ...POD, spec: { containers: [] } };
  expect((await server.request('POST', PATH, invalid)).status).toBe(422);
  const elsewhere = PATH.replace('default', 'nowhere');
  expect((await server.request('POST', elsewhere, POD)).status).toBe(404);
  expect((await server.request('POST', PATH, 'not: [json')).status).toBe(400);
  expect(reviewed).toEqual([]);
});

it('is for those who may create pods there', async () => {
  const refused = await server.request('POST', PATH, POD, { user: DEV });
  expect(refused.status).toBe(403);
  expect(refused.json.message).toContain('cannot create resource "pods"');
  expect(reviewed).toEqual([]);
});

it.each([
  ['GET', PATH],
  ['POST', `${PATH}/name`],
  ['POST', `${GROUP}/placementreviews`],
])('does not allow %s %s', async (method, path) => {
  expect((await server.request(method, path, POD)).status).toBe(405);
});

it('is found by discovery where it is served', async () => {
  const { json } = await server.request('GET', GROUP);
  expect(json.resources).toContainEqual({
    name: 'placementreviews',
    singularName: 'placementreview',
    namespaced: true,
    kind: 'PlacementReview',
    verbs: ['create'],
  });
  await using other = await startTestServer();
  expect((await other.request('POST', PATH, POD)).status).toBe(404);
});
