import { z } from 'zod';
import {
  assembleImage,
  LAYER_TYPES,
  measure,
  type ArchivedBlob,
  type ArchivedImage,
} from './archived-image';
import { readArchiveFile, type ArchiveFiles } from './archive-files';
import { CONFIG_MAX_BYTES, MANIFEST_MAX_BYTES, parseConfig } from './manifest';
import { normalizeReference } from './reference';

const schema = z
  .array(
    z.object({
      Config: z.string().max(4096),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string().max(4096)).max(512),
    }),
  )
  .min(1)
  .max(1000);

/** What `docker save` and skopeo's docker-archive write: `manifest.json` over configs and layers. */
export const readDockerArchive = async (files: ArchiveFiles): Promise<readonly ArchivedImage[]> => {
  const content = await readArchiveFile(files, 'manifest.json', MANIFEST_MAX_BYTES);
  const parsed = schema.safeParse(JSON.parse(content.toString('utf8')));
  if (!parsed.success) throw new Error('bad manifest.json: not a docker-archive');
  const images: ArchivedImage[] = [];
  for (const { Config, RepoTags, Layers } of parsed.data) {
    const config = await readArchiveFile(files, Config, CONFIG_MAX_BYTES);
    const { diffIds } = parseConfig(config, Layers.length);
    const layers: (ArchivedBlob & { readonly mediaType: string })[] = [];
    for (const [i, name] of Layers.entries()) {
      layers.push(await readLayer(files, name, diffIds[i] ?? ''));
    }
    const references = (RepoTags ?? []).map(normalizeReference);
    images.push(assembleImage(references, config, layers));
  }
  return images;
};

const readLayer = async (
  files: ArchiveFiles,
  name: string,
  diffId: string,
): Promise<ArchivedBlob & { readonly mediaType: string }> => {
  if ((await files.sizeOf(name)) === undefined) throw new Error(`the archive has no layer ${name}`);
  const { blob, compression } = await measure(() => files.open(name));
  if (compression === 'none' && blob.digest !== diffId) {
    throw new Error(`layer ${name} has the digest ${blob.digest}, its image expects ${diffId}`);
  }
  return { ...blob, mediaType: LAYER_TYPES[compression] };
};
