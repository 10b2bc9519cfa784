import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, syncFolder } from '../../lib/files';
import { folderOf } from './names';

/** A manifest of a repository: its content is a blob. */
export interface ManifestEntry {
  readonly digest: string;
  readonly mediaType: string;
}

/** Which manifests and tags each repository has, as small files: `NAME/tags/TAG`, `NAME/manifests/HEX`. */
export class Catalog {
  constructor(private readonly dir: string) {}

  async names(): Promise<string[]> {
    const names = (await list(this.dir)).map(decodeURIComponent).sort();
    const hasManifest = await Promise.all(
      names.map(async (n) => (await this.manifests(n)).length > 0),
    );
    return names.filter((_, i) => hasManifest[i]);
  }

  async tags(name: string): Promise<string[] | undefined> {
    const folder = this.folder(name);
    const known = await list(this.dir);
    if (!known.includes(folderOf(name))) return undefined;
    return (await list(join(folder, 'tags'))).sort();
  }

  manifests(name: string): Promise<string[]> {
    return list(join(this.folder(name), 'manifests')).then((names) =>
      names.map((hex) => `sha256:${hex}`),
    );
  }

  byTag(name: string, tag: string): Promise<ManifestEntry | undefined> {
    return read(join(this.folder(name), 'tags', tag));
  }

  byDigest(name: string, digest: string): Promise<ManifestEntry | undefined> {
    return read(this.manifestFile(name, digest));
  }

  async put(name: string, entry: ManifestEntry, tag: string | undefined): Promise<void> {
    await write(this.manifestFile(name, entry.digest), entry);
    if (tag !== undefined) await write(join(this.folder(name), 'tags', tag), entry);
  }

  /** False when there was none. Deleting a manifest deletes the tags that name it. */
  async delete(name: string, reference: string, isTag: boolean): Promise<boolean> {
    const folder = this.folder(name);
    if (isTag) {
      if ((await this.byTag(name, reference)) === undefined) return false;
      await rm(join(folder, 'tags', reference), { force: true });
      return true;
    }
    if ((await this.byDigest(name, reference)) === undefined) return false;
    for (const tag of await list(join(folder, 'tags'))) {
      const entry = await this.byTag(name, tag);
      if (entry?.digest === reference) await rm(join(folder, 'tags', tag), { force: true });
    }
    await rm(this.manifestFile(name, reference), { force: true });
    return true;
  }

  private manifestFile(name: string, digest: string): string {
    return join(this.folder(name), 'manifests', digest.slice('sha256:'.length));
  }

  private folder(name: string): string {
    return join(this.dir, folderOf(name));
  }
}

const list = async (folder: string): Promise<string[]> => {
  try {
    return (await readdir(folder)).filter((name) => !name.startsWith('.'));
  } catch (error) {
    return absent(error, []);
  }
};

const read = async (file: string): Promise<ManifestEntry | undefined> => {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ManifestEntry;
  } catch (error) {
    return absent<ManifestEntry | undefined>(error, undefined);
  }
};

/** What cannot be read is not what is not there: the garbage collector must not take it so. */
const absent = <T>(error: unknown, value: T): T => {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return value;
  throw error;
};

const write = async (file: string, entry: ManifestEntry): Promise<void> => {
  const folder = join(file, '..');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await replaceFile(file, JSON.stringify(entry));
  // The repository and the list of repositories may be new.
  for (const up of ['..', '../..']) await syncFolder(join(folder, up));
};
