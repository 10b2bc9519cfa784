import * as fc from 'fast-check';
import { decode } from 'dns-packet';

import {
  queryFor,
  readAnswer,
  service,
  slice,
  testNames,
  type ReadAnswer,
} from '../../node-agent/dns/testing';
import { freeRecordsOf, parseUpstreamAnswer } from '../../node-agent/dns/upstream/upstream-answer';
import { writeRelay } from '../../node-agent/dns/serving/relay';
import { parseQuery, type Query } from '../../node-agent/dns/wire/query';
import { record } from '../../node-agent/dns/wire/records';
import { encodeName } from '../../node-agent/dns/wire/names';

/*
 * Anybody can send a resolver anything: it answers, or does not, within bounds; no message ends it, or makes it go
 * round. And whatever Services there are, it says of every name what a slow reading of the specification says.
 * From one seed; DHOW_FUZZ_RUNS=100000 makes a campaign of it.
 */

const RUNS = Number(process.env['DHOW_FUZZ_RUNS'] ?? 300);
const OPTIONS = {
  numRuns: RUNS,
  ...(process.env['DHOW_FUZZ_RUNS'] === undefined ? { seed: 1 } : {}),
};

const names = fc.constantFrom('web', 'db', 'x');
const namespaces = fc.constantFrom('default', 'other');
const hostnames = fc.constantFrom(undefined, 'db-0', 'db-1', 'Web');
const ready = fc.constantFrom(undefined, true, false);
const addresses = fc.integer({ min: 1, max: 6 }).map((last) => `10.42.0.${last}`);
const ports = fc.uniqueArray(
  fc.record({
    name: fc.constantFrom('', 'http', 'sql'),
    protocol: fc.constantFrom(undefined, 'TCP', 'UDP'),
    port: fc.integer({ min: 1, max: 3 }),
  }),
  { maxLength: 3, selector: ({ name, protocol = 'TCP' }) => `${name}/${protocol}` },
);
const services = fc.record({
  name: names,
  namespace: namespaces,
  clusterIP: fc.constantFrom('None', '10.96.0.1', '10.96.0.2', ''),
  ports,
  publishNotReadyAddresses: fc.boolean(),
});
const slices = fc.record({
  name: fc.constantFrom('s1', 's2', 's3'),
  serviceName: names,
  namespace: namespaces,
  ports,
  endpoints: fc.array(
    fc.record({
      addresses: addresses.map((each) => [each]),
      hostname: hostnames,
      conditions: ready.map((isReady) => (isReady === undefined ? {} : { ready: isReady })),
    }),
    { maxLength: 4 },
  ),
});
const key = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`;
const worlds = fc.record({
  services: fc.uniqueArray(services, { maxLength: 5, selector: key }),
  slices: fc.uniqueArray(slices, { maxLength: 5, selector: key }),
});
type World = typeof worlds extends fc.Arbitrary<infer T> ? T : never;

/** Every record that the specification asks for, by a plain reading: `name TYPE data`. */
const specified = ({ services: all, slices: behind }: World): ReadonlySet<string> => {
  const records = new Set<string>();
  const add = (name: string, type: string, data: string) =>
    records.add(`${name.toLowerCase()} ${type} ${data}`);
  for (const each of all) {
    const own = `${each.name}.${each.namespace}.svc.cluster.local`;
    const isHeadless = each.clusterIP === 'None';
    if (!isHeadless && each.clusterIP !== '') {
      add(own, 'A', each.clusterIP);
      add(reverseOf(each.clusterIP), 'PTR', own);
      for (const { name, protocol = 'TCP', port } of each.ports) {
        add(own, 'SRV', `${port} ${own}`);
        if (name !== '') add(`_${name}._${protocol}.${own}`, 'SRV', `${port} ${own}`);
      }
    }
    for (const slice of behind) {
      if (slice.serviceName !== each.name || slice.namespace !== each.namespace) continue;
      for (const {
        addresses: [address = ''],
        hostname,
        conditions,
      } of slice.endpoints) {
        const isReady =
          !('ready' in conditions) || conditions.ready || each.publishNotReadyAddresses;
        if (!isReady) continue;
        const name = `${hostname ?? address.replaceAll('.', '-')}.${own}`;
        add(name, 'A', address);
        add(reverseOf(address), 'PTR', name);
        if (isHeadless) add(own, 'A', address);
        for (const { name: portName, protocol = 'TCP', port } of slice.ports) {
          add(name, 'SRV', `${port} ${name}`);
          if (isHeadless) add(own, 'SRV', `${port} ${name}`);
          if (isHeadless && portName !== '')
            add(`_${portName}._${protocol}.${own}`, 'SRV', `${port} ${name}`);
        }
      }
    }
  }
  return records;
};

const reverseOf = (address: string) => `${address.split('.').reverse().join('.')}.in-addr.arpa`;

const lines = (name: string, { answers }: ReadAnswer): readonly string[] =>
  answers.map((answer) => `${name} ${answer.replace(/^SRV \d+ \d+ /, 'SRV ')}`);

it('says of every name what the specification says, also after changes', () => {
  fc.assert(
    fc.property(worlds, worlds, (before, after) => {
      const rowsOf = (world: World) => ({
        services: world.services.map(({ name, namespace, ...spec }) =>
          service(name, spec as never, namespace),
        ),
        slices: world.slices.map(({ name, serviceName, namespace, ...parts }) =>
          slice(name, serviceName, parts as never, namespace),
        ),
      });
      const { table, names: server } = testNames(rowsOf(before));
      // With room for all of them.
      const ask = (name: string, type: string) =>
        readAnswer(server.answer(queryFor(name, type), 65_535) as Buffer);
      const rows = rowsOf(after);
      const kept = new Map([...rows.services]);
      const keptSlices = new Map([...rows.slices]);
      for (const [each] of rowsOf(before).services)
        if (!kept.has(each)) table.setService(each, undefined);
      for (const [each] of rowsOf(before).slices)
        if (!keptSlices.has(each)) table.setSlice(each, undefined);
      for (const [each, value] of kept) table.setService(each, value);
      for (const [each, value] of keptSlices) table.setSlice(each, value);
      table.flush();
      const wanted = specified(after);
      const reverse = [...wanted].filter((line) => line.includes(' PTR '));
      const askable = new Set(
        [...specified(before), ...wanted].map((line) => line.split(' ').slice(0, 2).join(' ')),
      );
      for (const question of askable) {
        const [name = '', type = ''] = question.split(' ');
        const answer = ask(name, type);
        // An address of a Service is told of the Service alone.
        const ofServices = reverse.filter(
          (line) => line.startsWith(`${name} `) && /^\S+\.96\.10\./.test(line),
        );
        const expected =
          ofServices.length > 0
            ? ofServices
            : [...wanted].filter((line) => line.startsWith(`${question} `));
        expect([...lines(name, answer)].sort()).toEqual(expected.sort());
        const isName = [...wanted].some(
          (line) => line.startsWith(`${name} `) || line.split(' ')[0]!.endsWith(`.${name}`),
        );
        expect([question, answer.rcode]).toEqual([question, isName ? 'NOERROR' : 'NXDOMAIN']);
      }
    }),
    { ...OPTIONS, numRuns: Math.ceil(RUNS / 3) },
  );
});

const WEB = 'web.default.svc.cluster.local';
const bytes = fc.uint8Array({ maxLength: 300 }).map((each) => Buffer.from(each));
/** A sound message with some bytes changed, cut off or doubled. */
const damaged = (message: Buffer) =>
  fc
    .tuple(
      fc.array(fc.tuple(fc.nat(message.length - 1), fc.integer({ min: 0, max: 255 })), {
        maxLength: 8,
      }),
      fc.nat(message.length),
      bytes,
    )
    .map(([changes, length, tail]) => {
      const copy = Buffer.concat([message.subarray(0, length), tail.subarray(0, tail.length % 40)]);
      for (const [at, byte] of changes) if (at < copy.length) copy[at] = byte;
      return copy;
    });

it('answers any message within its bounds, or not at all', () => {
  const { names: server } = testNames({ services: [service('web', { clusterIP: '10.96.0.7' })] });
  const sound = queryFor(WEB, 'A', { udpBytes: 1232 });
  fc.assert(
    fc.property(fc.oneof(bytes, damaged(sound)), (message) => {
      const answer = server.answer(message);
      if (answer === undefined) return;
      if (!Buffer.isBuffer(answer)) throw new Error('asked somebody else');
      expect(answer.length).toBeLessThanOrEqual(1232);
      expect(answer.readUInt16BE(0)).toBe(message.readUInt16BE(0));
      expect(answer.readUInt16BE(2) & 0x8000).not.toBe(0);
      // What we answer to is read by others, whatever we were asked.
      if (parseQuery(message) !== undefined) expect(() => decode(answer)).not.toThrow();
    }),
    { ...OPTIONS, numRuns: RUNS * 10 },
  );
});

it('takes from other servers what answers its question, and passes on nothing that cannot be read', () => {
  const message = queryFor('www.example.com', 'A');
  const query = parseQuery(message) as Query;
  const alias = record(undefined, 5, 300, encodeName('cdn.example.net')!);
  const address = record(encodeName('cdn.example.net'), 1, 60, Buffer.of(192, 0, 2, 1));
  const head = Buffer.from(message.subarray(0, 12));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(2, 6);
  const sound = Buffer.concat([head, message.subarray(12), alias, address]);
  const read = parseUpstreamAnswer(sound, 7, query.question)!;
  expect(read).toMatchObject({ rcode: 0, answerCount: 2, ttlSeconds: 60 });
  expect(freeRecordsOf(read, query.question, 1)).toHaveLength(2);
  expect(parseUpstreamAnswer(sound, 8, query.question)).toBeUndefined();
  const other = parseQuery(queryFor('www.example.org', 'A')) as Query;
  expect(parseUpstreamAnswer(sound, 7, other.question)).toBeUndefined();
  fc.assert(
    fc.property(damaged(sound), fc.integer({ min: 100, max: 600 }), (answer, maxBytes) => {
      const taken = parseUpstreamAnswer(answer, 7, query.question);
      if (taken === undefined) return;
      freeRecordsOf(taken, query.question, 1);
      const relay = writeRelay(query, { answer: taken, ageMs: 1_000, isStale: false }, maxBytes);
      expect(relay.length).toBeLessThanOrEqual(maxBytes);
      expect(parseUpstreamAnswer(relay, 7, query.question)).toBeDefined();
    }),
    { ...OPTIONS, numRuns: RUNS * 10 },
  );
  const relayed = writeRelay(query, { answer: read, ageMs: 10_000, isStale: false }, 512);
  expect(readAnswer(relayed)).toMatchObject({
    answers: ['CNAME cdn.example.net', 'cdn.example.net A 192.0.2.1'],
    ttls: [290, 50],
  });
});
