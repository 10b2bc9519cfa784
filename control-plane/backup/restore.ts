import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { rfc3339, type Clock } from '../../lib/clock';
import { describeError } from '../../lib/describe-error';
import { ensurePrivateFolder, replaceFile, syncFolder } from '../../lib/files';
import { stringifyJson } from '../../lib/json';
import { KeyValue } from '../../proto/gen/etcd/kv';
import { RESTORED_PREFIX } from '../store/etcd/keys';
import { memberFlags } from '../store/etcd/supervise-etcd';
import { BoltFile } from './bolt-file';
import { readSnapshot, type SnapshotHeader } from './snapshot-file';

export interface RestoreOptions {
  readonly path: string;
  readonly passphrase: string | undefined;
  /** Of the server to be. It must not be there, or be empty. */
  readonly dataDir: string;
  readonly clock: Clock;
}

export interface RestoredSnapshot {
  readonly header: SnapshotHeader;
  /** Of the snapshot's newest object. */
  readonly revision: number;
  /** At which the restored store begins. */
  readonly nextRevision: number;
}

/**
 * Makes the data folder of a server from a snapshot; no server of the cluster may run. It is there whole
 * or not at all. All revisions that the lost cluster may have handed out lie before the first of the
 * restored one, and count as compacted: who watches from one of them is told to list anew.
 * @throws Error that says what stands against it; nothing has been changed then
 */
export const restoreSnapshot = async (
  { path, passphrase, dataDir, clock }: RestoreOptions,
  signal: AbortSignal,
): Promise<RestoredSnapshot> => {
  await checkFree(dataDir);
  await mkdir(dirname(dataDir), { recursive: true });
  const unfinished = join(dirname(dataDir), `.${basename(dataDir)}.restoring`);
  await rm(unfinished, { recursive: true, force: true });
  try {
    await ensurePrivateFolder(unfinished);
    const database = join(unfinished, 'store.db');
    const header = await unpack(path, passphrase, unfinished, database);
    signal.throwIfAborted();
    const etcdDir = join(unfinished, 'etcd');
    await makeMember(database, etcdDir, signal);
    const revisions = await moveOn(join(etcdDir, 'member', 'snap', 'db'), header, clock);
    await rm(database);
    const known = { id: header.storeId, revision: revisions.nextRevision };
    await replaceFile(join(unfinished, 'store.json'), stringifyJson(known));
    await replaceFile(
      join(unfinished, RESTORED_FILE),
      stringifyJson({ restoredAt: rfc3339(clock.now()), revision: revisions.revision }),
    );
    await rename(unfinished, dataDir);
    await syncFolder(dirname(dataDir));
    return { header, ...revisions };
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    throw error;
  }
};

/** Reads a snapshot to its end. @throws as `readSnapshot` */
export const verifySnapshot = async (
  path: string,
  passphrase: string | undefined,
): Promise<{ readonly header: SnapshotHeader; readonly files: readonly string[] }> => {
  const files: string[] = [];
  const header = await readSnapshot(path, passphrase, {
    onFile: async (file) => void files.push(file.path),
    onStore: async () => undefined,
  });
  return { header, files };
};

const checkFree = async (dataDir: string): Promise<void> => {
  const names = await readdir(dataDir).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  });
  if (names.length > 0)
    throw new Error(
      `${dataDir} is not empty: a snapshot is never restored over another cluster. Stop its server and move the folder away, or give another --data-dir`,
    );
};

const unpack = async (
  path: string,
  passphrase: string | undefined,
  folder: string,
  database: string,
): Promise<SnapshotHeader> => {
  let store: FileHandle | undefined;
  try {
    store = await open(database, 'wx', 0o600);
    return await readSnapshot(path, passphrase, {
      onFile: async (file) => {
        const place = join(folder, file.path);
        await ensurePrivateFolder(dirname(place));
        await replaceFile(place, file.content.toString());
      },
      onStore: async (piece) => store?.writeFile(piece),
    });
  } finally {
    await store?.close();
  }
};

/** By etcd's own tool: a member of a cluster of its own, with what the old one held. */
const makeMember = async (
  database: string,
  dataDir: string,
  signal: AbortSignal,
): Promise<void> => {
  // What etcd sent was compared with its hash when it was saved, and is sealed since; the file has none.
  const args = ['snapshot', 'restore', database, '--skip-hash-check=true'];
  const flags = [...memberFlags(), `--data-dir=${dataDir}`];
  let missing: unknown;
  for (const tool of ['etcdutl', 'etcdctl']) {
    try {
      await promisify(execFile)(tool, [...args, ...flags], {
        ...{ signal, timeout: RESTORE_TIMEOUT_MS },
        env: { PATH: process.env['PATH'], ETCDCTL_API: '3' },
      });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw failed(tool, error);
      missing = error;
    }
  }
  throw new Error(
    'neither etcdutl nor etcdctl is on this machine: install one (Debian: apt install etcd-client)',
    { cause: missing },
  );
};

const failed = (tool: string, error: unknown): Error => {
  const { stderr } = error as { stderr?: string };
  const said = stderr?.trim().split('\n').at(-1) ?? describeError(error);
  return new Error(`${tool} could not restore the store: ${said}`, { cause: error });
};

/**
 * What `etcdutl snapshot restore --bump-revision --mark-compacted` does, which older etcd has not: one
 * entry far ahead of all others, and a compaction up to it that is carried out when etcd starts.
 */
const moveOn = async (
  file: string,
  { createdAt }: SnapshotHeader,
  clock: Clock,
): Promise<Pick<RestoredSnapshot, 'revision' | 'nextRevision'>> => {
  await using bolt = await BoltFile.open(file);
  const last = await bolt.last('key');
  if (last === undefined) throw new Error('the snapshot holds no store');
  const revision = Number(last.key.readBigUInt64BE(0));
  const nextRevision = revision + REVISIONS_LEFT_OUT;
  const key = revisionKey(nextRevision);
  const record = { id: randomUUID(), revision, createdAt, restoredAt: rfc3339(clock.now()) };
  const value = KeyValue.encode({
    // Of its own name: etcd counts the versions of a key.
    key: Buffer.from(`${RESTORED_PREFIX.toString()}${nextRevision}`),
    ...{ createRevision: nextRevision, modRevision: nextRevision, lease: 0n },
    value: Buffer.from(stringifyJson(record)),
  }).finish();
  await bolt.put([
    { bucket: 'key', key, value: Buffer.concat([value, VERSION_ONE]) },
    { bucket: 'meta', key: Buffer.from('scheduledCompactRev'), value: key },
  ]);
  return { revision, nextRevision };
};

/** As etcd writes a revision: the number, a line, and the place within its transaction. */
const revisionKey = (revision: number): Buffer => {
  const key = Buffer.alloc(17);
  key.writeBigUInt64BE(BigInt(revision), 0);
  key.write('_', 8);
  return key;
};

/** Field 4 of etcd's KeyValue: how often the key was written. Nobody here reads it, but etcd does. */
const VERSION_ONE = Buffer.from([0x20, 1]);
/** In the data folder of a server that was restored, until all of its nodes have come back. */
export const RESTORED_FILE = 'restored.json';

const RESTORE_TIMEOUT_MS = 10 * 60_000;
/**
 * More than a cluster writes between two snapshots. A resourceVersion is 128 times a revision and has to
 * stay below 2^53: enough for 70,000 restores.
 */
const REVISIONS_LEFT_OUT = 1_000_000_000;
