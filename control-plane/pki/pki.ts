import { join } from 'node:path';
import type { Clock } from '../../lib/clock';
import { certificateLifeOf, type CertificateLife } from '../../lib/certificate-life';
import {
  bundleOf,
  clientSignerOf,
  existingAuthorities,
  openAuthorities,
  prolongAuthority,
} from './authorities';
import { namesIn, type CertificateRequest, type KeyPairPem } from './certificates';
import { HeldCertificate } from './held-certificate';
import { readPair, removeUnfinished, writePair } from './pair-file';
import { serviceAccountKey } from './service-account-key';
import { ensurePrivateFolder } from '../../lib/files';

/** The certificates of one cluster, as the server's programs need them. */
export interface Pki {
  /** Of all authorities that are trusted, as one PEM, the current one first. The newest, as `server`. */
  readonly caCertificate: string;
  /** SHA-256 of the SubjectPublicKeyInfo, in hex, of the authority that signed `server`. */
  readonly caHash: string;
  /** The same of the one that signs clients: another one while the authority is being replaced. */
  readonly clientCaHash: string;
  /** The newest: ask again after `renewDue`. */
  readonly server: KeyPairPem;
  /** CN=kubernetes-admin, O=system:masters. The newest, as `server`. */
  readonly admin: KeyPairPem;
  /**
   * Takes up the authorities that the folder has now, then replaces `server` and `admin` where less than
   * `leftShare` of their life is left, or their authority is a former one.
   * @throws Error when a file cannot be read or written; what was in use stays so.
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
  /** Holds `ca.crt`, `ca.key`, perhaps `ca-next.pem`, `server.pem`, `admin.pem`, `sa.key`, all 0600 in a 0700 folder. */
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
  let authorities = await openAuthorities(directory, clock);
  const serverSigner = () => authorities.current;
  const clientSigner = () => clientSignerOf(authorities);
  const names = [...new Set([...ALWAYS_NAMED, ...serverNames])];
  const hold = (name: string, signer: typeof serverSigner, request: CertificateRequest) =>
    HeldCertificate.open(join(directory, `${name}.pem`), signer, { ...request, lifeMs }, clock);
  const server = await hold('server', serverSigner, { ...SERVER, names });
  const admin = await hold('admin', clientSigner, ADMIN);
  const termOf = (wantedMs: number) => ({
    lifeMs: Math.min(wantedMs, YEAR_MS),
    nowMs: clock.now(),
  });
  return {
    get caCertificate() {
      return bundleOf(authorities);
    },
    get caHash() {
      return serverSigner().hash;
    },
    get clientCaHash() {
      return clientSigner().hash;
    },
    get server() {
      return server.pair;
    },
    get admin() {
      return admin.pair;
    },
    renewDue: async (leftShare) => {
      authorities = await existingAuthorities(directory);
      for (const held of [server, admin]) await held.renewIfDue(leftShare);
    },
    lives: () => ({ ca: serverSigner().life, server: server.life, admin: admin.life }),
    serviceAccountKey: serviceAccountKey(directory),
    signNodeRequest: (request, nodeName) => {
      if (!NODE_NAME.test(nodeName) || nodeName.length > 253)
        throw new Error(`invalid node name ${JSON.stringify(nodeName)}`);
      return clientSigner().signRequest(request, nodeIdentity(nodeName), clock.now());
    },
    signClientRequest: (request, wantedMs) => clientSigner().signClient(request, termOf(wantedMs)),
    signServingRequest: (request, names, wantedMs) =>
      clientSigner().signServing(request, names, termOf(wantedMs)),
    issueClient: (commonName, organization) =>
      clientSigner().issue(
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
  readonly name: 'ca' | 'server' | 'admin';
  readonly life: CertificateLife;
}

/**
 * Replaces the server's and the administrator's certificates and keys, also such as have ended; none of
 * both is made where there was none. An authority that has ended is prolonged, with the key by which its nodes
 * know it. A server that runs takes them up within a minute, and writes the kubeconfig anew; what begins to listen
 * later does at once. The former ones stay good until they end.
 * @throws Error when there is no authority
 */
export const rotateCertificates = async (
  directory: string,
  clock: Clock,
): Promise<readonly RotatedCertificate[]> => {
  let authorities = await existingAuthorities(directory);
  const rotated: RotatedCertificate[] = [];
  if (clock.now() >= authorities.current.life.untilMs) {
    const current = await prolongAuthority(directory, authorities, clock);
    authorities = { ...authorities, current };
    rotated.push({ name: 'ca', life: current.life });
  }
  for (const name of ['server', 'admin'] as const) {
    const path = join(directory, `${name}.pem`);
    const former = await readPair(path);
    if (former === undefined) continue;
    const names = namesIn(former.certificate);
    const signer = name === 'admin' ? clientSignerOf(authorities) : authorities.current;
    const request = name === 'admin' ? ADMIN : { ...SERVER, names };
    const pair = await signer.issue(request, clock.now());
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

const YEAR_MS = 365 * 24 * 3_600_000;
const ALWAYS_NAMED = ['localhost', '127.0.0.1', '::1', 'kubernetes', 'kubernetes.default.svc'];
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
