import type { NodeMetrics, PodMetrics } from '../../api/resource-metrics';
import type { Node } from '../../api/types';
import { nodeTable, podTable } from './top-table';

const times = { timestamp: '2026-01-01T00:00:00Z', window: '15s' };

const pod = (name: string, ...containers: readonly (readonly [string, string])[]): PodMetrics => ({
  ...{ apiVersion: 'metrics.k8s.io/v1beta1', kind: 'PodMetrics', ...times },
  metadata: { name, namespace: name === 'web' ? 'shop' : 'default' },
  containers: containers.map(([cpu, memory], i) => ({ name: `c${i}`, usage: { cpu, memory } })),
});

const PODS = [
  pod('web', ['1200001n', '3072Ki'], ['200000n', '1Mi']),
  pod('db', ['500m', '1Gi']),
  pod('api', ['20m', '2047Ki']),
];

const PLAIN = {
  ...{ hasHeader: true, showsContainers: false, showsNamespace: false, hasSum: false },
};

const lines = (...all: readonly string[]): string => all.map((line) => `${line}\n`).join('');

describe('pods', () => {
  it('are shown with all that their containers use', () => {
    expect(podTable(PODS, PLAIN)).toBe(
      lines(
        'NAME   CPU(cores)   MEMORY(bytes)   ',
        'api    20m          1Mi             ',
        'db     500m         1024Mi          ',
        'web    2m           4Mi             ',
      ),
    );
  });

  it('are shown container by container, with their namespaces, by what they use', () => {
    const options = { ...PLAIN, showsContainers: true, showsNamespace: true };
    expect(podTable(PODS, { ...options, sortBy: 'cpu' })).toBe(
      lines(
        'NAMESPACE   POD   NAME   CPU(cores)   MEMORY(bytes)   ',
        'default     db    c0     500m         1024Mi          ',
        'default     api   c0     20m          1Mi             ',
        'shop        web   c0     2m           3Mi             ',
        'shop        web   c1     1m           1Mi             ',
      ),
    );
  });

  it('are added up', () => {
    expect(podTable(PODS, { ...PLAIN, sortBy: 'memory', hasSum: true })).toBe(
      lines(
        'NAME   CPU(cores)   MEMORY(bytes)   ',
        'db     500m         1024Mi          ',
        'web    2m           4Mi             ',
        'api    20m          1Mi             ',
        '       ________     ________        ',
        '       522m         1029Mi          ',
      ),
    );
  });

  it('make no table when there are none', () => {
    expect(podTable([], PLAIN)).toBe('');
  });
});

describe('nodes', () => {
  const metrics = (name: string, cpu: string, memory: string): NodeMetrics => ({
    ...{ apiVersion: 'metrics.k8s.io/v1beta1', kind: 'NodeMetrics', ...times },
    ...{ metadata: { name }, usage: { cpu, memory } },
  });
  const node = (name: string): Node => ({
    ...{ apiVersion: 'v1', kind: 'Node', metadata: { name }, spec: {} },
    status: {
      allocatable: { cpu: '1500m', memory: '2Gi' },
      capacity: { cpu: '2', memory: '4Gi' },
    },
  });
  const all = [metrics('b', '250m', '1Gi'), metrics('a', '1', '512Mi')];

  it('are shown with the share of what pods may have, those without metrics last', () => {
    const nodes = ['c', 'a', 'b'].map(node);
    expect(nodeTable(all, nodes, { hasHeader: true, ofCapacity: false })).toBe(
      lines(
        'NAME   CPU(cores)   CPU(%)      MEMORY(bytes)   MEMORY(%)   ',
        'a      1000m        66%         512Mi           25%         ',
        'b      250m         16%         1024Mi          50%         ',
        'c      <unknown>    <unknown>   <unknown>       <unknown>   ',
      ),
    );
  });

  it('are shown with the share of all that they have, by what they use', () => {
    const options = { hasHeader: false, ofCapacity: true, sortBy: 'memory' } as const;
    expect(nodeTable(all, ['a', 'b'].map(node), options)).toBe(
      lines('b     250m    12%   1024Mi   25%   ', 'a     1000m   50%   512Mi    12%   '),
    );
  });
});
