import { parseQuantity } from './quantity';
import type { ApiObject, Container, PodSpec } from './types';
import { containersIn, podIn } from './pod-in';
import { unsupportedInPod } from './unsupported';
import { stringifyJson } from '../lib/json';

/**
 * What the author of a pod, or of the template of one, should know: what is not carried out, and what
 * is legal and yet seldom meant, in upstream's words.
 */
export const podWarnings = (object: ApiObject): readonly string[] => {
  const pod = podIn(object);
  if (pod === undefined) return [];
  const { spec, field } = pod;
  return [
    ...unsupportedInPod(pod),
    ...deprecatedSelectors(spec, field),
    ...((spec.terminationGracePeriodSeconds ?? 0) < 0
      ? [
          `${field}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and ` +
            'will be treated as 1',
        ]
      : []),
    ...containersIn(spec).flatMap(([container, at]) =>
      containerWarnings(container, `${field}.${at}`),
    ),
  ];
};

const containerWarnings = (container: Container, field: string): readonly string[] => [
  ...hiddenVariables(container, field),
  ...repeatedPorts(container, field),
  ...fractionalBytes(container, field),
];

/** A variable may build on the one it hides, by `$(NAME)`. */
const hiddenVariables = ({ env = [] }: Container, field: string): readonly string[] => {
  const seen = new Set<string>();
  return env.flatMap(({ name, value = '' }, i) => {
    const isHiding = seen.has(name) && !value.includes(`$(${name})`);
    seen.add(name);
    return isHiding
      ? [
          `${field}.env[${i}]: hides previous definition of "${name}", which may be dropped when ` +
            'using apply',
        ]
      : [];
  });
};

const repeatedPorts = ({ ports = [] }: Container, field: string): readonly string[] => {
  const first = new Map<string, number>();
  return ports.flatMap(({ containerPort, hostPort = 0, protocol = 'TCP', hostIP = '' }, i) => {
    const key = stringifyJson([containerPort, hostPort, protocol, hostIP]);
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, i);
    return earlier === undefined
      ? []
      : [`${field}.ports[${i}]: duplicate port definition with ${field}.ports[${earlier}]`];
  });
};

const fractionalBytes = ({ resources }: Container, field: string): readonly string[] =>
  (['limits', 'requests'] as const).flatMap((list) =>
    Object.entries(resources?.[list] ?? {})
      .filter(([name, value]) => BYTE_RESOURCES.has(name) && isFractional(value))
      .map(
        ([name, value]) =>
          `${field}.resources.${list}[${name}]: fractional byte value "${value}" is invalid, must ` +
          'be an integer',
      ),
  );

const isFractional = (value: string | number): boolean =>
  parseQuantity(value).nanos % 1_000_000_000n !== 0n;

const deprecatedSelectors = ({ nodeSelector = {} }: PodSpec, field: string): readonly string[] =>
  Object.keys(nodeSelector).flatMap((label) => {
    const newer = DEPRECATED_LABELS.get(label);
    return newer === undefined
      ? []
      : [
          `${field}.nodeSelector[${label}]: deprecated since ${newer.since}; use ` +
            `"${newer.label}" instead`,
        ];
  });

const BYTE_RESOURCES = new Set(['memory', 'ephemeral-storage']);
const DEPRECATED_LABELS: ReadonlyMap<string, { readonly since: string; readonly label: string }> =
  new Map([
    ['beta.kubernetes.io/arch', { since: 'v1.14', label: 'kubernetes.io/arch' }],
    ['beta.kubernetes.io/os', { since: 'v1.14', label: 'kubernetes.io/os' }],
    [
      'beta.kubernetes.io/instance-type',
      { since: 'v1.17', label: 'node.kubernetes.io/instance-type' },
    ],
    [
      'failure-domain.beta.kubernetes.io/region',
      { since: 'v1.17', label: 'topology.kubernetes.io/region' },
    ],
    [
      'failure-domain.beta.kubernetes.io/zone',
      { since: 'v1.17', label: 'topology.kubernetes.io/zone' },
    ],
  ]);
