import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { ImageError } from '../image-service';
import { decompressed } from '../rootfs/decompress';
import { TarError } from '../rootfs/tar-header';
import { TarParser } from '../rootfs/tar-parser';
import { openArchiveFiles, readArchiveFile, type ArchiveFiles } from './archive-files';
import {
  assembleImage,
  LAYER_TYPES,
  measure,
  type ArchivedImage,
  type ImageArchive,
} from './archived-image';
import { readDockerArchive } from './docker-archive';
import { readOciLayout } from './oci-layout';
import { hostPlatform } from './platform';
import { formatReference, normalizeReference, parseReference } from './reference';

export interface ReadArchiveOptions {
  /** The file is the tar of a root file system, not of an image. */
  readonly rootfs?: boolean;
  /** Name for an archive that has none, or instead of the one it has. */
  readonly reference?: string;
}

/**
 * Opens what `docker save`, skopeo, podman, buildah or umoci wrote: a docker-archive, an OCI archive
 * or an OCI layout folder; with `rootfs`, any tar of a root file system. gzip and zstd are detected.
 * @throws ImageError `InvalidImageName`, or Error saying what is wrong with the file.
 */
export const readImageArchive = async (
  path: string,
  options: ReadArchiveOptions = {},
): Promise<ImageArchive> => {
  try {
    return options.rootfs === true
      ? await readRootfs(path, options.reference)
      : await readImages(path, options.reference);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new Error(`${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
};

const readImages = async (path: string, reference: string | undefined): Promise<ImageArchive> => {
  const files = await openArchiveFiles(path);
  try {
    const found = await readEither(files);
    const names = reference === undefined ? undefined : [normalizeReference(reference)];
    if (names !== undefined && found.length > 1) {
      throw new Error(`the archive holds ${found.length} images, so one name cannot be given`);
    }
    const images = found.map((image) => ({ ...image, references: names ?? image.references }));
    if (images.some(({ references }) => references.length === 0)) {
      throw new Error('the archive does not name its image: give a name');
    }
    return { images, [Symbol.asyncDispose]: () => files[Symbol.asyncDispose]() };
  } catch (error) {
    await files[Symbol.asyncDispose]();
    throw error;
  }
};

const readEither = async (files: ArchiveFiles): Promise<readonly ArchivedImage[]> => {
  // Docker 25 and later write both; this one has the full names.
  if ((await files.sizeOf('manifest.json')) !== undefined) return readDockerArchive(files);
  if ((await files.sizeOf('index.json')) !== undefined) {
    await readArchiveFile(files, 'oci-layout', 4096);
    return readOciLayout(files);
  }
  throw new Error(
    'neither a docker-archive (manifest.json) nor an OCI layout (index.json); a plain root file system needs --rootfs',
  );
};

const readRootfs = async (path: string, reference: string | undefined): Promise<ImageArchive> => {
  const name = formatReference(parseReference(reference ?? nameFromFile(path)));
  if (!(await stat(path)).isFile()) throw new Error('not a file');
  await checkTar(path);
  const { blob, compression } = await hashFile(path);
  const diffId = compression === 'none' ? blob.digest : await digestOfUnpacked(path);
  const config = Buffer.from(
    JSON.stringify({
      ...hostPlatform(),
      config: { Env: [`PATH=${DEFAULT_PATH}`], Cmd: ['/bin/sh'], WorkingDir: '/' },
      rootfs: { type: 'layers', diff_ids: [diffId] },
    }),
  );
  const image = assembleImage([name], config, [{ ...blob, mediaType: LAYER_TYPES[compression] }]);
  return { images: [image], [Symbol.asyncDispose]: () => Promise.resolve() };
};

/** A root file system is kept as it comes; a file that is no tar must fail here, not on every node. */
const checkTar = async (path: string): Promise<void> => {
  let entryCount = 0;
  const parser = new TarParser({
    entry: () => undefined,
    data: () => undefined,
    entryEnd: () => {
      entryCount += 1;
    },
  });
  for await (const chunk of decompressed(path)) parser.push(chunk);
  parser.end();
  if (entryCount === 0) throw new TarError('the archive is empty');
};

const hashFile = (path: string): ReturnType<typeof measure> =>
  measure(() => createReadStream(path, { highWaterMark: 256 * 1024 }));

const digestOfUnpacked = async (path: string): Promise<string> => {
  const { blob } = await measure(() => decompressed(path));
  return blob.digest;
};

/** `dir/web.tar.gz` → `web`. */
const nameFromFile = (path: string): string =>
  basename(path).replace(/(?:\.tar)?(?:\.gz|\.zst|\.tgz|\.tar)?$/, '');

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
