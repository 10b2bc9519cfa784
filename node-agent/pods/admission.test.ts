import type { Pod, PodSpec } from '../../api/types';
import { refuseToAdmit } from './admission';
import { testContainer, testPod } from './testing';

const node = (cpu: string) => ({ cpu, memory: '4Gi', pods: '3' });
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
  expect(refuseToAdmit(pod(spec), [], node('2'))).toEqual({
    reason: 'OutOfcpu',
    message:
      "Pod was rejected: Node didn't have enough resource: cpu, " +
      'requested: 2500, used: 0, capacity: 2000',
  });
  expect(refuseToAdmit(pod(spec), [], node('3'))).toBeUndefined();
  expect(
    refuseToAdmit(pod(spec), [pod({ containers: [asking('501m')] })], node('3')),
  ).toMatchObject({ reason: 'OutOfcpu' });
});

it('refuses a host port that another pod has, and only that', () => {
  const refused = { reason: 'NodePorts', message: expect.stringContaining('free ports') };
  expect(refuseToAdmit(onPort(7000), [onPort(7000)], node('2'))).toEqual(refused);
  const there = [onPort(7000, { hostIP: '10.0.0.5' })];
  expect(refuseToAdmit(onPort(7000, { hostIP: '10.0.0.6' }), there, node('2'))).toBeUndefined();
  expect(
    refuseToAdmit(onPort(7000, { hostIP: '10.0.0.5', protocol: 'UDP' }), there, node('2')),
  ).toBeUndefined();
  expect(refuseToAdmit(onPort(7000), there, node('2'))).toEqual(refused);
});

it('takes no more pods than the node may have', () => {
  expect(refuseToAdmit(pod(), [pod(), pod()], node('2'))).toBeUndefined();
  expect(refuseToAdmit(pod(), [pod(), pod(), pod()], node('2'))?.reason).toBe('OutOfpods');
});

it('goes by resources and ports alone: labels of the node may have changed since', () => {
  expect(refuseToAdmit(pod({ nodeSelector: { disk: 'fast' } }), [], node('2'))).toBeUndefined();
});
