import fc from 'fast-check';

import { type Endpoint, type ServicePort } from '../../service-network';
import { decodeFields, encodeFields, fieldsOf, joined, TABLE_NAMES, TABLES } from './elements';
import { MAX_PARTS, MAX_SLOTS, SIZE_MASK, STICKY } from './groups';
import { differences, ServiceTables, type Change, type Tables } from './service-tables';

const endpoint = fc.record<Endpoint>({
  address: fc.integer({ min: 1, max: 6 }).map((last) => `10.77.0.${last}`),
  port: fc.constantFrom(80, 81),
});
const policy = fc.constantFrom('cluster' as const, 'local' as const);
const servicePort = fc.record<ServicePort>(
  {
    protocol: fc.constantFrom('tcp', 'udp', 'sctp'),
    port: fc.constantFrom(80, 443),
    clusterAddresses: fc.constantFrom([], ['10.96.0.1'], ['10.96.0.2', 'fd00::1']),
    externalAddresses: fc.array(
      fc.record(
        {
          address: fc.constantFrom('203.0.113.1', '203.0.113.2', 'nonsense'),
          sources: fc.subarray(['10.0.0.0/8', '10.1.0.0/16', '192.168.0.0/24', 'all']),
        },
        { requiredKeys: ['address'] },
      ),
      { maxLength: 2 },
    ),
    nodePort: fc.constantFrom(30000, 30001),
    endpoints: fc.array(endpoint, { maxLength: 5 }),
    localEndpoints: fc.array(endpoint, { maxLength: 3 }),
    internalPolicy: policy,
    externalPolicy: policy,
    affinitySeconds: fc.constantFrom(5, 60),
  },
  {
    requiredKeys: [
      ...(['protocol', 'port', 'clusterAddresses', 'externalAddresses'] as const),
      ...(['endpoints', 'localEndpoints', 'internalPolicy', 'externalPolicy'] as const),
    ],
  },
);
type Step = ReadonlyMap<string, ServicePort | undefined>;
const step: fc.Arbitrary<Step> = fc
  .array(
    fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(servicePort, { nil: undefined })),
    {
      maxLength: 4,
    },
  )
  .map((entries) => new Map(entries));
const history = fc.array(step, { minLength: 1, maxLength: 8 });

const classOf = (seconds: number): number => (seconds === 5 ? 1 : 2);

/** The kernel's tables: they refuse what the kernel would. */
class Model {
  readonly tables = new Map(TABLE_NAMES.map((table) => [table, new Map<string, string>()]));

  apply(changes: readonly Change[]): void {
    for (const { table, key, before } of changes)
      if (before !== undefined) {
        expect(this.tables.get(table)?.get(key)).toBe(before);
        this.tables.get(table)?.delete(key);
      }
    for (const { table, key, after } of changes)
      if (after !== undefined) {
        expect(this.tables.get(table)?.has(key)).toBe(false);
        this.tables.get(table)?.set(key, after);
      }
  }
}

/** What a packet would meet: numbers of groups and slots are nobody's business. */
const meaning = (tables: Tables): unknown => {
  const followed = new Set<string>();
  const endpointsOf = (mark: number): readonly string[] => {
    const size = (mark & SIZE_MASK & ~STICKY) >>> 0;
    const slots = Array.from({ length: size > MAX_SLOTS ? size - MAX_SLOTS : size }, (_none, i) => {
      const key = joined(mark, i);
      const table = size > MAX_SLOTS ? 'part' : mark >>> 31 === 1 ? 'choice' : 'endpoint';
      const data = tables.get(table)?.get(key) ?? 'none';
      followed.add(`${table} ${key}`);
      if (table === 'part') return endpointsOf(Number(data)).join();
      if (table === 'choice') followed.add(`chosen ${data}`);
      return table === 'choice'
        ? `${tables.get('chosen')?.get(data) ?? 'none'} for ${Number(data) & 0xff}`
        : data;
    });
    return slots.sort();
  };
  const fronts = (['front', 'front_out', 'node_port', 'node_port_out'] as const).map((table) =>
    [...(tables.get(table) ?? [])].map(([key, mark]) => [key, endpointsOf(Number(mark))]).sort(),
  );
  const others = TABLE_NAMES.filter((table) => TABLES[table].data.length === 0).map((table) =>
    [...(tables.get(table)?.keys() ?? [])].sort(),
  );
  return { fronts, others, followed: followed.size };
};

const countOf = (tables: Tables): number =>
  (['part', 'endpoint', 'choice', 'chosen'] as const).reduce(
    (sum, table) => sum + (tables.get(table)?.size ?? 0),
    0,
  );

const finalOf = (steps: readonly Step[]): ReadonlyMap<string, ServicePort> => {
  const all = new Map<string, ServicePort>();
  for (const changes of steps)
    for (const [name, service] of changes)
      if (service === undefined) all.delete(name);
      else all.set(name, service);
  return all;
};

it('any sequence of changes ends with the tables of the last', () => {
  fc.assert(
    fc.property(history, fc.nat(), (steps, first) => {
      const model = new Model();
      const tables = new ServiceTables(4, first);
      for (const changes of steps) {
        model.apply(tables.set(changes, classOf));
        expect(model.tables).toEqual(tables.current);
      }
      const fresh = new ServiceTables(4, 1);
      fresh.set(finalOf(steps), classOf);
      expect(meaning(model.tables)).toEqual(meaning(fresh.current));
    }),
  );
});

it('a process that takes over changes nothing that is right, and leaves nothing else', () => {
  fc.assert(
    fc.property(history, step, fc.nat(), (steps, missed, first) => {
      const model = new Model();
      const tables = new ServiceTables(4, first);
      for (const changes of steps) model.apply(tables.set(changes, classOf));
      const before = finalOf(steps);
      const takeOver = (wanted: ReadonlyMap<string, ServicePort>) => {
        const next = new ServiceTables(4, first + 7);
        next.adopt(wanted, model.tables);
        next.set(wanted, classOf);
        return next.current;
      };
      const same = takeOver(before);
      expect(meaning(same)).toEqual(meaning(model.tables));
      if (!sharesFronts(before)) expect(differences(model.tables, same)).toEqual([]);
      const wanted = finalOf([...steps, missed]);
      const changed = takeOver(wanted);
      model.apply(differences(model.tables, changed));
      const fresh = new ServiceTables(4, 1);
      fresh.set(wanted, classOf);
      expect(meaning(model.tables)).toEqual(meaning(fresh.current));
      expect(countOf(model.tables)).toBe(countOf(changed));
    }),
  );
});

/** Who has lost an address to another is not found by it, and gets new numbers. */
const sharesFronts = (wanted: ReadonlyMap<string, ServicePort>): boolean => {
  const seen = new Set<string>();
  for (const { protocol, port, clusterAddresses, externalAddresses, nodePort } of wanted.values()) {
    const own = new Set([
      ...clusterAddresses.map((address) => joined(address, protocol, port)),
      ...externalAddresses.map(({ address }) => joined(address, protocol, port)),
      ...(nodePort === undefined ? [] : [joined(protocol, nodePort)]),
    ]);
    for (const key of own) {
      if (seen.has(key)) return true;
      seen.add(key);
    }
    // Nobody leads to it.
    if (own.size === 0) return true;
  }
  return false;
};

const many = (count: number, from = 0): readonly Endpoint[] =>
  Array.from({ length: count }, (_none, i) => ({
    address: `10.${80 + ((i + from) >> 16)}.${((i + from) >> 8) & 255}.${(i + from) & 255}`,
    port: 80,
  })).filter(({ address }) => address !== '10.80.0.0');

const plain = (more: Partial<ServicePort>): ServicePort => ({
  protocol: 'tcp',
  port: 80,
  clusterAddresses: ['10.96.0.1'],
  externalAddresses: [],
  endpoints: [],
  localEndpoints: [],
  internalPolicy: 'cluster',
  externalPolicy: 'cluster',
  ...more,
});

it.each([1, 128, 129, 256, 1000, MAX_SLOTS * MAX_PARTS, 10_000])(
  '%i endpoints all have their share',
  (count) => {
    const tables = new ServiceTables(4, 1);
    tables.set(new Map([['a', plain({ endpoints: many(count, 1) })]]), classOf);
    const shares = new Map<string, number>();
    const mark = Number(tables.current.get('front')?.get('10.96.0.1 . tcp . 80'));
    const size = mark & 0xff;
    const parts =
      size <= MAX_SLOTS
        ? [mark]
        : Array.from({ length: size - MAX_SLOTS }, (_none, i) =>
            Number(tables.current.get('part')?.get(joined(mark, i))),
          );
    for (const part of parts)
      for (let slot = 0; slot < (part & 0xff); slot++) {
        const target = tables.current.get('endpoint')?.get(joined(part, slot)) ?? 'none';
        shares.set(target, 1 / parts.length / (part & 0xff));
      }
    const wanted = Math.min(count, MAX_SLOTS * MAX_PARTS);
    expect(shares.size).toBe(wanted);
    expect(shares.has('none')).toBe(false);
    const sum = [...shares.values()].reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1);
    for (const share of shares.values()) expect(share * wanted).toBeCloseTo(1, 1);
  },
);

it('one endpoint replaced is one element', () => {
  const tables = new ServiceTables(4, 1);
  const others = Array.from({ length: 1000 }, (_none, i): [string, ServicePort] => [
    `other-${i}`,
    plain({ clusterAddresses: [`10.96.${1 + (i >> 8)}.${i & 255}`], endpoints: many(5, 1) }),
  ]);
  tables.set(new Map([...others, ['a', plain({ endpoints: many(5, 1) })]]), classOf);
  const next = [...many(4, 1), { address: '10.90.0.1', port: 80 }];
  const changes = tables.set(new Map([['a', plain({ endpoints: next })]]), classOf);
  expect(changes).toEqual([
    expect.objectContaining({ table: 'endpoint', after: '10.90.0.1 . 80' }),
  ]);
});

it('other nodes are known by their addresses of the family, each once', () => {
  const tables = new ServiceTables(4, 1);
  tables.set(new Map([['a', plain({ endpoints: many(1, 1) })]]), classOf);
  const peers = () => [...(tables.current.get('peers')?.keys() ?? [])];
  const added = tables.setPeers(['192.168.0.2', 'fd00::2', '192.168.0.3', '192.168.0.2', 'x']);
  expect(added.map(({ key, before, after }) => [key, before, after])).toEqual([
    ['192.168.0.2', undefined, ''],
    ['192.168.0.3', undefined, ''],
  ]);
  expect(peers()).toEqual(['192.168.0.2', '192.168.0.3']);
  expect(tables.setPeers(['192.168.0.3', '192.168.0.2'])).toEqual([]);
  expect(tables.setPeers(['192.168.0.3'])).toEqual([
    { table: 'peers', key: '192.168.0.2', before: '', after: undefined },
  ]);
  // A service comes and goes without them.
  tables.set(new Map([['a', undefined]]), classOf);
  expect(peers()).toEqual(['192.168.0.3']);
});

it('nobody in the cluster is left without an answer', () => {
  const tables = new ServiceTables(4, 1);
  const elsewhere = plain({ endpoints: many(1, 1), internalPolicy: 'local', nodePort: 30080 });
  tables.set(new Map([['a', { ...elsewhere, externalPolicy: 'local' }]]), classOf);
  const key = '10.96.0.1 . tcp . 80';
  expect(tables.current.get('rejects')?.has(key)).toBe(true);
  expect(tables.current.get('front')?.has(key)).toBe(false);
  expect(tables.current.get('node_port')?.has('tcp . 30080')).toBe(true);
  expect(tables.current.get('drops_port_out')?.has('tcp . 30080')).toBe(true);
});

it('keys are written as the kernel keeps them', () => {
  const { key } = TABLES.front;
  expect(encodeFields(key, '10.96.0.1 . udp . 53', 4).toString('hex')).toBe(
    '0a600001' + '11000000' + '00350000',
  );
  const range = TABLES.allowed.key;
  const text = '10.96.0.1 . tcp . 80 . 10.0.0.0/8';
  const [start, end] = [encodeFields(range, text, 4), encodeFields(range, text, 4, true)];
  expect(end.subarray(12).toString('hex')).toBe('0affffff');
  expect(decodeFields(range, start, 4, end)).toBe(text);
  expect(fieldsOf(text)).toHaveLength(4);
});
