import { existsSync } from 'node:fs';
import { parseJson } from '../../lib/json';
import { pushImage, readImageArchive, type RegistryEndpoint } from '../../runtime/images';
import type { CliContext } from '../context';
import { formatViews, outputFormat } from '../output/format';
import { formatTable } from '../output/table';
import { UsageError } from '../usage-error';

export interface ImportOptions {
  readonly rootfs?: boolean;
  readonly tag?: string;
}

/** Sends the images of a file or folder to the cluster's registry, from which every node pulls. */
export const importImages = async (
  context: CliContext,
  path: string,
  options: ImportOptions,
): Promise<void> => {
  if (options.rootfs === true && options.tag === undefined) {
    throw new UsageError('--rootfs needs the name of the image: -t NAME:TAG');
  }
  if (!existsSync(path)) throw new UsageError(`the path "${path}" does not exist`);
  const { terminal, signal } = context;
  await using archive = await readImageArchive(path, {
    ...(options.rootfs === undefined ? {} : { rootfs: options.rootfs }),
    ...(options.tag === undefined ? {} : { reference: options.tag }),
  });
  const names = await pushImage(
    archive,
    endpointOf(context),
    signal,
    ({ doneBytes, totalBytes }) => {
      if (!terminal.isInteractive) return;
      const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes * 100) / totalBytes);
      terminal.err.write(`\r${path}: ${percent}% of ${megabytes(totalBytes)}`);
    },
  );
  if (terminal.isInteractive) terminal.err.write('\r\x1b[K');
  for (const name of names) terminal.out.write(`${name} imported\n`);
};

const endpointOf = ({ config }: CliContext): RegistryEndpoint => ({
  baseUrl: config.server,
  isMirror: true,
  tls: {
    ...(config.ca === undefined ? {} : { ca: config.ca }),
    ...(config.cert === undefined ? {} : { cert: config.cert }),
    ...(config.key === undefined ? {} : { key: config.key }),
  },
});

interface ListedImage {
  readonly name: string;
  readonly tag: string;
  readonly digest: string;
  readonly sizeBytes: number;
}

/** What the cluster's registry holds. */
export const listImages = async (
  context: CliContext,
  { output }: { readonly output?: string },
): Promise<void> => {
  const format = outputFormat(output);
  const images = await readCatalog(context);
  const names = images.map(({ name, tag }) => `${name}:${tag}`);
  const table = (isWide: boolean) => imageTable(images, isWide);
  context.terminal.out.write(formatViews({ document: images, names, table }, format));
};

const imageTable = (images: readonly ListedImage[], isWide: boolean): string =>
  formatTable(
    ['IMAGE', 'TAG', 'DIGEST', 'SIZE'],
    images.map(({ name, tag, digest, sizeBytes }) => [
      name,
      tag,
      isWide ? digest : digest.slice(7, 19),
      megabytes(sizeBytes),
    ]),
  );

const readCatalog = async (context: CliContext): Promise<ListedImage[]> => {
  const catalog = await registryJson(context, '/v2/_catalog');
  const images: ListedImage[] = [];
  for (const name of (catalog.body as { repositories: string[] }).repositories) {
    const { body } = await registryJson(context, `/v2/${name}/tags/list`);
    for (const tag of (body as { tags: string[] | null }).tags ?? []) {
      const manifest = await registryJson(context, `/v2/${name}/manifests/${tag}`);
      const layers = (manifest.body as Manifest).layers ?? [];
      const sizeBytes = layers.reduce((sum, { size }) => sum + size, 0);
      images.push({ name, tag, digest: manifest.digest, sizeBytes });
    }
  }
  return images;
};

interface Manifest {
  readonly layers?: readonly { readonly size: number }[];
}

const registryJson = async (
  { client, signal }: CliContext,
  path: string,
): Promise<{ readonly body: unknown; readonly digest: string }> => {
  const response = await client.http.open({ method: 'GET', path, accept: '*/*', signal });
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  const digest = response.headers['docker-content-digest'];
  return {
    body: parseJson(Buffer.concat(chunks)),
    digest: typeof digest === 'string' ? digest : '',
  };
};

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
