import { NAMESPACES } from '../../../../api/resources';
import type { ApiObject } from '../../../../api/types';
import { ADMIN } from '../../testing';
import { SYSTEM_USER } from '../../auth/user';
import { STORED_KINDS } from '../../kinds/served-kinds';
import type { MutableObject } from '../../kinds/mutable';
import type { ServedKind } from '../../kinds/served-kind';
import type { AdmissionReader } from '../admission-reader';
import type { AdmissionAttributes } from '../attributes';
import { isExempt, namespaceNameOf, RequestMatcher, type MatchCriteria, type MatchRule } from '.';

const { signal } = new AbortController();
const kindOf = (plural: string): ServedKind => {
  const found = STORED_KINDS.find(({ resource }) => resource.plural === plural);
  if (found === undefined) throw new Error(plural);
  return found;
};
const object = (name: string, labels: Record<string, string> = {}, namespace = ''): ApiObject => ({
  ...{ apiVersion: 'v1', kind: 'Any' },
  metadata: { name, labels, ...(namespace === '' ? {} : { namespace }) },
});
const NAMESPACE_A = object('a', { team: 'red' });
const reader: AdmissionReader = {
  find: async (plural, _namespace, name) =>
    plural === NAMESPACES.plural && name === 'a' ? NAMESPACE_A : undefined,
  findNewest: async () => undefined,
  ready: async () => undefined,
  list: () => [],
  listFresh: async () => [],
};
const asked = (plural: string, more: Partial<AdmissionAttributes> = {}): AdmissionAttributes => {
  const kind = kindOf(plural);
  return {
    ...{ operation: 'CREATE', kind, subresource: '', name: 'x', user: ADMIN },
    namespace: kind.resource.isNamespaced ? 'a' : '',
    ...{ isDryRun: false, isAgain: false, warnings: [] },
    ...more,
  };
};
const ALL: MatchRule = {
  ...{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] },
};
const POD_V2: ServedKind = {
  ...kindOf('deployments'),
  resource: { ...kindOf('deployments').resource, version: 'v2' },
};
const matcher = new RequestMatcher({ reader, kinds: { kinds: [...STORED_KINDS, POD_V2] } });
const match = async (criteria: MatchCriteria, request: AdmissionAttributes) =>
  (await matcher.match(criteria, request, signal))?.resource.version;

it.each<[string, Partial<MatchRule>, AdmissionAttributes, boolean]>([
  ['everything', {}, asked('pods'), true],
  ['another operation', { operations: ['UPDATE', 'DELETE'] }, asked('pods'), false],
  ['an operation', { operations: ['UPDATE', 'CREATE'] }, asked('pods'), true],
  ['the core group', { apiGroups: [''] }, asked('pods'), true],
  ['another group', { apiGroups: ['apps'] }, asked('pods'), false],
  ['a version', { apiVersions: ['v1'] }, asked('pods'), true],
  ['another version', { apiVersions: ['v1beta1'] }, asked('pods'), false],
  ['a resource', { resources: ['pods'] }, asked('pods'), true],
  ['a resource, not its parts', { resources: ['pods'] }, asked('pods', STATUS()), false],
  ['all resources, not their parts', { resources: ['*'] }, asked('pods', STATUS()), false],
  ['a part', { resources: ['pods/status'] }, asked('pods', STATUS()), true],
  ['a part of all', { resources: ['*/status'] }, asked('pods', STATUS()), true],
  ['another part', { resources: ['*/scale'] }, asked('pods', STATUS()), false],
  ['a resource with its parts', { resources: ['pods/*'] }, asked('pods'), true],
  ['a part by its resource', { resources: ['pods/*'] }, asked('pods', STATUS()), true],
  ['a scope', { scope: 'Namespaced' }, asked('pods'), true],
  ['another scope', { scope: 'Cluster' }, asked('pods'), false],
  ['any scope', { scope: '*' }, asked('nodes'), true],
  ['namespaces as what is in none', { scope: 'Cluster' }, asked('namespaces'), true],
  ['a name', { resourceNames: ['y', 'x'] }, asked('pods'), true],
  ['another name', { resourceNames: ['y'] }, asked('pods'), false],
])('tells by a rule whether it is for %s', async (_what, rule, request, isMatch) => {
  expect(await match({ rules: [{ ...ALL, ...rule }] }, request)).toBe(isMatch ? 'v1' : undefined);
});

function STATUS(): Partial<AdmissionAttributes> {
  return { operation: 'UPDATE', subresource: 'status' };
}

it('takes no rules for none, and absent ones for all', async () => {
  expect(await match({ rules: [] }, asked('pods'))).toBeUndefined();
  expect(await match({}, asked('pods'))).toBe('v1');
  expect(await match({ excludeRules: [ALL] }, asked('pods'))).toBeUndefined();
  expect(await match({ rules: [{}] }, asked('pods'))).toBeUndefined();
});

it('finds the version that the rules name, unless they must name the one asked for', async () => {
  const rules = [{ ...ALL, apiVersions: ['v2'] }];
  const request = asked('deployments');
  expect(await match({ rules }, request)).toBe('v2');
  expect(await match({ rules, matchPolicy: 'Exact' }, request)).toBeUndefined();
  // What is named itself goes first.
  expect(await match({ rules: [...rules, ALL] }, request)).toBe('v1');
});

it('selects by the labels of the namespace', async () => {
  const red = { rules: [ALL], namespaceSelector: { matchLabels: { team: 'red' } } };
  const blue = { rules: [ALL], namespaceSelector: { matchLabels: { team: 'blue' } } };
  expect(await match(red, asked('pods'))).toBe('v1');
  expect(await match(blue, asked('pods'))).toBeUndefined();
  // Objects outside namespaces are never left out.
  expect(await match(blue, asked('nodes'))).toBe('v1');
  await expect(match(red, asked('pods', { namespace: 'gone' }))).rejects.toThrow(
    'namespaces "gone" not found',
  );
  expect(await match({ ...red, rules: [] }, asked('pods', { namespace: 'gone' }))).toBeUndefined();
});

it('selects a namespace by the labels that it is to have, or has', async () => {
  const criteria = { rules: [ALL], namespaceSelector: { matchLabels: { team: 'red' } } };
  const red = { object: object('n', { team: 'red' }) as MutableObject };
  const old = { old: object('n', { team: 'red' }) };
  expect(await match(criteria, asked('namespaces', red))).toBe('v1');
  const changed = { operation: 'UPDATE' as const, ...old, object: object('n') as MutableObject };
  expect(await match(criteria, asked('namespaces', changed))).toBeUndefined();
  expect(await match(criteria, asked('namespaces', { operation: 'DELETE', ...old }))).toBe('v1');
});

it('selects by the labels that the object has or had', async () => {
  const criteria = { rules: [ALL], objectSelector: { matchExpressions: [{ ...EXISTS }] } };
  const labelled = object('x', { a: 'b' }) as MutableObject;
  expect(await match(criteria, asked('pods', { object: labelled }))).toBe('v1');
  const bare = object('x') as MutableObject;
  expect(await match(criteria, asked('pods', { object: bare }))).toBeUndefined();
  expect(await match(criteria, asked('pods', { object: bare, old: labelled }))).toBe('v1');
  // A connection has no object.
  expect(await match(criteria, asked('pods', { operation: 'CONNECT' }))).toBeUndefined();
});

const EXISTS = { key: 'a', operator: 'Exists' };

it.each<[string, AdmissionAttributes, boolean]>([
  ['a pod of a controller', asked('pods', { user: SYSTEM_USER }), false],
  ['a status of a node agent', asked('pods', { user: SYSTEM_USER, ...STATUS() }), true],
  ['a status of somebody', asked('pods', STATUS()), false],
  ['a namespace at the start', asked('namespaces', { user: SYSTEM_USER }), true],
  ['a namespace of somebody', asked('namespaces'), false],
  ['an impersonated system', asked('namespaces', { user: { ...SYSTEM_USER } }), false],
  ['an event of the system', asked('events', { user: SYSTEM_USER }), true],
  ["a node's lease", asked('leases', { namespace: 'kube-node-lease' }), true],
  ["a leader's lease", asked('leases', { namespace: 'kube-system' }), true],
  ["a tenant's lease", asked('leases'), false],
])('never asks about what the cluster stands on: %s', (_what, request, isOut) => {
  expect(isExempt(request)).toBe(isOut);
});

it('has a namespace lie in itself', () => {
  expect(namespaceNameOf(asked('namespaces', { name: 'n' }))).toBe('n');
  expect(namespaceNameOf(asked('pods'))).toBe('a');
  const generated = object('n-x') as MutableObject;
  expect(namespaceNameOf(asked('namespaces', { name: '', object: generated }))).toBe('n-x');
});
