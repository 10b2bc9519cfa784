import { isTolerated } from '../../../api/taints';
import { COST, nodeRemedy, type FilterPlugin } from './plugin';

/** Keeps pods off cordoned nodes, unless they tolerate the taint that stands for the cordon. */
export const nodeUnschedulable: FilterPlugin = {
  name: 'NodeUnschedulable',
  scope: 'static',
  wakeOn: ['NodeTaintsChanged'],

  filter({ pod: { spec } }, { isUnschedulable }) {
    return isUnschedulable && !isTolerated(spec.tolerations, CORDON_TAINT)
      ? { reasons: [REASON], isPodBound: false }
      : undefined;
  },

  explain(pod, node) {
    if (this.filter(pod, node) === undefined) return [];
    return [{ reason: REASON, detail: `${node.name} is cordoned` }];
  },

  // Cordoning also taints the node: lifting one lifts the other.
  remedies: (_pod, { name }) => [
    nodeRemedy(`uncordon ${name}`, COST.setting, (node) => ({
      ...node,
      spec: {
        ...node.spec,
        unschedulable: false,
        taints: (node.spec.taints ?? []).filter(({ key }) => key !== CORDON_TAINT.key),
      },
    })),
  ],
};

const REASON = 'node(s) were unschedulable';
const CORDON_TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };
