import { systemClock, type Clock } from '../../lib/clock';
import { systemRandom, type Random } from '../../lib/random';
import type { PullProgress } from '../image-service';
import type { ArchivedImage, ImageArchive } from './archived-image';
import { digestOf } from './content-store';
import type { RegistryEndpoint } from './endpoints';
import { parseReference } from './reference';
import { RegistryClient } from './registry-client';

/**
 * Sends every image of an archive to a registry under each of its names; blobs that are there
 * already are not sent again. Returns the names. @throws RegistryStatusError, ConnectionError
 */
export const pushImage = async (
  archive: ImageArchive,
  endpoint: RegistryEndpoint,
  signal: AbortSignal,
  onProgress: (progress: PullProgress) => void = () => undefined,
  deps: { readonly clock: Clock; readonly random: Random } = {
    clock: systemClock,
    random: systemRandom,
  },
): Promise<readonly string[]> => {
  const names: string[] = [];
  for (const image of archive.images) {
    for (const name of image.references) {
      const reference = parseReference(name);
      const client = new RegistryClient(endpoint, reference, undefined, deps);
      await pushBlobs(image, client, signal, onProgress);
      const { manifest: content, mediaType } = image;
      await client.putManifest(reference.tag ?? digestOf(content), { content, mediaType }, signal);
      names.push(name);
    }
  }
  return names;
};

const pushBlobs = async (
  { blobs }: ArchivedImage,
  client: RegistryClient,
  signal: AbortSignal,
  onProgress: (progress: PullProgress) => void,
): Promise<void> => {
  const totalBytes = blobs.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  let doneBytes = 0;
  for (const blob of blobs) {
    const { digest, sizeBytes: size } = blob;
    if (!(await client.hasBlob(digest, signal))) {
      await client.upload({ digest, size }, () => blob.open(), signal);
    }
    doneBytes += size;
    onProgress({ doneBytes, totalBytes });
  }
};
