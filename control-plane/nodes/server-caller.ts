import { status } from '@grpc/grpc-js';
import type { PeerCertificate } from 'node:tls';
import { grpcError } from './node-identity';

interface Authenticated {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/**
 * Is this the certificate of a server of the cluster? The name alone does not tell: whoever approves certificate
 * requests may let anybody have it. But none that is requested is good for both a client and a server, and those of
 * servers are. That the CA of the cluster signed it is for the caller to know.
 */
export const isServersCertificate = ({
  subject,
  ext_key_usage: usages = [],
}: Pick<PeerCertificate, 'subject' | 'ext_key_usage'>): boolean =>
  [subject.CN].flat().join() === SERVER_NAME &&
  [SERVER_USE, CLIENT_USE].every((use) => usages.includes(use));

/** gRPC exposes only certificates that the CA signed. @throws UNAUTHENTICATED */
export const requireServer = (call: Authenticated): void => {
  const certificate = call.getAuthContext().sslPeerCertificate;
  if (certificate === undefined || !isServersCertificate(certificate))
    throw grpcError(status.UNAUTHENTICATED, "a server's certificate of this cluster is required");
};

const SERVER_NAME = 'dhow-server';
const SERVER_USE = '1.3.6.1.5.5.7.3.1';
const CLIENT_USE = '1.3.6.1.5.5.7.3.2';
