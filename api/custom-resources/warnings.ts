import { versionsIn } from './definitions';
import type { CustomResourceDefinition } from '../types';
import { isKnownFormat } from './formats';
import { itemsOf, partsIn, type JsonSchema } from '../structural/json-schema';

/** What a definition says and nothing comes of, in upstream's words. */
export const formatWarnings = ({ spec }: Partial<CustomResourceDefinition>): readonly string[] => {
  const formats = new Set<string>();
  const setItems = new Set<string>();
  for (const { schema } of versionsIn(spec)) {
    const whole = schema?.openAPIV3Schema as JsonSchema | undefined;
    for (const part of whole === undefined ? [] : partsIn(whole)) {
      if (hasUnknownFormat(part)) formats.add(`unrecognized format "${part.format ?? ''}"`);
      const type = part['x-kubernetes-list-type'] === 'set' ? itemsOf(part)?.type : undefined;
      if (type === 'object' || type === 'array') setItems.add(type);
    }
  }
  return [
    ...formats,
    ...[...setItems]
      .sort()
      .map(
        (type) =>
          `x-kubernetes-list-type: set for items of type "${type}" is not supported by server-side ` +
          'apply or CEL validation rules',
      ),
  ];
};

const hasUnknownFormat = ({ format = '', type = '' }: JsonSchema): boolean =>
  format !== '' && !isKnownFormat(format, type);
