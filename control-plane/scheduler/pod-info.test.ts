import { podInfoOf } from './pod-info';
import { testPod, type PodOptions } from './testing';

const MIB = 2 ** 20;

// Upstream's getNonMissingContainerRequests.
it.each<[string, PodOptions, number, number]>([
  ['asks for nothing', {}, 100, 200],
  ['asks for cpu', { cpu: '1' }, 1000, 200],
  ['asks for both itself', { resources: { requests: { cpu: '2', memory: '1Mi' } } }, 2000, 1],
  ['asks for cpu itself', { resources: { requests: { cpu: '2' } } }, 2000, 200],
  [
    'asks for cpu itself, and its container for memory',
    { resources: { requests: { cpu: '2' } }, memory: '3Mi' },
    ...([2000, 3] as const),
  ],
  ['asks for memory in overhead', { overhead: { memory: '5Mi' } }, 100, 205],
  [
    'asks for cpu itself, and for memory in overhead',
    { resources: { requests: { cpu: '2' } }, overhead: { memory: '5Mi' } },
    ...([2000, 5] as const),
  ],
])(
  'spreads by what a pod asks for, or by a default: one that %s',
  (_what, options, cpu, memory) => {
    const { scoringCpuMillis, scoringMemoryBytes } = podInfoOf(testPod('p', options));
    expect([scoringCpuMillis, scoringMemoryBytes / MIB]).toEqual([cpu, memory]);
  },
);
