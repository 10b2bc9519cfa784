import { ApiError, type StatusCause } from '../errors';
import { intersection, isEmptySet, pathsOf, type FieldSet } from './field-set';
import { textOfPath } from './fields-v1';
import type { Manager } from './managers';

/** Fields of other managers that an apply would change. */
export interface Conflict {
  readonly manager: Manager;
  readonly fields: FieldSet;
}

/** An apply would change what others own: force it, leave the fields out, or agree on the value. */
export class ApplyConflictError extends ApiError {
  constructor(readonly conflicts: readonly Conflict[]) {
    super('Conflict', messageOf(conflicts), { details: { causes: conflicts.flatMap(causesOf) } });
  }
}

export const conflictsWith = (
  managers: readonly Manager[],
  changedFor: (manager: Manager) => FieldSet,
): readonly Conflict[] =>
  managers
    .map((manager) => ({ manager, fields: intersection(manager.fields, changedFor(manager)) }))
    .filter(({ fields }) => !isEmptySet(fields))
    .sort((a, b) => (a.manager.name < b.manager.name ? -1 : 1));

const causesOf = (conflict: Conflict): readonly StatusCause[] =>
  fieldTexts(conflict).map((field) => ({
    reason: 'FieldManagerConflict',
    message: `conflict with ${textOfManager(conflict.manager)}`,
    field,
  }));

const messageOf = (conflicts: readonly Conflict[]): string => {
  const all = conflicts.flatMap((conflict) =>
    fieldTexts(conflict).map((field) => ({ field, manager: textOfManager(conflict.manager) })),
  );
  const [only] = all;
  if (only !== undefined && all.length === 1)
    return `Apply failed with 1 conflict: conflict with ${only.manager}: ${only.field}`;
  const lines = conflicts.flatMap((conflict) => [
    `conflicts with ${textOfManager(conflict.manager)}:`,
    ...fieldTexts(conflict).map((field) => `- ${field}`),
  ]);
  return `Apply failed with ${all.length} conflicts: ${lines.join('\n')}`;
};

const fieldTexts = ({ fields }: Conflict): readonly string[] =>
  [...pathsOf(fields)].map(textOfPath);

const textOfManager = ({ name, operation, apiVersion, subresource }: Manager): string => {
  const part = subresource === '' ? '' : ` with subresource ${JSON.stringify(subresource)}`;
  return `${JSON.stringify(name)}${part}${operation === 'Update' ? ` using ${apiVersion}` : ''}`;
};
