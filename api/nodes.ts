import type { Node, NodeCondition } from './types';

type Reported = Pick<Node, 'status'>;

/** Whether its agent, or who watches over it, says that a node can run pods; undefined: nobody has. */
export const readyCondition = ({ status }: Reported): NodeCondition | undefined =>
  status.conditions?.find(({ type }) => type === 'Ready');

export const isNodeReady = (node: Reported): boolean => readyCondition(node)?.status === 'True';
