import { SERVICE_NAME_LABEL } from './endpoint-slices';
import type { EndpointSlice } from './types';

/** Key of the service that a slice belongs to, by its label; undefined when it belongs to none. */
export const serviceKeyOf = ({
  metadata: { namespace = '', labels = {} },
}: EndpointSlice): string | undefined => {
  const name = labels[SERVICE_NAME_LABEL];
  return name === undefined || name === '' ? undefined : `${namespace}/${name}`;
};

/** Slices by the service they belong to, kept up as they change. */
export class SlicesByService {
  private readonly slices = new Map<string, EndpointSlice>();
  private readonly keysOf = new Map<string, Set<string>>();

  keys(): IterableIterator<string> {
    return this.slices.keys();
  }

  /** Undefined removes it. @returns keys of the services that have other slices now */
  set(key: string, slice: EndpointSlice | undefined): readonly string[] {
    const before = this.slices.get(key);
    const [from, to] = [before && serviceKeyOf(before), slice && serviceKeyOf(slice)];
    if (from !== undefined && from !== to) this.drop(from, key);
    if (to !== undefined) this.keysOf.set(to, (this.keysOf.get(to) ?? new Set()).add(key));
    if (slice === undefined) this.slices.delete(key);
    else this.slices.set(key, slice);
    return [...new Set([from, to])].filter((each) => each !== undefined);
  }

  of(service: string): readonly EndpointSlice[] {
    return [...(this.keysOf.get(service) ?? [])].flatMap((key) => this.slices.get(key) ?? []);
  }

  private drop(service: string, key: string): void {
    const keys = this.keysOf.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.keysOf.delete(service);
  }
}
