import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  qualifiedName,
  ROLE_BINDINGS,
  ROLES,
  type Resource,
} from '../../../api/resources';
import type { ApiObject } from '../../../api/types';
import type { WatchCaches } from '../../store/watch-cache';
import type { RoleReader } from './role-rules';

/** Roles and bindings as the watch caches have them. */
export const cachedRoles = (caches: WatchCaches): RoleReader => {
  const all = <T extends ApiObject>(resource: Resource<T>, namespace?: string): readonly T[] =>
    caches
      .of(qualifiedName(resource))
      .list(namespace)
      .items.map(({ object }) => object as T);
  const one = <T extends ApiObject>(resource: Resource<T>, namespace: string, name: string) =>
    caches.of(qualifiedName(resource)).get(namespace, name)?.object as T | undefined;
  return {
    clusterRoleBindings: () => all(CLUSTER_ROLE_BINDINGS),
    roleBindings: (namespace) => all(ROLE_BINDINGS, namespace),
    clusterRoles: () => all(CLUSTER_ROLES),
    clusterRole: (name) => one(CLUSTER_ROLES, '', name),
    role: (namespace, name) => one(ROLES, namespace, name),
  };
};
