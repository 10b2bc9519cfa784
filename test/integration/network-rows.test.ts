import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ENDPOINT_SLICES, PODS, SERVICES } from '../../api/resources';
import { eventually, podDraft, startPlane, type Plane } from './support/agent-plane';
import { startToldNode } from './support/told-node';

let directory: string;
let plane: Plane;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dhow-rows-'));
  plane = await startPlane(directory);
});
afterEach(async () => {
  await plane[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const service = (name: string) => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: 'default', annotations: { note: 'no node reads this' } },
  spec: { clusterIP: 'None', ports: [{ port: 80 }] },
});

const slice = (name: string, address: string, endpointCount = 1) => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: { name, namespace: 'default', labels: { 'kubernetes.io/service-name': 'web' } },
  addressType: 'IPv4',
  endpoints: Array.from({ length: endpointCount }, () => ({ addresses: [address] })),
  ports: [{ name: '', port: 80, protocol: 'TCP' }],
});

it('tells nodes of services and slices before their pods, and then of what changes', async () => {
  await plane.client.create(SERVICES, service('web'));
  await plane.client.create(ENDPOINT_SLICES, slice('web-1', '10.42.0.2'));
  await plane.client.create(PODS, podDraft('web'));
  await using node = await startToldNode(plane, directory, 'n1');
  await eventually(async () => node.network.isKnown);
  expect(node.rows.filter((row) => !/^(nodes|peers|podpolicies) /.test(row))).toEqual([
    'services default/web',
    'endpointslices default/web-1',
    'clusternetwork cluster',
    expect.stringMatching(/^pods /),
    ';',
  ]);
  expect(node.network.clusterNetwork.get('cluster')).toEqual({
    podCidrs: ['10.42.0.0/16'],
    serviceCidrs: ['10.96.0.0/16'],
    nodePortRange: { first: 30_000, last: 32_767 },
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
  });
  expect(node.network.services.get('default/web')?.metadata.annotations).toBeUndefined();
  const name = { namespace: 'default', name: 'web-1' };
  const before = await plane.client.get(ENDPOINT_SLICES, name);
  await plane.client.update(ENDPOINT_SLICES, {
    ...before,
    endpoints: [{ addresses: ['10.42.0.9'] }],
  });
  await eventually(async () => {
    const [endpoint] = node.network.endpointSlices.get('default/web-1')?.endpoints ?? [];
    return endpoint?.addresses[0] === '10.42.0.9';
  });
  await plane.client.delete(ENDPOINT_SLICES, name);
  await plane.client.delete(SERVICES, { namespace: 'default', name: 'web' });
  await eventually(async () => node.network.services.get('default/web') === undefined);
  await eventually(async () => node.network.endpointSlices.get('default/web-1') === undefined);
});

it('sends many changes in few messages, and many rows in messages of a bounded size', async () => {
  const rowCount = 250;
  const slices = Array.from({ length: rowCount }, (_, n) => slice(`web-${n}`, '10.42.0.2', 100));
  for (const each of slices) await plane.client.create(ENDPOINT_SLICES, each);
  await using node = await startToldNode(plane, directory, 'n1');
  await eventually(async () => node.network.isKnown);
  expect([...node.network.endpointSlices.list()]).toHaveLength(rowCount);
  expect(Math.max(...node.messageBytes)).toBeLessThanOrEqual(1024 * 1024);
  const [first] = slices;
  const name = { namespace: 'default', name: first!.metadata.name };
  const messagesBefore = node.messageBytes.length;
  const changeCount = 300;
  const startMs = performance.now();
  for (let n = 0; n < changeCount; n++) {
    const current = await plane.client.get(ENDPOINT_SLICES, name);
    const endpoints = [{ addresses: [`10.42.${n >> 8}.${n & 255}`] }];
    await plane.client.update(ENDPOINT_SLICES, { ...current, endpoints });
  }
  await eventually(async () => {
    const [endpoint] = node.network.endpointSlices.get('default/web-0')?.endpoints ?? [];
    return endpoint?.addresses[0] === '10.42.1.43';
  });
  const batches = (performance.now() - startMs) / 100;
  expect(node.messageBytes.length - messagesBefore).toBeLessThan(batches + 10);
});
