import fc from 'fast-check';

import type { EndpointSlice, Node, Pod, Service } from '../../../api/types';
import { canonicalJson } from '../../../lib/json';
import { ENDPOINTS_MAX, groupEndpoints, planSlices, type SlicePlan } from './plan';

const service = (spec: object = {}, metadata: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'ns', uid: 'svc', labels: { team: 'a' }, ...metadata },
  spec: {
    clusterIP: '10.96.0.7',
    ipFamilies: ['IPv4'],
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 'http', protocol: 'TCP' }],
    ...spec,
  },
});

interface Look {
  readonly ready?: boolean;
  readonly going?: boolean;
  readonly port?: number;
  readonly phase?: string;
  readonly spec?: object;
  readonly ips?: readonly string[];
}

const pod = (n: number, look: Look = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    ...{ name: `p${n}`, namespace: 'ns', uid: `u${n}` },
    ...(look.going === true ? { deletionTimestamp: '2026-01-01T00:00:00Z' } : {}),
  },
  spec: {
    nodeName: 'n1',
    containers: [{ name: 'c', ports: [{ name: 'http', containerPort: look.port ?? 8080 }] }],
    ...look.spec,
  },
  status: {
    phase: look.phase ?? 'Running',
    podIPs: (look.ips ?? [`10.42.${n >> 8}.${n & 255}`]).map((ip) => ({ ip })),
    conditions: [{ type: 'Ready', status: look.ready === false ? 'False' : 'True' }],
  },
});

const node: Node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'n1', labels: { 'topology.kubernetes.io/zone': 'z1' } },
  spec: {},
  status: {},
};

const plan = (of: Service, pods: readonly Pod[], slices: readonly EndpointSlice[] = []) =>
  planSlices(
    of,
    groupEndpoints(of, pods, () => node),
    slices,
  );

let lastName = 0;

/** The slices after the plan, as the server stores them. */
const after = (slices: readonly EndpointSlice[], { create, update, remove }: SlicePlan) => {
  const names = (list: readonly EndpointSlice[]) => list.map(({ metadata }) => metadata.name);
  const changed = [...names(update), ...names(remove)];
  return [
    ...slices.filter(({ metadata }) => !changed.includes(metadata.name)),
    ...update,
    ...create.map((slice) => {
      const name = `${slice.metadata.generateName ?? ''}${++lastName}`;
      return { ...slice, metadata: { ...slice.metadata, name } };
    }),
  ];
};

const writeCount = ({ create, update, remove }: SlicePlan) =>
  create.length + update.length + remove.length;

const addresses = (slices: readonly EndpointSlice[]) =>
  slices.flatMap(({ endpoints }) => endpoints.flatMap((each) => each.addresses)).sort();

/** Each endpoint with the ports that it is reached on. */
const textsOf = (
  slices: readonly Pick<EndpointSlice, 'addressType' | 'endpoints' | 'ports'>[],
): readonly string[] =>
  slices
    .flatMap(({ addressType, endpoints, ports }) =>
      endpoints.map((each) => canonicalJson([addressType, ports, each])),
    )
    .sort();

const look: fc.Arbitrary<Look> = fc.record({
  ready: fc.boolean(),
  going: fc.boolean(),
  port: fc.constantFrom(8080, 9090),
  phase: fc.constantFrom('Running', 'Running', 'Succeeded', 'Failed', 'Pending'),
  ips: fc.constantFrom(undefined, undefined, []),
}) as fc.Arbitrary<Look>;

/** Pods by number, as they are at one time: not all are there, and many. */
const population = fc
  .record({ looks: fc.array(look, { maxLength: 8 }), more: fc.nat({ max: 250 }) })
  .map(({ looks, more }) => [
    ...looks.map((each, i) => pod(i, each)),
    ...Array.from({ length: more }, (_, i) => pod(1000 + i)),
  ]);

it('holds in slices just what the pods say, whatever was there, and then rests', () => {
  fc.assert(
    fc.property(fc.array(population, { minLength: 1, maxLength: 5 }), (times) => {
      let slices: EndpointSlice[] = [];
      for (const pods of times) {
        slices = after(slices, plan(service(), pods, slices));
        const wanted = groupEndpoints(service(), pods, () => node);
        expect(textsOf(slices)).toEqual(
          textsOf(wanted.map((group) => ({ ...group, addressType: group.type }))),
        );
        for (const { endpoints } of slices)
          expect(endpoints.length).toBeLessThanOrEqual(ENDPOINTS_MAX);
        expect(slices.length).toBeGreaterThan(0);
        expect(plan(service(), pods, slices)).toEqual({ create: [], update: [], remove: [] });
      }
    }),
    { numRuns: 20 },
  );
});

it('writes no more slices than pods have changed', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 350 }),
      fc.uniqueArray(fc.nat({ max: 349 }), { maxLength: 4 }),
      (count, changed) => {
        const pods = Array.from({ length: count }, (_, n) => pod(n));
        const slices = after([], plan(service(), pods));
        expect(slices).toHaveLength(Math.ceil(count / ENDPOINTS_MAX));
        const next = pods.map((each, n) => (changed.includes(n) ? pod(n, { going: true }) : each));
        const touched = changed.filter((n) => n < count).length;
        expect(writeCount(plan(service(), next, slices))).toBeLessThanOrEqual(touched);
        expect(writeCount(plan(service(), [...pods, pod(9999)], slices))).toBe(1);
      },
    ),
    { numRuns: 60 },
  );
});

it('says of each pod whether it is ready, serves, or is on its way out', () => {
  const pods = [
    pod(1),
    pod(2, { ready: false }),
    pod(3, { going: true }),
    pod(4, { going: true, ready: false }),
    pod(5, { phase: 'Succeeded' }),
    pod(6, { phase: 'Failed' }),
    pod(7, { ips: [] }),
  ];
  const conditions = (of: Service) =>
    plan(of, pods).create[0]?.endpoints.map((each) => Object.values(each.conditions ?? {}));
  expect(conditions(service())).toEqual([
    [true, true, false],
    [false, false, false],
    [false, true, true],
    [false, false, true],
  ]);
  const ready = conditions(service({ publishNotReadyAddresses: true }))?.map(([first]) => first);
  expect(ready).toEqual([true, true, true, true]);
});

it('makes slices as upstream does', () => {
  const named = pod(1, { spec: { hostname: 'a', subdomain: 'web', containers: [] } });
  const { create } = plan(service({ ports: [{ port: 80, targetPort: 8080 }] }), [named]);
  expect(create).toEqual([
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        namespace: 'ns',
        generateName: 'web-',
        labels: {
          team: 'a',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [
          {
            ...{ apiVersion: 'v1', kind: 'Service', name: 'web', uid: 'svc' },
            ...{ controller: true, blockOwnerDeletion: true },
          },
        ],
      },
      addressType: 'IPv4',
      endpoints: [
        {
          addresses: ['10.42.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          hostname: 'a',
          targetRef: { kind: 'Pod', namespace: 'ns', name: 'p1', uid: 'u1' },
          nodeName: 'n1',
          zone: 'z1',
        },
      ],
      ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    },
  ]);
});

it('keeps pods that listen elsewhere in slices of their own', () => {
  const sidecar = {
    initContainers: [
      { name: 's', restartPolicy: 'Always', ports: [{ name: 'http', containerPort: 7070 }] },
    ],
    containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 1, protocol: 'UDP' }] }],
  };
  const without = { containers: [{ name: 'c' }] };
  const pods = [
    pod(1),
    pod(2, { port: 9090 }),
    pod(3, { spec: sidecar }),
    pod(4, { spec: without }),
  ];
  const { create } = plan(service(), pods);
  expect(
    create.map(({ ports, endpoints }) => [
      ports?.map(({ port }) => port),
      addresses([{ endpoints } as EndpointSlice]),
    ]),
  ).toEqual([
    [[8080], ['10.42.0.1']],
    [[9090], ['10.42.0.2']],
    [[7070], ['10.42.0.3']],
    [[], ['10.42.0.4']],
  ]);
});

it('follows the labels of its service, and says when that has no address', () => {
  const slices = after([], plan(service(), [pod(1)]));
  const headless = service(
    { clusterIP: 'None' },
    { labels: { 'kubernetes.io/service-name': 'x' } },
  );
  const { update } = plan(headless, [pod(1)], slices);
  expect(update.map(({ metadata }) => metadata.labels)).toEqual([
    {
      'service.kubernetes.io/headless': '',
      'kubernetes.io/service-name': 'web',
      'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
    },
  ]);
});

it('has one slice without endpoints where there are none, and uses it for the first', () => {
  const empty = plan(service(), []);
  expect(empty.create).toMatchObject([{ addressType: 'IPv4', endpoints: [], ports: [] }]);
  const slices = after([], empty);
  expect(writeCount(plan(service(), [], slices))).toBe(0);
  const first = plan(service(), [pod(1)], slices);
  expect(first).toMatchObject({
    create: [],
    remove: [],
    update: [{ metadata: slices[0]!.metadata }],
  });
  const full = after(slices, first);
  const again = plan(service(), [], full);
  expect(again).toMatchObject({ create: [], remove: [], update: [{ endpoints: [], ports: [] }] });
});

it('has slices of each family that the service has, and of no other', () => {
  const ips = ['10.42.0.1', 'fd00::1'];
  const dual = service({ ipFamilies: ['IPv6', 'IPv4'] });
  const both = plan(dual, [pod(1, { ips })]);
  expect(
    both.create.map(({ addressType, endpoints }) => [addressType, endpoints[0]?.addresses]),
  ).toEqual([
    ['IPv6', ['fd00::1']],
    ['IPv4', ['10.42.0.1']],
  ]);
  const single = plan(service(), [pod(1, { ips })], after([], both));
  expect(single.remove.map(({ addressType }) => addressType)).toEqual(['IPv6']);
  const unknown = service({ ipFamilies: [], clusterIP: 'None' });
  expect(plan(unknown, []).create.map(({ addressType }) => addressType)).toEqual(['IPv4', 'IPv6']);
  const old = service({ ipFamilies: undefined, clusterIP: 'fd00::7' });
  expect(plan(old, []).create.map(({ addressType }) => addressType)).toEqual(['IPv6']);
});

it('leaves hints to the shares of zones where the annotation asks for them', () => {
  const of = (annotations: object) =>
    plan(service({ trafficDistribution: 'PreferClose' }, { annotations }), [pod(1)]).create[0]
      ?.endpoints[0]?.hints;
  expect(of({ 'service.kubernetes.io/topology-mode': 'Auto' })).toBeUndefined();
  expect(of({ 'service.kubernetes.io/topology-aware-hints': 'auto' })).toBeUndefined();
  expect(of({ 'service.kubernetes.io/topology-mode': 'Disabled' })).toBeDefined();
});

it.each([
  ['PreferClose', { forZones: [{ name: 'z1' }] }],
  ['PreferSameZone', { forZones: [{ name: 'z1' }] }],
  ['PreferSameNode', { forZones: [{ name: 'z1' }], forNodes: [{ name: 'n1' }] }],
  [undefined, undefined],
])('hints for %s', (trafficDistribution, hints) => {
  const pods = [pod(1), pod(2, { ready: false })];
  const [slice] = plan(service({ trafficDistribution }), pods).create;
  expect(slice?.endpoints.map((each) => each.hints)).toEqual([hints, undefined]);
  const slices = after([], plan(service(), pods));
  const next = plan(service({ trafficDistribution }), pods, slices);
  expect(writeCount(next)).toBe(hints === undefined ? 0 : 1);
});

it('deletes what an earlier service of the name has left, and does not take it over', () => {
  const left = after([], plan(service({}, { uid: 'old' }), [pod(1)]));
  const next = plan(service(), [pod(1)], left);
  expect(next.remove).toEqual(left);
  expect(next.create).toHaveLength(1);
  expect(next.update).toEqual([]);
});

it('makes nothing new for a service that is being deleted', () => {
  const going = service({}, { deletionTimestamp: '2026-01-01T00:00:00Z' });
  expect(plan(going, [pod(1)]).create).toEqual([]);
});

it('drops an endpoint that is in a slice twice', () => {
  const slices = after([], plan(service(), [pod(1)]));
  const [slice] = slices;
  const doubled = [{ ...slice!, endpoints: [...slice!.endpoints, ...slice!.endpoints] }];
  expect(plan(service(), [pod(1)], doubled).update).toMatchObject([
    { endpoints: [{ addresses: ['10.42.0.1'] }] },
  ]);
});
