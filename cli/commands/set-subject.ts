import { jsonEqual } from '../../api/json-value';
import type { ApiObject } from '../../api/types';
import { changeEach, type ChangeOptions } from '../changing';
import type { CliContext } from '../context';
import { UsageError } from '../usage-error';

export interface SetSubjectOptions extends ChangeOptions {
  readonly user?: readonly string[];
  readonly group?: readonly string[];
  readonly serviceaccount?: readonly string[];
}

/** Adds users, groups and accounts to those whom bindings give their roles. */
export const setSubject = async (
  context: CliContext,
  args: readonly string[],
  options: SetSubjectOptions,
): Promise<void> => {
  const wanted = subjectsOf(options);
  if (wanted.length === 0)
    throw new UsageError('you must specify at least one value of user, group or serviceaccount');
  await changeEach(context, args, options, ({ object }) => {
    if (object.kind !== 'RoleBinding' && object.kind !== 'ClusterRoleBinding')
      throw new UsageError('setting subject is only supported for RoleBinding/ClusterRoleBinding');
    const { subjects: before = [] } = object as Binding;
    const added = wanted.filter((each) => !before.some((subject) => jsonEqual(subject, each)));
    const told = 'subjects updated';
    if (added.length === 0) return { told };
    return { patch: { type: 'merge', body: { subjects: [...before, ...added] } }, told };
  });
};

const subjectsOf = ({
  user = [],
  group = [],
  serviceaccount = [],
}: SetSubjectOptions): readonly Subject[] => [
  ...user.map((name) => ({ kind: 'User', apiGroup: RBAC, name })),
  ...group.map((name) => ({ kind: 'Group', apiGroup: RBAC, name })),
  ...serviceaccount.map((text) => {
    const [namespace = '', name = '', ...more] = text.split(':');
    if (namespace === '' || name === '' || more.length > 0)
      throw new UsageError('serviceaccount must be <namespace>:<name>');
    return { kind: 'ServiceAccount', namespace, name };
  }),
];

type Subject = Readonly<Record<string, string>>;

interface Binding extends ApiObject {
  readonly subjects?: readonly Subject[];
}

const RBAC = 'rbac.authorization.k8s.io';
