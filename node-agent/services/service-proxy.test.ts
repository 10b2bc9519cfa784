import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { systemClock } from '../../lib/clock';
import { silentLog } from '../../lib/log';
import type { Row } from '../../proto/gen/dhow/agent/v1/agent';
import { FakePodNetwork } from '../../runtime/network';
import type { EventReport } from '../outbox/event-outbox';
import { NetworkTables } from '../session/network-tables';
import { DEFAULT_SETTINGS } from '../settings';
import { ServiceProxy } from './service-proxy';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'dhow-services-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const row = (resource: string, name: string, value: object): Row => ({
  ...{ resource, key: resource === 'clusternetwork' ? name : `ns/${name}`, version: '' },
  json: Buffer.from(
    JSON.stringify({
      metadata: {
        ...{ name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name.split('-')[0] } },
      },
      ...value,
    }),
  ),
});
const CLUSTER = row('clusternetwork', 'cluster', {
  podCidrs: ['10.42.0.0/16', 'fd00::/64'],
  serviceCidrs: ['10.96.0.0/16'],
  nodePortRange: { first: 30_000, last: 32_767 },
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
});
const service = (name: string, spec: object = {}): Row =>
  row('services', name, {
    spec: { clusterIP: '10.96.1.1', clusterIPs: ['10.96.1.1'], ports: [{ port: 80 }], ...spec },
  });
const slice = (name: string, ...addresses: string[]): Row =>
  row('endpointslices', name, {
    addressType: 'IPv4',
    ports: [{ name: '', port: 8080, protocol: 'TCP' }],
    endpoints: addresses.map((address) => ({ addresses: [address], nodeName: 'n1' })),
  });

const until = async (condition: () => boolean): Promise<void> => {
  const deadlineMs = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error('the condition never held');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
};

const running = () => {
  const tables = new NetworkTables(directory, silentLog, systemClock);
  const network = new FakePodNetwork();
  const events: EventReport[] = [];
  const proxy = new ServiceProxy({
    view: tables,
    whenOpen: () => Promise.resolve(network),
    nodeName: 'n1',
    labels: () => ({}),
    nodePortAddresses: [],
    events: { emit: (_object, event) => events.push(event) },
    settings: { ...DEFAULT_SETTINGS, retryMs: 20, serviceCheckMs: 20 },
    clock: systemClock,
    log: silentLog,
  });
  const stop = new AbortController();
  const done = proxy.run(stop.signal);
  const endpoints = (name: string) =>
    network.services.services.get(`ns/${name}:`)?.endpoints.map(({ address }) => address);
  return {
    ...{ tables, network: network.services, events, endpoints },
    counts: () => proxy.counts,
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await done;
    },
  };
};

it('touches nothing before it knows all, and then follows each change', async () => {
  await using proxy = running();
  const { tables, network, endpoints } = proxy;
  tables.applyChanges({ rows: [service('a')], removed: [] });
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(network.applyCount).toBe(0);
  tables.applySnapshot([service('a'), service('b'), slice('a-1', '10.42.0.1'), CLUSTER]);
  await until(() => network.services.size === 2);
  expect(network.facts).toEqual({
    serviceCidrs: ['10.96.0.0/16'],
    podCidrs: ['10.42.0.0/16', 'fd00::/64'],
    dnsAddresses: ['10.96.0.10'],
    nodePortAddresses: [],
  });
  expect(endpoints('a')).toEqual(['10.42.0.1']);
  expect(endpoints('b')).toEqual([]);
  // A slice more, a slice less, one that goes over to another.
  tables.applyChanges({ rows: [slice('a-2', '10.42.0.2')], removed: [] });
  await until(() => endpoints('a')?.length === 2);
  const removed = [{ resource: 'endpointslices', key: 'ns/a-1' }];
  tables.applyChanges({ rows: [], removed });
  await until(() => endpoints('a')?.length === 1);
  tables.applyChanges({ rows: [], removed: [{ resource: 'services', key: 'ns/a' }] });
  await until(() => !network.services.has('ns/a:'));
  tables.applyChanges({ rows: [service('a', { ports: [{ port: 81, name: 'x' }] })], removed: [] });
  await until(() => network.services.has('ns/a:x'));
  expect([...network.services.keys()].sort()).toEqual(['ns/a:x', 'ns/b:']);
});

it('puts many changes in together', async () => {
  await using proxy = running();
  const { tables, network } = proxy;
  tables.applySnapshot([CLUSTER]);
  await until(() => network.applyCount === 1);
  for (let i = 0; i < 200; i++) tables.applyChanges({ rows: [service(`s${i}`)], removed: [] });
  await until(() => network.services.size === 200);
  expect(network.applyCount).toBeLessThan(10);
});

it('tries again what has failed, and tells of what it had to put back', async () => {
  await using proxy = running();
  const { tables, network, events } = proxy;
  network.nextApplyError = new Error('no nft');
  tables.applySnapshot([service('a'), CLUSTER]);
  await until(() => network.applyCount === 2);
  expect(network.services.has('ns/a:')).toBe(true);
  // Of the port that has gone in: what failed counts for nothing.
  await until(() => proxy.counts().changeCount > 0);
  expect(proxy.counts()).toEqual({ changeCount: 1, restoredCount: 0 });
  network.nextFault = 'rules of services were changed';
  await until(() => events.length === 1);
  expect(events[0]).toMatchObject({ type: 'Warning', reason: 'ServiceRulesRestored' });
  expect(proxy.counts()).toEqual({ changeCount: 1, restoredCount: 1 });
});

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0);
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

it('answers health checks as upstream does', async () => {
  await using proxy = running();
  const { tables } = proxy;
  const port = await freePort();
  const spec = { type: 'LoadBalancer', externalTrafficPolicy: 'Local', healthCheckNodePort: port };
  const ask = async () => {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/`);
      const weight = response.headers.get('x-load-balancing-endpoint-weight');
      return { status: response.status, weight, body: await response.json() };
    } catch {
      return undefined;
    }
  };
  const body = (localEndpoints: number) => ({
    service: { namespace: 'ns', name: 'a' },
    localEndpoints,
    serviceProxyHealthy: true,
  });
  tables.applySnapshot([service('a', spec), slice('a-1', '10.42.0.1', '10.42.0.2'), CLUSTER]);
  let answer = await ask();
  while (answer === undefined) answer = await ask();
  expect(answer).toEqual({ status: 200, weight: '2', body: body(2) });
  tables.applyChanges({ rows: [slice('a-1')], removed: [] });
  while (answer?.status === 200) answer = await ask();
  expect(answer).toEqual({ status: 503, weight: '0', body: body(0) });
  tables.applyChanges({ rows: [service('a')], removed: [] });
  while (answer !== undefined) answer = await ask();
});
