import type { Placement } from '../../api/decisions';
import { fitLine } from './fit';

const cpu = { reasons: ['Insufficient cpu'], count: 2 };
const both = { reasons: ['Insufficient cpu', 'Too many pods'], count: 1 };

it.each<[string, Placement, string]>([
  ['all', { nodesConsidered: 3, nodesFeasible: 3, refusals: [] }, 'would fit on 3 of 3 nodes'],
  [
    'some',
    { nodesConsidered: 3, nodesFeasible: 1, refusals: [cpu] },
    'would fit on 1 of 3 nodes: 2 Insufficient cpu',
  ],
  [
    'none',
    {
      nodesConsidered: 3,
      nodesFeasible: 0,
      refusals: [cpu, both],
      suggestion: 'lower the cpu request from 9 to 8',
    },
    'would fit on none of 3 nodes: 2 Insufficient cpu, 1 Insufficient cpu + Too many pods; ' +
      'would help: lower the cpu request from 9 to 8',
  ],
  [
    'no node',
    { nodesConsidered: 0, nodesFeasible: 0, refusals: [] },
    'would not fit: there is no node',
  ],
  [
    'another scheduler',
    { nodesConsidered: 3, nodesFeasible: 3, refusals: [], schedulerName: 'mine' },
    'only the scheduler mine, which it names, would place it',
  ],
  [
    'a gate',
    { nodesConsidered: 1, nodesFeasible: 1, refusals: [], gates: ['a/b'] },
    'would fit on 1 of 1 node; until they are lifted it is held back by a/b',
  ],
])('says in one line whether a pod would fit: %s', (_title, placement, text) => {
  expect(fitLine(placement)).toBe(text);
});
