import type { PodGroup } from '../pod-groups';
import { validatePodGroup } from './pod-group';

const problemsOf = (spec: PodGroup['spec']) =>
  validatePodGroup({
    apiVersion: 'scheduling.x-k8s.io/v1alpha1',
    kind: 'PodGroup',
    metadata: { name: 'g', namespace: 'ns' },
    ...(spec === undefined ? {} : { spec }),
  }).map(({ field, message }) => `${field}: ${message}`);

it.each([undefined, {}, { minMember: 1 }, { minMember: 1000, scheduleTimeoutSeconds: 1 }])(
  'takes a group that says %j',
  (spec) => expect(problemsOf(spec)).toEqual([]),
);

it.each([0, -1])('refuses a group of %i members', (minMember) =>
  expect(problemsOf({ minMember })).toEqual([
    `spec.minMember: Invalid value: ${minMember}: spec.minMember in body should be greater than or equal to 1`,
  ]),
);
