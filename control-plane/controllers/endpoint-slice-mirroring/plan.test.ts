import type { Endpoints, EndpointSlice, Service } from '../../../api/types';
import { ADDRESSES_MAX, isMirrored, planMirror } from './plan';

const endpoints = (subsets: object[], metadata: object = {}): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: {
    ...{ name: 'db', namespace: 'ns', uid: 'e' },
    labels: { team: 'a' },
    annotations: {
      note: 'kept',
      'kubectl.kubernetes.io/last-applied-configuration': '{}',
      'endpoints.kubernetes.io/last-change-trigger-time': 'then',
    },
    ...metadata,
  },
  subsets,
});

const service = (spec: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'db', namespace: 'ns' },
  spec,
});

const stored = (slices: readonly EndpointSlice[]): EndpointSlice[] =>
  slices.map((slice, n) => ({
    ...slice,
    metadata: { ...slice.metadata, name: slice.metadata.name || `db-${n}` },
  }));

const TCP = [{ port: 5432, protocol: 'TCP' }];

it('makes a slice for each family and set of ports', () => {
  const plan = planMirror(
    endpoints([
      {
        addresses: [{ ip: '192.0.2.1', hostname: 'a' }, { ip: 'fd00::1' }],
        notReadyAddresses: [{ ip: '192.0.2.2' }, { ip: 'nonsense' }],
        ports: TCP,
      },
      { addresses: [{ ip: '192.0.2.9' }], ports: [{ name: 'x', port: 1, protocol: 'UDP' }] },
    ]),
    [],
  );
  expect(plan).toMatchObject({ update: [], remove: [], invalidCount: 1, skippedCount: 0 });
  expect(plan.create[0]?.metadata).toEqual({
    namespace: 'ns',
    generateName: 'db-',
    labels: {
      team: 'a',
      'kubernetes.io/service-name': 'db',
      'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
    },
    annotations: { note: 'kept' },
    ownerReferences: [
      {
        ...{ apiVersion: 'v1', kind: 'Endpoints', name: 'db', uid: 'e' },
        ...{ controller: true, blockOwnerDeletion: true },
      },
    ],
  });
  expect(
    plan.create.map(({ addressType, ports, endpoints: all }) => [addressType, ports, all]),
  ).toEqual([
    [
      'IPv4',
      [{ name: 'x', port: 1, protocol: 'UDP' }],
      [{ addresses: ['192.0.2.9'], conditions: { ready: true } }],
    ],
    [
      'IPv4',
      [{ name: '', port: 5432, protocol: 'TCP' }],
      [
        { addresses: ['192.0.2.1'], conditions: { ready: true }, hostname: 'a' },
        { addresses: ['192.0.2.2'], conditions: { ready: false } },
      ],
    ],
    [
      'IPv6',
      [{ name: '', port: 5432, protocol: 'TCP' }],
      [{ addresses: ['fd00::1'], conditions: { ready: true } }],
    ],
  ]);
});

it('rests on what is so already, and writes only what changes', () => {
  const two = endpoints([{ addresses: [{ ip: '192.0.2.1' }, { ip: '192.0.2.2' }], ports: TCP }]);
  const slices = stored(planMirror(two, []).create);
  expect(planMirror(two, slices)).toMatchObject({ create: [], update: [], remove: [] });
  const one = endpoints([{ addresses: [{ ip: '192.0.2.2' }], ports: TCP }]);
  expect(planMirror(one, slices)).toMatchObject({
    create: [],
    update: [{ endpoints: [{ addresses: ['192.0.2.2'] }] }],
    remove: [],
  });
  const moved = endpoints([{ addresses: [{ ip: '192.0.2.2' }], ports: [{ port: 1 }] }]);
  expect(planMirror(moved, slices)).toMatchObject({
    create: [],
    update: [{ metadata: { name: 'db-0' }, ports: [{ port: 1 }] }],
    remove: [],
  });
  expect(planMirror(endpoints([]), slices).remove).toEqual(slices);
  const stranger = endpoints([], { uid: 'other' });
  expect(planMirror(stranger, slices).remove).toEqual(slices);
});

it('takes no more addresses of a subset than a slice may have', () => {
  const addresses = Array.from({ length: ADDRESSES_MAX + 3 }, (_, n) => ({
    ip: `10.0.${n >> 8}.${n & 255}`,
  }));
  const { create, skippedCount } = planMirror(endpoints([{ addresses, ports: TCP }]), []);
  expect(create.map(({ endpoints: all }) => all.length)).toEqual([ADDRESSES_MAX]);
  expect(skippedCount).toBe(3);
});

it('mirrors what people write for a service that selects nothing', () => {
  const written = endpoints([]);
  expect(isMirrored(written, service())).toBe(true);
  expect(isMirrored(written, undefined)).toBe(false);
  expect(isMirrored(undefined, service())).toBe(false);
  expect(isMirrored(written, service({ selector: { app: 'db' } }))).toBe(false);
  const external = { type: 'ExternalName', externalName: 'db.example.com' } as const;
  expect(isMirrored(written, service({ ...external, selector: { app: 'db' } }))).toBe(false);
  expect(isMirrored(written, service(external))).toBe(true);
  const labels = { 'endpointslice.kubernetes.io/skip-mirror': 'true' };
  expect(isMirrored(endpoints([], { labels }), service())).toBe(false);
  const annotations = { 'control-plane.alpha.kubernetes.io/leader': '{}' };
  expect(isMirrored(endpoints([], { annotations }), service())).toBe(false);
});
