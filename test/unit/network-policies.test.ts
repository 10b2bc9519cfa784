import fc from 'fast-check';

import {
  decideConnection,
  resolverSubject,
  subjectOf,
  type ConnectionEnd,
} from '../../api/network-policies';
import { familyOf } from '../../lib/net/ip';
import { IP_FAMILIES } from '../../runtime/network/family';
import { wouldPass, type PolicyPlan } from '../../runtime/network/policy/plan';
import {
  madeUpWorld,
  NODE_ADDRESSES,
  NODES,
  OUTSIDE,
  RESOLVER,
  someChange,
} from '../support/network-policies';

it('tells each node, change by change, what it would be told anew', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(someChange, fc.boolean()), { maxLength: 40 }), (changes) => {
      const { nodes, apply } = madeUpWorld();
      for (const [each, hears] of changes) {
        apply(each);
        if (hears) for (const node of nodes) node.hear();
      }
      for (const node of nodes) {
        node.hear();
        expect(node.told()).toEqual(node.all());
      }
    }),
    { numRuns: 300 },
  );
});

it('encodes once what several nodes are told, and anew what has changed', () => {
  const rowsOf = ({ server }: ReturnType<typeof madeUpWorld>) => {
    const rows = new Map<string, Buffer>();
    for (const { resource, key, json } of NODES.flatMap((name) => server.rows(name))) {
      const before = rows.get(`${resource} ${key}`);
      if (before !== undefined) expect(json).toBe(before);
      rows.set(`${resource} ${key}`, json);
    }
    return rows;
  };
  fc.assert(
    fc.property(fc.array(someChange, { minLength: 10, maxLength: 40 }), (changes) => {
      const [asked, anew] = [madeUpWorld(), madeUpWorld()];
      for (const each of changes) {
        asked.apply(each);
        rowsOf(asked);
        anew.apply(each);
      }
      const texts = (world: typeof asked) =>
        [...rowsOf(world)].map(([key, json]) => `${key} ${json.toString()}`).sort();
      expect(texts(asked)).toEqual(texts(anew));
    }),
    { numRuns: 100 },
  );
});

it('lets exactly those packets pass on the nodes that the API lets pass', () => {
  let asked = 0;
  let denied = 0;
  fc.assert(
    fc.property(fc.array(someChange, { minLength: 10, maxLength: 40 }), (changes) => {
      const { pods, nodes, apply, known } = madeUpWorld();
      for (const each of changes) {
        apply(each);
        for (const node of nodes) {
          node.hear();
          for (const family of IP_FAMILIES) node.plan(pods.objects.values(), family);
        }
      }
      const plans = { 4: new Map<string, PolicyPlan>(), 6: new Map<string, PolicyPlan>() };
      for (const node of nodes)
        for (const family of IP_FAMILIES)
          plans[family].set(node.name, node.plan(pods.objects.values(), family));
      const podEnds = [...pods.objects.values()].flatMap((object) => {
        const subject = subjectOf(object);
        return subject.addresses.map((address) => ({ address, subject }));
      });
      const dns = { address: RESOLVER, subject: resolverSubject([RESOLVER]) };
      const others = [...OUTSIDE, ...[...NODE_ADDRESSES.values()].flat()];
      const ends: ConnectionEnd[] = [...podEnds, ...others.map((address) => ({ address }))];
      for (const from of ends)
        for (const to of [...ends, dns])
          for (const [proto, number] of [
            ['TCP', 80],
            ['UDP', 53],
            ['TCP', 85],
          ] as const) {
            const family = familyOf(from.address);
            if (family === undefined || family !== familyOf(to.address)) continue;
            const connection = { from, to, protocol: proto, port: number };
            const { isAllowed } = decideConnection(connection, known);
            const flow = {
              source: from.address,
              destination: to.address,
              protocol: proto.toLowerCase(),
              port: number,
            };
            const hosts = new Set([from, to].flatMap(({ subject }) => subject?.nodeName || []));
            // What a host sends to its own pods, and they to it, is not forwarded.
            const meets = [...hosts].filter((host) => {
              const own = NODE_ADDRESSES.get(host) ?? [];
              return !own.includes(from.address) && !own.includes(to.address);
            });
            const passes = meets.every((host) => wouldPass(plans[family].get(host)!, flow));
            asked++;
            if (!isAllowed) denied++;
            if (passes !== isAllowed)
              throw new Error(`${passes} on nodes: ${JSON.stringify(connection)}`);
          }
    }),
    { numRuns: 150 },
  );
  // Both answers are common, or nothing has been shown.
  expect(denied).toBeGreaterThan(asked / 20);
  expect(denied).toBeLessThan((asked * 19) / 20);
});
