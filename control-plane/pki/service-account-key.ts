import { generateKeyPair } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { readFileIfPresent, replaceFile } from '../../lib/files';

/**
 * The key (PEM) that signs the tokens of service accounts, `sa.key` in the folder. It takes a moment
 * to make, so it is made when the first token is asked for, and then kept.
 */
export const serviceAccountKey = (directory: string): (() => Promise<string>) => {
  let key: Promise<string> | undefined;
  return () => {
    key ??= open(join(directory, 'sa.key')).catch((error: unknown) => {
      // A full disk may have room again: the next caller tries anew.
      key = undefined;
      throw error;
    });
    return key;
  };
};

const open = async (path: string): Promise<string> => {
  const stored = await readFileIfPresent(path);
  if (stored !== undefined) return stored;
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  await replaceFile(path, pem);
  return pem;
};
