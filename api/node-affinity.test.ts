import { namedNodes } from './node-affinity';
import type { NodeSelectorTerm } from './types';

const names = (...values: readonly string[]): NodeSelectorTerm => ({
  matchFields: [{ key: 'metadata.name', operator: 'In', values }],
});
const disk: NodeSelectorTerm = { matchExpressions: [{ key: 'disk', operator: 'Exists' }] };

it.each<[string, readonly NodeSelectorTerm[] | undefined, readonly string[] | undefined]>([
  ['none at all', undefined, undefined],
  ['one name', [names('a')], ['a']],
  ['names or others', [names('a'), names('b', 'c')], ['a', 'b', 'c']],
  [
    'names and others',
    [{ matchFields: [names('a', 'b'), names('b', 'c')].flatMap(fields) }],
    ['b'],
  ],
  ['a name or a label', [names('a'), disk], undefined],
  ['a name and a label', [{ ...names('a'), ...disk }], ['a']],
  [
    'all names but one',
    [{ matchFields: [{ key: 'metadata.name', operator: 'NotIn', values: ['a'] }] }],
    undefined,
  ],
])('tells which nodes alone a selector of %s may be met by', (_title, terms, expected) => {
  const selector = terms && { nodeSelectorTerms: terms };
  const found = namedNodes(selector);
  expect(found && [...found]).toEqual(expected);
});

function fields({ matchFields = [] }: NodeSelectorTerm) {
  return matchFields;
}
