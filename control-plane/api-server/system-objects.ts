import { hasReason } from '../../api/errors';
import { SYSTEM_PRIORITIES } from '../../api/priorities';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  NAMESPACES,
  PRIORITY_CLASSES,
  RBAC_GROUP,
  apiVersionOf,
  type Resource,
} from '../../api/resources';
import type { ApiObject } from '../../api/types';
import type { ApiClient, DraftOf } from '../../client/api-client';
import { SYSTEM_ROLES } from './system-roles';

/** Creates what is always there. What is there already stays as it is. */
export const ensureSystemObjects = async (client: ApiClient): Promise<void> => {
  const ensure = async <T extends ApiObject>(
    resource: Resource<T>,
    name: string,
    content: object,
    labels: Readonly<Record<string, string>> = {},
  ): Promise<void> => {
    const type = { apiVersion: apiVersionOf(resource), kind: resource.kind };
    const draft = { ...type, metadata: { name, labels }, ...content };
    try {
      await client.create(resource, draft as unknown as DraftOf<T>);
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  };
  await Promise.all([
    ...SYSTEM_NAMESPACES.map((name) => ensure(NAMESPACES, name, {})),
    ...[...SYSTEM_PRIORITIES].map(([name, value]) => ensure(PRIORITY_CLASSES, name, { value })),
    ...SYSTEM_ROLES.map(({ name, rules, aggregates, labels }) => {
      const content = aggregates === undefined ? { rules } : { rules, ...aggregation(aggregates) };
      return ensure(CLUSTER_ROLES, name, content, { ...BOOTSTRAPPING, ...labels });
    }),
    ...SYSTEM_ROLES.filter(({ groups }) => groups.length > 0).map(({ name, groups }) =>
      ensure(
        CLUSTER_ROLE_BINDINGS,
        name,
        {
          roleRef: { apiGroup: RBAC_GROUP, kind: 'ClusterRole', name },
          subjects: groups.map((group) => ({ apiGroup: RBAC_GROUP, kind: 'Group', name: group })),
        },
        BOOTSTRAPPING,
      ),
    ),
  ]);
};

const aggregation = (label: string) => ({
  aggregationRule: { clusterRoleSelectors: [{ matchLabels: { [label]: 'true' } }] },
});

const SYSTEM_NAMESPACES = ['default', 'kube-node-lease', 'kube-public', 'kube-system'];
const BOOTSTRAPPING = { 'kubernetes.io/bootstrapping': 'rbac-defaults' };
