import { expectInTime, livezDuring } from './support/livez-probe';
import { startOwnServer, type OwnServer } from './support/own-server';

const MEMORY_MB = 512;
/** The short form; DHOW_CHURN_SECONDS=600 for the long one. */
const CHURN_MS = Number(process.env['DHOW_CHURN_SECONDS'] ?? 60) * 1000;
const UPDATES_MAX = (CHURN_MS / 1000) * 400;
const MAPS = '/api/v1/namespaces/default/configmaps';
const MERGE = 'application/merge-patch+json';

const configMap = (name: string, data: object) =>
  JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

const keys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_none, i) => [`k${i}`, 'v']));

describe('a server under requests that are large', () => {
  let server: OwnServer;
  beforeAll(async () => {
    server = await startOwnServer();
  });
  afterAll(() => server[Symbol.asyncDispose]());

  it('answers /livez in time while eight send what is beyond the limits', async () => {
    const body = configMap('huge', keys(230_000));
    const send = () => server.ask('POST', `${MAPS}?dryRun=All`, body);
    const probes = await livezDuring(server, async () => {
      const replies = await Promise.all(Array.from({ length: 8 }, send));
      expect(replies.map(({ status }) => status)).toEqual(Array(8).fill(413));
    });
    expectInTime(probes);
  });

  it('answers /livez in time while eight send the largest that it takes', async () => {
    const send = (i: number) =>
      server.ask('POST', `${MAPS}?dryRun=All`, configMap(`large-${i}`, keys(9000)));
    const probes = await livezDuring(server, async () => {
      const replies = await Promise.all(Array.from({ length: 8 }, (_none, i) => send(i)));
      expect(replies.map(({ status }) => status)).toEqual(Array(8).fill(201));
    });
    expectInTime(probes);
  });

  it('writes small objects in time beside ones that etcd would not take', async () => {
    const action = 'x'.repeat(2_500_000);
    const event = { apiVersion: 'v1', kind: 'Event', involvedObject: {}, action };
    const large = Promise.all(
      Array.from({ length: 4 }, (_none, i) =>
        server.ask(
          'POST',
          '/api/v1/namespaces/default/events',
          JSON.stringify({ ...event, metadata: { name: `e${i}` } }),
        ),
      ),
    );
    const small = await Promise.all(
      Array.from({ length: 20 }, (_none, i) =>
        server.ask('POST', MAPS, configMap(`small-${i}`, { a: 'b' })),
      ),
    );
    for (const { status, text, tookMs } of await large) {
      expect([status, text]).toEqual([413, expect.stringContaining('limit is 1556480')]);
      expect(tookMs).toBeLessThan(3000);
    }
    expect(small.map(({ status }) => status)).toEqual(small.map(() => 201));
    for (const { tookMs } of small) expect(tookMs).toBeLessThan(3000);
  });

  it('answers each of many that send much and are told much, on connections that stay', async () => {
    const name = 'A'.repeat(50_000);
    const body = configMap(name, { text: 'x'.repeat(150_000) });
    const ask = async () => {
      const statuses: number[] = [];
      for (let i = 0; i < 6; i++) {
        const { status, text } = await server.ask('POST', MAPS, body);
        statuses.push(status);
        if (status === 422) expect(text.length).toBeGreaterThan(name.length);
      }
      return statuses;
    };
    const statuses = (await Promise.all(Array.from({ length: 64 }, ask))).flat();
    expect(statuses.filter((status) => status !== 422 && status !== 429)).toEqual([]);
    expect(statuses).toContain(422);
  });

  it('measures how late its event loop was', async () => {
    const { text } = await server.ask('GET', '/metrics');
    expect(text).toMatch(/^dhow_event_loop_lag_seconds_bucket\{le="0\.1"\} \d+$/m);
  });
});

it(`lives in ${MEMORY_MB} MB while objects change without end`, async () => {
  await using server = await startOwnServer({ memoryMb: MEMORY_MB });
  for (let i = 0; i < 6; i++) await server.ask('POST', MAPS, configMap(`c${i}`, { a: '' }));
  const deadlineMs = Date.now() + CHURN_MS;
  let updateCount = 0;
  let peakMb = 0;
  const change = async () => {
    while (updateCount < UPDATES_MAX && Date.now() < deadlineMs) {
      const data = { a: `${updateCount++}${'x'.repeat(3000)}` };
      const path = `${MAPS}/c${updateCount % 6}`;
      const { status } = await server.ask('PATCH', path, JSON.stringify({ data }), MERGE);
      // All of them write the same few objects: one may lose the race too often.
      expect([200, 409]).toContain(status);
      if (updateCount % 100 === 0) peakMb = Math.max(peakMb, server.residentMb());
    }
  };
  await Promise.all(Array.from({ length: 16 }, change));
  expect(server.exit()).toBeUndefined();
  expect(updateCount).toBeGreaterThan(500);
  expect(peakMb).toBeLessThan(350);
}, 900_000);
