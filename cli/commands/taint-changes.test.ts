import type { Node, Taint } from '../../api/types';
import { applyTaints, parseTaints } from './taint-changes';

const node = (...taints: Taint[]): Node =>
  ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n' },
    spec: { taints },
  }) as unknown as Node;

const OLD: Taint = { key: 'k', value: 'v1', effect: 'NoSchedule' };

it.each([
  [node(), 'k=v1:NoSchedule', false, [OLD], 'tainted'],
  [node(OLD), 'k=v2:NoSchedule', true, [{ ...OLD, value: 'v2' }], 'modified'],
  [node(OLD), 'k:NoSchedule-', false, [], 'untainted'],
  [node(OLD), 'k-', false, [], 'untainted'],
  [node(OLD), 'x:NoExecute', false, [{ key: 'x', effect: 'NoExecute' }, OLD], 'tainted'],
])('changes %j by %s', (given, change, mayOverwrite, taints, told) => {
  expect(applyTaints(given, parseTaints([change]), mayOverwrite)).toEqual({ taints, told });
});

it.each([
  ['k=v1:NoSchedule', 'node n already has k taint(s) with same effect(s) and --overwrite is false'],
  ['k:NoExecute-', 'taint "k:NoExecute" not found'],
  ['k=v1:Bad', 'invalid taint effect: Bad, unsupported taint effect'],
  ['k=v1', 'invalid taint spec: k=v1'],
])('refuses %s', (change, message) => {
  expect(() => applyTaints(node(OLD), parseTaints([change]), false)).toThrow(message);
});
