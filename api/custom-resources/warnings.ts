import { versionsIn } from './definitions';
import type { CustomResourceDefinition } from '../types';
import { isKnownFormat } from './formats';
import { itemsOf, partsWithPaths, type JsonSchema } from '../structural/json-schema';

/** What a definition says and nothing comes of, in upstream's words. */
export const formatWarnings = ({ spec }: Partial<CustomResourceDefinition>): readonly string[] => {
  const schemas = versionsIn(spec)
    .map(({ schema }) => schema?.openAPIV3Schema as JsonSchema | undefined)
    .filter((schema) => schema !== undefined);
  const parts = schemas.flatMap((schema) => [...partsWithPaths(schema, '')].map(([part]) => part));
  return [
    ...new Set([
      ...parts
        .filter(hasUnknownFormat)
        .map(({ format }) => `unrecognized format "${format ?? ''}"`),
      ...parts
        .filter((part) => part['x-kubernetes-list-type'] === 'set')
        .map((part) => itemsOf(part)?.type ?? '')
        .filter((type) => type === 'object' || type === 'array')
        .sort()
        .map(
          (type) =>
            `x-kubernetes-list-type: set for items of type "${type}" is not supported by server-side ` +
            'apply or CEL validation rules',
        ),
    ]),
  ];
};

const hasUnknownFormat = ({ format = '', type = '' }: JsonSchema): boolean =>
  format !== '' && !isKnownFormat(format, type);
