import { LEASES, NAMESPACES, NODES, PODS, REPLICA_SETS, type Resource } from '../resources';
import { warningsFor } from '../scheme';
import { deployment, made, pod } from '../testing';

const said = (resource: Resource, body: object) => warningsFor(made(resource, body));

it('tells what is accepted and not carried out', () => {
  const spec = {
    volumes: [
      { name: 'v', cephfs: { monitors: ['m'] } },
      { name: 'w' },
      { name: 'x', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
      { name: 'y', emptyDir: { medium: 'Tape' } },
      { name: 'z', emptyDir: { medium: 'HugePages-2Mi' } },
    ],
  };
  const container = {
    env: [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'w', path: 'p', key: 'k' } } }],
  };
  expect(said(PODS, pod(spec, container))).toEqual([
    'spec.volumes[0].cephfs: not supported by Dhow yet; the pod will not start',
    'spec.volumes[3].emptyDir.medium: not supported by Dhow yet; the pod will not start',
    'spec.containers[0].env[0].valueFrom.fileKeyRef: not supported by Dhow yet; the container will not start',
  ]);
});

it('says nothing of what is false', () => {
  const spec = {
    shareProcessNamespace: false,
    securityContext: { fsGroupChangePolicy: 'Always' },
  };
  expect(said(PODS, pod(spec))).toEqual([]);
});

it.each<[string, Resource, object, readonly string[]]>([
  [
    'a node',
    NODES,
    { spec: { externalID: 'x', configSource: { configMap: { name: 'a', namespace: 'b' } } } },
    [
      'spec.configSource: deprecated in v1.22, and without effect',
      'spec.externalID: this field is deprecated, and is unused by Kubernetes',
    ],
  ],
  [
    'a lease',
    LEASES,
    { spec: { strategy: 'OldestEmulationVersion' } },
    ['spec.strategy: not supported by Dhow yet; it has no effect'],
  ],
])('tells what has no effect in %s', (_what, resource, body, expected) => {
  expect(said(resource, { metadata: { name: 'a' }, ...body })).toEqual(expected);
});

it.each<[string, Resource, object, string]>([
  [
    'cluster-autoscaler.kubernetes.io/safe-to-evict',
    PODS,
    pod(),
    'has no effect: there is no autoscaler',
  ],
  [
    'seccomp.security.alpha.kubernetes.io/pod',
    PODS,
    pod(),
    'non-functional in v1.27+; use the "seccompProfile" field instead',
  ],
  [
    'container.seccomp.security.alpha.kubernetes.io/c',
    PODS,
    pod(),
    'non-functional in v1.27+; use the "seccompProfile" field instead',
  ],
  [
    'kubernetes.io/egress-bandwidth',
    PODS,
    pod({ hostNetwork: true }),
    'has no effect on a pod in the network of its node',
  ],
  [
    'scheduler.alpha.kubernetes.io/node-selector',
    NAMESPACES,
    {},
    'has no effect: the PodNodeSelector admission does not exist',
  ],
])('tells of the annotation %s', (key, resource, body, why) => {
  const annotated = { ...body, metadata: { name: 'a', annotations: { [key]: 'x' } } };
  expect(said(resource, annotated)).toEqual([`metadata.annotations[${key}]: ${why}`]);
});

it('tells of annotations in a template, and not of those that a field makes up for', () => {
  const annotations = { 'container.seccomp.security.alpha.kubernetes.io/c': 'x' };
  const template = (container: object) => ({
    template: { metadata: { labels: { app: 'web' }, annotations }, spec: pod({}, container).spec },
  });
  expect(said(REPLICA_SETS, deployment(template({})))).toEqual([
    expect.stringMatching(/^spec\.template\.metadata\.annotations\[/),
  ]);
  const securityContext = { seccompProfile: { type: 'RuntimeDefault' } };
  expect(said(REPLICA_SETS, deployment(template({ securityContext })))).toEqual([]);
});
