import { isTerminating } from '../../../api/custom-resources/definitions';
import { CUSTOM_RESOURCE_DEFINITIONS, qualifiedName } from '../../../api/resources';
import type { CustomResourceDefinition } from '../../../api/types';
import { notServed } from '../kinds/kind-registry';
import type { AdmissionPlugin } from './admission-plugin';
import type { AdmissionReader } from './admission-reader';
import { guardBy } from './attributes';
import { refusal } from './refusal';

/**
 * Nothing is made of a kind whose definition is going: whoever deletes its objects must see all that was
 * ever made of it, on whichever server. Upstream does it before its plugins.
 */
export const customResourceLifecycle = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'CustomResourceLifecycle',
  handles: ({ operation, kind: { definitionName } }) =>
    operation === 'CREATE' && definitionName !== undefined,
  admit: async (asked, signal) => {
    const find = asked.isAgain ? reader.findNewest : reader.find;
    const { definitionName = '' } = asked.kind;
    const definition = await find(DEFINITIONS, '', definitionName, signal);
    if (definition === undefined) throw notServed();
    if (isTerminating(definition as CustomResourceDefinition))
      throw refusal(asked, 'create not allowed while custom resource definition is terminating');
    guardBy(asked, DEFINITIONS, definition);
    return false;
  },
});

const DEFINITIONS = qualifiedName(CUSTOM_RESOURCE_DEFINITIONS);
