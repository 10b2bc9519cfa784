import fc from 'fast-check';
import type { ClusterRole, ClusterRoleBinding, PolicyRule } from '../../../api/types';
import type { Attributes } from './access-attributes';
import { aggregatedRules, ruleAllows, rulesFor, uncovered, type RoleReader } from './role-rules';

const list = (...values: readonly string[]) =>
  fc.uniqueArray(fc.constantFrom(...values), { minLength: 1, maxLength: 3 });
const rule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record(
    {
      verbs: list('*', 'get', 'list', 'delete'),
      apiGroups: list('*', '', 'apps'),
      resources: list('*', 'pods', 'pods/log', '*/scale', 'deployments'),
      resourceNames: list('a', 'b'),
    },
    { requiredKeys: ['verbs', 'apiGroups', 'resources'] },
  ),
  fc.record({ verbs: list('*', 'get'), nonResourceURLs: list('*', '/a', '/a/*', '/b') }),
);
const rules = fc.array(rule, { maxLength: 3 });
const attributes: fc.Arbitrary<Attributes> = fc.oneof(
  fc.record({
    verb: fc.constantFrom('get', 'list', 'delete', 'watch'),
    group: fc.constantFrom('', 'apps', 'batch'),
    resource: fc.constantFrom('pods', 'deployments', 'jobs'),
    subresource: fc.constantFrom('', 'log', 'scale'),
    namespace: fc.constant('default'),
    name: fc.constantFrom('', 'a', 'c'),
  }),
  fc.record({
    verb: fc.constantFrom('get', 'post'),
    group: fc.constant(''),
    resource: fc.constant(''),
    subresource: fc.constant(''),
    namespace: fc.constant(''),
    name: fc.constant(''),
    path: fc.constantFrom('/a', '/a/b', '/b', '/c'),
  }),
);
const allows = (all: readonly PolicyRule[], asked: Attributes) =>
  all.some((each) => ruleAllows(each, asked));

it('finds nothing uncovered only where the owner may do all that is wanted', () => {
  fc.assert(
    fc.property(rules, rules, attributes, (owned, wanted, asked) => {
      if (uncovered(owned, wanted).length === 0 && allows(wanted, asked))
        expect(allows(owned, asked)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

it('covers what one owns oneself', () => {
  fc.assert(fc.property(rules, (owned) => expect(uncovered(owned, owned)).toEqual([])));
});

it('stops counting what is missing in a rule of a great many', () => {
  const many = Array.from({ length: 3000 }, (_, i) => `r${i}`);
  const wanted = [{ verbs: many, apiGroups: many, resources: many }];
  expect(uncovered([], wanted).length).toBeLessThan(100);
});

it('counts each role once where all select all, and follows the longest of chains', () => {
  const count = 2000;
  const role = (i: number, selects: object): ClusterRole => ({
    ...{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole' },
    metadata: { name: `r${i}`, labels: { own: `l${i}`, all: 'yes' } },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: [`r${i}`] }],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: selects as Record<string, string> }] },
  });
  for (const selects of [() => ({ all: 'yes' }), (i: number) => ({ own: `l${(i + 1) % count}` })]) {
    const roles = Array.from({ length: count }, (_none, i) => role(i, selects(i)));
    const found = aggregatedRules(roles[0]!, () => roles);
    expect(found.map(({ resources }) => resources?.[0])).toEqual(
      roles.map((each) => each.metadata.name),
    );
  }
});

it('puts aggregated roles together, whoever selects whom', () => {
  const role = (name: string, selects: string, label: string): ClusterRole => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, labels: { [label]: 'true' } },
    rules: [{ verbs: ['get'], apiGroups: [''], resources: [name] }],
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [selects]: 'true' } }] },
  });
  const all = [role('a', 'b', 'a'), role('b', 'a', 'b')];
  const binding: ClusterRoleBinding = {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'x' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'a' },
    subjects: [{ kind: 'User', name: 'dev' }],
  };
  const reader: RoleReader = {
    clusterRoleBindings: () => [{ binding, subject: { kind: 'User', name: 'dev' } }],
    roleBindings: () => [],
    clusterRoleRules: (name) =>
      aggregatedRules(
        all.find(({ metadata }) => metadata.name === name)!,
        () => all,
      ),
    role: () => undefined,
  };
  const found = rulesFor({ name: 'dev', groups: [] }, '', reader);
  expect(found.flatMap(({ resources = [] }) => resources)).toEqual(['a', 'b']);
});
