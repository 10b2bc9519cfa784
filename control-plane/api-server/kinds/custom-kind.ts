import { customKind } from '../../../api/kinds/custom-kind';
import { defaulted, DefaultsTooLargeError } from '../../../api/custom-resources/defaults';
import {
  isServed,
  isTerminating,
  schemaOfVersion,
  storageVersionOf,
} from '../../../api/custom-resources/definitions';
import type { Json, JsonSchema } from '../../../api/structural/json-schema';
import { pruned, withoutNulls } from '../../../api/structural/prune';
import type {
  ApiObject,
  CustomResourceDefinition,
  CustomResourceDefinitionVersion,
} from '../../../api/types';
import { isJsonObject } from '../../../lib/json';
import type { StoredObject } from '../../store/store';
import { customPrinter } from '../printing/custom';
import { presentedBy } from './presented';
import { serveKind, type ScalePaths, type ServedKind, type Strategy } from './served-kind';

/**
 * Every version of a definition that is served, in its order; none while its names are not accepted. Of
 * one that is going at least what is stored can be reached, or its objects could not go before it.
 */
export const customKinds = (definition: CustomResourceDefinition): readonly ServedKind[] => {
  const storage = storageVersionOf(definition);
  if (!isServed(definition) || storage === undefined) return [];
  const served = definition.spec.versions.filter((version) => version.served);
  const reached = served.length === 0 && isTerminating(definition) ? [storage] : served;
  return reached.map((version) => servedVersion(definition, version, storage));
};

const servedVersion = (
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storage: CustomResourceDefinitionVersion,
): ServedKind => {
  const { group } = definition.spec;
  const info = customKind(definition, version);
  const apiVersion = `${group}/${version.name}`;
  const { scale } = version.subresources ?? {};
  return {
    ...serveKind(info, {
      strategy: version.subresources?.status === undefined ? WHOLE : WITH_STATUS,
      printer: customPrinter(version.additionalPrinterColumns ?? []),
    }),
    definitionName: definition.metadata.name,
    present: presenter(apiVersion, schemaOfVersion(version)),
    toStored: storer(`${group}/${storage.name}`, schemaOfVersion(storage)),
    ...(scale === undefined ? {} : { scale: scalePathsOf(scale) }),
    ...(version.deprecated === true
      ? {
          deprecation:
            version.deprecationWarning ?? `${apiVersion} ${info.resource.kind} is deprecated`,
        }
      : {}),
  };
};

const WHOLE: Strategy = { hasGeneration: true, hasStatus: false, createsOnUpdate: false };

const WITH_STATUS: Strategy = {
  hasGeneration: true,
  hasStatus: true,
  isStatusAlone: true,
  createsOnUpdate: false,
  prepareCreate: (object) => {
    delete object.status;
  },
};

/**
 * What is stored, as a version has it: named by it, without what its schema does not name, with its
 * defaults. What was written under the same schema comes back itself, bytes and all.
 */
const presenter = (
  apiVersion: string,
  schema: JsonSchema,
): ((stored: StoredObject) => StoredObject) =>
  presentedBy((object) =>
    asVersion(object, apiVersion, (rest) => defaultedIfFits(rest, schema), schema),
  );

/** What was stored before its schema came to have so many defaults stays readable, without them. */
const defaultedIfFits = (rest: Json, schema: JsonSchema): Json => {
  try {
    return defaulted(rest, schema);
  } catch (error) {
    if (error instanceof DefaultsTooLargeError) return rest;
    throw error;
  }
};

const storer =
  (apiVersion: string, schema: JsonSchema) =>
  (object: ApiObject): ApiObject =>
    asVersion(object, apiVersion, (rest) => rest, schema);

const asVersion = (
  object: ApiObject,
  apiVersion: string,
  complete: (rest: Json) => Json,
  schema: JsonSchema,
): ApiObject => {
  const { apiVersion: stored, kind, metadata, ...rest } = object as ApiObject & Json;
  const known = withoutNulls(pruned(rest, schema), schema);
  const whole = complete(isJsonObject(known) ? known : {});
  if (stored === apiVersion && whole === rest) return object;
  return { apiVersion, kind, metadata, ...whole };
};

const scalePathsOf = ({
  specReplicasPath,
  statusReplicasPath,
  labelSelectorPath = '',
}: {
  readonly specReplicasPath: string;
  readonly statusReplicasPath: string;
  readonly labelSelectorPath?: string;
}): ScalePaths => ({
  specReplicas: stepsOf(specReplicasPath),
  statusReplicas: stepsOf(statusReplicasPath),
  selector: labelSelectorPath === '' ? [] : stepsOf(labelSelectorPath),
});

const stepsOf = (path: string): readonly string[] => path.slice(1).split('.');
