import { isTolerated } from '../../../api/taints';
import { COST, nodeRemedy, type FilterPlugin, type FilterTerm } from './plugin';

/** Keeps pods off cordoned nodes, unless they tolerate the taint that stands for the cordon. */
export const nodeUnschedulable: FilterPlugin = {
  name: 'NodeUnschedulable',
  scope: 'static',
  wakeOn: ['NodeTaintsChanged'],

  prepare: ({ pod: { spec } }) => (isTolerated(spec.tolerations, CORDON_TAINT) ? undefined : TERM),
};

const REASON = 'node(s) were unschedulable';
const REFUSAL = { reasons: [REASON], isPodBound: false } as const;
const CORDON_TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

const TERM: FilterTerm = {
  refuse: ({ isUnschedulable }) => (isUnschedulable ? REFUSAL : undefined),

  explain: ({ isUnschedulable, name }) =>
    isUnschedulable ? [{ reason: REASON, detail: `${name} is cordoned` }] : [],

  // Cordoning also taints the node: lifting one lifts the other.
  remedies: ({ name }) => [
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
