import { formatTaint, isTolerated } from '../../../api/taints';
import type { Taint } from '../../../api/types';
import type { NodeView } from '../node-info';
import type { PodInfo } from '../pod-info';
import {
  byMaxInverted,
  COST,
  nodeRemedy,
  type FilterPlugin,
  type Remedy,
  type ScorePlugin,
} from './plugin';

/** Keeps pods off nodes with NoSchedule or NoExecute taints that they do not tolerate. */
export const taintToleration: FilterPlugin = {
  name: 'TaintToleration',
  scope: 'static',
  wakeOn: ['NodeTaintsChanged'],

  prepare: (pod) => ({
    refuse: ({ taints }) => (taints.some((taint) => keepsOff(taint, pod)) ? REFUSAL : undefined),

    explain: (node) =>
      blocking(pod, node).map((taint) => ({
        reason: REASON,
        detail: `taint ${formatTaint(taint)} is not tolerated${hintOf(taint)}`,
      })),

    remedies(node) {
      const taints = blocking(pod, node);
      return taints.some(isHealthTaint) ? [recover(taints, node)] : [untaint(taints, node)];
    },
  }),
};

/** Prefers nodes with fewer PreferNoSchedule taints that the pod does not tolerate. */
export const taintTolerationScore: ScorePlugin = {
  name: 'TaintToleration',
  scope: 'static',
  prepare: ({ pod: { spec } }) => ({
    normalize: byMaxInverted,
    score: ({ taints }) =>
      taints.filter(
        (taint) => taint.effect === 'PreferNoSchedule' && !isTolerated(spec.tolerations, taint),
      ).length,
  }),
};

const keepsOff = (taint: Taint, { pod }: PodInfo): boolean =>
  (taint.effect === 'NoSchedule' || taint.effect === 'NoExecute') &&
  !isTolerated(pod.spec.tolerations, taint);

const blocking = (pod: PodInfo, { taints }: NodeView): readonly Taint[] =>
  taints.filter((taint) => keepsOff(taint, pod));

// Set by the node controller from the node's conditions: nobody removes these by hand.
const isHealthTaint = ({ key }: Taint): boolean => HEALTH_TAINTS.has(key);

const hintOf = (taint: Taint): string =>
  isHealthTaint(taint) ? ' (set while the node is in that state)' : '';

const untaint = (taints: readonly Taint[], { name }: NodeView): Remedy =>
  nodeRemedy(
    `remove taint ${taints.map(formatTaint).join(' and ')} from ${name}`,
    COST.setting + taints.length - 1,
    without(taints),
  );

const recover = (taints: readonly Taint[], { name }: NodeView): Remedy => {
  const [state = ''] = taints.filter(isHealthTaint).map(({ key }) => key.split('/')[1]);
  return nodeRemedy(
    `bring ${name} back: it is tainted ${state}`,
    COST.label + taints.length,
    without(taints),
  );
};

const without = (removed: readonly Taint[]) => (node: NodeView['node']) => ({
  ...node,
  spec: {
    ...node.spec,
    taints: (node.spec.taints ?? []).filter((taint) => !removed.includes(taint)),
  },
});

// Taint keys and values may be sensitive: the shared message names none, the explanation does.
const REASON = 'node(s) had untolerated taint(s)';
const REFUSAL = { reasons: [REASON], isPodBound: false } as const;
const HEALTH_TAINTS = new Set([
  'node.kubernetes.io/not-ready',
  'node.kubernetes.io/unreachable',
  'node.kubernetes.io/memory-pressure',
  'node.kubernetes.io/disk-pressure',
  'node.kubernetes.io/pid-pressure',
  'node.kubernetes.io/network-unavailable',
]);
