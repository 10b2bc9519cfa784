import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  RBAC_GROUP,
  ROLE_BINDINGS,
  ROLES,
} from '../../api/resources';
import { UsageError } from '../usage-error';
import { draft, type Draft } from './drafts';

export interface RuleOptions {
  readonly verbs: readonly string[];
  /** Each as `pods`, `deployments.apps`, `pods/log`, resolved to its group. */
  readonly resources: readonly { readonly group: string; readonly resource: string }[];
  readonly resourceNames: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

/** A role whose rules are those of all cluster roles with these labels. @throws UsageError */
export const aggregatedRoleDraft = (
  name: string,
  labels: Readonly<Record<string, string>>,
  { verbs, resources, resourceNames, nonResourceURLs }: RuleOptions,
): Draft => {
  const isMixed = [verbs, resources, resourceNames, nonResourceURLs].some(
    ({ length }) => length > 0,
  );
  if (isMixed) {
    throw new UsageError(
      'aggregation rule must be specified without nonResourceURLs, resources, resourceNames or verbs',
    );
  }
  return draft(CLUSTER_ROLES, name, {
    aggregationRule: { clusterRoleSelectors: [{ matchLabels: labels }] },
    // As kubectl prints it: they are the server's to fill in.
    rules: null,
  });
};

/** A rule for each group. */
export const roleDraft = (name: string, isOfCluster: boolean, options: RuleOptions): Draft => {
  const { verbs, resources, resourceNames, nonResourceURLs } = options;
  if (verbs.length === 0) throw new UsageError('at least one verb must be specified');
  if (resources.length === 0 && nonResourceURLs.length === 0)
    throw new UsageError('at least one resource must be specified');
  const groups = [...new Set(resources.map(({ group }) => group))];
  const rules = [
    ...groups.map((group) => ({
      apiGroups: [group],
      ...(resourceNames.length === 0 ? {} : { resourceNames }),
      resources: resources.filter((each) => each.group === group).map(({ resource }) => resource),
      verbs,
    })),
    ...(nonResourceURLs.length === 0 ? [] : [{ nonResourceURLs, verbs }]),
  ];
  return draft(isOfCluster ? CLUSTER_ROLES : ROLES, name, { rules });
};

export interface BindingOptions {
  readonly role?: string;
  readonly clusterRole?: string;
  readonly users: readonly string[];
  readonly groups: readonly string[];
  /** `namespace:name` */
  readonly serviceAccounts: readonly string[];
}

export const bindingDraft = (
  name: string,
  isOfCluster: boolean,
  options: BindingOptions,
): Draft => {
  const { role, clusterRole, users, groups, serviceAccounts } = options;
  if (
    isOfCluster ? clusterRole === undefined : (role === undefined) === (clusterRole === undefined)
  ) {
    throw new UsageError(
      isOfCluster
        ? 'clusterrole must be specified'
        : 'exactly one of clusterrole or role must be specified',
    );
  }
  const person = (kind: string) => (each: string) => ({ apiGroup: RBAC_GROUP, kind, name: each });
  const accounts = serviceAccounts.map((text) => {
    const [namespace = '', account = '', ...rest] = text.split(':');
    if (namespace === '' || account === '' || rest.length > 0)
      throw new UsageError('serviceaccount must be <namespace>:<name>');
    return { kind: 'ServiceAccount', name: account, namespace };
  });
  const subjects = [...users.map(person('User')), ...groups.map(person('Group')), ...accounts];
  const roleRef = {
    apiGroup: RBAC_GROUP,
    kind: clusterRole === undefined ? 'Role' : 'ClusterRole',
    name: clusterRole ?? role,
  };
  return draft(isOfCluster ? CLUSTER_ROLE_BINDINGS : ROLE_BINDINGS, name, {
    roleRef,
    ...(subjects.length === 0 ? {} : { subjects }),
  });
};
