import { ServerCredentials, status, type ServiceError } from '@grpc/grpc-js';
import type { PeerCertificate } from 'node:tls';

import type { Pki } from '../pki/pki';

const NODE_PREFIX = 'system:node:';
const NODE_GROUP = 'system:nodes';

/**
 * TLS that asks for a client certificate but lets connections without one in: joining needs none.
 * gRPC exposes only certificates that the CA signed, so `nodeNameOf` need not verify them again.
 */
export class OptionalClientCertificateCredentials extends ServerCredentials {
  constructor({ server, caCertificate }: Pick<Pki, 'caCertificate' | 'server'>) {
    const { certificate, key } = server;
    super(
      { requestCert: true, rejectUnauthorized: false },
      // The CA goes into the chain so that a joining agent finds the key that it was told to trust.
      { cert: withCa(certificate, caCertificate), key, ca: caCertificate, minVersion: 'TLSv1.2' },
    );
  }

  override _equals(other: ServerCredentials): boolean {
    return this === other;
  }
}

const withCa = (certificate: string, ca: string): string =>
  certificate.includes(ca.trim()) ? certificate : `${certificate.trimEnd()}\n${ca}`;

interface Authenticated {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/** The node that the caller's certificate names. @throws UNAUTHENTICATED */
export const nodeNameOf = (call: Authenticated): string => {
  const subject = call.getAuthContext().sslPeerCertificate?.subject as
    Partial<Record<'CN' | 'O', string | string[]>> | undefined;
  const commonName = [subject?.CN ?? ''].flat()[0] ?? '';
  const groups = [subject?.O ?? []].flat();
  if (!commonName.startsWith(NODE_PREFIX) || !groups.includes(NODE_GROUP))
    throw grpcError(status.UNAUTHENTICATED, 'a node certificate of this cluster is required');
  return commonName.slice(NODE_PREFIX.length);
};

export const grpcError = (code: status, message: string): Partial<ServiceError> & Error =>
  Object.assign(new Error(message), { code, details: message });

/** DNS subdomain, as Kubernetes wants of a node's name. */
export const isNodeName = (name: string): boolean =>
  name.length <= 253 &&
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);
