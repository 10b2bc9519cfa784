import { customKind, storedKind } from '../../../api/kinds/custom-kind';
import {
  isServed,
  isTerminating,
  schemaOfVersion,
  storageVersionOf,
} from '../../../api/custom-resources/definitions';
import type { CustomResourceDefinition, CustomResourceDefinitionVersion } from '../../../api/types';
import { customPrinter } from '../printing/custom';
import { presenter, storer } from './presented';
import {
  serveKind,
  type Conversion,
  type ScalePaths,
  type ServedKind,
  type Strategy,
} from './served-kind';

/**
 * Every version of a definition that is served, in its order; none while its names are not accepted. Of
 * one that is going at least what is stored can be reached, or its objects could not go before it.
 * `conversionOf` makes the conversion of each version where a webhook is to convert.
 */
export const customKinds = (
  definition: CustomResourceDefinition,
  conversionOf: (apiVersion: string) => Conversion,
): readonly ServedKind[] => {
  const storage = storageVersionOf(definition);
  if (!isServed(definition) || storage === undefined) return [];
  const served = definition.spec.versions.filter((version) => version.served);
  const reached = served.length === 0 && isTerminating(definition) ? [storage] : served;
  if (definition.spec.conversion?.strategy !== 'Webhook')
    return reached.map((version) => ({
      ...servedVersion(definition, version, storage),
      present: presenter(apiVersionOf(definition, version), schemaOfVersion(version)),
      toStored: storer(apiVersionOf(definition, storage), schemaOfVersion(storage)),
    }));
  const versions = new Map<string, ServedKind>();
  const asStored = { ...storedAsItIs(definition, storage), versions };
  for (const version of reached) {
    const apiVersion = apiVersionOf(definition, version);
    const conversion = conversionOf(apiVersion);
    const kind = { ...servedVersion(definition, version, storage), conversion, asStored, versions };
    versions.set(apiVersion, kind);
  }
  return [...versions.values()];
};

const apiVersionOf = (
  { spec }: CustomResourceDefinition,
  { name }: CustomResourceDefinitionVersion,
): string => `${spec.group}/${name}`;

/** Whoever writes metadata leaves an object in the version that it is stored in. */
const storedAsItIs = (
  definition: CustomResourceDefinition,
  storage: CustomResourceDefinitionVersion,
): ServedKind => ({
  ...serveKind(storedKind(definition, storage), {
    strategy: {
      ...WHOLE,
      prepareUpdate: (object, old) => {
        object.apiVersion = old.apiVersion;
      },
    },
  }),
  definitionName: definition.metadata.name,
});

const servedVersion = (
  definition: CustomResourceDefinition,
  version: CustomResourceDefinitionVersion,
  storage: CustomResourceDefinitionVersion,
): ServedKind => {
  const info = customKind(definition, version);
  const { scale } = version.subresources ?? {};
  return {
    ...serveKind(info, {
      strategy: version.subresources?.status === undefined ? WHOLE : WITH_STATUS,
      printer: customPrinter(version.additionalPrinterColumns ?? []),
    }),
    definitionName: definition.metadata.name,
    storedAs: { ...info.resource, version: storage.name },
    ...(scale === undefined ? {} : { scale: scalePathsOf(scale) }),
    ...(version.deprecated === true
      ? {
          deprecation:
            version.deprecationWarning ??
            `${apiVersionOf(definition, version)} ${info.resource.kind} is deprecated`,
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
