import { join } from 'node:path';
import { readFileIfPresent, replaceFile } from '../../lib/files';
import { makeSigningKey } from '../../lib/signing-key';

/**
 * The key (PEM) that signs the tokens of service accounts, `sa.key` in the folder: made when the first
 * token is asked for, and then kept. One of RSA that is there already stays.
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
  const pem = await makeSigningKey();
  await replaceFile(path, pem);
  return pem;
};
