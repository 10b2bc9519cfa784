import {
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ServiceError,
} from '@grpc/grpc-js';
import { sign, X509Certificate } from 'node:crypto';
import { connect, type DetailedPeerCertificate, type PeerCertificate } from 'node:tls';

import { rejoinProofOf } from '../../api/node-identity';
import { keyHashesIn } from '../../lib/certificate-bundle';
import { systemClock, type Clock } from '../../lib/clock';
import { bootstrapTokenOf, parseJoinToken, type JoinToken } from '../../lib/join-token';
import { describeError } from '../../lib/describe-error';
import { hostPort } from '../../lib/net/ip';
import { publicKeyHashOf } from '../../lib/public-key';
import {
  BootstrapServiceClient,
  type JoinResponse,
  type RejoinResponse,
} from '../../proto/gen/dhow/agent/v1/agent';
import type { IdentityStore, NodeIdentity } from './identity-store';
import { createKey } from './key';
import { hasEnded, haveAuthoritiesEnded, nextIdentity } from './next-identity';

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
 * The stored identity while its certificate lasts, the next one by its key after that, or a new one traded for the
 * token. The token's hash of the CA's key is what makes the first connection trustworthy. While no server answers, one
 * whose certificate has ended stays: it is renewed later. @throws Error that says why the server refused.
 */
export const ensureIdentity = async (
  store: IdentityStore,
  options: JoinOptions,
): Promise<NodeIdentity> => {
  const { token, agentsPort, nodeName, clock } = options;
  const parsed = token === undefined ? undefined : parseJoinToken(token);
  const stored = store.load();
  const isSameCluster =
    parsed === undefined || (stored !== undefined && authoritiesOf(stored).includes(parsed.caHash));
  if (stored === undefined || stored.nodeName !== nodeName || !isSameCluster) {
    if (parsed !== undefined) return joinNow(store, options, parsed);
    throw new Error(`node "${nodeName}" has not joined a cluster yet: a join token is required`);
  }
  const known = { ...stored, agentsPort: agentsPort ?? parsed?.agentsPort ?? stored.agentsPort };
  if (!hasEnded(known, clock.now())) return known;
  try {
    const next = await rejoinByKey(known, options.host, clock);
    store.save(next);
    return next;
  } catch (error) {
    if (parsed !== undefined) return joinNow(store, options, parsed);
    if (!isRefusal(error)) return known;
    throw new Error(
      `the certificate of node "${nodeName}" has expired: a new join token is required, since ${describeError(error)}`,
      { cause: error },
    );
  }
};

/**
 * A new identity for a node whom the server does not know: by its key where only its certificate has ended, and by the
 * token where the cluster has taken it out. @throws Error without a token, or why not
 */
export const joinAgain = async (
  store: IdentityStore,
  options: JoinOptions,
): Promise<NodeIdentity> => {
  const { host, token, nodeName, clock } = options;
  const stored = store.load();
  if (stored !== undefined && stored.nodeName === nodeName && hasEnded(stored, clock.now())) {
    const next = await rejoinByKey(stored, host, clock).catch((error: unknown) => {
      if (token === undefined) throw error;
    });
    if (next !== undefined) {
      store.save(next);
      return next;
    }
  }
  if (token === undefined)
    throw new Error(
      `node "${nodeName}" was removed from the cluster: a new join token is required`,
    );
  return joinNow(store, options, parseJoinToken(token));
};

/**
 * The next identity of a node whose certificate has ended: it shows that it has the key, and the server looks whether
 * that is the node's. Authorities that have ended as well are known by their keys. @throws Error that says why not
 */
export const rejoinByKey = async (
  identity: NodeIdentity,
  host: string,
  clock: Clock,
): Promise<NodeIdentity> => {
  const { certificate, agentsPort: port } = identity;
  const caCertificate = haveAuthoritiesEnded(identity, clock.now())
    ? await fetchPinnedCa(host, port, authoritiesOf(identity))
    : identity.caCertificate;
  const { key, certificateRequest } = await createKey();
  const signature = sign('sha256', rejoinProofOf(certificateRequest), identity.key);
  const request = { certificate, certificateRequest, signature };
  const issued = await ask<RejoinResponse>(
    { host, port },
    caCertificate,
    (client, metadata, options, done) => client.rejoin(request, metadata, options, done),
  );
  return nextIdentity({ ...identity, caCertificate }, issued, key);
};

/** The hashes of the keys of all authorities that a node believes. */
export const authoritiesOf = ({ caHash, caCertificate }: NodeIdentity): readonly string[] => [
  ...new Set([caHash, ...keyHashesIn(caCertificate)]),
];

const joinNow = async (
  store: IdentityStore,
  { host, agentsPort, nodeName }: JoinOptions,
  token: JoinToken,
): Promise<NodeIdentity> => {
  const port = agentsPort ?? token.agentsPort;
  const identity = await join(host, port, token, nodeName, store.agentId());
  store.save(identity);
  return identity;
};

const join = async (
  host: string,
  port: number,
  token: JoinToken,
  nodeName: string,
  agentId: string,
): Promise<NodeIdentity> => {
  const pinned = await fetchPinnedCa(host, port, [token.caHash]);
  const { key, certificateRequest } = await createKey();
  const request = { token: bootstrapTokenOf(token), nodeName, agentId, certificateRequest };
  const { certificate, caCertificate } = await ask<JoinResponse>(
    { host, port },
    pinned,
    (client, metadata, options, done) => client.join(request, metadata, options, done),
  );
  const { caHash } = token;
  // There are two authorities while one is being replaced.
  const trusted = caCertificate === '' ? pinned : caCertificate;
  return { nodeName, certificate, key, caCertificate: trusted, caHash, agentsPort: port };
};

type Answer<T> = (error: ServiceError | null, value: T) => void;

/** Calls who needs no certificate to be called. @throws Error with the server's words */
const ask = async <T>(
  { host, port }: { readonly host: string; readonly port: number },
  caCertificate: string,
  call: (
    client: BootstrapServiceClient,
    metadata: Metadata,
    options: { readonly deadline: number },
    done: Answer<T>,
  ) => unknown,
): Promise<T> => {
  const client = new BootstrapServiceClient(
    hostPort(host, port),
    serverCredentials(caCertificate),
    SERVER_NAME_OPTIONS,
  );
  try {
    return await new Promise<T>((resolve, reject) => {
      const deadline = systemClock.now() + CALL_TIMEOUT_MS;
      call(client, new Metadata(), { deadline }, (error, value) =>
        error === null ? resolve(value) : reject(joinError(error)),
      );
    });
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
const fetchPinnedCa = (host: string, port: number, caHashes: readonly string[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(
      { host, port, rejectUnauthorized: false, ALPNProtocols: ['h2'], timeout: CALL_TIMEOUT_MS },
      () => {
        const ca = authorityByHash(socket.getPeerCertificate(true), caHashes);
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

/** PEM of the certificate with one of those keys in the chain that a server shows; undefined where it is not there. */
export const authorityByHash = (
  leaf: DetailedPeerCertificate,
  caHashes: readonly string[],
): string | undefined => {
  let current: DetailedPeerCertificate | undefined = leaf;
  for (let depth = 0; depth < 8 && current?.raw !== undefined; depth++) {
    const certificate = new X509Certificate(current.raw);
    if (caHashes.includes(publicKeyHashOf(current.raw))) return certificate.toString();
    current = current.issuerCertificate === current ? undefined : current.issuerCertificate;
  }
  return undefined;
};

/** It answered, and will again: no waiting helps. */
const isRefusal = (error: unknown): boolean =>
  error instanceof Error &&
  error.cause instanceof Error &&
  'code' in error.cause &&
  (error.cause.code === status.UNAUTHENTICATED || error.cause.code === status.UNIMPLEMENTED);

const joinError = (error: ServiceError): Error =>
  new Error(`the server refused the join: ${error.details}`, { cause: error });
