import { daemonPodSpec, placementsOf } from './daemon-pods';
import { ApiError } from './errors';
import { podIn } from './pod-in';
import type { ApiObject, DaemonSet, Job, Node, PodSpec, StatefulSet } from './types';

/** Pods that an object would make, all of one template. */
export interface PlannedPods {
  /** `Deployment/web`; absent for a pod itself. */
  readonly owner?: string;
  readonly namespace: string;
  /** One each. Those of sets without names of their own are made up. */
  readonly names: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: PodSpec;
  /** Of a DaemonSet: the node where alone each may be placed, in the order of the names. */
  readonly nodes?: readonly string[];
}

/**
 * The pods that an object asks for, were it new; undefined for what makes no pods. Claims that a
 * StatefulSet would make first are left out: what they will ask of nodes is not known. Objects are as
 * somebody sent them. @throws BadRequest for more pods than a plan has of one object
 */
export const plannedPodsOf = (
  object: ApiObject,
  nodes: readonly Node[],
): PlannedPods | undefined => {
  const pod = podIn(object);
  if (pod === undefined || object.kind === 'PodTemplate') return undefined;
  const { kind } = object;
  const { name, namespace = 'default' } = object.metadata;
  const { labels, annotations, spec } = pod;
  const own = { namespace, labels, annotations, spec };
  if (kind === 'Pod') return { ...own, names: [nameOfPod(object)] };
  const owned = { ...own, owner: `${kind}/${name}` };
  if (kind === 'DaemonSet') return { ...owned, ...daemonPods(object as DaemonSet, nodes) };
  const first = kind === 'StatefulSet' ? ordinalOf(object as StatefulSet) : 1;
  return {
    ...owned,
    names: Array.from({ length: bounded(countOf(object)) }, (_, i) => `${name}-${first + i}`),
    spec: kind === 'StatefulSet' ? withoutClaims(object as StatefulSet, spec) : spec,
  };
};

const nameOfPod = ({ metadata: { name = '', generateName = '' } }: Nameless): string =>
  name === '' ? `${generateName}1` : name;

/** As a manifest may be. */
interface Nameless {
  readonly metadata: { readonly name?: string; readonly generateName?: string };
}

/** The pod of a DaemonSet for one node; of others the same for all. */
export const plannedSpec = ({ spec, nodes }: PlannedPods, index: number): PodSpec => {
  const node = nodes?.[index];
  return node === undefined ? spec : daemonPodSpec(spec, node);
};

const daemonPods = (set: DaemonSet, nodes: readonly Node[]) => {
  const placementOn = placementsOf(set);
  const wanted = nodes.filter((node) => placementOn(node).shouldRun);
  bounded(wanted.length);
  const names = wanted.map(({ metadata }) => metadata.name);
  return { names: names.map((node) => `${set.metadata.name}-${node}`), nodes: names };
};

const ordinalOf = ({ spec }: StatefulSet): number => spec.ordinals?.start ?? 0;

const countOf = (object: ApiObject): number => {
  const job = jobSpecOf(object);
  if (job === undefined) return (object as Replicated).spec?.replicas ?? 1;
  const { parallelism = 1, completions = parallelism, suspend = false } = job;
  return suspend ? 0 : Math.min(parallelism, completions);
};

/** Before there is a name for each. */
const bounded = (count: number): number => {
  if (count > PODS_MAX)
    throw new ApiError('BadRequest', `a plan has at most ${PODS_MAX} pods of one object`);
  return count;
};

const jobSpecOf = (object: ApiObject): Job['spec'] | undefined => {
  if (object.kind === 'Job') return (object as Job).spec;
  return object.kind === 'CronJob'
    ? (object as { readonly spec?: { readonly jobTemplate?: Pick<Job, 'spec'> } }).spec?.jobTemplate
        ?.spec
    : undefined;
};

const withoutClaims = ({ spec: { volumeClaimTemplates = [] } }: StatefulSet, spec: PodSpec) => {
  if (volumeClaimTemplates.length === 0) return spec;
  const made = new Set(volumeClaimTemplates.map(({ metadata }) => metadata?.name ?? ''));
  const others = (spec.volumes ?? []).filter(({ name }) => !made.has(name));
  const stands = [...made].map((name) => ({ name, emptyDir: {} }));
  return { ...spec, volumes: [...others, ...stands] };
};

type Replicated = ApiObject & { readonly spec?: { readonly replicas?: number } };
const PODS_MAX = 2_000;
