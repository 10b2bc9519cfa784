import fc from 'fast-check';

import type { Endpoints, Pod, Service } from '../../../api/types';
import { CAPACITY, planEndpoints } from './plan';
import { repack, truncate, type Subset } from './subsets';

const service = (spec: object = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'web', namespace: 'ns', labels: { team: 'a' } },
  spec: {
    clusterIP: '10.96.0.7',
    selector: { app: 'web' },
    ports: [
      { name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' },
      { name: 'admin', port: 81, targetPort: 'admin', protocol: 'TCP' },
    ],
    ...spec,
  },
});

const pod = (n: number, isReady = true, adminPort = 9090, metadata: object = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: `p${n}`, namespace: 'ns', uid: `u${n}`, ...metadata },
  spec: {
    nodeName: 'n1',
    containers: [{ name: 'c', ports: [{ name: 'admin', containerPort: adminPort }] }],
  },
  status: {
    podIPs: [{ ip: `10.42.${n >> 8}.${n & 255}` }],
    conditions: [{ type: 'Ready', status: isReady ? 'True' : 'False' }],
  },
});

const addressOf = (n: number) => ({
  ip: `10.42.${n >> 8}.${n & 255}`,
  nodeName: 'n1',
  targetRef: { kind: 'Pod', namespace: 'ns', name: `p${n}`, uid: `u${n}` },
});

const TIME = '2026-01-01T00:00:00Z';

it('puts ports together that the same pods have, and pods that are not ready apart', () => {
  const endpoints = planEndpoints(service(), [pod(2), pod(1, false)], undefined, TIME);
  expect(endpoints).toEqual({
    apiVersion: 'v1',
    kind: 'Endpoints',
    metadata: {
      name: 'web',
      namespace: 'ns',
      labels: { team: 'a', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': TIME },
    },
    subsets: [
      {
        addresses: [addressOf(2)],
        notReadyAddresses: [addressOf(1)],
        ports: [
          { name: 'admin', port: 9090, protocol: 'TCP' },
          { name: 'http', port: 8080, protocol: 'TCP' },
        ],
      },
    ],
  });
  expect(planEndpoints(service(), [pod(2), pod(1, false)], endpoints, TIME)).toBeUndefined();
});

it('keeps pods that listen elsewhere in subsets of their own', () => {
  const { subsets = [] } = planEndpoints(service(), [pod(1), pod(2, true, 7070)], undefined, TIME)!;
  expect(
    subsets.map(({ addresses = [], ports = [] }) => [
      addresses.map(({ ip }) => ip),
      ports.map(({ port }) => port),
    ]),
  ).toEqual([
    [['10.42.0.2'], [7070]],
    [['10.42.0.1'], [9090]],
    [['10.42.0.1', '10.42.0.2'], [8080]],
  ]);
});

it('leaves out pods that are going, unless those that are not ready count', () => {
  const going = pod(1, true, 9090, { deletionTimestamp: TIME });
  expect(planEndpoints(service(), [going], undefined, TIME)?.subsets).toEqual([]);
  const all = service({ publishNotReadyAddresses: true, clusterIP: 'None', ports: [] });
  const endpoints = planEndpoints(all, [going, pod(2, false)], undefined, TIME);
  expect(endpoints?.subsets).toEqual([{ addresses: [addressOf(1), addressOf(2)] }]);
  expect(endpoints?.metadata.labels?.['service.kubernetes.io/headless']).toBe('');
});

it('says so when there are more than Endpoints may have, and stops saying it', () => {
  const pods = Array.from({ length: CAPACITY + 5 }, (_, n) => pod(n, n % 4 !== 0));
  const one = service({ ports: [{ port: 80 }] });
  const over = planEndpoints(one, pods, undefined, TIME)!;
  expect(over.metadata.annotations?.['endpoints.kubernetes.io/over-capacity']).toBe('truncated');
  expect(over.subsets?.[0]?.addresses).toHaveLength(753);
  expect(over.subsets?.[0]?.notReadyAddresses).toHaveLength(247);
  expect(planEndpoints(one, pods, over, undefined)).toBeUndefined();
  const under = planEndpoints(one, pods.slice(0, 10), over, undefined)!;
  expect(under.metadata.annotations).toEqual({});
});

const subsets: fc.Arbitrary<readonly Subset[]> = fc.array(
  fc.record({
    addresses: fc.array(fc.nat({ max: 5 }).map(addressOf), { maxLength: 4 }),
    notReadyAddresses: fc.array(fc.nat({ max: 5 }).map(addressOf), { maxLength: 4 }),
    ports: fc.array(fc.constantFrom({ port: 80 }, { port: 81 }, { name: 'x', port: 80 }), {
      maxLength: 3,
    }),
  }),
  { maxLength: 4 },
);

/** What is reached, and whether it is ready, with each port. */
const pairs = (of: readonly Subset[]): ReadonlySet<string> =>
  new Set(
    of.flatMap(({ addresses = [], notReadyAddresses = [], ports = [] }) =>
      (ports.length === 0 ? [undefined] : ports).flatMap((port) => [
        ...addresses.map(({ ip }) => JSON.stringify([ip, port, true])),
        ...notReadyAddresses.map(({ ip }) => JSON.stringify([ip, port, false])),
      ]),
    ),
  );

it('keeps addresses without ports apart from the same with one', () => {
  const addresses = [addressOf(1)];
  const given = [{ addresses, ports: [{ port: 80 }] }, { addresses }];
  expect(repack(given)).toEqual([{ addresses }, { addresses, ports: [{ port: 80 }] }]);
});

it('reaches the same after packing, each address once a port, and packs the packed no further', () => {
  fc.assert(
    fc.property(subsets, (given) => {
      const packed = repack(given);
      const [before, after] = [pairs(given), pairs(packed)];
      for (const pair of after) expect(before.has(pair)).toBe(true);
      for (const pair of before)
        expect(after.has(pair)).toBe(
          pair.endsWith('true]') || !before.has(pair.replace(/false]$/, 'true]')),
        );
      expect(repack(packed)).toEqual(packed);
    }),
  );
});

it('cuts to the bound exactly, ready ones last', () => {
  fc.assert(
    fc.property(subsets, fc.integer({ min: 1, max: 12 }), (given, max) => {
      const counts = (of: readonly Subset[]) => [
        of.reduce((sum, { addresses = [] }) => sum + addresses.length, 0),
        of.reduce((sum, { notReadyAddresses = [] }) => sum + notReadyAddresses.length, 0),
      ];
      const [ready = 0, others = 0] = counts(given);
      const [readyLeft = 0, othersLeft = 0] = counts(truncate(given, max));
      expect(readyLeft + othersLeft).toBeLessThanOrEqual(max);
      if (ready + others <= max) expect([readyLeft, othersLeft]).toEqual([ready, others]);
      else expect(readyLeft).toBe(Math.min(ready, max));
    }),
  );
});

it('takes the first of two families', () => {
  const dual: Pod = { ...pod(1), status: { podIPs: [{ ip: '10.42.0.1' }, { ip: 'fd00::1' }] } };
  const ipsOf = (ipFamilies: readonly string[]) =>
    (planEndpoints(service({ ipFamilies }), [dual], undefined, TIME) as Endpoints).subsets?.flatMap(
      ({ notReadyAddresses = [] }) => notReadyAddresses.map(({ ip }) => ip),
    );
  expect(ipsOf(['IPv6', 'IPv4'])).toEqual(['fd00::1']);
  expect(ipsOf(['IPv4', 'IPv6'])).toEqual(['10.42.0.1']);
});
