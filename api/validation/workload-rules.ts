import type { ApiObject } from '../types';
import { nonNegative, type FieldError } from './field-error';
import {
  subdomainName,
  validateMetadata,
  validateMetadataUpdate,
  type MetadataRules,
} from './metadata';
import { validatePodAnnotations } from './pod-annotations';
import { validateProtections } from './protections';

export interface WorkloadRules<T extends ApiObject> {
  readonly validateCreate: (object: T) => readonly FieldError[];
  readonly validateUpdate: (object: T, old: T) => readonly FieldError[];
  readonly validateStatusUpdate: (object: T, old: T) => readonly FieldError[];
}

/** The rules of a kind that makes pods of a template, of what is its own in them. */
export const workloadRules = <T extends ApiObject>({
  validateSpec,
  validateChange = () => [],
  counts,
}: {
  readonly validateSpec: (object: T) => readonly FieldError[];
  /** What may not become of what is stored. */
  readonly validateChange?: (object: T, old: T) => readonly FieldError[];
  /** Fields of its status that are never below zero. */
  readonly counts: readonly string[];
}): WorkloadRules<T> => ({
  validateCreate: (object) => [
    ...validateMetadata(object, METADATA),
    ...validateSpec(object),
    ...validateProtections(object),
    ...validatePodAnnotations(object),
  ],
  validateUpdate: (object, old) => [
    ...validateMetadataUpdate(object, old, METADATA),
    ...validateSpec(object),
    ...validateChange(object, old),
    ...validateProtections(object, old),
    ...validatePodAnnotations(object, old),
  ],
  validateStatusUpdate: (object, old) => [
    ...validateMetadataUpdate(object, old, METADATA),
    ...counts.flatMap((name) => nonNegative(`status.${name}`, countIn(object, name))),
  ],
});

const METADATA: MetadataRules = { isNamespaced: true, name: subdomainName };

const countIn = (object: ApiObject, name: string): number | undefined =>
  (object as { readonly status?: Readonly<Record<string, number>> }).status?.[name];
