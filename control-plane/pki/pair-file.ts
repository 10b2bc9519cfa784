import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfPresent, replaceFile } from '../../lib/files';
import type { KeyPairPem } from './certificates';

/**
 * A certificate and its key in one file (PEM, 0600): what replaces it is one rename, so that a crash
 * or a full disk never leaves the key of one beside the certificate of another.
 */
export const writePair = (path: string, { certificate, key }: KeyPairPem): Promise<void> =>
  replaceFile(path, `${certificate.trimEnd()}\n${key.trimEnd()}\n`);

/** Undefined when the file is absent, or is not a certificate with its own key: both can be made anew. */
export const readPair = async (path: string): Promise<KeyPairPem | undefined> => {
  const text = await readFileIfPresent(path);
  const certificate = text === undefined ? undefined : CERTIFICATE.exec(text)?.[0];
  const key = text === undefined ? undefined : PRIVATE_KEY.exec(text)?.[0];
  if (certificate === undefined || key === undefined) return undefined;
  const pair = { certificate: `${certificate}\n`, key: `${key}\n` };
  return belongTogether(pair) ? pair : undefined;
};

export const belongTogether = ({ certificate, key }: KeyPairPem): boolean => {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
};

/** Files that were being written when an earlier server was killed: there may be keys in them. */
export const removeUnfinished = async (directory: string): Promise<void> => {
  const unfinished = (await readdir(directory)).filter((name) => name.startsWith('.'));
  await Promise.all(unfinished.map((name) => rm(join(directory, name), { force: true })));
};

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/;
const PRIVATE_KEY = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/;
