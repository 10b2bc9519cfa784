import type { FilterPlugin } from './plugin';

/** A pod that names its node goes there and nowhere else. */
export const nodeName: FilterPlugin = {
  name: 'NodeName',
  scope: 'static',
  wakeOn: [],

  prepare({ pod: { spec } }) {
    const { nodeName: wanted = '' } = spec;
    if (wanted === '') return undefined;
    const finding = { reason: REASON, detail: `the pod asks for node ${wanted}` };
    return {
      refuse: ({ name }) => (name === wanted ? undefined : REFUSAL),
      explain: ({ name }) => (name === wanted ? [] : [finding]),
      remedies: () => [],
    };
  },
};

const REASON = "node(s) didn't match the requested node name";
const REFUSAL = { reasons: [REASON], isPodBound: false } as const;
