import {
  DEPLOYMENTS,
  LEASES,
  NODES,
  PODS,
  PRIORITY_CLASSES,
  REPLICA_SETS,
  SERVICE_ACCOUNTS,
  type Resource,
} from '../../api/resources';
import { deployment, pod } from '../../api/testing';

/** An object in which a field of some definition is planted at `path`. */
export interface Home {
  readonly resource: Resource;
  readonly base: object;
  readonly path: string;
}

/** Every place where a value of the definition can stand; undefined when no row needs one. */
export const homesOf = (definition: string): readonly Home[] | undefined => {
  const inPod = IN_POD[definition];
  return inPod === undefined ? ELSEWHERE[definition] : podHomes(inPod);
};

/** A copy of `base` with `value` at `path`; what is missing on the way is made. */
export const planted = (base: unknown, path: string, value: unknown): object =>
  plantedAt(base, path.split(/[.[\]]+/).filter(Boolean), value) as object;

const plantedAt = (base: unknown, [step, ...rest]: readonly string[], value: unknown): unknown => {
  if (step === undefined) return value;
  if (/^\d+$/.test(step)) {
    const list: unknown[] = Array.isArray(base) ? [...(base as unknown[])] : [];
    list[Number(step)] = plantedAt(list[Number(step)], rest, value);
    return list;
  }
  const object = (base ?? {}) as Record<string, unknown>;
  return { ...object, [step]: plantedAt(object[step], rest, value) };
};

const IN_POD: Readonly<Record<string, string>> = {
  PodSpec: 'spec',
  Affinity: 'spec.affinity',
  PodSecurityContext: 'spec.securityContext',
  Container: 'spec.containers[0]',
  SecurityContext: 'spec.containers[0].securityContext',
  ResourceRequirements: 'spec.containers[0].resources',
  ContainerPort: 'spec.containers[0].ports[0]',
  EnvVarSource: 'spec.containers[0].env[0].valueFrom',
  LifecycleHandler: 'spec.containers[0].lifecycle.preStop',
  Volume: 'spec.volumes[0]',
  EmptyDirVolumeSource: 'spec.volumes[0].emptyDir',
  VolumeProjection: 'spec.volumes[0].projected.sources[0]',
};

const named = { metadata: { name: 'a' } };
const ELSEWHERE: Readonly<Record<string, readonly Home[]>> = {
  NodeSpec: [{ resource: NODES, base: named, path: 'spec' }],
  LeaseSpec: [{ resource: LEASES, base: named, path: 'spec' }],
  ServiceAccount: [{ resource: SERVICE_ACCOUNTS, base: named, path: '' }],
  PriorityClass: [
    { resource: PRIORITY_CLASSES, base: { ...named, preemptionPolicy: 'Never' }, path: '' },
  ],
};

const CONTAINER = {
  image: 'nginx:1.27',
  ports: [{ containerPort: 80 }],
  env: [{ name: 'A' }],
};
const SPEC = {
  // A sidecar may have all that a main container may.
  initContainers: [{ name: 'i', restartPolicy: 'Always', ...CONTAINER }],
  volumes: [{ name: 'v' }],
};

/** In a pod and in the templates of workloads; of containers, in each list of them. */
const podHomes = (path: string): readonly Home[] =>
  [path, path.replace('.containers[', '.initContainers[')]
    .filter((each, i, list) => list.indexOf(each) === i)
    .flatMap((each) => [
      { resource: PODS, base: pod(SPEC, CONTAINER), path: each },
      ...[DEPLOYMENTS, REPLICA_SETS].map((resource) => ({
        resource,
        base: deployment({}, pod(SPEC, CONTAINER).spec),
        path: `spec.template.${each}`,
      })),
    ]);
