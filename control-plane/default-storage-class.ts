import { hasReason } from '../api/errors';
import { apiVersionOf, NAMESPACES, STORAGE_CLASSES } from '../api/resources';
import { LOCAL_PATH } from '../api/volumes';
import type { ApiClient } from '../client/api-client';

/**
 * Gives a new cluster the class of the provisioner in the box, as the default. Once only: whoever
 * deletes or changes it afterwards has the last word.
 */
export const ensureDefaultStorageClass = async (client: ApiClient): Promise<void> => {
  const system = await client.get(NAMESPACES, SYSTEM);
  if (system.metadata.annotations?.[MADE] !== undefined) return;
  try {
    await client.create(STORAGE_CLASSES, {
      apiVersion: apiVersionOf(STORAGE_CLASSES),
      kind: STORAGE_CLASSES.kind,
      metadata: {
        name: NAME,
        annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
      },
      provisioner: LOCAL_PATH,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
      allowVolumeExpansion: true,
    });
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  }
  // Last: a start that dies in between makes it again.
  await client.patch(NAMESPACES, SYSTEM, 'merge', { metadata: { annotations: { [MADE]: NAME } } });
};

const NAME = 'local-path';
const MADE = 'dhow.dev/default-storage-class';
const SYSTEM = { namespace: '', name: 'kube-system' };
