import { VALIDATING_POLICY_BINDING } from './admission-policies';

/** What is printed of the parameters that a binding names. Source: upstream's printers/internalversion. */
it.each<[string, object, string]>([
  ['none', {}, '<unset>'],
  ['one of a namespace', { paramRef: { name: 'a', namespace: 'n' } }, 'n/a'],
  ['one that may be of any namespace', { paramRef: { name: 'a' } }, '*/a'],
  [
    'all with labels',
    {
      paramRef: {
        selector: {
          matchLabels: { b: 'x', a: 'y' },
          matchExpressions: [{ key: 'c', operator: 'In', values: ['1', '2'] }],
        },
      },
    },
    '&LabelSelector{MatchLabels:map[string]string{a: y,b: x,},MatchExpressions:' +
      '[]LabelSelectorRequirement{LabelSelectorRequirement{Key:c,Operator:In,Values:[1 2],},},}',
  ],
])('prints which parameters a binding names: %s', (_, spec, expected) => {
  const apiVersion = 'admissionregistration.k8s.io/v1';
  const kind = 'ValidatingAdmissionPolicyBinding';
  const binding = { apiVersion, kind, metadata: { name: 'b' }, spec: { policyName: 'p', ...spec } };
  const cells = VALIDATING_POLICY_BINDING.printer.cells(binding, 0);
  expect(cells.slice(0, 3)).toEqual(['b', 'p', expected]);
});
