import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

import { replaceFile, syncFolder } from '../../lib/files';
import { parseJson, stringifyJson } from '../../lib/json';
import { describeError, type Log } from '../../lib/log';
import type { ImageService, PulledImage, RegistryCredentials } from '../../runtime/image-service';
import { normalizeReference, parseReference, repositoryName } from '../../runtime/images';
import { listFolder } from '../files';
import { isAllowed, withAccess, type AccessByRepository, type KnownSecret } from './pull-access';
import type { SecretCredentials } from './pull-credentials';

interface PullRecordsDeps {
  /** Made when first needed; one process at a time. */
  readonly directory: string;
  readonly images: Pick<ImageService, 'find' | 'list'>;
  readonly log: Log;
}

/**
 * With what each image on this node was brought, so that a pod which could not have pulled an image
 * does not get it because another pod did (KEP-2535). Keeps the policy NeverVerifyPreloadedImages: an
 * image that no pull of this agent brought is for everybody.
 *
 * A record outlives a power cut, and there is one whenever the image is there: what is being pulled
 * with credentials is written down before. A record that cannot be read allows nobody.
 */
export class PullRecords {
  /** By file name, which is a hash of the image's id. */
  private records: ReadonlyMap<string, AccessByRepository> = new Map();
  /** Normalised reference → pulls under way. */
  private readonly intents = new Map<string, number>();
  private writing: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: PullRecordsDeps) {}

  /**
   * Reads what an earlier agent knew, and finds out what became of the pulls it was at. Where the disk
   * takes no more, what is found out holds, and is found out again at the next start.
   */
  async load(): Promise<void> {
    const pulled = await this.read(this.pulledDir, recordSchema);
    this.records = new Map(pulled.map(({ name, value }) => [name, value?.access ?? {}]));
    for (const { name, value } of await this.read(this.pullingDir, intentSchema))
      await this.attempt(name, async () => {
        // Whatever that pull was for: all images without a record may be it.
        if (value === undefined) await this.forbid(await this.deps.images.list());
        else await this.settle(value.reference);
        await rm(join(this.pullingDir, name), { force: true });
      });
    await this.attempt('images that are gone', () => this.prune());
  }

  /** Whether a pod with the `offered` credentials may use an image that is here, unasked. */
  allows(imageId: string, reference: string, offered: readonly SecretCredentials[]): boolean {
    const repository = repositoryOf(reference);
    const record = this.records.get(fileNameOf(imageId));
    if (record !== undefined) return isAllowed(record[repository], offered.map(knownOf));
    return ![...this.intents.keys()].some((name) => repositoryOf(name) === repository);
  }

  /** Runs `pull` and writes down with which of the `offered` credentials it brought the image. */
  async recording(
    reference: string,
    offered: readonly SecretCredentials[],
    pull: () => Promise<PulledImage>,
  ): Promise<PulledImage> {
    const name = normalizeReference(reference);
    const isSecret = offered.length > 0;
    if (isSecret) await this.begin(name);
    const image = await this.pulled(name, isSecret, pull);
    // Without its record the image would be everybody's after a restart: then the intent stays.
    await this.note(image.id, reference, offered, image.credentials);
    if (isSecret) await this.end(name);
    return image;
  }

  /**
   * `credentials`, one of the `offered`, may read the image; undefined: everybody may.
   * A record that cannot be written holds until this process ends.
   */
  async note(
    imageId: string,
    reference: string,
    offered: readonly SecretCredentials[],
    credentials: RegistryCredentials | undefined,
  ): Promise<void> {
    const access = credentials === undefined ? 'anyone' : secretsWith(credentials, offered);
    const file = fileNameOf(imageId);
    const known = this.records.get(file);
    const next = withAccess(known ?? {}, repositoryOf(reference), access);
    if (next === known) return;
    this.records = new Map([...this.records, [file, next]]);
    await this.save(file);
  }

  /** Forgets images that are gone. */
  async prune(): Promise<void> {
    const before = this.records;
    const present = new Set((await this.deps.images.list()).map(({ id }) => fileNameOf(id)));
    // What was noted meanwhile may be of an image that was not there yet.
    const gone = [...before].filter(
      ([file, record]) => !present.has(file) && this.records.get(file) === record,
    );
    if (gone.length === 0) return;
    const files = new Set(gone.map(([file]) => file));
    this.records = new Map([...this.records].filter(([file]) => !files.has(file)));
    for (const file of files) await this.save(file);
  }

  /** Names of secrets of a namespace that would do. Of others nobody is told. */
  expectedSecrets(imageId: string, reference: string, namespace: string): readonly string[] {
    const access = this.records.get(fileNameOf(imageId))?.[repositoryOf(reference)];
    if (access === undefined || access === 'anyone') return [];
    return access.flatMap((secret) => (secret.namespace === namespace ? secret.name : []));
  }

  private async pulled(
    reference: string,
    isSecret: boolean,
    pull: () => Promise<PulledImage>,
  ): Promise<PulledImage> {
    try {
      return await pull();
    } catch (error) {
      if (isSecret) await this.abandon(reference);
      throw error;
    }
  }

  /** The pull may have ended well just before it was given up. */
  private async abandon(reference: string): Promise<void> {
    await this.attempt(reference, async () => {
      await this.settle(reference);
      await this.end(reference);
    });
  }

  private async attempt(subject: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.deps.log.error({ subject, err: describeError(error) }, 'record of a pull not written');
    }
  }

  /** Nobody knows with what the image came, if it did: all have to show that they may use it. */
  private async settle(reference: string): Promise<void> {
    const image = await this.deps.images.find(reference).catch(() => undefined);
    if (image !== undefined) await this.forbid([image]);
  }

  /** All of them at once, then on disk. */
  private async forbid(images: readonly { readonly id: string }[]): Promise<void> {
    const files = images.map(({ id }) => fileNameOf(id)).filter((file) => !this.records.has(file));
    this.records = new Map([...this.records, ...files.map((file) => [file, {}] as const)]);
    for (const file of files) await this.save(file);
  }

  private async begin(reference: string): Promise<void> {
    const count = this.intents.get(reference) ?? 0;
    this.intents.set(reference, count + 1);
    try {
      await this.inTurn(async () => {
        await mkdir(this.pullingDir, { recursive: true, mode: 0o700 });
        await replaceFile(this.intentPath(reference), stringifyJson({ reference }));
      });
    } catch (error) {
      this.release(reference);
      throw error;
    }
  }

  private async end(reference: string): Promise<void> {
    if (!this.release(reference)) return;
    await this.inTurn(async () => {
      // Another pull of it may have begun while this waited for its turn.
      if (this.intents.has(reference)) return;
      await rm(this.intentPath(reference), { force: true });
    });
  }

  /** True when it was the last. */
  private release(reference: string): boolean {
    const count = (this.intents.get(reference) ?? 1) - 1;
    if (count > 0) this.intents.set(reference, count);
    else this.intents.delete(reference);
    return count <= 0;
  }

  private async save(file: string): Promise<void> {
    await this.inTurn(async () => {
      const access = this.records.get(file);
      const path = join(this.pulledDir, file);
      await mkdir(this.pulledDir, { recursive: true, mode: 0o700 });
      if (access === undefined) await rm(path, { force: true });
      else await replaceFile(path, stringifyJson({ access }));
      if (access === undefined) await syncFolder(this.pulledDir);
    });
  }

  /** A write must not overtake an earlier one of the same file. */
  private async inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.writing.catch(() => undefined).then(work);
    this.writing = turn;
    await turn;
  }

  /** The files of a folder; `value` is undefined for one that makes no sense. */
  private async read<T>(
    folder: string,
    schema: z.ZodType<T>,
  ): Promise<readonly { readonly name: string; readonly value: T | undefined }[]> {
    const files: { readonly name: string; readonly value: T | undefined }[] = [];
    for (const name of await listFolder(folder)) {
      if (FILE_NAME.test(name))
        files.push({ name, value: await this.readOne(join(folder, name), schema) });
      // Half-written, or not ours.
      else await rm(join(folder, name), { recursive: true, force: true });
    }
    return files;
  }

  private async readOne<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    try {
      return schema.parse(parseJson(await readFile(path, 'utf8')));
    } catch (error) {
      this.deps.log.warn({ path, err: describeError(error) }, 'record of a pull is damaged');
      return undefined;
    }
  }

  private get pulledDir(): string {
    return join(this.deps.directory, 'pulled');
  }

  private get pullingDir(): string {
    return join(this.deps.directory, 'pulling');
  }

  private intentPath(reference: string): string {
    return join(this.pullingDir, fileNameOf(reference));
  }
}

const repositoryOf = (reference: string): string => repositoryName(parseReference(reference));

const secretsWith = (
  credentials: RegistryCredentials,
  offered: readonly SecretCredentials[],
): readonly KnownSecret[] => {
  const hash = hashOf(credentials);
  return offered.map(knownOf).filter((secret) => secret.hash === hash);
};

const knownOf = ({ credentials, secret }: SecretCredentials): KnownSecret => ({
  ...secret,
  hash: hashOf(credentials),
});

const hashOf = ({ username, password }: RegistryCredentials): string =>
  sha256(stringifyJson([username, password]));

/** References are longer than file names may be. */
const fileNameOf = (key: string): string => `${sha256(key)}.json`;

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

const FILE_NAME = /^[0-9a-f]{64}\.json$/;

const secretSchema = z.object({
  namespace: z.string(),
  name: z.string(),
  uid: z.string(),
  hash: z.string(),
});
const recordSchema = z.object({
  access: z.record(z.string(), z.union([z.literal('anyone'), z.array(secretSchema)])),
});
const intentSchema = z.object({ reference: z.string() });
