import type { StoredObject } from '../../store/store';

/**
 * What webhooks have made of stored objects, of all kinds together: a state is converted once, for as
 * long as there is room. What was not used for longest goes first.
 */
export class ConversionCache {
  /** The longest unused first. */
  private readonly known = new Map<string, Entry>();
  private bytes = 0;

  constructor(private readonly bytesMax: number) {}

  get(key: string): StoredObject | undefined {
    const entry = this.known.get(key);
    if (entry === undefined) return undefined;
    this.known.delete(key);
    this.known.set(key, entry);
    return entry.object;
  }

  /** `bytes`: about what it takes up. */
  set(key: string, object: StoredObject, bytes: number): void {
    this.delete(key);
    if (bytes > this.bytesMax * SHARE_MAX) return;
    this.known.set(key, { object, bytes });
    this.bytes += bytes;
    for (const oldest of this.known.keys()) {
      if (this.bytes <= this.bytesMax) return;
      this.delete(oldest);
    }
  }

  private delete(key: string): void {
    this.bytes -= this.known.get(key)?.bytes ?? 0;
    this.known.delete(key);
  }
}

interface Entry {
  readonly object: StoredObject;
  readonly bytes: number;
}

/** One object that would push out most others is not worth it. */
const SHARE_MAX = 0.25;
