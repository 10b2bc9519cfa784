import { runtimeHandlersOf } from '../../../api/runtime-handlers';
import type { NodeView } from '../node-info';
import { COST, nodeRemedy, type FilterPlugin } from './plugin';

/**
 * Keeps pods of a RuntimeClass off nodes without its handler, where they could not start. A node that says
 * nothing of handlers may have any. Upstream takes it that each node has each.
 */
export const runtimeHandler: FilterPlugin = {
  name: 'RuntimeHandler',
  scope: 'static',
  wakeOn: ['NodeHandlersChanged'],

  prepare({ runtimeHandler: wanted }) {
    if (wanted === '') return undefined;
    const reason = `node(s) had no runtime handler "${wanted}"`;
    const refusal = { reasons: [reason], isPodBound: false } as const;
    const othersOf = ({ node }: NodeView): readonly string[] | undefined => {
      const names = runtimeHandlersOf(node);
      return names === undefined || names.includes(wanted) ? undefined : names;
    };
    return {
      refuse: (node) => (othersOf(node) === undefined ? undefined : refusal),

      explain(node) {
        const others = othersOf(node);
        if (others === undefined) return [];
        const has = others.length === 0 ? 'none' : others.join(', ');
        return [{ reason, detail: `no runtime handler "${wanted}": it has ${has}` }];
      },

      remedies: ({ name }) => [
        nodeRemedy(
          `have ${name} run pods with ${wanted} (dhow agent --runtime-handler ${wanted}=PATH)`,
          COST.request,
          (node) => ({
            ...node,
            status: {
              ...node.status,
              runtimeHandlers: [...(node.status.runtimeHandlers ?? []), { name: wanted }],
            },
          }),
        ),
      ],
    };
  },
};
