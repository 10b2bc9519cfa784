import { kept, refused, shown, warned, type FieldEffect } from './effect';

/** A label or annotation that has a meaning by its name. */
export interface WellKnown {
  readonly kind: 'Pod' | 'Node' | 'Namespace' | 'Deployment' | 'ServiceAccount' | 'Object';
  readonly map: 'labels' | 'annotations';
  readonly key: string;
  /** Its samples are values of the label or annotation. */
  readonly effect: FieldEffect;
}

const annotation = (kind: WellKnown['kind'], key: string, effect: FieldEffect): WellKnown => ({
  kind,
  map: 'annotations',
  key,
  effect,
});
const label = (kind: WellKnown['kind'], key: string, effect: FieldEffect): WellKnown => ({
  kind,
  map: 'labels',
  key,
  effect,
});

const BANDWIDTH = 'test/integration/network-bandwidth.test.ts';
const SECURITY = 'control-plane/api-server/admission/pod-security.test.ts';
const OLD_LABELS = shown(
  'control-plane/api-server/kinds/node.test.ts: gives nodes the labels that old selectors',
);
const TOPOLOGY = kept('for selectors and affinity; no scheduler or volume looks at it by itself');
const CLIENTS = kept('clients write and read it');

/**
 * What Kubernetes gives a meaning by its name, for the kinds that are served. The test
 * test/unit/field-effects.test.ts holds the API to it.
 */
export const WELL_KNOWN: readonly WellKnown[] = [
  annotation('Pod', 'cluster-autoscaler.kubernetes.io/safe-to-evict', warned('false', 'true')),
  annotation('Pod', 'container.apparmor.security.beta.kubernetes.io/c', {
    ...refused('runtime/default', 'localhost/p'),
    ...kept('unconfined is what all containers are'),
  }),
  annotation('Pod', 'container.seccomp.security.alpha.kubernetes.io/c', warned('runtime/default')),
  annotation('Pod', 'controller.kubernetes.io/pod-deletion-cost', {
    ...refused('much', '1.5', '2147483648'),
    ...shown(
      'control-plane/controllers/replica-set-plan.test.ts: gives up the pod first whose deletion',
    ),
  }),
  annotation(
    'Pod',
    'kubectl.kubernetes.io/default-container',
    shown('control-plane/api-server/pods/pods.test.ts: takes the container that the pod names'),
  ),
  annotation('Pod', 'kubernetes.io/egress-bandwidth', {
    ...shown(`${BANDWIDTH}: lets out what a pod may send`),
    ...warned('1', '2P'),
  }),
  annotation('Pod', 'kubernetes.io/ingress-bandwidth', {
    ...shown(`${BANDWIDTH}: lets in what a pod may receive`),
    ...warned('1', '2P'),
  }),
  annotation('Pod', 'scheduler.alpha.kubernetes.io/critical-pod', warned('')),
  annotation('Pod', 'seccomp.security.alpha.kubernetes.io/pod', warned('runtime/default')),
  annotation('Pod', 'security.alpha.kubernetes.io/sysctls', warned('a=b')),
  annotation('Pod', 'security.alpha.kubernetes.io/unsafe-sysctls', warned('a=b')),
  annotation('Node', 'cluster-autoscaler.kubernetes.io/scale-down-disabled', warned('true')),
  annotation('Namespace', 'scheduler.alpha.kubernetes.io/defaultTolerations', warned('[]')),
  annotation('Namespace', 'scheduler.alpha.kubernetes.io/node-selector', warned('a=b')),
  annotation('Namespace', 'scheduler.alpha.kubernetes.io/tolerationsWhitelist', warned('[]')),
  annotation('ServiceAccount', 'kubernetes.io/enforce-mountable-secrets', {
    ...refused('true'),
    ...kept('any other value asks for nothing'),
  }),
  annotation(
    'Deployment',
    'deployment.kubernetes.io/revision',
    shown('test/e2e/kubectl.test.ts: rolls a deployment out, scales it, undoes it and deletes it'),
  ),
  annotation('Deployment', 'kubernetes.io/change-cause', CLIENTS),
  annotation(
    'Object',
    'kubectl.kubernetes.io/last-applied-configuration',
    shown(
      'test/e2e/kubectl.test.ts: finds nothing to change in what dhow applied, nor dhow in what it',
    ),
  ),
  ...['enforce', 'warn', 'audit'].flatMap((mode) =>
    ['', '-version'].map((suffix) =>
      label(
        'Namespace',
        `pod-security.kubernetes.io/${mode}${suffix}`,
        shown(
          `${SECURITY}: refuses what the namespace forbids, however it is written`,
          `${SECURITY}: warns of workloads and lets them be`,
          `${SECURITY}: takes labels that name standards: %j`,
        ),
      ),
    ),
  ),
  label(
    'Namespace',
    'kubernetes.io/metadata.name',
    shown('api/scheme.test.ts: label a namespace with its name'),
  ),
  ...['kubernetes.io/arch', 'kubernetes.io/os', 'node.kubernetes.io/instance-type'].map((key) =>
    label('Node', key, OLD_LABELS),
  ),
  ...['topology.kubernetes.io/region', 'topology.kubernetes.io/zone'].map((key) =>
    label('Node', key, TOPOLOGY),
  ),
  label(
    'Node',
    'kubernetes.io/hostname',
    shown(
      'control-plane/nodes/node-registrar.test.ts: keeps of an agent’s labels those that a node',
    ),
  ),
  label(
    'Node',
    'node.kubernetes.io/exclude-from-external-load-balancers',
    kept('there are no load balancers yet that a node could be left out of'),
  ),
];
