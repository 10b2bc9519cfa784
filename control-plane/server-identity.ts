import { randomUUID } from 'node:crypto';
import { readFileIfPresent, replaceFile } from '../lib/files';

/**
 * By which a server is known again after a restart, made at its first start. A copy of the file makes two
 * servers take each other's lead at their starts, and no worse: each write of a leader is fenced.
 */
export const openIdentity = async (file: string): Promise<string> => {
  const known = (await readFileIfPresent(file))?.trim();
  if (known !== undefined && IDENTITY.test(known)) return known;
  const identity = randomUUID();
  await replaceFile(file, `${identity}\n`);
  return identity;
};

const IDENTITY = /^[\da-f-]{36}$/;
