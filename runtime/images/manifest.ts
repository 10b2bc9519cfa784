import { z } from 'zod';
import { isDigest } from './reference';
import type { ImageConfig } from '../image-service';
import { inOneLine } from './words';

/** What a registry or an archive gave is not an image that can run here. */
export class ManifestError extends Error {
  override readonly name = 'ManifestError';
}

/** No layer of a sane image comes near. */
const BLOB_MAX_BYTES = 64 * 1024 ** 3;

const descriptorSchema = z.object({
  mediaType: z.string().max(256).optional(),
  digest: z.string().refine(isDigest, 'not a sha256 digest'),
  size: z.int().nonnegative().max(BLOB_MAX_BYTES),
  platform: z
    .object({
      os: z.string().optional(),
      architecture: z.string().optional(),
      variant: z.string().optional(),
    })
    .nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

const manifestSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(512),
});

const indexSchema = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.string().optional(),
  manifests: z.array(descriptorSchema).max(1000),
});

const strings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const text = z
  .string()
  .nullish()
  .transform((value) => value ?? '');

const configSchema = z.object({
  os: text,
  architecture: text,
  config: z
    .object({
      User: text,
      Env: strings,
      Entrypoint: strings,
      Cmd: strings,
      WorkingDir: text,
      StopSignal: text,
    })
    .partial()
    .nullish(),
  rootfs: z.object({
    diff_ids: z.array(z.string().refine(isDigest, 'not a sha256 digest')).max(512),
  }),
});

export type Descriptor = z.infer<typeof descriptorSchema>;
export type ImageManifest = z.infer<typeof manifestSchema>;
export type ImageIndex = z.infer<typeof indexSchema>;

/** What unpacking needs of an image's config, and what a container needs. */
export interface ParsedConfig {
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
  readonly os: string;
  readonly architecture: string;
}

/** Parses an image manifest or an index, OCI or Docker v2. @throws ManifestError */
export const parseManifest = (
  content: Buffer,
): { kind: 'manifest'; manifest: ImageManifest } | { kind: 'index'; index: ImageIndex } => {
  const json = parseJson(content, 'manifest');
  const hasManifests = typeof json === 'object' && json !== null && 'manifests' in json;
  if (hasManifests && ('layers' in json || 'config' in json))
    throw new ManifestError('manifest is an index, too: it means one thing here and another there');
  if (hasManifests) return { kind: 'index', index: check(indexSchema, json, 'image index') };
  if (typeof json === 'object' && json !== null && 'fsLayers' in json) {
    throw new ManifestError('schema 1 manifests are not supported: push the image again');
  }
  const manifest = check(manifestSchema, json, 'manifest');
  for (const { mediaType } of manifest.layers) {
    if (mediaType !== undefined && !LAYER_TYPES.test(mediaType)) {
      throw new ManifestError(
        `unsupported layer type ${inOneLine(mediaType, 100)}: not a container image`,
      );
    }
  }
  return { kind: 'manifest', manifest };
};

/** @throws ManifestError also when it does not list one diffID per layer. */
export const parseConfig = (content: Buffer, layerCount: number): ParsedConfig => {
  const parsed = check(configSchema, parseJson(content, 'image config'), 'image config');
  const diffIds = parsed.rootfs.diff_ids;
  if (diffIds.length !== layerCount) {
    throw new ManifestError(`image config lists ${diffIds.length} layers, manifest ${layerCount}`);
  }
  const config = parsed.config ?? {};
  return {
    diffIds,
    os: parsed.os,
    architecture: parsed.architecture,
    config: {
      env: config.Env ?? [],
      entrypoint: config.Entrypoint ?? [],
      cmd: config.Cmd ?? [],
      workingDir: config.WorkingDir ?? '',
      user: config.User ?? '',
      ...(config.StopSignal === undefined || config.StopSignal === ''
        ? {}
        : { stopSignal: config.StopSignal }),
    },
  };
};

const parseJson = (content: Buffer, what: string): unknown => {
  if (depthOf(content) > DEPTH_MAX) throw new ManifestError(`${what} is nested too deeply`);
  try {
    return JSON.parse(content.toString('utf8'));
  } catch (error) {
    throw new ManifestError(`${what} is not JSON`, { cause: error });
  }
};

const check = <T>(schema: z.ZodType<T>, json: unknown, what: string): T => {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = inOneLine(issue?.path.join('.') ?? '', 100);
  throw new ManifestError(`bad ${what}: ${where}: ${inOneLine(issue?.message ?? 'invalid', 200)}`);
};

/** How deeply objects and arrays lie in each other: parsing takes memory for each level. */
const depthOf = (json: Buffer): number => {
  let [depth, deepest, isText] = [0, 0, false];
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === QUOTE) isText = !isText;
    else if (isText && byte === BACKSLASH) i++;
    else if (isText) continue;
    else if (byte === BRACE || byte === BRACKET) deepest = Math.max(deepest, ++depth);
    else if (byte === BRACE + 2 || byte === BRACKET + 2) depth--;
  }
  return deepest;
};

const [QUOTE, BACKSLASH, BRACE, BRACKET] = [0x22, 0x5c, 0x7b, 0x5b];
const DEPTH_MAX = 64;

const LAYER_TYPES =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+gzip|\+zstd)?|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.gzip|\.zstd)?)$/;

/** What to ask a registry for. */
export const MANIFEST_TYPES = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
] as const;

export const MANIFEST_MAX_BYTES = 4 * 1024 * 1024;
export const CONFIG_MAX_BYTES = 8 * 1024 * 1024;
