import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { restoreSnapshot, verifySnapshot } from '../../control-plane/backup/restore';
import {
  listSnapshots,
  readPassphrase,
  saveSnapshot,
  SERVER_CONFIG_FILE,
  SNAPSHOTS_FOLDER,
  type ListedSnapshot,
} from '../../control-plane/backup/save';
import type { SnapshotHeader } from '../../control-plane/backup/snapshot-file';
import { ageOf } from '../../lib/age';
import { systemClock } from '../../lib/clock';
import { stringifyJson } from '../../lib/json';
import { formatTable } from '../output/table';
import { printable } from '../output/terminal';
import { UsageError } from '../usage-error';
import { dataDirOf, DEFAULT_DATA_DIR, type ServerOptions } from './server-folder';

export interface VerifyOptions {
  readonly passphraseFile?: string;
}

export interface SaveCommandOptions extends ServerOptions, VerifyOptions {
  readonly unsealed?: boolean;
}

export interface ListOptions extends ServerOptions {
  readonly output?: string;
}

export interface RestoreCommandOptions extends VerifyOptions {
  readonly dataDir?: string;
}

/** Never over a file that is there. */
export const save = async (
  file: string | undefined,
  options: SaveCommandOptions,
  signal: AbortSignal,
): Promise<void> => {
  const { passphraseFile, unsealed = false } = options;
  if ((passphraseFile === undefined) === !unsealed)
    throw new UsageError(
      'a snapshot holds the keys of the cluster: give --passphrase-file FILE to seal it, or --unsealed',
    );
  const path = file === undefined ? undefined : resolve(file);
  if (path !== undefined && existsSync(path)) throw new UsageError(`${path} is there already`);
  const saved = await saveSnapshot(
    {
      ...{ dataDir: dataDirOf(options), clock: systemClock, dhowVersion: VERSION },
      ...(path === undefined ? {} : { path }),
      passphrase: await passphraseOf(passphraseFile),
    },
    signal,
  );
  say(`saved ${saved.path}: ${sizeOf(saved.bytes)}, revision ${saved.header.revision}`);
  if (unsealed) say('it is not sealed: whoever reads it has the cluster');
};

export const list = async (folder: string | undefined, options: ListOptions): Promise<void> => {
  const place = folder ?? join(dataDirOf(options), SNAPSHOTS_FOLDER);
  const listed = await listSnapshots(place);
  if (options.output !== undefined && options.output !== 'json')
    throw new UsageError(`-o: "${options.output}" is not one of: json`);
  if (options.output === 'json') say(stringifyJson({ items: listed.map(viewOf) }, 2));
  else if (listed.length === 0) say(`no snapshots in ${place}`);
  else process.stdout.write(formatTable(TITLES, listed.map(rowOf)));
};

/** @throws Error when it could not be restored */
export const verify = async (file: string, { passphraseFile }: VerifyOptions): Promise<void> => {
  const passphrase = await passphraseOf(passphraseFile);
  const { header, files } = await verifySnapshot(resolve(file), passphrase);
  say(`${printable(header.clusterName)}, ${header.createdAt}, revision ${header.revision}: whole`);
  say(`holds the store and ${files.join(', ')}`);
};

export const restore = async (
  file: string,
  { passphraseFile, dataDir = DEFAULT_DATA_DIR }: RestoreCommandOptions,
  signal: AbortSignal,
): Promise<void> => {
  const place = resolve(dataDir);
  const { header, revision, nextRevision } = await restoreSnapshot(
    {
      ...{ path: resolve(file), dataDir: place, clock: systemClock },
      passphrase: await passphraseOf(passphraseFile),
    },
    signal,
  );
  say(`restored ${printable(header.clusterName)} of ${header.createdAt} into ${place}`);
  say(`revision ${revision}; the cluster goes on at ${nextRevision}, older watches begin anew`);
  say(
    `Before the server starts: make sure that the old one never does again. How it was started is in ` +
      `${join(place, SERVER_CONFIG_FILE)}; the ranges of pods and services have to be the same.`,
  );
  say(`Agents rejoin by their certificates: start them with --server and the new address.`);
  say(
    'Until each node has come back, no pod begins to use a volume of the network that one node alone may write to. ' +
      'A node that is gone for good is waited for until it is deleted: dhow delete node NAME.',
  );
};

const passphraseOf = async (file: string | undefined): Promise<string | undefined> =>
  file === undefined ? undefined : readPassphrase(file);

const TITLES = ['NAME', 'CLUSTER', 'AGE', 'REVISION', 'SEALED', 'DHOW', 'ETCD'];

const rowOf = ({ name, header, problem = '' }: ListedSnapshot): readonly string[] =>
  header === undefined
    ? [printable(name), `(${printable(problem)})`]
    : [
        ...[printable(name), printable(header.clusterName), ageIn(header)],
        ...[String(header.revision), header.seal.kind === 'none' ? 'no' : 'yes'],
        ...[printable(header.dhowVersion), printable(header.etcdVersion)],
      ];

const ageIn = ({ createdAt }: SnapshotHeader): string => ageOf(createdAt, systemClock.now());

/** Without what opens it. */
const viewOf = ({ name, path, header, problem }: ListedSnapshot) => ({
  ...{ name, path },
  ...(header === undefined ? { problem } : { ...header, seal: header.seal.kind }),
});

const sizeOf = (bytes: number): string =>
  bytes < 1024 ** 2 ? `${Math.ceil(bytes / 1024)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

const VERSION = process.env['DHOW_VERSION'] ?? '0.0.0';
