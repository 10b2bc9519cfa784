import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from '../types';

type Status = CustomResourceDefinition['status'];
type Wanted = Pick<CustomResourceDefinitionCondition, 'type' | 'status' | 'reason' | 'message'>;

export const conditionOf = (
  { status }: Partial<CustomResourceDefinition>,
  type: string,
): CustomResourceDefinitionCondition | undefined =>
  // A status that was never written has null for its conditions.
  ((status as Partial<Status> | undefined)?.conditions ?? []).find((each) => each.type === type);

export const isTrue = (definition: Partial<CustomResourceDefinition>, type: string): boolean =>
  conditionOf(definition, type)?.status === 'True';

/** The status with the condition; its time is that of its last change of status. */
export const withCondition = (
  definition: CustomResourceDefinition,
  wanted: Wanted,
  now: string,
): Status => {
  const before = conditionOf(definition, wanted.type);
  const status = (definition.status as Status | undefined) ?? EMPTY;
  if (
    before?.reason === wanted.reason &&
    before?.message === wanted.message &&
    before?.status === wanted.status
  )
    return status;
  const isSame = before?.status === wanted.status;
  const condition = {
    ...wanted,
    lastTransitionTime: (isSame ? before.lastTransitionTime : now) ?? now,
  };
  const others = (status.conditions as Status['conditions'] | null) ?? [];
  const conditions =
    before === undefined
      ? [...others, condition]
      : others.map((each) => (each.type === wanted.type ? condition : each));
  return { ...status, conditions };
};

const EMPTY: Status = {
  conditions: [],
  acceptedNames: { plural: '', kind: '' },
  storedVersions: [],
};
