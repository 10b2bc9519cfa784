import { blobOf, type ArchivedBlob, type ArchivedImage } from './archived-image';
import { readArchiveFile, type ArchiveFiles } from './archive-files';
import { digestOf, hexOf } from './content-store';
import {
  CONFIG_MAX_BYTES,
  MANIFEST_MAX_BYTES,
  parseConfig,
  parseManifest,
  type Descriptor,
} from './manifest';
import { choosePlatform } from './platform';
import { normalizeReference } from './reference';

/** An OCI image layout: `index.json` over blobs. Of an image for several platforms, this host's is taken. */
export const readOciLayout = async (files: ArchiveFiles): Promise<readonly ArchivedImage[]> => {
  const top = parseManifest(await readArchiveFile(files, 'index.json', MANIFEST_MAX_BYTES));
  if (top.kind !== 'index') throw new Error('bad index.json: not an OCI layout');
  const byName = new Map<string, Descriptor[]>();
  for (const descriptor of top.index.manifests) {
    const name = nameOf(descriptor) ?? '';
    byName.set(name, [...(byName.get(name) ?? []), descriptor]);
  }
  const images: ArchivedImage[] = [];
  for (const [name, descriptors] of byName) {
    const [only] = descriptors;
    const chosen = descriptors.length === 1 && only ? only : choosePlatform(descriptors);
    images.push(await readImage(files, chosen, name === '' ? [] : [name]));
  }
  if (images.length === 0) throw new Error('the OCI layout holds no image');
  return images;
};

const readImage = async (
  files: ArchiveFiles,
  descriptor: Descriptor,
  references: readonly string[],
): Promise<ArchivedImage> => {
  const content = await readBlob(files, descriptor.digest, MANIFEST_MAX_BYTES);
  const parsed = parseManifest(content);
  if (parsed.kind === 'index') {
    return readImage(files, choosePlatform(parsed.index.manifests), references);
  }
  const { config, layers } = parsed.manifest;
  const configContent = await readBlob(files, config.digest, CONFIG_MAX_BYTES);
  parseConfig(configContent, layers.length);
  const blobs: ArchivedBlob[] = [blobOf(configContent)];
  for (const layer of layers) blobs.push(await layerBlob(files, layer));
  const mediaType =
    parsed.manifest.mediaType ??
    descriptor.mediaType ??
    'application/vnd.oci.image.manifest.v1+json';
  return { references, manifest: content, mediaType, blobs };
};

const layerBlob = async (
  files: ArchiveFiles,
  { digest, size }: Descriptor,
): Promise<ArchivedBlob> => {
  const actual = await files.sizeOf(pathOf(digest));
  if (actual === undefined) throw new Error(`the archive has no layer ${digest}`);
  if (actual !== size) throw new Error(`layer ${digest} has ${actual} bytes, expected ${size}`);
  return { digest, sizeBytes: size, open: () => files.open(pathOf(digest)) };
};

const readBlob = async (files: ArchiveFiles, digest: string, maxBytes: number): Promise<Buffer> => {
  const content = await readArchiveFile(files, pathOf(digest), maxBytes);
  const actual = digestOf(content);
  if (actual !== digest) throw new Error(`blob ${digest} has the digest ${actual}`);
  return content;
};

/** The full name, as containerd writes it, or what the tool was given. */
const nameOf = ({ annotations }: Descriptor): string | undefined => {
  const full = annotations?.['io.containerd.image.name'];
  if (full !== undefined) return normalizeReference(full);
  const short = annotations?.['org.opencontainers.image.ref.name'];
  // By the spec this may be just a tag, which names nothing by itself.
  if (short === undefined || /^(?:latest|v?[0-9][\w.-]*)$/.test(short)) return undefined;
  return normalizeReference(short);
};

const pathOf = (digest: string): string => `blobs/sha256/${hexOf(digest)}`;
