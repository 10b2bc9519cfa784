import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  qualifiedName,
  ROLE_BINDINGS,
  ROLES,
  type Resource,
} from '../../../api/resources';
import type { ApiObject, ClusterRole, PolicyRule } from '../../../api/types';
import type { WatchCaches } from '../../store/watch-cache';
import { BindingIndex } from './role-index';
import { aggregatedRules, type RoleReader } from './role-rules';

/** Roles and bindings as the watch caches have them, found by whom they are about. */
export const cachedRoles = (caches: WatchCaches): RoleReader => {
  const listed = (resource: Resource, namespace?: string) =>
    caches.of(qualifiedName(resource)).list(namespace).items;
  const one = <T extends ApiObject>(resource: Resource<T>, namespace: string, name: string) =>
    caches.of(qualifiedName(resource)).get(namespace, name)?.object as T | undefined;
  const everywhere = indexed(CLUSTER_ROLE_BINDINGS, listed);
  const within = indexed(ROLE_BINDINGS, listed);
  const aggregates = new Aggregates();
  return {
    clusterRoleBindings: (user) => everywhere(undefined, user),
    roleBindings: (user, namespace) => within(namespace, user),
    clusterRoleRules: (name) => {
      const role = one(CLUSTER_ROLES, '', name);
      if (role?.aggregationRule === undefined) return role && (role.rules ?? []);
      return aggregates.rulesOf(role, listed(CLUSTER_ROLES));
    },
    role: (namespace, name) => one(ROLES, namespace, name),
  };
};

type List = (resource: Resource, namespace?: string) => readonly { readonly object: ApiObject }[];

/** An index a namespace, made again when a binding there has changed: the list is then another. */
const indexed = <B extends ConstructorParameters<typeof BindingIndex>[1][number]>(
  resource: Resource<B>,
  list: List,
) => {
  const indexes = new Map<string, BindingIndex<B>>();
  return (namespace: string | undefined, user: Parameters<BindingIndex<B>['of']>[0]) => {
    const key = namespace ?? '';
    const items = list(resource, namespace);
    // Namespaces come and go: what has no bindings has no index.
    if (items.length === 0) {
      indexes.delete(key);
      return [];
    }
    let index = indexes.get(key);
    if (index?.from !== items) {
      index = new BindingIndex(
        items,
        items.map(({ object }) => object as B),
      );
      indexes.delete(key);
      indexes.set(key, index);
      // A namespace that is asked for no more is never seen to be gone.
      for (const oldest of indexes.keys()) {
        if (indexes.size <= INDEXES_MAX) break;
        indexes.delete(oldest);
      }
    }
    return index.of(user);
  };
};

/** The rules of roles that are put together from others, until one of them changes. */
class Aggregates {
  private from: readonly unknown[] | undefined;
  private readonly known = new Map<string, readonly PolicyRule[]>();

  rulesOf(
    role: ClusterRole,
    all: readonly { readonly object: ApiObject }[],
  ): readonly PolicyRule[] {
    if (this.from !== all) {
      this.known.clear();
      this.from = all;
    }
    const { name } = role.metadata;
    let rules = this.known.get(name);
    if (rules === undefined) {
      rules = aggregatedRules(role, () => all.map(({ object }) => object as ClusterRole));
      this.known.set(name, rules);
    }
    return rules;
  }
}

const INDEXES_MAX = 10_000;
