import { hasReason } from '../api/errors';
import { INGRESS_CLASS_NAME, INGRESS_CONTROLLER } from '../api/ingresses';
import { apiVersionOf, INGRESS_CLASSES, NAMESPACES, STORAGE_CLASSES } from '../api/resources';
import type { IngressClass, StorageClass } from '../api/types';
import { LOCAL_PATH } from '../api/volumes';
import type { ApiClient, DraftOf } from '../client/api-client';

/**
 * Gives a new cluster the classes of the provisioner and of the ingress in the box, as the defaults. Once
 * only: whoever deletes or changes one afterwards has the last word.
 */
export const ensureDefaultClasses = async (client: ApiClient): Promise<void> => {
  const storage = () => client.create(STORAGE_CLASSES, storageClass());
  await ensureOnce(client, 'dhow.dev/default-storage-class', LOCAL_PATH_NAME, storage);
  const ingress = () => client.create(INGRESS_CLASSES, ingressClass());
  await ensureOnce(client, 'dhow.dev/default-ingress-class', INGRESS_CLASS_NAME, ingress);
};

const ensureOnce = async (
  client: ApiClient,
  madeAnnotation: string,
  name: string,
  create: () => Promise<unknown>,
): Promise<void> => {
  const system = await client.get(NAMESPACES, SYSTEM);
  if (system.metadata.annotations?.[madeAnnotation] !== undefined) return;
  try {
    await create();
  } catch (error) {
    if (!hasReason(error, 'AlreadyExists')) throw error;
  }
  // Last: a start that dies in between makes it again.
  const annotations = { [madeAnnotation]: name };
  await client.patch(NAMESPACES, SYSTEM, 'merge', { metadata: { annotations } });
};

const storageClass = (): DraftOf<StorageClass> => ({
  apiVersion: apiVersionOf(STORAGE_CLASSES),
  kind: STORAGE_CLASSES.kind,
  metadata: {
    name: LOCAL_PATH_NAME,
    annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' },
  },
  provisioner: LOCAL_PATH,
  reclaimPolicy: 'Delete',
  volumeBindingMode: 'WaitForFirstConsumer',
  allowVolumeExpansion: true,
});

const ingressClass = (): DraftOf<IngressClass> => ({
  apiVersion: apiVersionOf(INGRESS_CLASSES),
  kind: INGRESS_CLASSES.kind,
  metadata: {
    name: INGRESS_CLASS_NAME,
    annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' },
  },
  spec: { controller: INGRESS_CONTROLLER },
});

const LOCAL_PATH_NAME = 'local-path';
const SYSTEM = { namespace: '', name: 'kube-system' };
