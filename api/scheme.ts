import { KINDS, type KindInfo } from './kinds';
import { groupOf } from './owners';
import type { Resource } from './resources';
import type { ApiObject } from './types';
import { invalidError } from './validation/field-error';

/** Every kind that is always there. */
export const kinds = (): readonly KindInfo[] => KINDS;

export const kindOf = ({
  group,
  kind,
}: {
  readonly group: string;
  readonly kind: string;
}): KindInfo | undefined =>
  KINDS.find(({ resource }) => resource.group === group && resource.kind === kind);

/** Fills in defaults, in place. Kinds without rules stay as they are. */
export const applyDefaults = (resource: Resource, object: ApiObject): void =>
  kindOf(resource)?.rules.applyDefaults(object);

/**
 * Checks an object after defaulting.
 * @throws ApiError Invalid with one cause per field
 */
export const validate = (
  resource: Resource,
  object: ApiObject,
  old?: ApiObject,
  subresource?: string,
): void => {
  const rules = kindOf(resource)?.rules;
  if (rules === undefined) return;
  const found =
    old === undefined
      ? rules.validateCreate(object)
      : subresource === 'status'
        ? (rules.validatePart['status'] ?? rules.validateUpdate)(object, old)
        : rules.validateUpdate(object, old);
  const errors = rules.judge === undefined ? found : completed(rules.judge(object, old, found));
  if (errors.length > 0) throw invalidError(resource, object.metadata.name, errors);
};

const completed = <T>(steps: Generator<void, T, void>): T => {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
};

/** What the author should know although the object is accepted. */
export const warningsFor = (object: ApiObject): readonly string[] =>
  kindOf({ group: groupOf(object.apiVersion), kind: object.kind })?.rules.warnings(object) ?? [];
