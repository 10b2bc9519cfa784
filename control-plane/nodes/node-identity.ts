import { status, type ServiceError } from '@grpc/grpc-js';
import { verify, X509Certificate } from 'node:crypto';
import type { PeerCertificate } from 'node:tls';

import { rejoinProofOf } from '../../api/node-identity';
import { isSignedByOneOf } from '../../lib/certificate-bundle';
import type { RejoinRequest } from '../../proto/gen/dhow/agent/v1/agent';
import { publicKeyHashOf } from '../../lib/public-key';
const NODE_PREFIX = 'system:node:';
const NODE_GROUP = 'system:nodes';

interface Authenticated {
  getAuthContext(): { readonly sslPeerCertificate?: PeerCertificate };
}

/** Who calls: a node, and the hash of the key by which it shows that. */
export interface NodeHolder {
  readonly nodeName: string;
  readonly key: string;
}

/**
 * The node that the caller's certificate names, and the hash of its key. gRPC exposes only
 * certificates that the CA signed, so it need not be verified again. @throws UNAUTHENTICATED
 */
export const holderOf = (call: Authenticated): NodeHolder =>
  holderIn(call.getAuthContext().sslPeerCertificate);

/**
 * The node that a certificate names which has ended, shown by a signature with its key. Only of an authority in
 * `trusted`: whether the key is still the node's is for others to say. @throws UNAUTHENTICATED
 */
export const holderByProof = (
  { certificate, certificateRequest, signature }: RejoinRequest,
  trusted: string,
): NodeHolder => {
  const shown = parsedCertificate(certificate);
  const isProven =
    shown !== undefined &&
    isSignedByOneOf(shown, trusted) &&
    verify('sha256', rejoinProofOf(certificateRequest), shown.publicKey, signature);
  return holderIn(isProven ? shown.toLegacyObject() : undefined);
};

const parsedCertificate = (pem: string): X509Certificate | undefined => {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
};

const holderIn = (certificate: PeerCertificate | undefined): NodeHolder => {
  const subject = certificate?.subject as
    Partial<Record<'CN' | 'O', string | string[]>> | undefined;
  const commonName = [subject?.CN ?? ''].flat()[0] ?? '';
  const groups = [subject?.O ?? []].flat();
  if (
    certificate === undefined ||
    !commonName.startsWith(NODE_PREFIX) ||
    !groups.includes(NODE_GROUP)
  )
    throw grpcError(status.UNAUTHENTICATED, 'a node certificate of this cluster is required');
  return {
    nodeName: commonName.slice(NODE_PREFIX.length),
    key: publicKeyHashOf(certificate.raw),
  };
};

export const grpcError = (code: status, message: string): Partial<ServiceError> & Error =>
  Object.assign(new Error(message), { code, details: message });

/** DNS subdomain, as Kubernetes wants of a node's name. */
export const isNodeName = (name: string): boolean =>
  name.length <= 253 &&
  /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name);
