import { join } from 'node:path';
import type { Clock } from '../../lib/clock';
import {
  CertificateAuthority,
  isUsable,
  type CertificateRequest,
  type KeyPairPem,
} from './certificates';
import { serviceAccountKey } from './service-account-key';
import { ensurePrivateFolder, readFileIfPresent, replaceFile } from '../../lib/files';

/** The certificates of one cluster, as the server's programs need them. */
export interface Pki {
  readonly caCertificate: string;
  /** SHA-256 of the CA's SubjectPublicKeyInfo, in hex. */
  readonly caHash: string;
  readonly server: KeyPairPem;
  /** CN=kubernetes-admin, O=system:masters. */
  readonly admin: KeyPairPem;
  /** PEM of the key that signs the tokens of service accounts: made when first asked for. */
  readonly serviceAccountKey: () => Promise<string>;
  /**
   * Signs a PKCS#10 request (DER) for a node: CN=system:node:NAME, O=system:nodes.
   * @throws Error when the request is malformed or the node name is not a DNS-1123 subdomain.
   */
  signNodeRequest(request: Uint8Array, nodeName: string): Promise<string>;
  /** A client certificate for any user: `organization` is the group. */
  issueClient(commonName: string, organization?: string): Promise<KeyPairPem>;
}

export interface PkiOptions {
  /** Holds `ca.crt`, `ca.key`, `server.*`, `admin.*`, `sa.key`, all 0600 in a 0700 folder. */
  readonly directory: string;
  /** Host names and addresses at which the server is reached, besides localhost. */
  readonly serverNames: readonly string[];
  readonly clock: Clock;
}

/** Opens the folder, making what is missing, expiring, or lacks a name. The CA is made once. */
export const openPki = async ({ directory, serverNames, clock }: PkiOptions): Promise<Pki> => {
  await ensurePrivateFolder(directory);
  const ca = await openAuthority(directory, clock);
  const names = [...new Set([...ALWAYS_NAMED, ...serverNames])];
  const ensure = (name: string, request: CertificateRequest) =>
    ensureCertificate(join(directory, name), ca, request, clock);
  const server = await ensure('server', { commonName: 'dhow-server', use: 'server', names });
  const admin = await ensure('admin', {
    commonName: 'kubernetes-admin',
    organization: 'system:masters',
    use: 'client',
  });
  return {
    caCertificate: ca.pem.certificate,
    caHash: ca.hash,
    server,
    admin,
    serviceAccountKey: serviceAccountKey(directory),
    signNodeRequest: (request, nodeName) => {
      if (!NODE_NAME.test(nodeName) || nodeName.length > 253)
        throw new Error(`invalid node name ${JSON.stringify(nodeName)}`);
      return ca.signRequest(request, nodeIdentity(nodeName), clock.now());
    },
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

const openAuthority = async (directory: string, clock: Clock): Promise<CertificateAuthority> => {
  const path = join(directory, 'ca');
  const stored = await readPair(path);
  if (stored !== undefined) return CertificateAuthority.load(stored);
  if ((await readFileIfPresent(`${path}.crt`)) !== undefined)
    throw new Error(`${path}.crt exists without ${path}.key: restore the key or remove both`);
  const ca = await CertificateAuthority.create(clock.now());
  await writePair(path, ca.pem);
  return ca;
};

const ensureCertificate = async (
  path: string,
  ca: CertificateAuthority,
  request: CertificateRequest,
  clock: Clock,
): Promise<KeyPairPem> => {
  const stored = await readPair(path);
  if (stored !== undefined && isUsable(stored.certificate, request.names ?? [], clock.now()))
    return stored;
  const issued = await ca.issue(request, clock.now());
  await writePair(path, issued);
  return issued;
};

const readPair = async (path: string): Promise<KeyPairPem | undefined> => {
  const certificate = await readFileIfPresent(`${path}.crt`);
  const key = await readFileIfPresent(`${path}.key`);
  return certificate === undefined || key === undefined ? undefined : { certificate, key };
};

/** The key first: a crash in between leaves a key without a certificate, which is made again. */
const writePair = async (path: string, pair: KeyPairPem): Promise<void> => {
  await replaceFile(`${path}.key`, pair.key);
  await replaceFile(`${path}.crt`, pair.certificate);
};

const ALWAYS_NAMED = ['localhost', '127.0.0.1', '::1', 'kubernetes', 'kubernetes.default.svc'];
const NODE_NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
