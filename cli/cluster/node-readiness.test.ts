import type { Lease, Node } from '../../api/types';
import { countReady, lifeSignsOf } from './node-readiness';

const node = (name: string, status = 'True'): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: {},
  status: { conditions: [{ type: 'Ready', status }] },
});

const lease = (name: string, renewTime: string): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name, namespace: 'kube-node-lease' },
  spec: { renewTime },
});

const nodes = [node('a'), node('b'), node('c', 'False')];
const before = lifeSignsOf([lease('a', '1'), lease('b', '1'), lease('c', '1')]);
const all = new Set(['a', 'b', 'c']);

it('does not count what the last run of the cluster left', () => {
  expect(countReady(nodes, before, before, all)).toBe(0);
  expect(countReady(nodes, lifeSignsOf([]), lifeSignsOf([]), all)).toBe(0);
});

it('counts ready nodes that have shown themselves since, whatever their clocks say', () => {
  const now = lifeSignsOf([lease('a', '2'), lease('b', '0'), lease('c', '2')]);
  expect(countReady(nodes, now, before, all)).toBe(2);
});

it('counts new nodes, and those that have run all along', () => {
  expect(countReady(nodes, before, lifeSignsOf([]), all)).toBe(2);
  expect(countReady(nodes, before, before, new Set(['a']))).toBe(1);
});
