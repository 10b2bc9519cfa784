import { IMAGE_LAYERS_ANNOTATION, IMAGE_LAYERS_LENGTH_MAX } from '../../api/image-layers';
import type { Node } from '../../api/types';
import { parseJson } from '../../lib/json';

/** A part of an image that a node holds or must fetch. */
export interface Layer {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Image names as users and agents write them, in one form: `nginx` is `docker.io/library/nginx:latest`. */
export const imageKey = (image: string): string => {
  const bare = image.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '');
  const hasTag = bare.lastIndexOf(':') > bare.lastIndexOf('/') || bare.includes('@');
  return hasTag ? bare : `${bare}:latest`;
};

/** The images a node holds, by `imageKey`. Whatever an agent sends, this does not throw. */
export const imagesOf = (node: Node): ReadonlyMap<string, readonly Layer[]> => {
  const known = parseLayers(node.metadata.annotations?.[IMAGE_LAYERS_ANNOTATION]);
  const images = new Map<string, readonly Layer[]>();
  for (const { names, sizeBytes } of (node.status.images ?? []).slice(0, IMAGES_MAX)) {
    const keys = (names ?? []).map(imageKey);
    const [first] = keys;
    if (first === undefined) continue;
    const layers = keys.map((key) => known.get(key)).find((each) => each !== undefined) ?? [
      { digest: `image:${first}`, sizeBytes: Math.max(0, Number(sizeBytes ?? 0)) },
    ];
    for (const key of keys) images.set(key, layers);
  }
  return images;
};

const parseLayers = (text: string | undefined): ReadonlyMap<string, readonly Layer[]> => {
  if (text === undefined || text.length > IMAGE_LAYERS_LENGTH_MAX) return new Map();
  try {
    const value: unknown = parseJson(text);
    if (typeof value !== 'object' || value === null) return new Map();
    return new Map(
      Object.entries(value).map(([name, layers]) => [imageKey(name), parseLayerList(layers)]),
    );
  } catch {
    // A node that writes nonsense is scored by the sizes of its images alone.
    return new Map();
  }
};

const parseLayerList = (value: unknown): readonly Layer[] =>
  (Array.isArray(value) ? (value as readonly unknown[]) : []).flatMap((pair) => {
    if (!Array.isArray(pair)) return [];
    const [digest, sizeBytes] = pair as readonly unknown[];
    return typeof digest === 'string' && typeof sizeBytes === 'number' && sizeBytes >= 0
      ? [{ digest, sizeBytes }]
      : [];
  });

const IMAGES_MAX = 1000;
