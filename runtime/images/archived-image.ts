import { createHash } from 'node:crypto';
import { compressionOf, type Compression } from '../rootfs/decompress';
import { digestOf } from './content-store';

/** One image out of a file or folder, ready to be pushed or installed. */
export interface ArchivedImage {
  /** Normalised; at least one. */
  readonly references: readonly string[];
  readonly manifest: Buffer;
  readonly mediaType: string;
  /** The config and the layers. */
  readonly blobs: readonly ArchivedBlob[];
}

export interface ArchivedBlob {
  readonly digest: string;
  readonly sizeBytes: number;
  /** From the start, each time. */
  open(): AsyncIterable<Buffer>;
}

export interface ImageArchive extends AsyncDisposable {
  readonly images: readonly ArchivedImage[];
}

/** An OCI manifest over a config and layers that had none. */
export const assembleImage = (
  references: readonly string[],
  config: Buffer,
  layers: readonly (ArchivedBlob & { readonly mediaType: string })[],
): ArchivedImage => {
  const configBlob = blobOf(config);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const manifest = {
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: 'application/vnd.oci.image.config.v1+json',
      digest: configBlob.digest,
      size: configBlob.sizeBytes,
    },
    layers: layers.map((layer) => ({
      mediaType: layer.mediaType,
      digest: layer.digest,
      size: layer.sizeBytes,
    })),
  };
  const blobs = [configBlob, ...layers];
  return { references, manifest: Buffer.from(JSON.stringify(manifest)), mediaType, blobs };
};

export const blobOf = (content: Buffer): ArchivedBlob => ({
  digest: digestOf(content),
  sizeBytes: content.length,
  open: () =>
    (async function* () {
      yield content;
    })(),
});

/** Digest, size and compression of a blob read once from the start. */
export const measure = async (
  open: () => AsyncIterable<Buffer>,
): Promise<{ blob: ArchivedBlob; compression: Compression }> => {
  const hash = createHash('sha256');
  let sizeBytes = 0;
  let compression: Compression | undefined;
  for await (const chunk of open()) {
    compression ??= compressionOf(chunk);
    hash.update(chunk);
    sizeBytes += chunk.length;
  }
  const digest = `sha256:${hash.digest('hex')}`;
  return { blob: { digest, sizeBytes, open }, compression: compression ?? 'none' };
};

export const LAYER_TYPES: Readonly<Record<Compression, string>> = {
  none: 'application/vnd.oci.image.layer.v1.tar',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  zstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
};
