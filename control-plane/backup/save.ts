import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { ENCRYPTION_KEY_FILE } from '../../api/encryption-keys';
import { rfc3339, type Clock } from '../../lib/clock';
import { ensurePrivateFolder, readFileIfPresent } from '../../lib/files';
import { parseJson } from '../../lib/json';
import { etcdCredentialsOf } from '../etcd-credentials';
import { NEXT_AUTHORITY_FILE } from '../pki/authorities';
import { EtcdConnection } from '../store/etcd/connection';
import { STORE_ID_KEY } from '../store/etcd/keys';
import { snapshotPieces, type SnapshotSource } from '../store/etcd/snapshot';
import { ownEndpointOf } from '../store/etcd/supervise-etcd';
import { readHeader, writeSnapshot, type KeptFile, type SnapshotHeader } from './snapshot-file';

/** Where a server is, and how it was last started. Written by itself, into its data folder. */
export const SERVER_CONFIG_FILE = 'server-config.json';
export const SNAPSHOTS_FOLDER = 'snapshots';

export interface SaveOptions {
  /** Of the server. */
  readonly dataDir: string;
  /** Default: a name of its own, in the server's folder for snapshots. */
  readonly path?: string;
  /** In front of a name of its own. */
  readonly prefix?: string;
  /** In the place of the server's folder. */
  readonly folder?: string;
  /** Undefined: not sealed. */
  readonly passphrase: string | undefined;
  readonly dhowVersion: string;
  readonly clock: Clock;
}

export interface SavedSnapshot {
  readonly path: string;
  readonly bytes: number;
  readonly header: Omit<SnapshotHeader, 'format' | 'seal'>;
}

/**
 * Saves a cluster while its server runs: etcd's data, the keys without which nobody could read or serve
 * it, and how the server was started. @throws Error that says what is missing
 */
export const saveSnapshot = async (
  options: SaveOptions,
  signal: AbortSignal,
): Promise<SavedSnapshot> => {
  const { dataDir, clock } = options;
  const config = await readServerConfig(dataDir);
  const credentials = await etcdCredentialsOf(config);
  const source = {
    endpoint: endpointIn(config),
    ...(credentials === undefined ? {} : { credentials }),
  };
  const header = await headerOf(options, config, source, signal);
  const path = options.path ?? (await pathFor(options, header));
  const store = await begun(snapshotPieces({ ...source, clock }, signal));
  try {
    // Once the copy stands: a key that is added later seals nothing of what is in it.
    const files = await keptFiles(dataDir);
    const { bytes } = await writeSnapshot(path, { header, files, store }, options.passphrase);
    return { path, bytes, header };
  } finally {
    await store.return(undefined);
  }
};

/** Where the etcd of a server's data folder is asked, by who has its private socket. @throws Error */
export const etcdOf = async (dataDir: string): Promise<string> =>
  endpointIn(await readServerConfig(dataDir));

const endpointIn = ({ etcdEndpoints, runDir }: ServerConfigFile): string => {
  const [endpoint = ownEndpointOf(join(runDir, 'etcd'))] = etcdEndpoints;
  return endpoint;
};

/** The first line of a file. @throws Error when there is nothing in it */
export const readPassphrase = async (file: string): Promise<string> => {
  const [line = ''] = (await readFile(file, 'utf8')).split(/\r?\n/);
  if (line.length < PASSPHRASE_CHARACTERS_MIN)
    throw new Error(
      `${file}: a passphrase has ${PASSPHRASE_CHARACTERS_MIN} characters or more, in the first line`,
    );
  return line;
};

/** The same, of which the first piece is there already. */
const begun = async (pieces: AsyncGenerator<Buffer>): Promise<AsyncGenerator<Buffer>> => {
  const first = await pieces.next();
  return (async function* () {
    try {
      if (first.done !== true) yield first.value;
      yield* pieces;
    } finally {
      await pieces.return(undefined);
    }
  })();
};

/** The snapshots in a folder, the newest first; `problem` for a file that looks like one and is none. */
export const listSnapshots = async (folder: string): Promise<readonly ListedSnapshot[]> => {
  const names = await readdir(folder).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  const listed = await Promise.all(
    names
      .filter((name) => !name.startsWith('.'))
      .map(async (name) => {
        const path = join(folder, name);
        try {
          return { name, path, header: await readHeader(path) };
        } catch (error) {
          return { name, path, problem: error instanceof Error ? error.message : String(error) };
        }
      }),
  );
  const timeOf = ({ header }: ListedSnapshot) => header?.createdAt ?? '';
  return listed.sort((a, b) => (timeOf(a) < timeOf(b) ? 1 : -1));
};

export interface ListedSnapshot {
  readonly name: string;
  readonly path: string;
  readonly header?: SnapshotHeader;
  readonly problem?: string;
}

/** Deletes all but the newest `count` of those whose names begin with `prefix`, of this cluster. */
export const pruneSnapshots = async (
  folder: string,
  { prefix, storeId, count }: { prefix: string; storeId: string; count: number },
): Promise<readonly string[]> => {
  const own = (await listSnapshots(folder)).filter(
    ({ name, header }) => name.startsWith(prefix) && header?.storeId === storeId,
  );
  const old = own.slice(count);
  for (const { path } of old) await rm(path, { force: true });
  return old.map(({ name }) => name);
};

const headerOf = async (
  { dhowVersion, clock }: SaveOptions,
  { clusterName }: ServerConfigFile,
  { endpoint, ...source }: Omit<SnapshotSource, 'clock'>,
  signal: AbortSignal,
): Promise<SavedSnapshot['header']> => {
  using connection = new EtcdConnection({ endpoints: [endpoint], ...source });
  const { kvs, header } = await connection.range({ key: STORE_ID_KEY }, signal);
  const storeId = kvs[0]?.value.toString();
  if (storeId === undefined)
    throw new Error(`${connection.name} holds no cluster of Dhow: there is nothing to save`);
  const status = await connection.call(
    ({ maintenance }) => maintenance.status.bind(maintenance),
    {},
    signal,
  );
  return {
    ...{ createdAt: rfc3339(clock.now()), clusterName, storeId, dhowVersion },
    ...{ revision: header?.revision ?? 0, etcdVersion: status.version },
  };
};

const keptFiles = async (dataDir: string): Promise<readonly KeptFile[]> => {
  const files: KeptFile[] = [];
  for (const path of [...NEEDED_FILES, ...WELCOME_FILES]) {
    const content = await readFileIfPresent(join(dataDir, path));
    if (content !== undefined) files.push({ path, content: Buffer.from(content) });
    else if (NEEDED_FILES.includes(path))
      throw new Error(
        `${join(dataDir, path)} is not there: without it a snapshot could not be restored`,
      );
  }
  return files;
};

const pathFor = async (
  { dataDir, folder = join(dataDir, SNAPSHOTS_FOLDER), prefix = '' }: SaveOptions,
  { clusterName, revision, createdAt }: SavedSnapshot['header'],
): Promise<string> => {
  if (folder.startsWith(dataDir)) await ensurePrivateFolder(folder);
  else await mkdir(folder, { recursive: true, mode: 0o700 });
  const time = createdAt.replace(/\.\d+/, '').replace(/[-:]/g, '');
  const cluster = clusterName.replace(/[^A-Za-z0-9_.-]/g, '-');
  return join(folder, `${prefix}${cluster}-${time}-${revision}${SUFFIX}`);
};

type ServerConfigFile = z.output<typeof SERVER_CONFIG>;

const readServerConfig = async (dataDir: string): Promise<ServerConfigFile> => {
  const path = join(dataDir, SERVER_CONFIG_FILE);
  const text = await readFileIfPresent(path);
  if (text === undefined)
    throw new Error(`${path} is not there: no server has run with this data folder`);
  const { success, data } = SERVER_CONFIG.safeParse(jsonOf(text));
  if (!success) throw new Error(`${path} is damaged: start the server again, it writes it anew`);
  return data;
};

const jsonOf = (text: string): unknown => {
  try {
    return parseJson(text);
  } catch {
    return undefined;
  }
};

const SERVER_CONFIG = z.object({
  runDir: z.string().min(1),
  etcdEndpoints: z.array(z.string()),
  etcdCaFile: z.string().optional(),
  etcdCertFile: z.string().optional(),
  etcdKeyFile: z.string().optional(),
  clusterName: z.string(),
});
const NEEDED_FILES: readonly string[] = ['pki/ca.crt', 'pki/ca.key', ENCRYPTION_KEY_FILE];
/** The next authority is there while one is replaced; the keys of tokens are made when first asked for. */
const WELCOME_FILES = [
  `pki/${NEXT_AUTHORITY_FILE}`,
  'pki/sa.key',
  'tokens.json',
  SERVER_CONFIG_FILE,
];
const PASSPHRASE_CHARACTERS_MIN = 12;
const SUFFIX = '.snapshot';
