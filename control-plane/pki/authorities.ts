import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock';
import { readFileIfPresent, replaceFile } from '../../lib/files';
import { CertificateAuthority, type KeyPairPem } from './certificates';
import { belongTogether, readPair, writePair } from './pair-file';

/**
 * The authorities of a cluster: one, but for the time in which it is replaced. Then both are trusted: the
 * current one signs what the server shows, which older copies of a kubeconfig still have to believe, and the
 * next one signs all clients, for the server alone has to believe those.
 */
export interface Authorities {
  readonly current: CertificateAuthority;
  readonly next?: CertificateAuthority;
}

/** PEM of all that are trusted, the current one first. */
export const bundleOf = ({ current, next }: Authorities): string =>
  `${current.pem.certificate}${next?.pem.certificate ?? ''}`;

/** Which signs certificates of clients. */
export const clientSignerOf = ({ current, next }: Authorities): CertificateAuthority =>
  next ?? current;

/** Those in the folder, or a new one where none is. @throws as `readAuthorities` */
export const openAuthorities = async (directory: string, clock: Clock): Promise<Authorities> => {
  const known = await readAuthorities(directory);
  if (known !== undefined) return known;
  const current = await CertificateAuthority.create(clock.now());
  await writeCurrent(directory, current.pem);
  return { current };
};

/**
 * Undefined where there is none. What a crash left half done is finished first.
 * @throws Error for a certificate without its key: nobody would believe what another one signs
 */
export const readAuthorities = async (directory: string): Promise<Authorities | undefined> => {
  const { certificatePath, keyPath } = pathsIn(directory);
  const certificate = await readFileIfPresent(certificatePath);
  const key = await readFileIfPresent(keyPath);
  const next = await readPair(nextPathIn(directory));
  // A key without a certificate is of an authority that was being made: both are made again.
  if (certificate === undefined) return undefined;
  if (key === undefined)
    throw new Error(`${certificatePath} exists without ${keyPath}: restore the key or remove both`);
  if (next !== undefined && belongTogether({ certificate: next.certificate, key })) {
    await takeOver(directory, next);
    return { current: await CertificateAuthority.load(next) };
  }
  if (!belongTogether({ certificate, key }))
    throw new Error(`${keyPath} is not the key of ${certificatePath}: restore the one that is`);
  return {
    current: await CertificateAuthority.load({ certificate, key }),
    ...(next === undefined ? {} : { next: await CertificateAuthority.load(next) }),
  };
};

/** As `readAuthorities`. @throws Error, also where there is none */
export const existingAuthorities = async (directory: string): Promise<Authorities> => {
  const known = await readAuthorities(directory);
  if (known === undefined)
    throw new Error(`${directory} holds no certificate authority: no server has run there`);
  return known;
};

/**
 * Begins to replace the authority: from now on a second one is trusted beside it. Said again it changes
 * nothing. A server that runs takes it up within a minute.
 * @throws Error when there is no authority
 */
export const beginAuthorityRotation = async (
  directory: string,
  clock: Clock,
): Promise<Required<Authorities>> => {
  const { current, next: known } = await existingAuthorities(directory);
  if (known !== undefined) return { current, next: known };
  const nowMs = clock.now();
  // Of a name of its own: whoever looks for an issuer by its name finds one.
  const name = `dhow-ca@${Math.floor(nowMs / 1000)}`;
  const next = await CertificateAuthority.create(nowMs, name);
  await writePair(nextPathIn(directory), next.pem);
  return { current, next };
};

/**
 * Ends it: the next authority is the only one. Whoever knows only the former one is a stranger from then on.
 * @throws Error when no authority is being replaced
 */
export const finishAuthorityRotation = async (directory: string): Promise<CertificateAuthority> => {
  const { next } = await existingAuthorities(directory);
  if (next === undefined)
    throw new Error('no authority is being replaced here: begin with dhow certs rotate --ca');
  await takeOver(directory, next.pem);
  return next;
};

/** The same authority, by the same key, for another ten years: who pinned its key still believes it. */
export const prolongAuthority = async (
  directory: string,
  { current }: Authorities,
  clock: Clock,
): Promise<CertificateAuthority> => {
  const prolonged = await current.prolonged(clock.now());
  await replaceFile(pathsIn(directory).certificatePath, prolonged.pem.certificate);
  return prolonged;
};

/** The key first, and the pair that has both last: `readAuthorities` can tell how far it came. */
const takeOver = async (directory: string, next: KeyPairPem): Promise<void> => {
  await writeCurrent(directory, next);
  await rm(nextPathIn(directory), { force: true });
};

/** The key first: a crash in between leaves a key without a certificate. */
const writeCurrent = async (directory: string, { certificate, key }: KeyPairPem): Promise<void> => {
  const { certificatePath, keyPath } = pathsIn(directory);
  await replaceFile(keyPath, key);
  await replaceFile(certificatePath, certificate);
};

const pathsIn = (directory: string) => ({
  certificatePath: join(directory, 'ca.crt'),
  keyPath: join(directory, 'ca.key'),
});

const nextPathIn = (directory: string): string => join(directory, NEXT_AUTHORITY_FILE);

/** Certificate and key of the authority that is to follow. */
export const NEXT_AUTHORITY_FILE = 'ca-next.pem';
