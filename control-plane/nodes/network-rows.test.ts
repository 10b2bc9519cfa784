import type { ClusterNetwork } from '../../api/cluster-network';
import {
  keyOf,
  type ApiObject,
  type EndpointSlice,
  type Ingress,
  type IngressClass,
  type Secret,
  type Service,
  type ServiceCidr,
} from '../../api/types';
import { parseJson } from '../../lib/json';
import type { ObjectView } from './deps';
import { NetworkRows } from './network-rows';

const CLUSTER: ClusterNetwork = {
  podCidrs: ['10.42.0.0/16'],
  serviceCidrs: ['10.96.0.0/16'],
  nodePortRange: { first: 30_000, last: 32_767 },
  clusterDns: ['10.96.0.10'],
  clusterDomain: 'cluster.local',
};

/** An informer that the test speaks for. */
const view = <T extends ApiObject>(stored: readonly T[] = []) => {
  let handlers: Parameters<ObjectView<T>['subscribe']>[0] = {};
  return {
    view: {
      get: (key: string) => stored.find((object) => keyOf(object) === key),
      list: () => stored,
      subscribe: (given: typeof handlers) => {
        handlers = given;
        return () => (handlers = {});
      },
    } as unknown as ObjectView<T>,
    add: (object: T) => handlers.onAdd?.(object),
    update: (object: T) => handlers.onUpdate?.(object, object),
    remove: (object: T) => handlers.onDelete?.(object),
  };
};

const world = () => {
  const services = view<Service>();
  const slices = view<EndpointSlice>();
  const ingresses = view<Ingress>();
  const classes = view<IngressClass>();
  const known: ServiceCidr[] = [];
  const ranges = view<ServiceCidr>(known);
  const secrets = view<Secret>([secret('cert'), secret('other')]);
  const views = {
    ...{ services: services.view, endpointSlices: slices.view, secrets: secrets.view },
    ...{ ingresses: ingresses.view, ingressClasses: classes.view, serviceCidrs: ranges.view },
  };
  const rows = new NetworkRows(views, CLUSTER);
  const told: string[] = [];
  rows.onChange((resource, key) => told.push(`${resource} ${key}`));
  const served = { ingresses, classes, secrets };
  return { services, slices, ranges, known, ...served, rows, told: () => told.splice(0) };
};

const service = (patch: Partial<Service['metadata']> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'web',
    namespace: 'ns',
    uid: 'u',
    resourceVersion: '1',
    labels: { app: 'web', 'service.kubernetes.io/service-proxy-name': 'other' },
    annotations: { note: 'x'.repeat(1000) },
    managedFields: [],
    ...patch,
  },
  spec: { clusterIP: '10.96.0.7', ports: [{ port: 80 }] },
  status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] }, conditions: [] },
});

const slice = (ready: boolean): EndpointSlice => ({
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  metadata: {
    name: 'web-abc',
    namespace: 'ns',
    uid: 's',
    labels: { 'kubernetes.io/service-name': 'web', app: 'web' },
    generation: 3,
  },
  addressType: 'IPv4',
  endpoints: [{ addresses: ['10.42.0.2'], conditions: { ready } }],
  ports: [{ port: 80 }],
});

const secret = (name: string): Secret => ({
  ...{ apiVersion: 'v1', kind: 'Secret', metadata: { namespace: 'ns', name } },
  data: { 'tls.crt': 'Yw==', 'tls.key': 'aw==', password: 'cA==' },
});

const ingress = (className: string, ...secretNames: string[]): Ingress => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { namespace: 'ns', name: 'web', annotations: { note: 'x' } },
  spec: {
    ingressClassName: className,
    tls: secretNames.map((secretName) => ({ hosts: ['a.example'], secretName })),
  },
});

const ingressClass = (controller: string): IngressClass => ({
  ...{ apiVersion: 'networking.k8s.io/v1', kind: 'IngressClass', metadata: { name: 'dhow' } },
  spec: { controller },
});

const valuesOf = (rows: NetworkRows) =>
  rows.rows().map(({ resource, key, json }) => [resource, key, JSON.parse(json.toString())]);

it('has of each object what nodes act on, and the cluster last', () => {
  const { services, slices, rows } = world();
  slices.add(slice(true));
  services.add(service());
  expect(valuesOf(rows)).toEqual([
    [
      'services',
      'ns/web',
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: {
          name: 'web',
          namespace: 'ns',
          uid: 'u',
          labels: { 'service.kubernetes.io/service-proxy-name': 'other' },
        },
        spec: service().spec,
        status: { loadBalancer: { ingress: [{ ip: '192.0.2.1' }] } },
      },
    ],
    [
      'endpointslices',
      'ns/web-abc',
      {
        ...slice(true),
        metadata: {
          name: 'web-abc',
          namespace: 'ns',
          uid: 's',
          labels: { 'kubernetes.io/service-name': 'web' },
        },
      },
    ],
    ['clusternetwork', 'cluster', CLUSTER],
  ]);
});

it('tells of what nodes act on, and of nothing else', () => {
  const { services, slices, rows, told } = world();
  services.add(service());
  slices.add(slice(true));
  expect(told()).toEqual(['services ns/web', 'endpointslices ns/web-abc']);
  services.update(service({ annotations: {}, resourceVersion: '2' }));
  expect(told()).toEqual([]);
  slices.update(slice(false));
  services.remove(service());
  services.remove(service());
  expect(told()).toEqual(['endpointslices ns/web-abc', 'services ns/web']);
  const changes = rows.changesOf(
    new Map([
      ['services', new Set([keyOf(service())])],
      ['endpointslices', new Set(['ns/web-abc'])],
    ]),
  );
  expect(changes.removed).toEqual([{ resource: 'services', key: 'ns/web' }]);
  expect(changes.rows.map(({ key }) => key)).toEqual(['ns/web-abc']);
});

it('encodes a row once for all who are told of it', () => {
  const { services, rows } = world();
  services.add(service());
  const [first] = rows.rows();
  const { rows: again } = rows.changesOf(new Map([['services', new Set(['ns/web'])]]));
  expect(again[0]).toBe(first);
});

describe('ingresses', () => {
  it('tells of those of its own classes, and of the secrets that those name', () => {
    const { ingresses, classes, rows, told } = world();
    ingresses.add(ingress('dhow', 'cert', 'missing'));
    expect(told()).toEqual([]);
    classes.add(ingressClass('dhow.dev/ingress'));
    expect(told()).toEqual(['ingresssecrets ns/cert', 'ingresses ns/web']);
    expect(valuesOf(rows).slice(0, 2)).toEqual([
      [
        'ingresses',
        'ns/web',
        { ...ingress('dhow', 'cert', 'missing'), metadata: { namespace: 'ns', name: 'web' } },
      ],
      [
        'ingresssecrets',
        'ns/cert',
        { ...secret('cert'), data: { 'tls.crt': 'Yw==', 'tls.key': 'aw==' } },
      ],
    ]);
    classes.update(ingressClass('example.com/other'));
    expect(told()).toEqual(['ingresssecrets ns/cert', 'ingresses ns/web']);
    expect(valuesOf(rows)).toHaveLength(1);
  });

  it('tells of those annotations alone that nodes act on', () => {
    const { ingresses, classes, rows } = world();
    classes.add(ingressClass('dhow.dev/ingress'));
    const { metadata, ...rest } = ingress('dhow');
    const annotations = { 'ingress.dhow.dev/ssl-redirect': 'true', other: 'x' };
    ingresses.add({ ...rest, metadata: { ...metadata, annotations } });
    expect(valuesOf(rows)[0]?.[2]).toMatchObject({
      metadata: {
        ...{ namespace: 'ns', name: 'web' },
        annotations: { 'ingress.dhow.dev/ssl-redirect': 'true' },
      },
    });
  });

  it('follows secrets while an ingress names them, and no longer', () => {
    const { ingresses, classes, secrets, rows, told } = world();
    classes.add(ingressClass('dhow.dev/ingress'));
    ingresses.add(ingress('dhow', 'cert'));
    told();
    secrets.update({ ...secret('cert'), data: { 'tls.crt': 'bmV3' } });
    secrets.update(secret('other'));
    expect(told()).toEqual(['ingresssecrets ns/cert']);
    ingresses.update(ingress('dhow', 'other'));
    expect(told()).toEqual([
      'ingresssecrets ns/other',
      'ingresssecrets ns/cert',
      'ingresses ns/web',
    ]);
    secrets.update(secret('cert'));
    ingresses.remove(ingress('dhow', 'other'));
    expect(told()).toEqual(['ingresssecrets ns/other', 'ingresses ns/web']);
    expect(valuesOf(rows)).toHaveLength(1);
  });
});

it('tells of all ranges in which services may have addresses, also of those on their way out', () => {
  const { ranges, known, rows, told } = world();
  const serviceCidrs = () =>
    parseJson(
      rows
        .rows()
        .find(({ resource }) => resource === 'clusternetwork')
        ?.json.toString() ?? '{}',
    ) as { serviceCidrs: unknown };
  const more: ServiceCidr = {
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'ServiceCIDR' },
    metadata: { name: 'more', uid: 'u' },
    spec: { cidrs: ['10.97.0.0/24', 'fd97::/112'] },
  };
  known.push(more);
  ranges.add(more);
  expect(told()).toEqual(['clusternetwork cluster']);
  // Of a family that no pod has nothing would come of it.
  expect(serviceCidrs().serviceCidrs).toEqual(['10.96.0.0/16', '10.97.0.0/24']);
  const metadata = { ...more.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' };
  known[0] = { ...more, metadata };
  ranges.update(known[0]);
  expect(told()).toEqual([]);
  known.pop();
  ranges.remove(more);
  expect(serviceCidrs().serviceCidrs).toEqual(['10.96.0.0/16']);
});
