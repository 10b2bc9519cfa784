import { readFile } from 'node:fs/promises';
import type { ImageConfig, ImageLayer } from '../image-service';
import type { Log } from '../../lib/log';
import { replaceFile } from '../../lib/files';

/** An image that is here, as kept on disk. */
export interface ImageRecord {
  readonly id: string;
  readonly references: readonly string[];
  readonly repoDigests: readonly string[];
  readonly sizeBytes: number;
  readonly layers: readonly ImageLayer[];
  /** Bottom first. */
  readonly chainIds: readonly string[];
  readonly config: ImageConfig;
}

/** Which images are here and what they are called: one small file, replaced as a whole. */
export class ImageIndex {
  private records: ReadonlyMap<string, ImageRecord> = new Map();
  private writing: Promise<void> = Promise.resolve();

  private constructor(private readonly path: string) {}

  static async open(path: string, log: Log): Promise<ImageIndex> {
    const index = new ImageIndex(path);
    try {
      const { images } = JSON.parse(await readFile(path, 'utf8')) as { images: ImageRecord[] };
      index.records = new Map(images.map((image) => [image.id, image]));
    } catch (error) {
      // Everything can be pulled again; refusing to start would help nobody.
      const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
      if (!isMissing) log.error({ err: error, path }, 'image index unreadable, starting empty');
    }
    return index;
  }

  list(): readonly ImageRecord[] {
    return [...this.records.values()];
  }

  get(id: string): ImageRecord | undefined {
    return this.records.get(id);
  }

  find(isMatch: (record: ImageRecord) => boolean): ImageRecord | undefined {
    for (const record of this.records.values()) if (isMatch(record)) return record;
    return undefined;
  }

  /** Adds an image, or further names for one. A reference belongs to one image: it moves here. */
  async put(image: ImageRecord): Promise<ImageRecord> {
    const known = this.records.get(image.id);
    const merged: ImageRecord = {
      ...image,
      references: union(known?.references, image.references),
      repoDigests: union(known?.repoDigests, image.repoDigests),
    };
    const next = new Map(this.records);
    for (const other of this.records.values()) {
      const references = other.references.filter((name) => !image.references.includes(name));
      next.set(other.id, { ...other, references });
    }
    next.set(image.id, merged);
    await this.replace(next);
    return merged;
  }

  async drop(ids: readonly string[]): Promise<void> {
    await this.replace(new Map([...this.records].filter(([id]) => !ids.includes(id))));
  }

  /** Takes the name away; an image without any name left is gone. */
  async removeReference(name: string): Promise<void> {
    const next = new Map<string, ImageRecord>();
    for (const image of this.records.values()) {
      const names = [...image.references, ...image.repoDigests];
      const references = image.references.filter((reference) => reference !== name);
      const repoDigests = image.repoDigests.filter((reference) => reference !== name);
      const isKept = !names.includes(name) || references.length > 0;
      if (isKept) next.set(image.id, { ...image, references, repoDigests });
    }
    await this.replace(next);
  }

  private async replace(next: ReadonlyMap<string, ImageRecord>): Promise<void> {
    this.records = next;
    // In order, and always the newest state: a slow write must not overtake a later one.
    this.writing = this.writing
      .catch(() => undefined)
      .then(() => replaceFile(this.path, JSON.stringify({ images: this.list() })));
    await this.writing;
  }
}

const union = (
  known: readonly string[] | undefined,
  added: readonly string[],
): readonly string[] => [...new Set([...(known ?? []), ...added])];
