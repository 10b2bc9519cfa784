import fc from 'fast-check';
import type { RoleBinding, Subject } from '../../../api/types';
import { BindingIndex } from './role-index';
import type { User } from './user';

const subject: fc.Arbitrary<Subject> = fc.record(
  {
    kind: fc.constantFrom('User', 'Group', 'ServiceAccount', 'Other'),
    name: fc.constantFrom('a', 'b', '', '__proto__', 'system:serviceaccount:n:a'),
    namespace: fc.constantFrom('', 'n', 'm'),
  },
  { requiredKeys: ['kind', 'name'] },
);
const binding = fc
  .record({ subjects: fc.array(subject, { maxLength: 4 }), namespace: fc.constantFrom('n', 'm') })
  .map(({ subjects, namespace }): RoleBinding => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: 'x', namespace },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
    subjects,
  }));
const user: fc.Arbitrary<User> = fc.record({
  name: fc.constantFrom('a', 'b', 'system:serviceaccount:n:a', 'system:serviceaccount:m:b'),
  groups: fc.array(fc.constantFrom('a', 'b', '__proto__'), { maxLength: 3 }),
});

/** What a scan of all would say. */
const binds = ({ subjects = [], metadata }: RoleBinding, { name, groups }: User): boolean =>
  subjects.some((each) => {
    if (each.kind === 'User') return each.name === name;
    if (each.kind === 'Group') return groups.includes(each.name);
    const place = (each.namespace ?? '') === '' ? metadata.namespace : each.namespace;
    return name === `system:serviceaccount:${place}:${each.name}` && each.kind === 'ServiceAccount';
  });

it('finds what a scan of all bindings would find, each once', () => {
  fc.assert(
    fc.property(fc.array(binding, { maxLength: 8 }), user, (bindings, who) => {
      const known = bindings.map((each) => ({
        ...each,
        subjects: each.subjects!.filter(({ kind }) => kind !== 'Other'),
      }));
      const found = new BindingIndex(known, known).of(who).map(({ binding: each }) => each);
      expect(new Set(found)).toEqual(new Set(known.filter((each) => binds(each, who))));
      expect(found).toHaveLength(new Set(found).size);
    }),
  );
});
