import { join } from 'node:path';
import type { EncryptionKeyView } from '../../api/encryption-keys';
import { ENCRYPTION_KEY_FILE } from '../../api/encryption-keys';
import { ENCRYPTION_KEYS } from '../../api/resources';
import { addKey } from '../../lib/encryption-keys';
import { systemClock } from '../../lib/clock';
import { clusterPaths } from '../cluster-paths';
import type { CliContext } from '../context';
import { durationMs } from '../durations';
import { get } from './get';

export interface SecretsStatusOptions {
  readonly output?: string;
}

export interface ReencryptOptions {
  readonly timeout?: string;
}

export interface RotateKeysOptions extends ReencryptOptions {
  readonly dataDir?: string;
}

export const secretsStatus = (
  context: CliContext,
  options: SecretsStatusOptions,
): Promise<unknown> => get(context, [ENCRYPTION_KEYS.plural], options);

/** The file is the server's: it is where only its owner may write. */
export const rotateKeys = async (
  context: CliContext,
  { dataDir, timeout }: RotateKeysOptions,
): Promise<void> => {
  const { cluster, terminal } = context;
  const folder =
    dataDir ?? (cluster === undefined ? DEFAULT_DATA_DIR : clusterPaths(cluster).serverDir);
  const path = join(folder, ENCRYPTION_KEY_FILE);
  const { id } = await addKey(path, systemClock.now());
  terminal.out.write(`key ${id} added to ${path}: include it in your backups\n`);
  await untilEncrypted(context, timeout, id);
};

/** The server does it by itself: this tells how far it is. */
export const reencrypt = (context: CliContext, { timeout }: ReencryptOptions): Promise<void> =>
  untilEncrypted(context, timeout);

const untilEncrypted = async (
  { client, terminal, signal }: CliContext,
  timeout = '5m',
  wantedId?: string,
): Promise<void> => {
  const endMs = systemClock.monotonicMs() + durationMs('--timeout', timeout);
  let told = '';
  for (;;) {
    const { items } = await client.list(ENCRYPTION_KEYS, {}, signal);
    const { isDone, text } = progressOf(items, wantedId);
    if (text !== told) terminal.out.write(`${text}\n`);
    told = text;
    if (isDone) return;
    if (systemClock.monotonicMs() > endMs)
      throw new Error(
        'not all Secrets are encrypted with the newest key yet: the server goes on with it, its log tells what hinders it',
      );
    await systemClock.sleep(POLL_MS, signal);
    signal.throwIfAborted();
  }
};

/** Pure: what is left to do, once the server has the key that is waited for. */
export const progressOf = (
  keys: readonly EncryptionKeyView[],
  wantedId?: string,
): { readonly isDone: boolean; readonly text: string } => {
  const current = keys.find(({ status }) => status.current);
  const isTaken = wantedId === undefined || current?.metadata.name === wantedId;
  if (current === undefined || !isTaken)
    return { isDone: false, text: 'waiting for the server to read the key' };
  const all = keys.reduce((sum, { status }) => sum + status.secrets, 0);
  const done = current.status.secrets;
  const text = `${done} of ${all} Secrets are encrypted with key ${current.metadata.name}`;
  return { isDone: done === all, text };
};

const DEFAULT_DATA_DIR = '/var/lib/dhow/server';
const POLL_MS = 500;
