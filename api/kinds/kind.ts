import type { Resource } from '../resources';
import type { ApiObject } from '../types';
import type { FieldError } from '../validation/field-error';
import { exceptStoredPages } from '../validation/resources';

/** The rules of one kind. All functions are pure but `applyDefaults`. */
export interface KindRules<T extends ApiObject = ApiObject> {
  /** Fills in what the author left out, in place. */
  readonly applyDefaults: (object: T) => void;
  readonly validateCreate: (object: T) => readonly FieldError[];
  readonly validateUpdate: (object: T, old: T) => readonly FieldError[];
  /** Through a subresource that is a part of the object, such as `status`. Default: as any update. */
  readonly validatePart: Readonly<
    Partial<Record<string, (object: T, old: T) => readonly FieldError[]>>
  >;
  /** What the author should know although the object is accepted; `old` is absent when it is new. */
  readonly warnings: (object: T, old?: T) => readonly string[];
  /**
   * All that is wrong where `errors` is what the others found, by rules that may take long: in steps.
   * Absent where there are none.
   */
  readonly judge?: (
    object: T,
    old: T | undefined,
    errors: readonly FieldError[],
  ) => Generator<void, readonly FieldError[], void>;
}

/** All that is known of one kind, apart from how it is stored and printed. */
export interface KindInfo<T extends ApiObject = ApiObject> {
  readonly resource: Resource<T>;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly string[];
  readonly subresources: readonly string[];
  /** Fields that field selectors may name, besides `metadata.name` and `metadata.namespace`. */
  readonly fields: Readonly<Record<string, (object: T) => string>>;
  readonly rules: KindRules<T>;
}

/** What a kind's module says of it: the rest is as of most kinds. */
export interface KindDraft<T extends ApiObject>
  extends
    Partial<Omit<KindInfo<T>, 'resource' | 'rules'>>,
    Partial<Omit<KindRules<T>, 'applyDefaults' | 'validatePart'>> {
  /** Defaults are written over the mutable declarations; what they get is a private copy. */
  readonly applyDefaults?: (object: never) => void;
  readonly validateCreate: KindRules<T>['validateCreate'];
  readonly validateUpdate: KindRules<T>['validateUpdate'];
  readonly validateStatusUpdate?: KindRules<T>['validateUpdate'];
  /** Through `approval`, of kinds that have it. */
  readonly validateApprovalUpdate?: KindRules<T>['validateUpdate'];
  /** Through `ephemeralcontainers`, of kinds that have it. */
  readonly validateEphemeralContainersUpdate?: KindRules<T>['validateUpdate'];
  /** Through `resize`, of kinds that have it. */
  readonly validateResizeUpdate?: KindRules<T>['validateUpdate'];
}

/**
 * A kind with all verbs and no subresources, short names, fields to select by, defaults and warnings
 * of its own, unless the draft says otherwise. A status is held to the rules of an update.
 */
export const defineKind = <T extends ApiObject>(
  resource: Resource<T>,
  draft: KindDraft<T>,
): KindInfo => {
  const { applyDefaults, validateCreate, validateUpdate, validateStatusUpdate, ...others } = draft;
  const { validateApprovalUpdate, validateEphemeralContainersUpdate, ...besides } = others;
  const { validateResizeUpdate, warnings, judge, ...info } = besides;
  const update =
    (validateChange: KindRules<T>['validateUpdate']): KindRules<T>['validateUpdate'] =>
    (object, old) =>
      exceptStoredPages(validateChange(object, old), () => validateCreate(old));
  return {
    resource,
    singular: resource.kind.toLowerCase(),
    shortNames: [],
    categories: [],
    verbs: ALL_VERBS,
    subresources: [],
    fields: {},
    ...info,
    rules: {
      applyDefaults: applyDefaults ?? (() => undefined),
      validateCreate,
      validateUpdate: update(validateUpdate),
      validatePart: {
        status: update(validateStatusUpdate ?? validateUpdate),
        ...(validateApprovalUpdate === undefined ? {} : { approval: validateApprovalUpdate }),
        ...(validateEphemeralContainersUpdate === undefined
          ? {}
          : { ephemeralcontainers: update(validateEphemeralContainersUpdate) }),
        ...(validateResizeUpdate === undefined ? {} : { resize: update(validateResizeUpdate) }),
      },
      warnings: warnings ?? (() => []),
      ...(judge === undefined ? {} : { judge }),
    },
    // The registry holds kinds of every type; `resource` ties each entry's functions together.
  } as unknown as KindInfo;
};

export const ALL_VERBS: readonly string[] = [
  'create',
  'delete',
  'deletecollection',
  'get',
  'list',
  'patch',
  'update',
  'watch',
];
