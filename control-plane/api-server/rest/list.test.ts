import type { SchedulingDecision } from '../../../api/decisions';
import { SCHEDULING_DECISIONS } from '../../../api/resources';
import type { VirtualResource } from '../../../client/virtual-resource';
import { startTestServer, type TestServer } from '../testing';

let server: TestServer;
const PODS = '/api/v1/namespaces/default/pods';

beforeEach(async () => {
  server = await startTestServer();
  for (const name of ['e', 'd', 'c', 'b', 'a'])
    await server.request('POST', PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name, labels: { vowel: String('ae'.includes(name)) } },
      spec: { containers: [{ name: 'c', image: 'nginx' }] },
    });
});
afterEach(() => server[Symbol.asyncDispose]());

const names = (json: { items: { metadata: { name: string } }[] }) =>
  json.items.map(({ metadata }) => metadata.name);

const pages = async (query: string) => {
  const found: string[][] = [];
  let token = '';
  do {
    const { json } = await server.request('GET', `${PODS}?${query}&continue=${token}`);
    found.push(names(json));
    token = json.metadata.continue ?? '';
  } while (token !== '');
  return found;
};

it('lists by name with the version to watch from', async () => {
  const { json } = await server.request('GET', PODS);
  expect(json).toMatchObject({ kind: 'PodList', apiVersion: 'v1' });
  expect(names(json)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(Number(json.metadata.resourceVersion)).toBeGreaterThan(0);
});

it('pages, and says how many remain', async () => {
  const { json } = await server.request('GET', `${PODS}?limit=2`);
  expect(json.metadata.remainingItemCount).toBe(3);
  expect(await pages('limit=2')).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
});

it('shows on later pages the state of the first', async () => {
  const { json } = await server.request('GET', `${PODS}?limit=2`);
  await server.request('DELETE', `${PODS}/d`);
  await server.request('POST', PODS, {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'bb' },
    spec: { containers: [{ name: 'c', image: 'nginx' }] },
  });
  const next = await server.request('GET', `${PODS}?limit=9&continue=${json.metadata.continue}`);
  expect(names(next.json)).toEqual(['c', 'd', 'e']);
  expect(next.json.metadata.resourceVersion).toBe(json.metadata.resourceVersion);
});

it('answers an expired token with one that goes on in the present', async () => {
  const { json } = await server.request('GET', `${PODS}?limit=2`);
  await server.clock.advance(6 * 60_000);
  const expired = await server.request('GET', `${PODS}?continue=${json.metadata.continue}`);
  expect([expired.status, expired.json.reason]).toEqual([410, 'Expired']);
  const token = expired.json.metadata.continue;
  const rest = await server.request('GET', `${PODS}?limit=9&continue=${token}`);
  expect(names(rest.json)).toEqual(['c', 'd', 'e']);
});

it('selects by labels and fields, page by page', async () => {
  expect(await pages('labelSelector=vowel%3Dtrue&limit=1')).toEqual([['a'], ['e']]);
  const { json } = await server.request('GET', `${PODS}?fieldSelector=metadata.name%3Dc`);
  expect(names(json)).toEqual(['c']);
  const phase = await server.request('GET', `${PODS}?fieldSelector=status.phase!%3DPending`);
  expect(names(phase.json)).toEqual([]);
});

it('reads at least as new as asked, and refuses a version from the future', async () => {
  const { json } = await server.request('GET', `${PODS}?resourceVersion=0`);
  expect(names(json)).toHaveLength(5);
  const asking = server.request('GET', `${PODS}?resourceVersion=9007199254740000`);
  for (let i = 0; i < 10; i++) await server.clock.advance(1000);
  const { json: late } = await asking;
  expect(late).toMatchObject({ code: 504, reason: 'Timeout' });
});

it('prints tables with the columns of the kind', async () => {
  const accept = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
  const { json } = await server.request('GET', `${PODS}?limit=1`, undefined, {
    headers: { accept },
  });
  expect(json).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' });
  expect(json.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
    'Name',
    'Ready',
    'Status',
    'Restarts',
    'Age',
    'IP',
    'Node',
    'Nominated Node',
    'Readiness Gates',
  ]);
  expect(json.rows[0].cells).toEqual([
    'a',
    '0/1',
    'Pending',
    '0',
    '0s',
    '<none>',
    '<none>',
    '<none>',
    '<none>',
  ]);
  expect(json.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata' });
  expect(json.metadata.continue).toBeDefined();
});

it('gives metadata alone', async () => {
  const accept = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1';
  const { json } = await server.request('GET', PODS, undefined, { headers: { accept } });
  expect(json.kind).toBe('PartialObjectMetadataList');
  expect(Object.keys(json.items[0]).sort()).toEqual(['apiVersion', 'kind', 'metadata']);
});

/** Decisions by age, the youngest last: names in an order of their own. */
class Decisions implements VirtualResource<SchedulingDecision> {
  readonly resource = SCHEDULING_DECISIONS;
  names: readonly string[] = [];

  get(): Promise<SchedulingDecision> {
    return Promise.reject(new Error('not asked for'));
  }

  list() {
    const items = this.names.map((name) => ({
      apiVersion: 'scheduling.dhow.dev/v1',
      kind: SCHEDULING_DECISIONS.kind,
      metadata: { name, namespace: 'default', labels: { even: String(name.endsWith('0')) } },
    })) as unknown as SchedulingDecision[];
    return Promise.resolve({ items, resourceVersion: '700' });
  }
}

describe('a list in an order of its own', () => {
  const path = '/apis/scheduling.dhow.dev/v1/namespaces/default/schedulingdecisions';
  const allNames = Array.from({ length: 600 }, (_, i) => `web-${(i * 7919) % 600}`);

  const read = async (own: TestServer, query: string) => {
    const found: string[] = [];
    let pageCount = 0;
    for (let token = ''; pageCount === 0 || token !== ''; pageCount++) {
      expect(pageCount).toBeLessThan(700);
      const { json } = await own.request('GET', `${path}?${query}&continue=${token}`);
      found.push(...names(json));
      token = json.metadata.continue ?? '';
    }
    return found;
  };

  it.each([1, 7, 499, 500, 599, 600, 601])(
    'pages through all of it, %i at a time',
    async (limit) => {
      const decisions = new Decisions();
      decisions.names = allNames;
      await using own = await startTestServer({ virtual: [decisions] });
      expect(await read(own, `limit=${limit}`)).toEqual(allNames);
    },
  );

  it('pages through what a selector leaves', async () => {
    const decisions = new Decisions();
    decisions.names = allNames;
    await using own = await startTestServer({ virtual: [decisions] });
    const expected = allNames.filter((name) => name.endsWith('0'));
    expect(await read(own, 'limit=7&labelSelector=even%3Dtrue')).toEqual(expected);
  });

  it('goes on behind the last item after its token has expired', async () => {
    const decisions = new Decisions();
    decisions.names = ['c', 'a', 'b', 'd'];
    await using own = await startTestServer({ virtual: [decisions] });
    const first = await own.request('GET', `${path}?limit=2`);
    await own.clock.advance(10 * 60_000);
    decisions.names = ['a', 'b', 'd', 'e'];
    const token = first.json.metadata.continue as string;
    const gone = await own.request('GET', `${path}?limit=2&continue=${token}`);
    expect(gone.status).toBe(410);
    const again = gone.json.metadata.continue as string;
    const next = await own.request('GET', `${path}?limit=9&continue=${again}`);
    expect(names(next.json)).toEqual(['b', 'd', 'e']);
  });
});
