import type { RebalancePlanSpec } from '../../../api/rebalance-plans';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
let asked: RebalancePlanSpec[];

const NOTHING = { before: 0, after: 0 };

beforeEach(async () => {
  asked = [];
  server = await startTestServer({
    placements: {
      review: () => ({ nodesConsidered: 0, nodesFeasible: 0, refusals: [] }),
      plan: () => Promise.reject(new Error('is not asked')),
      replay: () => Promise.reject(new Error('is not asked')),
      capture: () => Promise.reject(new Error('is not asked')),
      rebalance: async (spec) => {
        asked.push(spec);
        const gain = {
          ...{ spreadSkew: NOTHING, cpuDeviationPercent: NOTHING, memoryDeviationPercent: NOTHING },
          nodesFreed: [],
        };
        return { moves: [], gain, workloads: [], notMoved: [], isAtLimit: false };
      },
    },
  });
});
afterEach(() => server[Symbol.asyncDispose]());

const PATH = '/apis/scheduling.dhow.dev/v1/rebalanceplans';
const DEFAULTS = { maxMoves: 20, minGainPercent: 10, highPercent: 80, movesLocalData: false };

it('is asked with what is not said filled in, and says how it was asked', async () => {
  const { status, json } = await server.request('POST', PATH, { spec: { maxMoves: 3 } });
  const spec = { ...DEFAULTS, maxMoves: 3 };
  expect([status, json.kind, json.spec]).toEqual([201, 'RebalancePlan', spec]);
  expect(json.status).toMatchObject({ moves: [], isAtLimit: false });
  await server.request('POST', PATH, {});
  expect(asked).toEqual([spec, DEFAULTS]);
});

it.each([
  ['spec.maxMoves', { maxMoves: 1e6 }],
  ['spec.minGainPercent', { minGainPercent: 0 }],
  ['spec.highPercent', { highPercent: '80' }],
  ['spec', { unknown: 1 }],
])('refuses %s out of bounds', async (text, spec) => {
  const { status, json } = await server.request('POST', PATH, { spec });
  expect([status, json.message]).toEqual([400, expect.stringContaining(`RebalancePlan: ${text}`)]);
  expect(asked).toEqual([]);
});

it('is for those who may create such plans', async () => {
  const user = { name: 'dev', groups: ['system:authenticated'] };
  const { status, json } = await server.request('POST', PATH, {}, { user });
  expect(status).toBe(403);
  expect(json.message).toContain('cannot create resource "rebalanceplans"');
});
