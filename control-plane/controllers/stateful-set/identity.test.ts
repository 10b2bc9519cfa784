import type { Pod, PodTemplate, StatefulSet } from '../../../api/types';
import { ordinalOf, podDraft } from './identity';

const set = (spec: object = {}): StatefulSet => ({
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db', namespace: 'shop', uid: 'd' },
  spec: {
    ...{ serviceName: 'dbs', template: {} },
    selector: { matchLabels: { app: 'db' } },
    ...spec,
  },
  status: { replicas: 0 },
});

const TEMPLATE: PodTemplate = {
  metadata: { labels: { app: 'db' }, annotations: { a: 'b' } },
  spec: {
    hostname: 'other',
    containers: [{ name: 'c', image: 'x' }],
    volumes: [
      { name: 'data', emptyDir: {} },
      { name: 'tmp', emptyDir: {} },
    ],
  },
};

it('gives a pod its name, its place, its host name and its revision', () => {
  const { metadata, spec } = podDraft(set(), 3, TEMPLATE, 'db-abc');
  expect(metadata).toMatchObject({
    ...{ name: 'db-3', generateName: 'db-', namespace: 'shop', annotations: { a: 'b' } },
    labels: {
      app: 'db',
      'statefulset.kubernetes.io/pod-name': 'db-3',
      'apps.kubernetes.io/pod-index': '3',
      'controller-revision-hash': 'db-abc',
    },
    ownerReferences: [{ kind: 'StatefulSet', name: 'db', uid: 'd', controller: true }],
  });
  expect(spec).toMatchObject({ hostname: 'db-3', subdomain: 'dbs' });
});

it('gives a pod its own claims, before volumes of their names', () => {
  const volumeClaimTemplates = [{ metadata: { name: 'data' } }, { metadata: { name: 'log' } }];
  expect(podDraft(set({ volumeClaimTemplates }), 0, TEMPLATE, 'r').spec.volumes).toEqual([
    { name: 'data', persistentVolumeClaim: { claimName: 'data-db-0' } },
    { name: 'log', persistentVolumeClaim: { claimName: 'log-db-0' } },
    { name: 'tmp', emptyDir: {} },
  ]);
});

it.each([
  ['db-0', 0],
  ['db-17', 17],
  ['db-4294967295', 4294967295],
  ['db-4294967297', undefined],
  ['db-01', undefined],
  ['db-', undefined],
  ['db--1', undefined],
  ['db', undefined],
  ['other-0', undefined],
  ['a-db-0', undefined],
])('of %s knows the ordinal %p', (name, ordinal) => {
  expect(ordinalOf(set(), { metadata: { name } } as unknown as Pod)).toBe(ordinal);
});
