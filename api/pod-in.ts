import { groupOf } from './owners';
import type { ApiObject, Container, PodSpec } from './types';

/** The pod that an object is, or that the template of a workload makes, and where it stands. */
export interface PodIn {
  readonly spec: PodSpec;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `spec`, `spec.template.spec` */
  readonly field: string;
  /** `metadata`, `spec.template.metadata` */
  readonly metadataField: string;
}

export const podIn = (object: ApiObject): PodIn | undefined => {
  const path = podPathOf(object);
  const { metadata, spec } = fieldsAt(object, path ?? []);
  if (path === undefined || spec === undefined || spec === null) return undefined;
  const prefix = path.map((field) => `${field}.`).join('');
  return {
    spec: spec as PodSpec,
    labels: (metadata as Partial<PodIn> | null | undefined)?.labels ?? {},
    annotations: (metadata as Partial<PodIn> | null | undefined)?.annotations ?? {},
    field: `${prefix}spec`,
    metadataField: `${prefix}metadata`,
  };
};

/**
 * Where an object of upstream's kinds says what pods are like; undefined for kinds that do not. A kind
 * of another group that has such fields, or such a name, means what it likes by them.
 */
export const podPathOf = ({
  apiVersion,
  kind,
}: Pick<ApiObject, 'apiVersion' | 'kind'>): readonly string[] | undefined =>
  POD_PATHS.get(`${groupOf(apiVersion)}/${kind}`);

/** Init containers, the main ones, then those added later, each with its place: `containers[0]`. A body may lack all. */
export const containersIn = (spec: PodSpec): readonly (readonly [Container, string])[] =>
  (['initContainers', 'containers', 'ephemeralContainers'] as const).flatMap((list) =>
    ((spec[list] as readonly Container[] | null | undefined) ?? []).map(
      (container, i) => [container, `${list}[${i}]`] as const,
    ),
  );

const fieldsAt = (
  object: object,
  path: readonly string[],
): { readonly metadata?: unknown; readonly spec?: unknown } =>
  path.reduce<Record<string, unknown>>(
    (value, field) => (value[field] ?? {}) as Record<string, unknown>,
    object as Record<string, unknown>,
  );

const TEMPLATE = ['spec', 'template'];

/** Source: upstream's pod security admission, which looks at these. */
const POD_PATHS: ReadonlyMap<string, readonly string[]> = new Map([
  ['/Pod', []],
  ['/PodTemplate', ['template']],
  ['/ReplicationController', TEMPLATE],
  ['apps/ReplicaSet', TEMPLATE],
  ['apps/Deployment', TEMPLATE],
  ['apps/StatefulSet', TEMPLATE],
  ['apps/DaemonSet', TEMPLATE],
  ['batch/Job', TEMPLATE],
  ['batch/CronJob', ['spec', 'jobTemplate', ...TEMPLATE]],
]);
