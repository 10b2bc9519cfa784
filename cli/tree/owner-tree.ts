import { isOwnedBy } from '../../api/owners';
import type { ApiObject } from '../../api/types';

/** One object of the tree, and how it hangs there. */
export interface Branch {
  readonly object: ApiObject;
  /** `│ └─` */
  readonly lead: string;
  /** It has been shown before, with what is below it: two own it, or it is its own owner. */
  readonly isRepeated: boolean;
}

export interface OwnerTree {
  readonly branches: readonly Branch[];
  /** There are more, or deeper ones. */
  readonly isCut: boolean;
}

/** Pure: `root`, and all that is owned by it, directly or not; within bounds, whatever it is. */
export const ownerTree = (root: ApiObject, objects: readonly ApiObject[]): OwnerTree => {
  const dependents = dependentsByOwner(objects);
  const branches: Branch[] = [];
  const seen = new Set<string>();
  let isCut = false;
  const grow = (object: ApiObject, lead: string, below: string, depth: number): void => {
    if (branches.length >= BRANCHES_MAX) {
      isCut = true;
      return;
    }
    const { uid = '' } = object.metadata;
    const isRepeated = seen.has(uid);
    branches.push({ object, lead, isRepeated });
    if (isRepeated) return;
    seen.add(uid);
    const owned = (dependents.get(uid) ?? []).filter((each) => owns(object, each)).sort(byName);
    if (owned.length > 0 && depth >= DEPTH_MAX) isCut = true;
    else
      owned.forEach((each, i) => {
        const isLast = i === owned.length - 1;
        grow(each, below + (isLast ? '└─' : '├─'), below + (isLast ? '  ' : '│ '), depth + 1);
      });
  };
  grow(root, '', '', 0);
  return { branches, isCut };
};

const owns = (owner: ApiObject, { metadata, ...rest }: ApiObject): boolean =>
  (metadata.ownerReferences ?? []).some((reference) =>
    isOwnedBy({ ...rest, metadata }, reference, owner),
  );

const dependentsByOwner = (
  objects: readonly ApiObject[],
): ReadonlyMap<string, readonly ApiObject[]> => {
  const dependents = new Map<string, ApiObject[]>();
  for (const object of objects) {
    const uids = (object.metadata.ownerReferences ?? []).map(({ uid }) => uid);
    for (const uid of new Set(uids)) {
      const known = dependents.get(uid);
      if (known === undefined) dependents.set(uid, [object]);
      else known.push(object);
    }
  }
  return dependents;
};

const byName = (a: ApiObject, b: ApiObject): number => (key(a) < key(b) ? -1 : 1);
const key = ({ kind, metadata }: ApiObject): string => `${kind}/${metadata.name}`;

const BRANCHES_MAX = 1000;
const DEPTH_MAX = 20;
