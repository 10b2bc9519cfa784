import type { OfferedResource } from '../discovery';
import { named } from '../well-known';
import { PODS, NODES, DEPLOYMENTS } from '../../api/resources';
import { wanted } from './api-resources';

const kinds: readonly OfferedResource[] = [PODS, NODES, DEPLOYMENTS].map((resource) => ({
  ...named(resource),
  shortNames: [],
  isPreferred: true,
  categories: resource === NODES ? [] : ['all'],
  verbs: resource === NODES ? ['get'] : ['get', 'list'],
}));

it.each([
  [{}, ['Pod', 'Node', 'Deployment']],
  [{ apiGroup: '' }, ['Pod', 'Node']],
  [{ apiGroup: 'apps' }, ['Deployment']],
  [{ namespaced: 'false' }, ['Node']],
  [{ namespaced: true }, ['Pod', 'Deployment']],
  [{ verbs: ['get', 'list'] }, ['Pod', 'Deployment']],
  [{ categories: ['all'], apiGroup: 'apps' }, ['Deployment']],
])('leaves of all kinds by %j: %j', (options, left) => {
  expect(wanted(kinds, options).map(({ kind }) => kind)).toEqual(left);
});

it('refuses what is neither true nor false', () => {
  expect(() => wanted(kinds, { namespaced: 'maybe' })).toThrow('true or false');
});
