import type { ClusterRoleBinding, RoleBinding, Subject } from '../../../api/types';
import type { User } from './user';

type Binding = RoleBinding | ClusterRoleBinding;

/** A binding, and the subject by which a user has it. */
export interface Bound<B extends Binding = Binding> {
  readonly binding: B;
  readonly subject: Subject;
}

/**
 * Bindings by whom they bind, so that a request costs as much as its user has bindings, and not as there
 * are. `from` is the list it was made of: another list means another index.
 */
export class BindingIndex<B extends Binding> {
  private readonly bySubject = new Map<string, Bound<B>[]>();

  constructor(
    readonly from: readonly unknown[],
    bindings: readonly B[],
  ) {
    for (const binding of bindings)
      for (const subject of binding.subjects ?? []) {
        const key = subjectKey(subject, binding.metadata.namespace ?? '');
        if (key === undefined) continue;
        const known = this.bySubject.get(key);
        if (known === undefined) this.bySubject.set(key, [{ binding, subject }]);
        else known.push({ binding, subject });
      }
  }

  /** Each binding once, however many of its subjects a user is. */
  of({ name, groups }: User): readonly Bound<B>[] {
    const keys = [userKey(name), ...groups.map(groupKey)];
    const found = new Map<B, Bound<B>>();
    for (const key of keys)
      for (const bound of this.bySubject.get(key) ?? [])
        if (!found.has(bound.binding)) found.set(bound.binding, bound);
    return [...found.values()];
  }
}

const subjectKey = (
  { kind, name, namespace = '' }: Subject,
  bindingNamespace: string,
): string | undefined => {
  if (kind === 'User') return userKey(name);
  if (kind === 'Group') return groupKey(name);
  const place = namespace === '' ? bindingNamespace : namespace;
  return place === '' ? undefined : userKey(`system:serviceaccount:${place}:${name}`);
};

const userKey = (name: string): string => `u ${name}`;
const groupKey = (name: string): string => `g ${name}`;
