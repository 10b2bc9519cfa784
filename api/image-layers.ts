import { stringifyJson } from '../lib/json';
/**
 * What a node says of its images' layers: a JSON object of image name to `[digest, bytes]` pairs.
 * An image that it leaves out counts as one layer of the size in `status.images`.
 */
export const IMAGE_LAYERS_ANNOTATION = 'dhow.dev/image-layers';

export interface NamedLayers {
  readonly references: readonly string[];
  readonly layers: readonly { readonly digest: string; readonly sizeBytes: number }[];
}

/** The annotation's value, at most `IMAGE_LAYERS_LENGTH_MAX` long: images beyond that are left out. */
export const formatImageLayers = (images: readonly NamedLayers[]): string => {
  const entries: string[] = [];
  let length = 2;
  for (const { references, layers } of images) {
    const [name] = references;
    if (name === undefined) continue;
    const pairs = layers.map(({ digest, sizeBytes }) => [digest, sizeBytes]);
    const entry = `${JSON.stringify(name)}:${stringifyJson(pairs)}`;
    length += entry.length + 1;
    if (length > IMAGE_LAYERS_LENGTH_MAX) break;
    entries.push(entry);
  }
  return `{${entries.join(',')}}`;
};

// Annotations of an object may have 256 KiB in all.
export const IMAGE_LAYERS_LENGTH_MAX = 128 * 1024;
