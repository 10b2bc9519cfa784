import type { Resource } from './resources';
import type { ApiObject } from './types';
import type { FieldError } from './validation/field-error';

/** The rules of one kind. All functions are pure but `applyDefaults`. */
export interface KindRules<T extends ApiObject = ApiObject> {
  /** Fills in what the author left out, in place. */
  readonly applyDefaults: (object: T) => void;
  readonly validateCreate: (object: T) => readonly FieldError[];
  readonly validateUpdate: (object: T, old: T) => readonly FieldError[];
  readonly validateStatusUpdate: (object: T, old: T) => readonly FieldError[];
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
