import { z } from 'zod';
import type { PlacementPlanSpec, PlannedNode } from '../../../api/placement-plans';
import { parseQuantity } from '../../../api/quantity';
import type { ApiObject, Node } from '../../../api/types';
import { specIn } from '../rest/cluster-question';

/** What a plan is asked, read and bounded. @throws BadRequest */
export const planSpecIn = (body: unknown): Required<PlacementPlanSpec> => {
  const { objects, addNodes, ...spec } = specIn({ kind: 'PlacementPlan' }, PLAN, body);
  return {
    ...spec,
    // Each is decoded by the rules of pods before it counts.
    objects: objects as unknown as readonly ApiObject[],
    addNodes: addNodes as unknown as readonly PlannedNode[],
  };
};

/** The node as it would register. */
export const nodeOf = ({ name, allocatable, labels, taints }: PlannedNode): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, uid: `planned/${name}`, labels: { [HOSTNAME]: name, ...labels } },
  spec: taints === undefined ? {} : { taints },
  status: { allocatable: { pods: PODS_MAX, ...allocatable } },
});

const isAmount = (text: string): boolean => {
  try {
    return parseQuantity(text).nanos >= 0n;
  } catch {
    return false;
  }
};

const LIST_MAX = 200;
const names = z.array(z.string().min(1).max(253)).max(LIST_MAX).default([]);
const texts = z.record(z.string().max(317), z.string().max(253));
const amount = z.string().max(40).refine(isAmount, 'is no amount');

const PLAN = z.looseObject({
  spec: z
    .strictObject({
      objects: z
        .array(
          z.looseObject({
            apiVersion: z.string(),
            kind: z.string(),
            metadata: z.looseObject({
              name: z.string().max(253).optional(),
              generateName: z.string().max(253).optional(),
              namespace: z.string().max(63).optional(),
            }),
          }),
        )
        .max(LIST_MAX)
        .default([]),
      drain: names,
      without: names,
      addNodes: z
        .array(
          z.strictObject({
            name: z.string().min(1).max(253),
            allocatable: z.record(z.string().max(317), amount),
            labels: texts.optional(),
            taints: z
              .array(
                z.strictObject({
                  key: z.string().min(1).max(317),
                  value: z.string().max(63).optional(),
                  effect: z.enum(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
                }),
              )
              .max(50)
              .optional(),
          }),
        )
        .max(LIST_MAX)
        .default([]),
      countsMore: z.boolean().default(false),
    })
    .prefault({}),
});

const HOSTNAME = 'kubernetes.io/hostname';
/** As many as upstream's kubelet takes unless told. */
const PODS_MAX = '110';
