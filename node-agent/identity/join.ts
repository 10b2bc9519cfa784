import { credentials, Metadata, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { createHash, X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate, type PeerCertificate } from 'node:tls';

import { certificateLifeOf } from '../../lib/certificate-life';
import { systemClock, type Clock } from '../../lib/clock';
import { bootstrapTokenOf, parseJoinToken, type JoinToken } from '../../lib/join-token';
import { hostPort } from '../../lib/net/ip';
import { BootstrapServiceClient, type JoinResponse } from '../../proto/gen/dhow/agent/v1/agent';
import type { IdentityStore, NodeIdentity } from './identity-store';
import { createKey } from './key';

const SERVER_COMMON_NAME = 'dhow-server';
const CALL_TIMEOUT_MS = 15_000;

/** TLS has no way to name an address as the server's name (RFC 6066): a name it always bears goes. */
export const SERVER_NAME_OPTIONS = { 'grpc.ssl_target_name_override': 'kubernetes' };

export interface JoinOptions {
  readonly host: string;
  readonly token: string | undefined;
  readonly agentsPort: number | undefined;
  readonly nodeName: string;
  readonly clock: Clock;
}

/**
 * The stored identity while its certificate lasts, or a new one traded for the token. The token's hash of the CA's key is what
 * makes the first connection trustworthy. @throws Error that says why the server refused.
 */
export const ensureIdentity = async (
  store: IdentityStore,
  { host, token, agentsPort, nodeName, clock }: JoinOptions,
): Promise<NodeIdentity> => {
  const parsed = token === undefined ? undefined : parseJoinToken(token);
  const stored = store.load();
  const isSameCluster = parsed === undefined || parsed.caHash === stored?.caHash;
  const isOurs = stored?.nodeName === nodeName && isSameCluster;
  const hasExpired = isOurs && expiryMsOf(stored) <= clock.now();
  if (isOurs && !hasExpired)
    return { ...stored, agentsPort: agentsPort ?? parsed?.agentsPort ?? stored.agentsPort };
  if (parsed === undefined)
    throw new Error(
      hasExpired
        ? `the certificate of node "${nodeName}" has expired: a new join token is required`
        : `node "${nodeName}" has not joined a cluster yet: a join token is required`,
    );
  const port = agentsPort ?? parsed.agentsPort;
  const identity = await join(host, port, parsed, nodeName, store.agentId());
  store.save(identity);
  return identity;
};

/** A new identity for a node that the cluster has taken out. @throws Error without a token, or why not */
export const joinAgain = async (
  store: IdentityStore,
  { host, token, agentsPort, nodeName }: JoinOptions,
): Promise<NodeIdentity> => {
  if (token === undefined)
    throw new Error(
      `node "${nodeName}" was removed from the cluster: a new join token is required`,
    );
  const parsed = parseJoinToken(token);
  const port = agentsPort ?? parsed.agentsPort;
  const identity = await join(host, port, parsed, nodeName, store.agentId());
  store.save(identity);
  return identity;
};

const expiryMsOf = ({ certificate }: NodeIdentity): number =>
  certificateLifeOf(certificate).untilMs;

const join = async (
  host: string,
  port: number,
  token: JoinToken,
  nodeName: string,
  agentId: string,
): Promise<NodeIdentity> => {
  const caCertificate = await fetchPinnedCa(host, port, token.caHash);
  const { key, certificateRequest } = await createKey();
  const request = { token: bootstrapTokenOf(token), nodeName, agentId, certificateRequest };
  const client = new BootstrapServiceClient(
    hostPort(host, port),
    serverCredentials(caCertificate),
    SERVER_NAME_OPTIONS,
  );
  try {
    const response = await new Promise<JoinResponse>((resolve, reject) => {
      const deadline = systemClock.now() + CALL_TIMEOUT_MS;
      client.join(request, new Metadata(), { deadline }, (error, value) =>
        error === null ? resolve(value) : reject(joinError(error)),
      );
    });
    const { certificate } = response;
    const { caHash } = token;
    return { nodeName, certificate, key, caCertificate, caHash, agentsPort: port };
  } finally {
    client.close();
  }
};

/**
 * TLS that trusts the cluster's CA only. The name in the certificate matters, not the address it
 * was reached by: a lab's addresses change, and no node's certificate bears the server's name.
 */
export const serverCredentials = (
  caCertificate: string,
  client?: { readonly key: string; readonly certificate: string },
): ChannelCredentials =>
  credentials.createSsl(
    Buffer.from(caCertificate),
    client === undefined ? null : Buffer.from(client.key),
    client === undefined ? null : Buffer.from(client.certificate),
    { checkServerIdentity: checkServerName },
  );

const checkServerName = (_host: string, { subject }: PeerCertificate): Error | undefined =>
  [subject.CN].flat().includes(SERVER_COMMON_NAME)
    ? undefined
    : new Error(`the certificate is not the server's: it names ${String(subject.CN)}`);

/** Looks at the chain that the server shows and takes from it the CA with the expected key. */
const fetchPinnedCa = (host: string, port: number, caHash: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(
      { host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], timeout: CALL_TIMEOUT_MS },
      () => {
        const ca = authorityByHash(socket.getPeerCertificate(true), caHash);
        socket.destroy();
        if (ca === undefined)
          reject(
            new Error(
              `the server at ${host}:${port} does not have the CA that the join token names: ` +
                'the token is of another cluster, or something is between',
            ),
          );
        else resolve(ca);
      },
    );
    socket.on('timeout', () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (cause) =>
      reject(new Error(`cannot reach the server at ${host}:${port}`, { cause })),
    );
  });

/** PEM of the certificate with that key in the chain that a server shows; undefined where it is not there. */
export const authorityByHash = (
  leaf: DetailedPeerCertificate,
  caHash: string,
): string | undefined => {
  let current: DetailedPeerCertificate | undefined = leaf;
  for (let depth = 0; depth < 8 && current?.raw !== undefined; depth++) {
    const certificate = new X509Certificate(current.raw);
    const spki = certificate.publicKey.export({ type: 'spki', format: 'der' });
    if (createHash('sha256').update(spki).digest('hex') === caHash) return certificate.toString();
    current = current.issuerCertificate === current ? undefined : current.issuerCertificate;
  }
  return undefined;
};

const joinError = (error: ServiceError): Error =>
  new Error(`the server refused the join: ${error.details}`, { cause: error });
