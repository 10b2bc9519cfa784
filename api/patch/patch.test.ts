import * as fc from 'fast-check';
import { ApiError } from '../errors';
import { DEPLOYMENTS, PODS, SERVICES } from '../resources';
import type { Json } from './json';
import { applyPatch, JSON_PATCH, MERGE_PATCH, STRATEGIC_MERGE_PATCH } from './patch';
import { threeWayPatch } from './three-way';

const strategic = (document: object, patch: object, kind = PODS as never) =>
  applyPatch(kind, STRATEGIC_MERGE_PATCH, document, patch) as Json;
const pod = (spec: object) => ({ metadata: { name: 'p' }, spec });

it('merges long lists in time that grows with their length', () => {
  const env = (count: number, value: string) =>
    Array.from({ length: count }, (_none, i) => ({ name: `V${i}`, value }));
  const [stored, patch] = [env(20_000, 'a'), env(20_000, 'b').reverse()];
  const startMs = performance.now();
  const merged = strategic(pod({ containers: [{ name: 'c', env: stored }] }), {
    spec: {
      containers: [{ name: 'c', env: patch, '$setElementOrder/env': patch.slice(0, 10_000) }],
    },
  }) as { spec: { containers: [{ env: unknown[] }] } };
  expect(merged.spec.containers[0].env).toHaveLength(20_000);
  // Were each item looked for among all others, it would take minutes.
  expect(performance.now() - startMs).toBeLessThan(10_000);
});

describe('JSON patch', () => {
  const document = { a: { b: [1, 2] }, 'x/y': 1 };

  it.each<[string, object[], object]>([
    ['adds', [{ op: 'add', path: '/a/b/1', value: 9 }], { a: { b: [1, 9, 2] }, 'x/y': 1 }],
    ['appends', [{ op: 'add', path: '/a/b/-', value: 9 }], { a: { b: [1, 2, 9] }, 'x/y': 1 }],
    ['removes', [{ op: 'remove', path: '/x~1y' }], { a: { b: [1, 2] } }],
    ['replaces', [{ op: 'replace', path: '/a/b/0', value: 7 }], { a: { b: [7, 2] }, 'x/y': 1 }],
    ['moves', [{ op: 'move', from: '/x~1y', path: '/z' }], { a: { b: [1, 2] }, z: 1 }],
    ['copies', [{ op: 'copy', from: '/a/b', path: '/c' }], { ...document, c: [1, 2] }],
    ['tests', [{ op: 'test', path: '/a/b', value: [1, 2] }], document],
  ])('%s', (_title, operations, expected) => {
    expect(applyPatch(PODS, JSON_PATCH, document, operations)).toEqual(expected);
  });

  it.each<[string, unknown]>([
    ['a failing test', [{ op: 'test', path: '/a/b', value: [2, 1] }]],
    ['a missing path', [{ op: 'remove', path: '/nope' }]],
    ['a missing parent', [{ op: 'add', path: '/n/m', value: 1 }]],
    ['an index out of bounds', [{ op: 'replace', path: '/a/b/2', value: 1 }]],
    ['an unknown operation', [{ op: 'frob', path: '/a' }]],
    ['a path into what every object inherits', [{ op: 'replace', path: '/constructor', value: 1 }]],
    [
      'copies without end',
      Array.from({ length: 40 }, () => ({ op: 'copy', from: '/a', path: '/a/b/-' })),
    ],
  ])('refuses %s', (_title, operations) => {
    expect(() => applyPatch(PODS, JSON_PATCH, document, operations)).toThrow(
      'the server rejected our request due to an error in our request',
    );
  });

  it('refuses what is no list of operations', () => {
    expect(() => applyPatch(PODS, JSON_PATCH, document, {})).toThrow(
      'json: cannot unmarshal object into Go value of type jsonpatch.Patch',
    );
  });
});

it('merges by RFC 7386', () => {
  expect(
    applyPatch(PODS, MERGE_PATCH, { a: { b: 1, c: 2 }, d: [1] }, { a: { b: null }, d: [2], e: {} }),
  ).toEqual({ a: { c: 2 }, d: [2], e: {} });
  const hostile = JSON.parse('{"__proto__":{"polluted":true}}') as object;
  applyPatch(PODS, MERGE_PATCH, {}, hostile);
  expect({}).not.toHaveProperty('polluted');
});

describe('strategic merge patch', () => {
  const document = pod({
    containers: [
      { name: 'a', image: 'x:1', env: [{ name: 'E', value: '1' }] },
      { name: 'b', image: 'y:1' },
    ],
    tolerations: [{ key: 'k' }],
    volumes: [{ name: 'v', emptyDir: {} }],
  });

  it.each<[string, object, object]>([
    [
      'merges containers by name',
      { containers: [{ name: 'b', image: 'y:2' }] },
      {
        containers: [
          { name: 'a', image: 'x:1', env: [{ name: 'E', value: '1' }] },
          { name: 'b', image: 'y:2' },
        ],
      },
    ],
    [
      'deletes an item',
      { containers: [{ name: 'a', $patch: 'delete' }] },
      { containers: [{ name: 'b', image: 'y:1' }] },
    ],
    [
      'replaces a list on request',
      { containers: [{ name: 'c', image: 'z' }, { $patch: 'replace' }] },
      { containers: [{ name: 'c', image: 'z' }] },
    ],
    ['replaces atomic lists', { tolerations: [{ key: 'l' }] }, { tolerations: [{ key: 'l' }] }],
    ['removes by null', { volumes: null }, { volumes: undefined }],
    [
      'keeps only what $retainKeys names',
      { volumes: [{ name: 'v', hostPath: { path: '/x' }, $retainKeys: ['name', 'hostPath'] }] },
      { volumes: [{ name: 'v', hostPath: { path: '/x' } }] },
    ],
    [
      'orders by $setElementOrder',
      {
        $setElementOrder: undefined,
        '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }, { name: 'a' }],
        containers: [{ name: 'c', image: 'z' }],
      },
      {
        containers: [
          { name: 'c', image: 'z' },
          { name: 'b', image: 'y:1' },
          { name: 'a', image: 'x:1', env: [{ name: 'E', value: '1' }] },
        ],
      },
    ],
  ])('%s', (_title, spec, expected) => {
    const { $setElementOrder: _ignored, ...patch } = spec as Record<string, unknown>;
    const patched = strategic(document, { spec: patch }) as { spec: Record<string, unknown> };
    for (const [field, value] of Object.entries(expected)) {
      expect(patched.spec[field]).toEqual(value);
    }
  });

  it('merges and deletes values of primitive lists', () => {
    const original = { metadata: { finalizers: ['a/1', 'b/2'] } };
    expect(
      strategic(original, {
        metadata: {
          finalizers: ['c/3'],
          '$deleteFromPrimitiveList/finalizers': ['a/1'],
          '$setElementOrder/finalizers': ['b/2', 'c/3'],
        },
      }),
    ).toEqual({ metadata: { finalizers: ['b/2', 'c/3'] } });
  });

  it('tells ports apart by number and protocol', () => {
    const ports = (list: object[]) => pod({ containers: [{ name: 'a', ports: list }] });
    const tcp = { containerPort: 53, protocol: 'TCP', name: 't' };
    const udp = { containerPort: 53, protocol: 'UDP', name: 'u' };
    expect(strategic(ports([tcp]), ports([udp]))).toEqual(ports([udp, tcp]));
    expect(strategic(ports([tcp, udp]), ports([{ ...udp, $patch: 'delete' }]))).toEqual(
      ports([tcp]),
    );
    expect(strategic(ports([tcp]), ports([{ containerPort: 53, name: 'dns' }]))).toEqual(
      ports([{ ...tcp, name: 'dns' }]),
    );
  });

  it('keeps the ports of a service that share a number', () => {
    const tcp = { name: 't', port: 9000, protocol: 'TCP', nodePort: 30_900 };
    const udp = { name: 'u', port: 9000, protocol: 'UDP' };
    const order = [tcp, udp].map(({ port, protocol }) => ({ port, protocol }));
    const patch = { spec: { ports: [tcp, udp], '$setElementOrder/ports': order } };
    const patched = strategic({ spec: { ports: [tcp] } }, patch, SERVICES as never);
    expect(patched).toEqual({ spec: { ports: [tcp, udp] } });
  });

  it('keeps one copy of an item that was there twice and is deleted once', () => {
    const env = (...names: string[]) => names.map((name) => ({ name, value: 'a' }));
    const patched = strategic(
      pod({ containers: [{ name: 'c', env: env('TIER', 'ZONE', 'TIER') }] }),
      {
        spec: {
          containers: [
            {
              name: 'c',
              env: [{ name: 'TIER', $patch: 'delete' }],
              '$setElementOrder/env': [{ name: 'TIER' }, { name: 'ZONE' }],
            },
          ],
        },
      },
    );
    expect(patched).toEqual(pod({ containers: [{ name: 'c', env: env('TIER', 'ZONE') }] }));
  });

  it('refuses items without their key and unknown directives', () => {
    expect(() => strategic(document, { spec: { containers: [{ image: 'x' }] } })).toThrow(
      'does not contain declared merge key: name',
    );
    expect(() => strategic(document, { spec: { $patch: 'frob' } })).toThrow(ApiError);
  });
});

describe('three-way patch', () => {
  it('sets what is written, removes what no longer is, and leaves the rest', () => {
    const last = { metadata: { labels: { a: '1', b: '2' } } };
    const live = { metadata: { labels: { a: '1', b: '2', added: 'x' }, uid: 'u' } };
    const desired = { metadata: { labels: { a: '9' } } };
    expect(threeWayPatch(PODS, last, live, desired)).toEqual({
      metadata: { labels: { a: '9', b: null } },
    });
    expect(threeWayPatch(PODS, desired, desired, desired)).toBeUndefined();
  });

  it('changes a union without leaving the other branch', () => {
    const rolling = { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%' } };
    const live = { spec: { strategy: rolling } };
    const desired = { spec: { strategy: { type: 'Recreate' } } };
    const patch = threeWayPatch(DEPLOYMENTS, { spec: {} }, live, desired)!;
    expect(strategic(live, patch, DEPLOYMENTS as never)).toEqual(desired);
  });

  it('applies an explicit null once', () => {
    const desired = { spec: { strategy: { rollingUpdate: null } } };
    const live = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
    expect(threeWayPatch(DEPLOYMENTS, {}, live, desired)).toEqual({
      spec: { strategy: { rollingUpdate: null, $retainKeys: [] } },
    });
    expect(threeWayPatch(DEPLOYMENTS, desired, live, desired)).toBeUndefined();
  });

  it('removes one of two equal variables', () => {
    const env = (...names: string[]) =>
      pod({ containers: [{ name: 'c', env: names.map((name) => ({ name, value: 'a' })) }] });
    const [before, after] = [env('TIER', 'ZONE', 'TIER'), env('TIER', 'ZONE')];
    expect(strategic(before, threeWayPatch(PODS, before, before, after)!)).toEqual(after);
  });

  it('brings what was applied to what is desired, from any state', () => {
    const name = fc.constantFrom('a', 'b', 'c');
    const named = (more: Record<string, fc.Arbitrary<unknown>>) =>
      fc.uniqueArray(fc.record({ name, ...more }, { requiredKeys: ['name'] }), {
        selector: (item) => (item as { name: string }).name,
        minLength: 1,
      });
    const port = fc.record({
      containerPort: fc.constantFrom(1, 2),
      protocol: fc.constantFrom('TCP', 'UDP'),
      hostPort: fc.nat(3),
    });
    const container = {
      image: fc.constantFrom('x', 'y'),
      args: fc.array(name),
      env: named({ value: name }),
      ports: fc.uniqueArray(port, {
        selector: ({ containerPort, protocol }) => `${containerPort}${protocol}`,
        minLength: 1,
      }),
    };
    const volume = fc.oneof(
      fc.record({ name, emptyDir: fc.constant({}) }),
      fc.record({ name, hostPath: fc.record({ path: name }) }),
    );
    const object = fc.record({
      metadata: fc.record(
        {
          labels: fc.dictionary(name, name, { minKeys: 1 }),
          finalizers: fc.uniqueArray(name, { minLength: 1 }),
        },
        { requiredKeys: [] },
      ),
      spec: fc.record(
        {
          containers: named(container),
          volumes: fc.uniqueArray(volume, { selector: (item) => item.name, minLength: 1 }),
          tolerations: fc.array(fc.record({ key: name })),
          hostNetwork: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
    });
    fc.assert(
      fc.property(object, object, (before, after) => {
        const patch = threeWayPatch(PODS, before, before, after);
        const result = patch === undefined ? before : strategic(before, patch);
        expect(result).toEqual(after);
      }),
      { numRuns: 300 },
    );
  });
});
