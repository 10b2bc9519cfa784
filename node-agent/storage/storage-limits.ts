import { effectiveLimits } from '../../api/pods';
import { bytesOf, canonicalQuantity, formatQuantity, parseQuantity } from '../../api/quantity';
import type { Pod } from '../../api/types';
import type { MeterJob, MeterReading } from './meter';

/** Where what a pod writes lies on this host. */
export interface StoragePlaces {
  /** Undefined for a volume that takes no disk. */
  readonly volumePath: (name: string) => string | undefined;
  /** The writable layer and the logs of a container's latest run. */
  readonly containerPaths: (name: string) => readonly string[];
}

/** What has to be measured, and what each part is; no parts: nothing of the pod is limited. */
export interface StoragePlan {
  readonly job: MeterJob;
  readonly subjects: readonly Subject[];
  readonly podLimit: string | undefined;
}

interface Subject {
  readonly kind: 'volume' | 'container';
  readonly name: string;
  /** As the pod says it, in canonical form. */
  readonly limit: string | undefined;
  readonly limitBytes: number;
  readonly paths: readonly string[];
}

/**
 * Pure: what the kubelet compares. A volume counts against its own sizeLimit; volumes, writable layers
 * and logs together against the sum of the containers' limits, as soon as one has a limit; and the
 * layer and logs of a main container against that container's.
 */
export const storagePlanOf = (pod: Pod, places: StoragePlaces): StoragePlan => {
  const podLimit = podLimitOf(pod);
  const isPodLimited = podLimit !== undefined;
  const all = [...volumesOf(pod, places), ...(isPodLimited ? containersOf(pod, places) : [])];
  const subjects = all.filter(({ limit }) => isPodLimited || limit !== undefined);
  const parts = subjects.map(({ paths, limitBytes }) => ({ paths, limitBytes }));
  return {
    subjects,
    job: { parts, ...(isPodLimited ? { limitBytes: bytesOf(podLimit) } : {}) },
    podLimit,
  };
};

/** Pure: why the pod must go, in the kubelet's words and order; undefined when it may stay. */
export const storageExcess = (
  { subjects, job, podLimit }: StoragePlan,
  { bytes }: MeterReading,
): string | undefined => {
  const exceeded = (kind: Subject['kind']) =>
    subjects.find((each, index) => each.kind === kind && (bytes[index] ?? 0) > each.limitBytes);
  const volume = exceeded('volume');
  if (volume !== undefined)
    return `Usage of EmptyDir volume "${volume.name}" exceeds the limit "${volume.limit ?? ''}". `;
  const total = bytes.reduce((sum, each) => sum + each, 0);
  if (podLimit !== undefined && total > (job.limitBytes ?? Infinity))
    return `Pod ephemeral local storage usage exceeds the total limit of containers ${podLimit}. `;
  const container = exceeded('container');
  if (container === undefined) return undefined;
  const { name, limit = '' } = container;
  return `Container ${name} exceeded its local ephemeral storage limit "${limit}". `;
};

/** Written as the first of the limits is. */
const podLimitOf = ({ spec }: Pod): string | undefined => {
  const [first] = [...spec.containers, ...(spec.initContainers ?? [])].flatMap(
    ({ resources }) => resources?.limits?.[STORAGE] ?? [],
  );
  if (first === undefined) return undefined;
  const nanos = BigInt(Math.round(effectiveLimits(spec).ephemeralStorageBytes)) * NANOS;
  return formatQuantity({ nanos, format: parseQuantity(first).format });
};

const volumesOf = ({ spec }: Pod, { volumePath }: StoragePlaces): readonly Subject[] =>
  (spec.volumes ?? []).flatMap(({ name, emptyDir }) => {
    const path = volumePath(name);
    return path === undefined
      ? []
      : [{ kind: 'volume' as const, name, paths: [path], ...limitOf(emptyDir?.sizeLimit) }];
  });

const containersOf = ({ spec }: Pod, { containerPaths }: StoragePlaces): readonly Subject[] => {
  const limited = spec.containers.map(({ name, resources }) => ({
    name,
    ...limitOf(resources?.limits?.[STORAGE]),
  }));
  const unlimited = (spec.initContainers ?? []).map(({ name }) => ({
    name,
    ...limitOf(undefined),
  }));
  return [...limited, ...unlimited].map((each) => ({
    kind: 'container',
    paths: containerPaths(each.name),
    ...each,
  }));
};

/** Zero means none, as for the kubelet. */
const limitOf = (quantity: string | number | undefined) => {
  const limitBytes = bytesOf(quantity);
  return quantity === undefined || limitBytes <= 0
    ? { limit: undefined, limitBytes: Infinity }
    : { limit: canonicalQuantity(quantity), limitBytes };
};

const NANOS = 1_000_000_000n;
const STORAGE = 'ephemeral-storage';
