import type { ApiObject } from '../types';
import { REPLICATION_CONTROLLER_RULES } from './replication-controller';

const { validateCreate, validateUpdate } = REPLICATION_CONTROLLER_RULES;

const controllerOf = (spec: object) =>
  ({
    ...{ apiVersion: 'v1', kind: 'ReplicationController', spec },
    metadata: { name: 'old', namespace: 'default' },
  }) as ApiObject & { readonly spec: never };

const template = {
  metadata: { labels: { app: 'old' } },
  spec: {
    ...{ restartPolicy: 'Always', dnsPolicy: 'ClusterFirst' },
    containers: [
      {
        ...{ name: 'main', image: 'app:1', imagePullPolicy: 'IfNotPresent' },
        terminationMessagePolicy: 'File',
      },
    ],
  },
};
const RIGHT = { replicas: 1, selector: { app: 'old' }, template };

const problems = (spec: object): readonly string[] =>
  validateCreate(controllerOf(spec)).map(({ field, message }) => `${field}: ${message}`);

it('takes what is right, and another selector later', () => {
  expect(problems(RIGHT)).toEqual([]);
  const next = { ...RIGHT, selector: { app: 'new' } };
  const renamed = { ...next, template: { ...template, metadata: { labels: { app: 'new' } } } };
  expect(validateUpdate(controllerOf(renamed), controllerOf(RIGHT))).toEqual([]);
});

it.each([
  [{ ...RIGHT, replicas: -1 }, 'spec.replicas: Invalid value: -1'],
  [{ ...RIGHT, minReadySeconds: -1 }, 'spec.minReadySeconds: Invalid value: -1'],
  [{ ...RIGHT, selector: {} }, 'spec.selector: Required value'],
  [{ ...RIGHT, selector: { app: 'other' } }, '`selector` does not match template `labels`'],
  [{ replicas: 1, selector: { app: 'old' } }, 'spec.template: Required value'],
  [
    { ...RIGHT, template: { ...template, spec: { ...template.spec, activeDeadlineSeconds: 5 } } },
    'activeDeadlineSeconds in ReplicationController is not Supported',
  ],
])('refuses %j', (spec, expected) => {
  expect(problems(spec)).toEqual([expect.stringContaining(expected)]);
});
