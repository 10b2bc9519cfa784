import { notFound } from '../../../api/errors';
import { NAMESPACES } from '../../../api/resources';
import type { AdmissionPlugin } from './admission-plugin';
import { namespaceOf, type AdmissionReader } from './admission-reader';
import { guardBy, type AdmissionAttributes } from './attributes';
import { refusal } from './refusal';

/**
 * Nothing is made in a namespace that is going, or made or changed in one that is not there; and some
 * namespaces stay.
 */
export const namespaceLifecycle = (reader: AdmissionReader): AdmissionPlugin => ({
  name: 'NamespaceLifecycle',
  handles: ({ operation, kind: { resource } }) =>
    resource === NAMESPACES
      ? operation === 'DELETE'
      : resource.isNamespaced && (operation === 'CREATE' || operation === 'UPDATE'),
  admit: async (asked, signal) => {
    if (asked.operation === 'DELETE') keepImmortal(asked);
    else await checkNamespace(asked, reader, signal);
    return false;
  },
});

const keepImmortal = (asked: AdmissionAttributes): void => {
  if (IMMORTAL.has(asked.name)) throw refusal(asked, 'this namespace may not be deleted');
};

const checkNamespace = async (
  asked: AdmissionAttributes,
  reader: AdmissionReader,
  signal: AbortSignal,
): Promise<void> => {
  const namespace = await namespaceOf(reader, asked, signal);
  if (namespace === undefined) throw notFound(NAMESPACES.plural, '', asked.namespace);
  if (asked.operation !== 'CREATE') return;
  if (namespace.metadata.deletionTimestamp !== undefined) throw terminating(asked);
  // Whoever empties a namespace that is deleted must see all that was ever made in it.
  guardBy(asked, NAMESPACES.plural, namespace);
};

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

const IMMORTAL: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);
