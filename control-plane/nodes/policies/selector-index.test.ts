import { requirementsOf } from '../../../api/selectors';
import { SelectorIndex } from './selector-index';

it('finds what may match by one label, and looks at no other selectors', () => {
  const index = new SelectorIndex<string>();
  const selectors = {
    web: { matchLabels: { app: 'web', tier: 'front' } },
    either: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'db'] }] },
    labelled: { matchExpressions: [{ key: 'team', operator: 'Exists' }] },
    others: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] },
    all: {},
  };
  for (const [key, selector] of Object.entries(selectors)) index.add(key, requirementsOf(selector));
  const found = (labels: Record<string, string>) => [...index.candidates(labels)].sort();
  expect(found({})).toEqual(['all', 'others']);
  expect(found({ app: 'db' })).toEqual(['all', 'either', 'others']);
  expect(found({ app: 'web' })).toEqual(['all', 'either', 'others', 'web']);
  expect(found({ team: 'x' })).toEqual(['all', 'labelled', 'others']);
  for (const [key, selector] of Object.entries(selectors))
    index.remove(key, requirementsOf(selector));
  expect(found({ app: 'web', team: 'x' })).toEqual([]);
  expect(index.isEmpty).toBe(true);
});
