import { INT64_FIELDS } from '../../api/int64';
import { definitions } from '../../api/schema/definitions';
import type { Schema } from '../../api/schema/schema';
import { refusal } from '../../api/testing';
import { homesOf, planted } from './field-places';
import { isNamedTest } from './named-tests';

/*
 * An integer of 64 bits may be a bigint, with which arithmetic throws. Each such field of the schema is
 * an Int64 by its type, or cannot be large: validation sees to it, or only the server writes it.
 */

const isLong = ({ format, items, additionalProperties }: Schema): boolean =>
  format === 'int64' ||
  [items, additionalProperties].some((each) => each !== undefined && isLong(each));

/** Every `Definition.field` of 64 bits. */
const LONG = Object.entries(definitions()).flatMap(([name, { properties = {} }]) =>
  Object.entries(properties)
    .filter(([, schema]) => isLong(schema))
    .map(([field]) => `${name.slice(name.lastIndexOf('.') + 1)}.${field}`),
);

/** Refused when they are large: the sample of a value that is. */
const BOUNDED: Readonly<Record<string, (large: bigint) => unknown>> = {
  'PodSecurityContext.fsGroup': (large) => large,
  'PodSecurityContext.runAsGroup': (large) => large,
  'PodSecurityContext.runAsUser': (large) => large,
  'PodSecurityContext.supplementalGroups': (large) => [1, large],
  'PodSpec.activeDeadlineSeconds': (large) => large,
  'SecurityContext.runAsGroup': (large) => large,
  'SecurityContext.runAsUser': (large) => large,
  'ServiceAccountTokenProjection.expirationSeconds': (large) => large,
};

/** Bounded by the server where they are used: the test that says so. */
const BOUNDED_ELSEWHERE: Readonly<Record<string, readonly [file: string, title: string]>> = {
  'TokenRequestSpec.expirationSeconds': [
    'control-plane/api-server/auth/tokens.test.ts',
    'refuses %j',
  ],
  'TokenRequest.expirationSeconds': [
    'api/validation/csi.test.ts',
    'bounds the life of a driver’s token: %s',
  ],
  'ControllerRevision.revision': [
    'control-plane/controllers/owned/revisions.test.ts',
    'reckons with numbers of 64 bits',
  ],
  ...Object.fromEntries(
    ['Items', 'Length', 'Properties']
      .flatMap((what) => [`JSONSchemaProps.max${what}`, `JSONSchemaProps.min${what}`])
      .map((field) => [
        field,
        ['api/custom-resources/schemas.test.ts', 'reckons with bounds of 64 bits'],
      ]),
  ),
};

/**
 * What the server writes itself, and parts of a status and of kinds that nothing acts on yet, with which
 * nobody counts.
 */
const UNCOUNTED = [
  'CSIDriverSpec.nodeAllocatableUpdatePeriodSeconds',
  'CronJobSpec.startingDeadlineSeconds',
  'JobSpec.activeDeadlineSeconds',
  'DaemonSetStatus.observedGeneration',
  'StatefulSetStatus.observedGeneration',
  'HorizontalPodAutoscalerStatus.observedGeneration',
  'CustomResourceDefinitionStatus.observedGeneration',
  'CustomResourceDefinitionCondition.observedGeneration',
  'ObjectMeta.generation',
  'DeploymentStatus.observedGeneration',
  'ReplicaSetStatus.observedGeneration',
  'ReplicationControllerStatus.observedGeneration',
  'ValidatingAdmissionPolicyStatus.observedGeneration',
  'Condition.observedGeneration',
  'PodStatus.observedGeneration',
  'PodCondition.observedGeneration',
  'PodDisruptionBudgetStatus.observedGeneration',
  'LinuxContainerUser.gid',
  'LinuxContainerUser.supplementalGroups',
  'LinuxContainerUser.uid',
  'NodeSwapStatus.capacity',
];

it('knows of every integer of 64 bits why no arithmetic meets it unawares', () => {
  const known = new Set([...Object.keys(BOUNDED), ...Object.keys(BOUNDED_ELSEWHERE), ...UNCOUNTED]);
  const typed = new Set<string>(INT64_FIELDS);
  const nameOf = (field: string): string => field.slice(field.indexOf('.') + 1);
  expect(LONG.filter((field) => !known.has(field) && !typed.has(nameOf(field)))).toEqual([]);
  expect([...known].filter((field) => !LONG.includes(field))).toEqual([]);
  const names = new Set(LONG.map(nameOf));
  expect(INT64_FIELDS.filter((name) => !names.has(name))).toEqual([]);
});

it('has no field of another size by the name of an Int64', () => {
  const others = Object.entries(definitions()).flatMap(([name, { properties = {} }]) =>
    Object.entries(properties)
      .filter(([field]) => INT64_FIELDS.some((each) => each === field))
      .filter(([, schema]) => !isLong(schema))
      .map(([field]) => `${name}.${field}`),
  );
  expect(others).toEqual([]);
});

it.each(Object.entries(BOUNDED))('refuses %s beyond its bounds', (name, sampleOf) => {
  const [definition = '', field = ''] = name.split('.');
  const homes = homesOf(definition) ?? [];
  expect(homes.length).toBeGreaterThan(0);
  for (const { resource, base, path } of homes)
    for (const large of [2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const body = planted(base, path, field, sampleOf(large));
      const why = refusal(resource, body).filter((each) => each.startsWith(`${path}.${field}`));
      expect(why).not.toEqual([]);
    }
});

it.each(Object.entries(BOUNDED_ELSEWHERE))(
  'names the test that bounds %s',
  (_name, [file, title]) => expect(isNamedTest(file, title)).toBe(true),
);
