import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { readFileIfPresent, replaceFile } from './files';
import { parseJson, stringifyJson } from './json';

export interface EncryptionKey {
  /** At most 64 letters and digits: it stands beside what the key seals. */
  readonly id: string;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  readonly createdAtMs: number;
}

export const newKey = (nowMs: number): EncryptionKey => ({
  id: randomBytes(6).toString('hex'),
  secret: randomBytes(SECRET_BYTES),
  createdAtMs: nowMs,
});

export const KEY_ID = /^[A-Za-z0-9]{1,64}$/;
export const SECRET_BYTES = 32;

/**
 * The keys in a file, newest first: the first seals, all of them open. A file that is not there is made,
 * with one key. Who loses the file loses all that is encrypted: it belongs into every backup, apart from
 * that of etcd.
 * @throws Error that names the file and the field
 */
export const openKeyFile = async (
  path: string,
  nowMs: number,
): Promise<readonly EncryptionKey[]> => {
  const text = await readFileIfPresent(path);
  if (text !== undefined) return parseKeys(path, text);
  const keys = [newKey(nowMs)];
  await replaceFile(path, formatKeys(keys));
  return keys;
};

/** @throws Error that names the file and the field, or says that it is not there */
export const readKeyFile = async (path: string): Promise<readonly EncryptionKey[]> => {
  const text = await readFileIfPresent(path);
  if (text === undefined) throw new Error(`${path} is not there`);
  return parseKeys(path, text);
};

/** A new key comes first. @throws Error */
export const addKey = async (path: string, nowMs: number): Promise<EncryptionKey> => {
  const keys = await readKeyFile(path);
  if (keys.length >= KEY_COUNT_MAX)
    throw new Error(
      `${path} holds ${keys.length} keys already: take out the oldest, with which nothing is encrypted any more`,
    );
  const key = newKey(nowMs);
  await replaceFile(path, formatKeys([key, ...keys]));
  return key;
};

const parseKeys = (path: string, text: string): readonly EncryptionKey[] => {
  const { success, data, error } = KEY_FILE.safeParse(jsonIn(path, text));
  if (!success) {
    const [issue] = error.issues;
    throw new Error(`${path}: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not valid'}`);
  }
  return data.keys.map(({ id, secret, created }) => ({
    id,
    secret: Buffer.from(secret, 'base64'),
    createdAtMs: Date.parse(created),
  }));
};

const jsonIn = (path: string, text: string): unknown => {
  try {
    return parseJson(text);
  } catch {
    // Without what the parser says: it quotes what it read, and that are keys.
    throw new Error(`${path} is not JSON`);
  }
};

const formatKeys = (keys: readonly EncryptionKey[]): string =>
  stringifyJson({
    keys: keys.map(({ id, secret, createdAtMs }) => ({
      id,
      secret: Buffer.from(secret).toString('base64'),
      created: new Date(createdAtMs).toISOString(),
    })),
  });

const KEY_COUNT_MAX = 32;
const KEY = z.strictObject({
  id: z.string().regex(KEY_ID, 'has to be 1 to 64 letters and digits'),
  secret: z
    .base64('has to be base64')
    .refine(
      (text) => Buffer.from(text, 'base64').length === SECRET_BYTES,
      `has to be ${SECRET_BYTES} bytes in base64`,
    ),
  created: z.iso.datetime({ error: 'has to be a date and a time of day' }),
});
const KEY_FILE = z.strictObject({
  keys: z
    .array(KEY)
    .min(1, 'has to hold a key')
    .max(KEY_COUNT_MAX)
    .refine(
      (keys) => new Set(keys.map(({ id }) => id)).size === keys.length,
      'has two keys of one id',
    ),
});
