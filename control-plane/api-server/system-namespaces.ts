import { hasReason } from '../../api/errors';
import { NAMESPACES } from '../../api/resources';
import type { ApiClient } from '../../client/api-client';

/** The namespaces that are always there. */
export const SYSTEM_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];

export const ensureSystemNamespaces = async (client: ApiClient): Promise<void> => {
  await Promise.all(
    SYSTEM_NAMESPACES.map(async (name) => {
      try {
        await client.create(NAMESPACES, {
          apiVersion: 'v1',
          kind: 'Namespace',
          metadata: { name },
        });
      } catch (error) {
        if (!hasReason(error, 'AlreadyExists')) throw error;
      }
    }),
  );
};
