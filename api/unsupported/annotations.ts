import { containersIn, type PodIn } from '../pod-in';
import type { ApiObject } from '../types';

/** Annotations with a defined meaning that have no effect: in upstream's words where it has some. */
export const unsupportedAnnotations = (
  { kind, metadata }: ApiObject,
  pod: PodIn | undefined,
): readonly string[] => [
  ...(pod === undefined ? [] : [...meantFor('Pod', pod.annotations, pod), ...oldSeccomp(pod)]),
  ...(kind === 'Pod'
    ? []
    : meantFor(kind, metadata.annotations ?? {}, { metadataField: 'metadata' })),
];

const meantFor = (
  kind: string,
  annotations: Readonly<Record<string, string>>,
  { metadataField }: Pick<PodIn, 'metadataField'>,
): readonly string[] =>
  Object.entries(ANNOTATIONS[kind] ?? {})
    .filter(([key]) => Object.hasOwn(annotations, key))
    .map(([key, why]) => `${metadataField}.annotations[${key}]: ${why}`);

/** Where the field says something too, the field counts. */
const oldSeccomp = ({ spec, annotations, metadataField }: PodIn): readonly string[] => {
  const isTold = (key: string, context: { readonly seccompProfile?: object } | undefined) =>
    Object.hasOwn(annotations, key) && context?.seccompProfile === undefined;
  const keys = [
    ...(isTold(SECCOMP_POD, spec.securityContext) ? [SECCOMP_POD] : []),
    ...containersIn(spec)
      .filter(([{ name, securityContext }]) => isTold(`${SECCOMP}${name}`, securityContext))
      .map(([{ name }]) => `${SECCOMP}${name}`),
  ];
  return keys.map((key) => `${metadataField}.annotations[${key}]: ${USE_FIELD}`);
};

const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP = 'container.seccomp.security.alpha.kubernetes.io/';
const USE_FIELD = 'non-functional in v1.27+; use the "seccompProfile" field instead';

const NO_AUTOSCALER = 'has no effect: there is no autoscaler';
const NO_SHAPING = 'not supported by Dhow yet; the bandwidth is not limited';
const NO_NODE_SELECTOR = 'has no effect: the PodNodeSelector admission does not exist';
const NO_TOLERATIONS = 'has no effect: the PodTolerationRestriction admission does not exist';

/** By kind, and of pods also in the template of a workload. */
const ANNOTATIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Pod: {
    'scheduler.alpha.kubernetes.io/critical-pod':
      'non-functional in v1.16+; use the "priorityClassName" field instead',
    'security.alpha.kubernetes.io/sysctls':
      'non-functional in v1.11+; use the "sysctls" field instead',
    'security.alpha.kubernetes.io/unsafe-sysctls':
      'non-functional in v1.11+; use the "sysctls" field instead',
    'cluster-autoscaler.kubernetes.io/safe-to-evict': NO_AUTOSCALER,
    'kubernetes.io/ingress-bandwidth': NO_SHAPING,
    'kubernetes.io/egress-bandwidth': NO_SHAPING,
  },
  Node: { 'cluster-autoscaler.kubernetes.io/scale-down-disabled': NO_AUTOSCALER },
  Namespace: {
    'scheduler.alpha.kubernetes.io/node-selector': NO_NODE_SELECTOR,
    'scheduler.alpha.kubernetes.io/defaultTolerations': NO_TOLERATIONS,
    'scheduler.alpha.kubernetes.io/tolerationsWhitelist': NO_TOLERATIONS,
  },
};
