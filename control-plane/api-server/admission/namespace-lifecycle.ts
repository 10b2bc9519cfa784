import { notFound } from '../../../api/errors';
import { NAMESPACES } from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import { versionOf } from '../objects/item';
import type { AdmissionPlugin } from './admission-plugin';
import { namespaceOf, type AdmissionReader } from './admission-reader';
import type { AdmissionAttributes } from './attributes';
import { refusal } from './refusal';

/** Nothing is made in a namespace that is not there, or that is going. */
export const namespaceLifecycle = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'NamespaceLifecycle',
  handles: ({ operation, kind }) => operation === 'CREATE' && kind.resource.isNamespaced,
  admit: async (asked, signal) => {
    const namespace = await namespaceOf(reader, asked, signal);
    if (namespace === undefined) throw notFound(NAMESPACES.plural, '', asked.namespace);
    if (namespace.metadata.deletionTimestamp !== undefined) throw terminating(asked);
    // Whoever empties a namespace that is deleted must see all that was ever made in it.
    asked.guard = guardOn(namespace);
    return false;
  },
});

const guardOn = (namespace: ApiObject) => ({
  key: { resource: NAMESPACES.plural, namespace: '', name: namespace.metadata.name },
  version: versionOf(namespace),
});

const terminating = (asked: AdmissionAttributes) => {
  const why =
    `unable to create new content in namespace ${asked.namespace} because it is being ` +
    'terminated';
  return refusal(asked, why, [
    {
      reason: 'NamespaceTerminating',
      message: `namespace ${asked.namespace} is being terminated`,
      field: 'metadata.namespace',
    },
  ]);
};
