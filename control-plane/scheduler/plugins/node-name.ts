import type { FilterPlugin } from './plugin';

/** A pod that names its node goes there and nowhere else. */
export const nodeName: FilterPlugin = {
  name: 'NodeName',
  scope: 'static',
  wakeOn: [],

  filter({ pod: { spec } }, { name }) {
    const { nodeName: wanted = '' } = spec;
    return wanted === '' || wanted === name ? undefined : { reasons: [REASON], isPodBound: false };
  },

  explain(pod, node) {
    if (this.filter(pod, node) === undefined) return [];
    return [{ reason: REASON, detail: `the pod asks for node ${pod.pod.spec.nodeName ?? ''}` }];
  },

  remedies: () => [],
};

const REASON = "node(s) didn't match the requested node name";
