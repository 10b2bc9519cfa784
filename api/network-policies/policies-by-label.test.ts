import fc from 'fast-check';
import type { NetworkPolicy } from '../types';
import { PoliciesByLabel } from './policies-by-label';
import { isAbout, isolates } from './selection';

const labels = fc.dictionary(fc.constantFrom('app', 'tier'), fc.constantFrom('a', 'b', ''), {
  maxKeys: 2,
});
const namespace = fc.constantFrom('one', 'two');
const selector = fc.record(
  {
    matchLabels: labels,
    matchExpressions: fc.constantFrom([], [{ key: 'tier', operator: 'Exists' }]),
  },
  { requiredKeys: [] },
);
const DIRECTIONS: readonly ('Ingress' | 'Egress')[] = ['Ingress', 'Egress'];

const policy = fc
  .tuple(namespace, selector, fc.subarray([...DIRECTIONS], { minLength: 1 }))
  .map(([of, podSelector, policyTypes]): NetworkPolicy => ({
    ...{ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy' },
    metadata: { namespace: of, name: 'p' },
    spec: { podSelector, policyTypes },
  }));

it('finds those that a look at every policy finds, in their order', () => {
  fc.assert(
    fc.property(
      fc.array(policy, { maxLength: 12 }),
      namespace,
      labels,
      fc.constantFrom(...DIRECTIONS),
      (policies, of, own, direction) => {
        const subject = {
          ...{ namespace: of, name: 'pod', labels: own, addresses: [], nodeName: '' },
          ...{ namedPorts: [], isSelectable: true },
        };
        expect(new PoliciesByLabel(policies).isolating(subject, direction)).toEqual(
          policies.filter((each) => isAbout(each, direction) && isolates(each, subject)),
        );
      },
    ),
  );
});
