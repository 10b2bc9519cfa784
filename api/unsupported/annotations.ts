import { bandwidthAnnotations, bandwidthOf } from '../bandwidth';
import { containersIn, type PodIn } from '../pod-in';
import type { ApiObject } from '../types';
import { describeError } from '../../lib/log';

/*
 * Annotations with a defined meaning that have no effect: in upstream's words where it has some.
 */

/** Of a pod, or of the template of a workload. */
export const annotationsOfPod = (pod: PodIn): readonly string[] => [
  ...ineffective(OF_PODS, pod.annotations, pod.metadataField),
  ...oldSeccomp(pod),
  ...bandwidthWithoutEffect(pod),
];

export const annotationsOfNode = ({ metadata }: ApiObject): readonly string[] =>
  ineffective(OF_NODES, metadata.annotations, 'metadata');

export const annotationsOfNamespace = ({ metadata }: ApiObject): readonly string[] =>
  ineffective(OF_NAMESPACES, metadata.annotations, 'metadata');

/** Why those that are there have no effect. */
const ineffective = (
  effects: Readonly<Record<string, string>>,
  annotations: Readonly<Record<string, string>> | undefined,
  metadataField: string,
): readonly string[] =>
  annotations === undefined
    ? []
    : Object.keys(effects)
        .filter((key) => Object.hasOwn(annotations, key))
        .map((key) => `${metadataField}.annotations[${key}]: ${effects[key] ?? ''}`);

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

/** Where it would be in force, a value that nobody can read keeps the pod from starting. */
const bandwidthWithoutEffect = ({ spec, annotations, metadataField }: PodIn): readonly string[] =>
  Object.entries(bandwidthAnnotations(annotations)).flatMap(([key, value]) => {
    const field = `${metadataField}.annotations[${key}]`;
    if (spec.hostNetwork === true) return [`${field}: ${NOT_SHAPED}`];
    try {
      bandwidthOf({ [key]: value });
      return [];
    } catch (error) {
      return [`${field}: no node starts the pod: ${describeError(error)}`];
    }
  });

const SECCOMP_POD = 'seccomp.security.alpha.kubernetes.io/pod';
const SECCOMP = 'container.seccomp.security.alpha.kubernetes.io/';
const USE_FIELD = 'non-functional in v1.27+; use the "seccompProfile" field instead';

const NO_AUTOSCALER = 'has no effect: there is no autoscaler';
const NOT_SHAPED = 'has no effect on a pod in the network of its node';
const NO_NODE_SELECTOR = 'has no effect: the PodNodeSelector admission does not exist';
const NO_TOLERATIONS = 'has no effect: the PodTolerationRestriction admission does not exist';

const OF_PODS = {
  'scheduler.alpha.kubernetes.io/critical-pod':
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls':
    'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls':
    'non-functional in v1.11+; use the "sysctls" field instead',
  'cluster-autoscaler.kubernetes.io/safe-to-evict': NO_AUTOSCALER,
};
const OF_NODES = { 'cluster-autoscaler.kubernetes.io/scale-down-disabled': NO_AUTOSCALER };
const OF_NAMESPACES = {
  'scheduler.alpha.kubernetes.io/node-selector': NO_NODE_SELECTOR,
  'scheduler.alpha.kubernetes.io/defaultTolerations': NO_TOLERATIONS,
  'scheduler.alpha.kubernetes.io/tolerationsWhitelist': NO_TOLERATIONS,
};
