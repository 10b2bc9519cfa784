import { status } from '@grpc/grpc-js';
import { z } from 'zod';

import { isLabelForNodes } from '../../api/node-restriction';
import { describeError } from '../../lib/log';
import { grpcError } from './node-identity';
import type { NodeDraft } from './node-registrar';
import { parseJson } from '../../lib/json';

const MAX_LABELS = 128;
const MAX_NODE_BYTES = 1024 * 1024;

const taint = z.object({
  key: z.string().min(1).max(253),
  value: z.string().max(63).optional(),
  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
});

const helloNode = z.object({
  metadata: z.object({ labels: z.record(z.string(), z.string().max(63)).default({}) }),
  spec: z.object({ taints: z.array(taint).max(64).default([]) }).default({ taints: [] }),
  status: z.record(z.string(), z.unknown()).default({}),
});

/** Reads the Node in an agent's hello; what an agent may not decide is left out. @throws INVALID_ARGUMENT */
export const parseNodeDraft = (nodeName: string, json: Uint8Array): NodeDraft => {
  let node: z.infer<typeof helloNode>;
  if (json.length > MAX_NODE_BYTES)
    throw grpcError(
      status.INVALID_ARGUMENT,
      `the node in hello is larger than ${MAX_NODE_BYTES} bytes`,
    );
  try {
    node = helloNode.parse(parseJson(Buffer.from(json).toString()));
  } catch (error) {
    throw grpcError(status.INVALID_ARGUMENT, `malformed node in hello: ${describeError(error)}`);
  }
  const labels = Object.entries(node.metadata.labels)
    .filter(([key]) => isLabelForNodes(key))
    .slice(0, MAX_LABELS);
  return {
    labels: { ...Object.fromEntries(labels), 'kubernetes.io/hostname': nodeName },
    taints: node.spec.taints as NodeDraft['taints'],
    status: node.status,
  };
};
