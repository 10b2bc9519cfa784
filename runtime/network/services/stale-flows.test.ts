import { type ServicePort } from '../../service-network';
import { ipOf } from '../../../lib/net/ip';
import { type TrackedFlow } from '../netlink/conntrack';
import { ServiceTables, type Change } from './service-tables';
import { leavesFlows, staleFlows } from './stale-flows';

const service = (more: Partial<ServicePort> = {}): ServicePort => ({
  protocol: 'udp',
  port: 53,
  clusterAddresses: ['10.96.0.7'],
  externalAddresses: [],
  nodePort: 30053,
  endpoints: to('10.77.0.1'),
  localEndpoints: [],
  internalPolicy: 'cluster',
  externalPolicy: 'cluster',
  ...more,
});
const to = (...addresses: readonly string[]) =>
  addresses.map((address) => ({ address, port: 5300 }));
const ip = (address: string) => ipOf(address)!;

const flow = (target: string, targetPort: number, answerer = target, answererPort = targetPort) =>
  ({
    source: ip('10.77.0.9'),
    destination: ip(answerer),
    protocol: 17,
    port: answererPort,
    target: ip(target),
    targetPort,
    tuple: Buffer.alloc(0),
  }) satisfies TrackedFlow;

const NODE = '192.168.0.1';
const stale = (
  wanted: ServicePort,
  flows: readonly TrackedFlow[],
  changes: readonly Change[] = [],
): readonly TrackedFlow[] => {
  const tables = new ServiceTables(4, 1);
  tables.set(new Map([['dns', wanted]]), () => 1);
  return staleFlows(flows, tables.current, changes, new Set([NODE]));
};

it('flows that one of the endpoints answers stay, as do those of others', () => {
  const right = [
    flow('10.96.0.7', 53, '10.77.0.1', 5300),
    flow(NODE, 30053, '10.77.0.1', 5300),
    flow('10.96.0.8', 53, '10.77.0.3', 5300),
    flow(NODE, 53),
    flow('8.8.8.8', 53),
    flow('8.8.8.8', 30053),
    { ...flow('10.96.0.7', 53), protocol: 6 },
  ];
  expect(stale(service(), right)).toEqual([]);
  expect(stale(service({ affinitySeconds: 9 }), right)).toEqual([]);
});

it('flows that another answers go, and those that nobody ever led', () => {
  const wrong = [
    flow('10.96.0.7', 53, '10.77.0.2', 5300),
    flow('10.96.0.7', 53, '10.77.0.1', 5301),
    flow('10.96.0.7', 53),
    flow(NODE, 30053, '10.77.0.2', 5300),
    flow(NODE, 30053),
  ];
  expect(stale(service(), wrong)).toEqual(wrong);
});

it('flows to a service without endpoints, or to none at all, go when they are led', () => {
  const led = [flow('10.96.0.7', 53, '10.77.0.1', 5300), flow(NODE, 30053, '10.77.0.1', 5300)];
  const others = [flow('10.96.0.7', 53), flow('10.96.0.9', 53, '10.77.0.1', 5300)];
  expect(stale(service({ endpoints: [] }), [...led, ...others])).toEqual(led);
  const tables = new ServiceTables(4, 1);
  tables.set(new Map([['dns', service()]]), () => 1);
  const changes = tables.set(new Map([['dns', undefined]]), () => 1);
  const own = new Set([NODE]);
  expect(staleFlows([...led, ...others], tables.current, changes, own)).toEqual(led);
});

it('are looked for only when there may be some', () => {
  expect(leavesFlows(undefined, service())).toBe(true);
  expect(leavesFlows(service(), undefined)).toBe(true);
  expect(leavesFlows(service(), service())).toBe(false);
  expect(leavesFlows(service(), service({ endpoints: to('10.77.0.1', '10.77.0.2') }))).toBe(false);
  expect(leavesFlows(service(), service({ endpoints: to('10.77.0.2') }))).toBe(true);
  expect(leavesFlows(service({ endpoints: [] }), service())).toBe(true);
  expect(leavesFlows(service(), service({ nodePort: 30054 }))).toBe(true);
  const tcp = { protocol: 'tcp' } as const;
  expect(leavesFlows(service(tcp), service({ ...tcp, endpoints: [] }))).toBe(false);
});
