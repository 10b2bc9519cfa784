import { join } from 'node:path';
import type { Clock } from '../../lib/clock';
import { certificateLifeOf, type CertificateLife } from '../../lib/certificate-life';
import {
  CertificateAuthority,
  namesIn,
  type CertificateRequest,
  type KeyPairPem,
} from './certificates';
import { HeldCertificate } from './held-certificate';
import { belongTogether, readPair, removeUnfinished, writePair } from './pair-file';
import { serviceAccountKey } from './service-account-key';
import { ensurePrivateFolder, readFileIfPresent, replaceFile } from '../../lib/files';

/** The certificates of one cluster, as the server's programs need them. */
export interface Pki {
  readonly caCertificate: string;
  /** SHA-256 of the CA's SubjectPublicKeyInfo, in hex. */
  readonly caHash: string;
  /** The newest: ask again after `renewDue`. */
  readonly server: KeyPairPem;
  /** CN=kubernetes-admin, O=system:masters. The newest, as `server`. */
  readonly admin: KeyPairPem;
  /**
   * Replaces `server` and `admin` where less than `leftShare` of their life is left.
   * @throws Error when a file cannot be written; what was in use stays so.
   */
  renewDue(leftShare: number): Promise<void>;
  /** When what there is begins and ends. */
  lives(): Readonly<Record<'ca' | 'server' | 'admin', CertificateLife>>;
  /** PEM of the key that signs the tokens of service accounts: made when first asked for. */
  readonly serviceAccountKey: () => Promise<string>;
  /**
   * Signs a PKCS#10 request (DER) for a node: CN=system:node:NAME, O=system:nodes.
   * @throws Error when the request is malformed or the node name is not a DNS-1123 subdomain.
   */
  signNodeRequest(request: Uint8Array, nodeName: string): Promise<string>;
  /**
   * Signs a request (DER) of a user as it stands, for at most a year. Whoever calls has decided that the
   * holder may be what it says. @throws Error when it is malformed
   */
  signClientRequest(request: Uint8Array, lifeMs: number): Promise<string>;
  /** As `signClientRequest`, for a server that is reached by `names`. */
  signServingRequest(
    request: Uint8Array,
    names: readonly string[],
    lifeMs: number,
  ): Promise<string>;
  /** A client certificate for any user: `organization` is the group. */
  issueClient(commonName: string, organization?: string): Promise<KeyPairPem>;
}

export interface PkiOptions {
  /** Holds `ca.crt`, `ca.key`, `server.pem`, `admin.pem`, `sa.key`, all 0600 in a 0700 folder. */
  readonly directory: string;
  /** Host names and addresses at which the server is reached, besides localhost. */
  readonly serverNames: readonly string[];
  /** How long `server` and `admin` are good. Default a year. */
  readonly lifeMs?: number;
  readonly clock: Clock;
}

/** Opens the folder, making what is missing, due, or lacks a name. The CA is made once. */
export const openPki = async ({
  directory,
  serverNames,
  lifeMs = YEAR_MS,
  clock,
}: PkiOptions): Promise<Pki> => {
  await ensurePrivateFolder(directory);
  await removeUnfinished(directory);
  const ca = await openAuthority(directory, clock);
  const names = [...new Set([...ALWAYS_NAMED, ...serverNames])];
  const hold = (name: string, request: CertificateRequest) =>
    HeldCertificate.open(join(directory, `${name}.pem`), ca, { ...request, lifeMs }, clock);
  const server = await hold('server', { ...SERVER, names });
  const admin = await hold('admin', ADMIN);
  const termOf = (wantedMs: number) => ({
    lifeMs: Math.min(wantedMs, YEAR_MS),
    nowMs: clock.now(),
  });
  return {
    caCertificate: ca.pem.certificate,
    caHash: ca.hash,
    get server() {
      return server.pair;
    },
    get admin() {
      return admin.pair;
    },
    renewDue: async (leftShare) => {
      for (const held of [server, admin]) await held.renewIfDue(leftShare);
    },
    lives: () => ({ ca: ca.life, server: server.life, admin: admin.life }),
    serviceAccountKey: serviceAccountKey(directory),
    signNodeRequest: (request, nodeName) => {
      if (!NODE_NAME.test(nodeName) || nodeName.length > 253)
        throw new Error(`invalid node name ${JSON.stringify(nodeName)}`);
      return ca.signRequest(request, nodeIdentity(nodeName), clock.now());
    },
    signClientRequest: (request, wantedMs) => ca.signClient(request, termOf(wantedMs)),
    signServingRequest: (request, names, wantedMs) =>
      ca.signServing(request, names, termOf(wantedMs)),
    issueClient: (commonName, organization) =>
      ca.issue(
        { commonName, use: 'client', ...(organization === undefined ? {} : { organization }) },
        clock.now(),
      ),
  };
};

const nodeIdentity = (nodeName: string): CertificateRequest => ({
  commonName: `system:node:${nodeName}`,
  organization: 'system:nodes',
  use: 'client',
});

export interface RotatedCertificate {
  readonly name: 'server' | 'admin';
  readonly life: CertificateLife;
}

/**
 * Replaces the server's and the administrator's certificates and keys, also such as have ended; none of
 * both is made where there was none. A server that runs takes them up within a minute, and writes the
 * kubeconfig anew; what begins to listen later does at once. The former ones stay good until they end.
 * @throws Error when there is no authority, or it has ended
 */
export const rotateCertificates = async (
  directory: string,
  clock: Clock,
): Promise<readonly RotatedCertificate[]> => {
  const missing = (await readFileIfPresent(join(directory, 'ca.crt'))) === undefined;
  if (missing)
    throw new Error(`${directory} holds no certificate authority: no server has run there`);
  const ca = await openAuthority(directory, clock);
  if (clock.now() >= ca.life.untilMs)
    throw new Error('the certificate authority has ended: see docs/guides/certificates.md');
  const rotated: RotatedCertificate[] = [];
  for (const name of ['server', 'admin'] as const) {
    const path = join(directory, `${name}.pem`);
    const former = await readPair(path);
    if (former === undefined) continue;
    const names = namesIn(former.certificate);
    const pair = await ca.issue(name === 'admin' ? ADMIN : { ...SERVER, names }, clock.now());
    await writePair(path, pair);
    rotated.push({ name, life: certificateLifeOf(pair.certificate) });
  }
  return rotated;
};

const SERVER: CertificateRequest = { commonName: 'dhow-server', use: 'server' };
const ADMIN: CertificateRequest = {
  ...{ commonName: 'kubernetes-admin', organization: 'system:masters' },
  use: 'client',
};

/** The key first: a crash in between leaves a key without a certificate, and both are made again. */
const openAuthority = async (directory: string, clock: Clock): Promise<CertificateAuthority> => {
  const [certificatePath, keyPath] = [join(directory, 'ca.crt'), join(directory, 'ca.key')];
  const certificate = await readFileIfPresent(certificatePath);
  const key = await readFileIfPresent(keyPath);
  if (certificate !== undefined && key !== undefined) {
    if (!belongTogether({ certificate, key }))
      throw new Error(`${keyPath} is not the key of ${certificatePath}: restore the one that is`);
    return CertificateAuthority.load({ certificate, key });
  }
  if (certificate !== undefined)
    throw new Error(`${certificatePath} exists without ${keyPath}: restore the key or remove both`);
  const ca = await CertificateAuthority.create(clock.now());
  await replaceFile(keyPath, ca.pem.key);
  await replaceFile(certificatePath, ca.pem.certificate);
  return ca;
};

const YEAR_MS = 365 * 24 * 3_600_000;
const ALWAYS_NAMED = ['localhost', '127.0.0.1', '::1', 'kubernetes', 'kubernetes.default.svc'];
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
