import type { Clock } from '../../lib/clock';
import { BlobStore } from './blob-store';
import type { Catalog } from './catalog';

/** Deletes blobs that no manifest names, unless they are young enough to be part of a push. */
export const collectUnused = async (
  blobs: BlobStore,
  catalog: Catalog,
  clock: Clock,
): Promise<void> => {
  const used = new Set<string>();
  for (const name of await catalog.names()) {
    for (const digest of await catalog.manifests(name)) {
      used.add(digest);
      for (const part of await partsOf(blobs, digest)) used.add(part);
    }
  }
  // Files are stamped by this machine's own wall clock.
  await blobs.sweep(used, MIN_AGE_MS, clock.now());
};

const partsOf = async (blobs: BlobStore, digest: string): Promise<string[]> => {
  const size = await blobs.sizeOf(digest);
  if (size === undefined || size > MAX_MANIFEST_BYTES) return [];
  const chunks: Buffer[] = [];
  for await (const chunk of blobs.read(digest) as AsyncIterable<Buffer>) chunks.push(chunk);
  return digestsIn(Buffer.concat(chunks).toString());
};

/** Every digest that a manifest or index mentions: config, layers, manifests, subject. */
export const digestsIn = (text: string): string[] => text.match(/sha256:[0-9a-f]{64}/g) ?? [];

export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
const MIN_AGE_MS = 24 * 3_600_000;
