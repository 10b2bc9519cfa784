import { CUSTOM_RESOURCE_DEFINITIONS, qualifiedName } from '../../../api/resources';
import type { CustomResourceDefinition } from '../../../api/types';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { objectOf, type AdmissionAttributes } from './attributes';
import { refusal } from './refusal';

/**
 * Bounds how many versions of users' kinds are served: each has caches, watches and rules of its own in
 * the memory of the server, whether there are objects of it or not.
 */
export const customKindLimit = (reader: AdmissionReader, versionsMax: number): AdmissionPlugin => ({
  name: 'CustomKindLimit',
  handles: ({ operation, subresource, kind: { resource } }) =>
    resource === CUSTOM_RESOURCE_DEFINITIONS &&
    subresource === '' &&
    (operation === 'CREATE' || operation === 'UPDATE'),
  validate: async (asked, signal) => {
    const added = servedIn(objectOf(asked)) - (asked.old === undefined ? 0 : servedIn(asked.old));
    if (added <= 0) return;
    await reader.ready(DEFINITIONS, signal);
    const present = reader.list(DEFINITIONS).reduce((sum, each) => sum + servedIn(each), 0);
    if (present + added > versionsMax) throw tooMany(asked, present, versionsMax);
  },
});

const servedIn = (definition: unknown): number =>
  ((definition as Partial<CustomResourceDefinition>).spec?.versions ?? []).filter(
    ({ served }) => served,
  ).length;

const tooMany = (asked: AdmissionAttributes, present: number, versionsMax: number) =>
  refusal(
    asked,
    `the memory of this server is enough for ${versionsMax} served versions of custom resources, ` +
      `and there are ${present}`,
  );

const DEFINITIONS = qualifiedName(CUSTOM_RESOURCE_DEFINITIONS);
