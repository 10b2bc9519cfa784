import { jsonEqual } from '../json-value';
import { resizableIn, type ContainerResources } from '../pod-resources';
import { hasPodLevelResources } from '../pod-level-resources';
import { isRestartableInit, qosClassOf } from '../pods';
import { isMirrorPod } from '../static-pods';
import type { Container, Pod, PodSpec } from '../types';
import { duplicate, forbidden, invalid, requiredOneOf, type FieldError } from './field-error';

/** What of a container may be resized how. */
export const validateResizePolicy = (
  { resizePolicy = [] }: Container,
  field: string,
  podRestartPolicy: string | undefined,
): readonly FieldError[] => {
  const at = `${field}.resizePolicy`;
  const names = resizePolicy.map(({ resourceName }) => resourceName);
  return resizePolicy.flatMap(({ resourceName, restartPolicy }, i) => [
    ...(names.indexOf(resourceName) < i ? [duplicate(`${at}[${i}]`, resourceName)] : []),
    ...requiredOneOf(at, resourceName, RESOURCES),
    ...requiredOneOf(at, restartPolicy, POLICIES),
    ...(podRestartPolicy === 'Never' && restartPolicy !== 'NotRequired'
      ? [invalid(at, restartPolicy, "must be 'NotRequired' when `restartPolicy` is 'Never'")]
      : []),
  ]);
};

/** What `pods/resize` may change: cpu and memory of containers and sidecars, never the class of service. */
export const validatePodResize = (pod: Pod, old: Pod): readonly FieldError[] => {
  const impossible = whyNever(pod, old);
  if (impossible !== undefined) return [forbidden('', impossible)];
  const qosClass = old.status.qosClass ?? qosClassOf(old.spec);
  const problems = [
    ...(qosClassOf(pod.spec) === qosClass ? [] : [invalid('spec', qosClass, QOS_CHANGED)]),
    ...(isSupported(old)
      ? []
      : [forbidden('spec', 'Pod running on node without support for resize')]),
  ];
  const order = ORDERED.flatMap((list) => validateOrder(list, pod.spec[list], old.spec[list]));
  if (order.length > 0) return [...problems, ...order];
  return [
    ...problems,
    ...ORDERED.flatMap((list) => validateRemovals(list, pod.spec[list], old.spec)),
    ...ORDERED.flatMap((list) =>
      (pod.spec[list] ?? []).flatMap((container, i) =>
        validateRest(list, container, old.spec[list]?.[i]),
      ),
    ),
  ];
};

const whyNever = (pod: Pod, old: Pod): string | undefined => {
  if ([pod, old].some(({ spec }) => hasPodLevelResources(spec)))
    return 'pods with pod-level resources cannot be resized';
  if (isMirrorPod(old)) return 'static pods cannot be resized';
  return old.spec.os?.name === 'windows' ? 'windows pods cannot be resized' : undefined;
};

/** A node that tells what is in force can change it, too. */
const isSupported = ({ status }: Pod): boolean => {
  const running = status.containerStatuses?.find(({ state }) => state?.running !== undefined);
  return running === undefined || running.resources !== undefined;
};

const validateOrder = (
  list: List,
  containers: readonly Container[] = [],
  old: readonly Container[] = [],
): readonly FieldError[] =>
  containers.length !== old.length
    ? [forbidden(`spec.${list}`, `${list} may not be added or removed on resize`)]
    : containers.flatMap(({ name }, i) =>
        name === old[i]?.name
          ? []
          : [
              forbidden(
                `spec.${list}[${i}].name`,
                `${list} may not be renamed or reordered on resize`,
              ),
            ],
      );

const validateRemovals = (
  list: List,
  containers: readonly Container[] = [],
  old: PodSpec,
): readonly FieldError[] => {
  const resizable = new Map(resizableIn(old).map((container) => [container.name, container]));
  return containers.flatMap(({ name, resources }, i) => {
    const before = resizable.get(name)?.resources;
    return (['requests', 'limits'] as const).flatMap((part) =>
      hasAll(resources, before, part)
        ? []
        : [forbidden(`spec.${list}[${i}].resources.${part}`, `resource ${part} cannot be removed`)],
    );
  });
};

const hasAll = (
  now: ContainerResources | undefined,
  before: ContainerResources | undefined,
  part: 'requests' | 'limits',
): boolean => Object.keys(before?.[part] ?? {}).every((name) => now?.[part]?.[name] !== undefined);

const validateRest = (
  list: List,
  container: Container,
  old: Container | undefined,
): readonly FieldError[] => {
  if (old === undefined) return [];
  const isPlainInit = list === 'initContainers' && !isRestartableInit(old);
  if (isPlainInit)
    return jsonEqual(container, old)
      ? []
      : [forbidden('spec', 'resources for non-sidecar init containers are immutable')];
  if (jsonEqual(withoutCompute(container), withoutCompute(old))) return [];
  return [
    forbidden(
      'spec',
      list === 'initContainers'
        ? 'only cpu and memory resources for sidecar containers are mutable'
        : 'only cpu and memory resources are mutable',
    ),
  ];
};

const withoutCompute = (container: Container): Container => ({
  ...container,
  resources: {
    ...container.resources,
    requests: othersIn(container.resources?.requests),
    limits: othersIn(container.resources?.limits),
  },
});

const othersIn = (list: Readonly<Record<string, string>> | undefined): Record<string, string> => {
  const { cpu: _cpu, memory: _memory, ...others } = list ?? {};
  return others;
};

type List = 'containers' | 'initContainers';

const ORDERED = ['containers', 'initContainers'] as const;
const RESOURCES = ['cpu', 'memory'];
const POLICIES = ['NotRequired', 'RestartContainer'];
const QOS_CHANGED = 'Pod QOS Class may not change as a result of resizing';
