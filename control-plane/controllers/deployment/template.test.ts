import type { Deployment } from '../../../api/types';
import { annotationsForSet } from './template';

it("takes a deployment's annotations over to its set, but for those that tell of one of the two", () => {
  const annotations = {
    'kubernetes.io/change-cause': 'a new image',
    'kubectl.kubernetes.io/last-applied-configuration': '{}',
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1,2',
    'deployment.kubernetes.io/desired-replicas': '9',
    'deployment.kubernetes.io/max-replicas': '10',
    'deprecated.deployment.rollback.to': '1',
  };
  const deployment = { metadata: { name: 'web', annotations } } as unknown as Deployment;
  expect(annotationsForSet(deployment)).toEqual({ 'kubernetes.io/change-cause': 'a new image' });
});
