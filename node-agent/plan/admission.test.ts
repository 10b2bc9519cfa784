import type { Pod, PodSpec, Taint } from '../../api/types';
import { refuseToAdmit, type AdmissionInput } from './admission';
import { testContainer, testPod } from '../pods/testing';

const node = (cpu: string) => ({ cpu, memory: '4Gi', pods: '3' });
const admit = (
  subject: Pod,
  others: readonly Pod[],
  allocatable: AdmissionInput['allocatable'],
  more: Partial<AdmissionInput> = {},
) => refuseToAdmit({ pod: subject, others, allocatable, node: undefined, ...more });
const pod = (spec: Partial<PodSpec> = {}): Pod => testPod({ spec });
const asking = (cpu: string, more: object = {}) =>
  testContainer({ resources: { requests: { cpu } }, ...more });
const onPort = (hostPort: number, more: object = {}) =>
  pod({ containers: [testContainer({ ports: [{ containerPort: 80, hostPort, ...more }] })] });

it('counts sidecars in the phase of each init container, as the scheduler does', () => {
  const always = { restartPolicy: 'Always' };
  const spec = {
    initContainers: [
      asking('500m', { name: 'proxy', ...always }),
      asking('2', { name: 'migrate' }),
      asking('250m', { name: 'tail', ...always }),
    ],
    containers: [asking('1')],
  };
  expect(admit(pod(spec), [], node('2'))).toEqual({
    reason: 'OutOfcpu',
    message:
      "Pod was rejected: Node didn't have enough resource: cpu, " +
      'requested: 2500, used: 0, capacity: 2000',
  });
  expect(admit(pod(spec), [], node('3'))).toBeUndefined();
  expect(admit(pod(spec), [pod({ containers: [asking('501m')] })], node('3'))).toMatchObject({
    reason: 'OutOfcpu',
  });
});

it('refuses a host port that another pod has, and only that', () => {
  const refused = { reason: 'NodePorts', message: expect.stringContaining('free ports') };
  expect(admit(onPort(7000), [onPort(7000)], node('2'))).toEqual(refused);
  const there = [onPort(7000, { hostIP: '10.0.0.5' })];
  expect(admit(onPort(7000, { hostIP: '10.0.0.6' }), there, node('2'))).toBeUndefined();
  expect(
    admit(onPort(7000, { hostIP: '10.0.0.5', protocol: 'UDP' }), there, node('2')),
  ).toBeUndefined();
  expect(admit(onPort(7000), there, node('2'))).toEqual(refused);
});

it('has no huge pages where it counts none', () => {
  const resources = { requests: { cpu: '1', 'hugepages-2Mi': '4Mi' } };
  const subject = pod({ containers: [testContainer({ resources })] });
  expect(admit(subject, [], node('2'))).toEqual({
    reason: 'OutOfhugepages-2Mi',
    message:
      "Pod was rejected: Node didn't have enough resource: hugepages-2Mi, " +
      'requested: 4194304, used: 0, capacity: 0',
  });
  expect(admit(subject, [], { ...node('2'), 'hugepages-2Mi': '4Mi' })).toBeUndefined();
  expect(admit(subject, [subject], { ...node('2'), 'hugepages-2Mi': '4Mi' })).toMatchObject({
    message: expect.stringContaining('requested: 4194304, used: 4194304, capacity: 4194304'),
  });
});

it('takes no more pods than the node may have', () => {
  expect(admit(pod(), [pod(), pod()], node('2'))).toBeUndefined();
  expect(admit(pod(), [pod(), pod(), pod()], node('2'))?.reason).toBe('OutOfpods');
});

it.each([
  ['ephemeral-storage', '2Gi', 2 ** 31],
  ['example.com/seat', '2', 2],
])('refuses what asks for more %s than there is', (resource, asked, requested) => {
  const subject = pod({
    containers: [testContainer({ resources: { requests: { [resource]: asked } } })],
  });
  expect(admit(subject, [], { ...node('2'), [resource]: '1' })).toEqual({
    reason: `OutOf${resource}`,
    message:
      `Pod was rejected: Node didn't have enough resource: ${resource}, ` +
      `requested: ${requested}, used: 0, capacity: 1`,
  });
  expect(admit(subject, [], node('2'))).toBeUndefined();
});

describe('on a node with labels and taints', () => {
  const where = (labels = {}, taints: Taint[] = []) => ({ node: { name: 'n1', labels, taints } });
  const picky = pod({ nodeSelector: { disk: 'fast' } });

  it('refuses a pod whose selector or required affinity it does not meet', () => {
    expect(admit(picky, [], node('2'), where({ disk: 'slow' }))).toEqual({
      reason: 'NodeAffinity',
      message:
        'Pod was rejected: Predicate NodeAffinity failed: ' +
        "node(s) didn't match Pod's node affinity/selector",
      mayBeStale: true,
    });
    expect(admit(picky, [], node('2'), where({ disk: 'fast' }))).toBeUndefined();
    const matchFields = [{ key: 'metadata.name', operator: 'In', values: ['n2'] }];
    const elsewhere = pod({
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
        },
      },
    });
    expect(admit(elsewhere, [], node('2'), where())?.reason).toBe('NodeAffinity');
  });

  it('goes by resources and ports alone before it knows them', () => {
    expect(admit(picky, [], node('2'))).toBeUndefined();
  });

  it('refuses a pod that it would evict, not one that the scheduler would keep away', () => {
    const taint = (effect: string) => where({}, [{ key: 'out', effect }]);
    expect(admit(pod(), [], node('2'), taint('NoExecute'))).toEqual({
      reason: 'TaintToleration',
      message:
        'Pod was rejected: Predicate TaintToleration failed: ' +
        "node(s) had taints that the pod didn't tolerate",
      mayBeStale: true,
    });
    expect(admit(pod(), [], node('2'), taint('NoSchedule'))).toBeUndefined();
    const brave = pod({ tolerations: [{ operator: 'Exists' }] });
    expect(admit(brave, [], node('2'), taint('NoExecute'))).toBeUndefined();
  });
});

it.each([
  ['PodOSNotSupported', { os: { name: 'windows' } }],
  ['PodOSSelectorNodeLabelDoesNotMatch', { nodeSelector: { 'kubernetes.io/os': 'windows' } }],
])('refuses a pod for another system: %s', (reason, spec) => {
  expect(admit(pod(spec), [], node('2'))?.reason).toBe(reason);
});
