import type { Resource } from '../../../api/resources';
import type { VirtualResource } from '../../../client/virtual-resource';
import { STORED_KINDS, virtualKind } from './served-kinds';
import type { ServedKind } from './served-kind';

/** All kinds this server serves, by where requests name them. */
export class KindRegistry {
  readonly kinds: readonly ServedKind[];
  private readonly byPath: ReadonlyMap<string, ServedKind>;

  constructor(virtual: readonly VirtualResource[]) {
    this.kinds = [...STORED_KINDS, ...virtual.map(virtualKind)];
    this.byPath = new Map(
      this.kinds.map((kind) => {
        const { group, version, plural } = kind.resource;
        return [pathKey(group, version, plural), kind];
      }),
    );
  }

  find(group: string, version: string, plural: string): ServedKind | undefined {
    return this.byPath.get(pathKey(group, version, plural));
  }

  /** @throws Error when a component asks for a kind that is not served: a fault in this program. */
  of({ group, version, plural }: Resource): ServedKind {
    const found = this.find(group, version, plural);
    if (found === undefined) throw new Error(`${plural}.${group} is not served`);
    return found;
  }

  stored(): readonly ServedKind[] {
    return this.kinds.filter(({ virtual }) => virtual === undefined);
  }

  /** Groups in the order of their first kind, the core group first. */
  groups(): readonly string[] {
    return [...new Set(this.kinds.map(({ resource }) => resource.group))];
  }

  inGroup(group: string): readonly ServedKind[] {
    return this.kinds.filter(({ resource }) => resource.group === group);
  }
}

const pathKey = (group: string, version: string, plural: string): string =>
  `${group}/${version}/${plural}`;
