import type { Node, NodeCondition } from './types';

type Reported = Pick<Node, 'status'>;

/** Whether somebody who knows says that the machine is off: nothing runs on it, whatever it seems. */
export const isOutOfService = ({ spec }: Pick<Node, 'spec'>): boolean =>
  (spec.taints ?? []).some(({ key }) => key === OUT_OF_SERVICE);

export const OUT_OF_SERVICE = 'node.kubernetes.io/out-of-service';

/** Whether its agent, or who watches over it, says that a node can run pods; undefined: nobody has. */
export const readyCondition = ({ status }: Reported): NodeCondition | undefined =>
  status.conditions?.find(({ type }) => type === 'Ready');

export const isNodeReady = (node: Reported): boolean => readyCondition(node)?.status === 'True';
