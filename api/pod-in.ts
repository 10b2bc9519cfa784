import type { ApiObject, Container, PodSpec } from './types';

/** The pod that an object is, or that the template of a workload makes, and where it stands. */
export interface PodIn {
  readonly spec: PodSpec;
  readonly annotations: Readonly<Record<string, string>>;
  /** `spec`, `spec.template.spec` */
  readonly field: string;
  /** `metadata`, `spec.template.metadata` */
  readonly metadataField: string;
}

interface PodLike {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> } | null;
  readonly spec?: unknown;
}

export const podIn = (object: ApiObject): PodIn | undefined => {
  if (object.kind === 'Pod') return inside(object, '');
  const { spec } = object as PodLike;
  const { template } = (spec ?? {}) as { readonly template?: PodLike | null };
  return inside(template ?? {}, 'spec.template.');
};

/** Init containers, then the main ones, each with its place: `containers[0]`. A body may lack all. */
export const containersIn = (spec: PodSpec): readonly (readonly [Container, string])[] =>
  (['initContainers', 'containers'] as const).flatMap((list) =>
    ((spec[list] as readonly Container[] | null | undefined) ?? []).map(
      (container, i) => [container, `${list}[${i}]`] as const,
    ),
  );

const inside = ({ metadata, spec }: PodLike, prefix: string): PodIn | undefined =>
  spec === undefined || spec === null
    ? undefined
    : {
        spec: spec as PodSpec,
        annotations: metadata?.annotations ?? {},
        field: `${prefix}spec`,
        metadataField: `${prefix}metadata`,
      };
