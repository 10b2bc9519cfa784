import type { StoredObject } from '../../store/store';

/**
 * What this server has written a moment ago, by key: the watch that feeds the caches may not have told
 * of it yet. Whoever writes the same object again starts from here, and not from a state that is
 * known to be old. The oldest of more than `COUNT_MAX`, or of more than `BYTES_MAX`, are forgotten.
 */
export class RecentWrites {
  private readonly written = new Map<string, StoredObject>();
  private bytes = 0;

  note(stored: StoredObject): void {
    const name = nameOf(stored.key);
    const known = this.written.get(name);
    // Answers may come in another order than that of the writes.
    if (known !== undefined && known.resourceVersion > stored.resourceVersion) return;
    this.drop(name);
    this.written.set(name, stored);
    this.bytes += stored.raw.length;
    this.trim();
  }

  /** It has been deleted. */
  forget(key: StoredObject['key']): void {
    this.drop(nameOf(key));
  }

  /** Undefined unless it was written after `version`: whoever has seen that has seen all before. */
  since(key: StoredObject['key'], version: number): StoredObject | undefined {
    const name = nameOf(key);
    const stored = this.written.get(name);
    if (stored === undefined || stored.resourceVersion > version) return stored;
    this.drop(name);
    return undefined;
  }

  private drop(name: string): void {
    const stored = this.written.get(name);
    if (stored === undefined) return;
    this.written.delete(name);
    this.bytes -= stored.raw.length;
  }

  private trim(): void {
    for (const name of this.written.keys()) {
      if (this.written.size <= COUNT_MAX && this.bytes <= BYTES_MAX) return;
      this.drop(name);
    }
  }
}

/** A name holds no slash; a resource and a namespace neither. */
const nameOf = ({ resource, namespace, name }: StoredObject['key']): string =>
  `${resource}/${namespace}/${name}`;

/** Watches are some milliseconds behind: a few batches of the store. */
const COUNT_MAX = 512;
const BYTES_MAX = 4 * 1024 * 1024;
