import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../types';
import { isTrue } from './conditions';
import type { JsonSchema } from '../structural/json-schema';

/** Keeps a definition until all its objects have gone. */
export const CLEANUP_FINALIZER = 'customresourcecleanup.apiextensions.k8s.io';

/**
 * Is it to be served? As soon as its names are accepted: what is said to be established is there. Names
 * that were accepted once stay, whatever is wanted since.
 */
export const isServed = (definition: CustomResourceDefinition): boolean =>
  isTrue(definition, 'NamesAccepted') || isTrue(definition, 'Established');

/** Nothing new is made of a kind that is going. */
export const isTerminating = (definition: CustomResourceDefinition): boolean =>
  definition.metadata.deletionTimestamp !== undefined || isTrue(definition, 'Terminating');

export const schemaOfVersion = ({ schema }: CustomResourceDefinitionVersion): JsonSchema =>
  schema?.openAPIV3Schema ?? PRESERVED;

/** Of what is not judged yet: a list that must be there may be null. */
export const versionsIn = (
  spec: Partial<CustomResourceDefinition['spec']> | undefined,
): readonly CustomResourceDefinitionVersion[] =>
  (spec?.versions as readonly CustomResourceDefinitionVersion[] | null | undefined) ?? [];

export const storageVersionOf = ({
  spec,
}: CustomResourceDefinition): CustomResourceDefinitionVersion | undefined =>
  spec.versions.find(({ storage }) => storage);

const PRESERVED: JsonSchema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
