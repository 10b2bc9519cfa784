import fc from 'fast-check';
import { clusterNetworkOf, DEFAULT_CLUSTER_NETWORK } from '../../../api/cluster-network';
import { ApiError } from '../../../api/errors';
import { holdingsOf } from '../../../api/service-fields';
import type { ApiObject, Service } from '../../../api/types';
import { seededRandom, type Random } from '../../../lib/random';
import { MemoryStore } from '../../store/memory-store';
import { startTestServer, type TestServer } from '../testing';

const SERVICES = '/api/v1/namespaces/default/services';
const MERGE = { headers: { 'content-type': 'application/merge-patch+json' } };
const ADDRESS_COUNT = 14;
const PORT_COUNT = 6;
const NETWORK = clusterNetworkOf({
  ...DEFAULT_CLUSTER_NETWORK,
  serviceClusterIpRange: '10.96.0.0/28',
  serviceNodePortRange: `30000+${PORT_COUNT}`,
});

/** Now and then the answer of a write is lost, before or after it took effect. */
class FlakyStore extends MemoryStore {
  faultRate = 0;

  constructor(private readonly random: Random) {
    super();
  }

  override async create(...args: Parameters<MemoryStore['create']>) {
    return this.flaky(() => super.create(...args));
  }

  override async update(...args: Parameters<MemoryStore['update']>) {
    return this.flaky(() => super.update(...args));
  }

  override async delete(...args: Parameters<MemoryStore['delete']>) {
    return this.flaky(() => super.delete(...args));
  }

  private async flaky<T>(write: () => Promise<T>): Promise<T> {
    const chance = this.random.next();
    if (chance < this.faultRate / 2) throw new ApiError('Timeout', 'lost on the way there');
    const stored = await write();
    if (chance < this.faultRate) throw new ApiError('Timeout', 'lost on the way back');
    return stored;
  }
}

type Op = 'create' | 'delete' | 'type';
interface Step {
  readonly op: Op;
  readonly name: string;
  readonly type: string;
  /** Asks for this one; 0: for any. */
  readonly wish: number;
}

const steps = fc.array(
  fc.record<Step>({
    op: fc.constantFrom<Op>('create', 'create', 'delete', 'type'),
    name: fc.constantFrom(...Array.from({ length: 20 }, (_none, i) => `s${i}`)),
    type: fc.constantFrom('ClusterIP', 'NodePort', 'ExternalName', 'LoadBalancer'),
    wish: fc.constantFrom(0, 0, 3, 5),
  }),
  { minLength: 1, maxLength: 24 },
);

const specOf = ({ type, wish }: Step) => ({
  ...{
    type,
    ports: [{ port: 80, ...(hasPort(type) && wish > 0 ? { nodePort: 30_000 + wish } : {}) }],
  },
  ...(type === 'ExternalName' ? { externalName: 'a.example' } : {}),
  ...(type === 'ClusterIP' && wish > 0 ? { clusterIP: `10.96.0.${wish}` } : {}),
});
const hasPort = (type: string) => type === 'NodePort' || type === 'LoadBalancer';

const perform = (server: TestServer, step: Step) => {
  const { op, name } = step;
  const request: TestServer['request'] = (...args) => server.request(...args);
  if (op === 'delete') return request('DELETE', `${SERVICES}/${name}`);
  if (op === 'type')
    return request(
      'PATCH',
      `${SERVICES}/${name}`,
      { spec: { clusterIP: null, ...specOf(step) } },
      MERGE,
    );
  return request('POST', SERVICES, {
    ...{ apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: specOf(step) },
  });
};

const stored = async (store: MemoryStore): Promise<readonly Service[]> =>
  (await store.list('services')).items.map(
    ({ object }: { object: ApiObject }) => object as Service,
  );

const expectUnique = async (store: MemoryStore) => {
  const services = await stored(store);
  const all = services.flatMap((service) => [...holdingsOf(service)]);
  expect(all.toSorted()).toEqual([...new Set(all)].toSorted());
  for (const { spec } of services)
    if (spec?.type !== 'ExternalName') expect(spec?.clusterIP).toMatch(/^10\.96\.0\./);
  return all;
};

/** What nobody holds can be had to the last, and nothing beyond. */
const expectNoLeak = async (server: TestServer, store: MemoryStore) => {
  const held = await expectUnique(store);
  const free = ADDRESS_COUNT - held.filter((each) => typeof each === 'string').length;
  const answers = await Promise.all(
    Array.from({ length: free + 1 }, (_none, i) =>
      perform(server, { op: 'create', name: `rest${i}`, type: 'ClusterIP', wish: 0 }),
    ),
  );
  expect(answers.filter(({ status }) => status === 201)).toHaveLength(free);
  await expectUnique(store);
};

it('gives nothing twice and loses nothing, whoever asks at once and dies in between', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(steps, { minLength: 1, maxLength: 4 }),
      fc.integer(),
      async (lives, seed) => {
        const store = new FlakyStore(seededRandom(seed));
        for (const [i, life] of lives.entries()) {
          const server = await startTestServer({ store, network: NETWORK });
          store.faultRate = 0.3;
          const asked = Promise.all(
            life.map((step) => perform(server, step).catch(() => undefined)),
          );
          // Every second server dies with its requests under way.
          if (i % 2 === 0) await asked;
          store.faultRate = 0;
          if (i % 2 === 1) await server[Symbol.asyncDispose]();
          await asked;
          await expectUnique(store);
          if (i % 2 === 0) await server[Symbol.asyncDispose]();
        }
        await using last = await startTestServer({ store, network: NETWORK });
        await expectNoLeak(last, store);
      },
    ),
    { numRuns: 12 },
  );
}, 120_000);

it('has all again that was lent, in the life of one server', async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer(), async (life, seed) => {
      const store = new FlakyStore(seededRandom(seed));
      await using server = await startTestServer({ store, network: NETWORK });
      store.faultRate = 0.4;
      await Promise.all(life.map((step) => perform(server, step)));
      store.faultRate = 0;
      // By then no write can be under way whose answer was lost.
      await server.clock.advance(61_000);
      await expectNoLeak(server, store);
    }),
    { numRuns: 12 },
  );
}, 120_000);
